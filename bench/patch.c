/* SPDX-License-Identifier: MIT
 *
 * What patching costs. usage: patch VARIANT; prints "metric unit value" a line.
 *
 *   call       read(2) of nothing much outside of coroutines: patched (mt), and libc's own (libc)
 *   echo-N     a round trip of 64 bytes with N connections: a server of blocking read and write in coroutines (mt), of
 * the library's own calls in coroutines (native), and of blocking calls in threads (threads). The clients are
 *              coroutines of another process
 */
#include <fcntl.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 2000000
#define TRIPS 20000
#define SIZE  64
#define MOST  100

static int ends[MOST][2], trips;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void call(ssize_t (*reads)(int fd, void *buffer, size_t size))
{
    int fd = open("/dev/null", O_RDONLY);
    int64_t start = mt_now();
    char byte;

    for (int i = 0; i < CALLS; i++)
        if ((reads ? reads(fd, &byte, 1) : read(fd, &byte, 1)) != 0)
            die("read");
    printf("call ns %.2f\n", (double)(mt_now() - start) / CALLS);
    close(fd);
}

static int serve_blocking(void *arg)
{
    int fd = ends[(intptr_t)arg][0];
    char buffer[SIZE];
    ssize_t size;

    while ((size = read(fd, buffer, sizeof buffer)) > 0)
        if (write(fd, buffer, (size_t)size) != size)
            return -EIO;
    return 0;
}

static int serve_native(void *arg)
{
    int fd = ends[(intptr_t)arg][0];
    char buffer[SIZE];
    ssize_t size;

    while ((size = mt_read(fd, buffer, sizeof buffer, MT_FOREVER)) > 0)
        if (mt_write(fd, buffer, (size_t)size, MT_FOREVER) != size)
            return -EIO;
    return 0;
}

static void *serve_thread(void *arg)
{
    serve_blocking(arg);
    return NULL;
}

static int ask(void *arg)
{
    int fd = ends[(intptr_t)arg][1];
    char buffer[SIZE] = "";

    for (int i = 0; i < trips; i++)
        if (mt_write_all(fd, buffer, SIZE, NULL, MT_FOREVER) || mt_read_all(fd, buffer, SIZE, NULL, MT_FOREVER))
            return -EIO;
    return 0;
}

static void coroutines(mt_fn *fn, int count)
{
    struct mt_task *tasks[MOST];

    for (int i = 0; i < count; i++)
        if (!(tasks[i] = mt_coro_spawn(fn, (void *)(intptr_t)i, NULL)))
            die("mt_coro_spawn");
    if (mt_joinall(tasks, (size_t)count, MT_FOREVER))
        die("mt_joinall");
    for (int i = 0; i < count; i++)
        mt_task_release(tasks[i]);
}

static pid_t clients(int count)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    for (int i = 0; i < count; i++)
        close(ends[i][0]);
    coroutines(ask, count);
    _exit(0);
}

static void threads(int count)
{
    pthread_t all[MOST];

    for (int i = 0; i < count; i++)
        if (pthread_create(&all[i], NULL, serve_thread, (void *)(intptr_t)i))
            die("pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(all[i], NULL);
}

static void echo(mt_fn *fn, int count)
{
    int64_t start;
    pid_t pid;

    trips = TRIPS / count;
    for (int i = 0; i < count; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]))
            die("socketpair");
    start = mt_now();
    pid = clients(count);
    for (int i = 0; i < count; i++)
        close(ends[i][1]);
    if (fn)
        coroutines(fn, count);
    else
        threads(count);
    waitpid(pid, NULL, 0);
    printf("echo-%d ns %.0f\n", count, (double)(mt_now() - start) / (trips * (double)count));
    for (int i = 0; i < count; i++)
        close(ends[i][0]);
}

int main(int argc, char **argv)
{
    const char *variant = argc > 1 ? argv[1] : "mt";
    ssize_t (*libc_read)(int fd, void *buffer, size_t size);
    mt_fn *fn = NULL;

    *(void **)&libc_read = mt_patch_original("read");
    if (!strcmp(variant, "libc")) {
        call(libc_read);
        return 0;
    }
    if (!strcmp(variant, "mt")) {
        if (mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK)))
            die("mt_patch");
        call(NULL);
        fn = serve_blocking;
    } else if (!strcmp(variant, "native")) {
        fn = serve_native;
    }
    echo(fn, 1);
    echo(fn, MOST);
    return 0;
}
