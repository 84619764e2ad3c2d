/* SPDX-License-Identifier: MIT
 *
 * Opens and closes a million connections over loopback, by coroutines, 128 at a time: each is connected, accepted by a
 * coroutine of its own, asked, answered and closed. Says how long one takes, and by how much memory and the number of
 * descriptors have grown between the first tenth and the end: an end other than 0 means that they have not stayed flat.
 *
 *     connections [COUNT]        LINUXMT_LOOP says on which loop
 *
 * The client ends them by a reset (SO_LINGER of no time), so that no port is kept in TIME_WAIT.
 */
#include <dirent.h>
#include <errno.h>
#include <linuxmt.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CLIENTS = 128, GROWTH_MOST = 1024 /* KiB */ };

static struct sockaddr_in address;
static unsigned long left, serving;

static int serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[64];
    ssize_t count;

    while ((count = mt_recv(fd, buffer, sizeof buffer, 0, mt_after(MT_SEC(60)))) > 0)
        if (mt_send(fd, buffer, (size_t)count, 0, mt_after(MT_SEC(60))) != count)
            break;
    serving--;
    mt_close(fd);
    return count == -ETIMEDOUT ? -ETIMEDOUT : 0; /* a reset is the usual end */
}

static int take(void *arg)
{
    int listener = *(int *)arg, fd;
    struct mt_task *task;

    while ((fd = mt_accept(listener, NULL, NULL, SOCK_CLOEXEC, MT_FOREVER)) >= 0 || fd == -ECONNABORTED) {
        if (fd < 0)
            continue;
        task = mt_coro_spawn(serve, (void *)(intptr_t)fd, NULL);
        if (!task)
            return mt_fail(-errno, "mt_coro_spawn");
        serving++;
        mt_task_detach(task);
    }
    return fd == -ECANCELED ? 0 : fd;
}

static int talk(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    char question[] = "question", answer[sizeof question];
    int error = mt_connect(fd, (struct sockaddr *)&address, sizeof address, mt_after(MT_SEC(60)));

    if (error)
        return mt_fail(error, "mt_connect");
    if (mt_send(fd, question, sizeof question, 0, mt_after(MT_SEC(60))) != sizeof question)
        return mt_fail(-EIO, "mt_send");
    for (size_t at = 0; at < sizeof answer;) {
        ssize_t count = mt_recv(fd, answer + at, sizeof answer - at, 0, mt_after(MT_SEC(60)));
        if (count <= 0)
            return mt_fail(count ? (int)count : -EPIPE, "mt_recv");
        at += (size_t)count;
    }
    if (memcmp(question, answer, sizeof answer) != 0)
        return mt_fail(-EILSEQ, "another answer");
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) ? -errno : 0;
}

static int ask(void *arg)
{
    while (left) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error;
        if (fd < 0)
            return mt_fail(-errno, "socket");
        left--;
        error = talk(fd);
        mt_close(fd);
        if (error)
            return error;
    }
    return 0;
}

static int run(unsigned long count)
{
    struct mt_task *clients[CLIENTS];
    int result = 0;

    left = count;
    for (int i = 0; i < CLIENTS; i++)
        if (!(clients[i] = mt_coro_spawn(ask, NULL, NULL)))
            return -errno;
    for (int i = 0; i < CLIENTS; i++) {
        if (mt_task_join(clients[i], MT_FOREVER) || mt_task_outcome(clients[i]))
            result = -EIO;
        mt_task_release(clients[i]);
    }
    for (int i = 0; serving && i < 60000; i++)
        mt_sleep(MT_MS(1));
    return serving ? -EBUSY : result;
}

static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size, pages = -1;

    if (file && fscanf(file, "%ld %ld", &size, &pages) != 2)
        pages = -1;
    if (file)
        fclose(file);
    return pages * 4;
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), before;
    socklen_t size = sizeof address;
    struct mt_task *acceptor;
    mt_deadline start = mt_now();
    long memory;

    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("connections: a listening socket");
        return 1;
    }
    acceptor = mt_coro_spawn(take, &listener, NULL);
    if (!acceptor || run(count / 10))
        return 1;
    memory = resident();
    before = descriptors();
    if (run(count - count / 10))
        return 1;
    memory = resident() - memory;
    before = descriptors() - before;
    printf("connection us %.3f\n", (double)(mt_now() - start) / 1e3 / (double)count);
    printf("memory-growth KiB %ld\n", memory);
    printf("descriptor-growth descriptors %d\n", before);
    mt_task_kill(acceptor);
    if (mt_task_join(acceptor, MT_FOREVER) || mt_task_outcome(acceptor))
        return 1;
    mt_task_release(acceptor);
    return memory > GROWTH_MOST || before != 0;
}
