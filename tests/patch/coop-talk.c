/* SPDX-License-Identifier: MIT
 *
 * Conversations: both sides in one thread.
 */
#include "coop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

static int ends[2];

static int pinger(void *arg)
{
    int which = (int)(intptr_t)arg;
    char byte = 'x';

    for (int i = 0; i < 200; i++) {
        if (which && read(ends[1], &byte, 1) != 1)
            return -errno;
        if (write(ends[which], &byte, 1) != 1)
            return -errno;
        if (!which && read(ends[0], &byte, 1) != 1)
            return -errno;
    }
    return 0;
}

static void conversation(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(pinger, 2);
    close(ends[0]);
    close(ends[1]);
}

/* -- A server of coroutines --------------------------------------------------------------------------------------- */

#define CLIENTS 50

static int listening;
static struct sockaddr_in server_address;

static int echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[256];
    ssize_t size;

    while ((size = read(fd, buffer, sizeof buffer)) > 0)
        if (write(fd, buffer, (size_t)size) != size)
            return -EIO;
    return close(fd) ? -errno : 0;
}

static int serve(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        int fd = accept(listening, NULL, NULL);
        struct mt_task *task = fd < 0 ? NULL : mt_coro_spawn(echo, (void *)(intptr_t)fd, NULL);
        if (!task)
            return -errno;
        mt_task_release(task);
    }
    return 0;
}

static int client(void *arg)
{
    char text[64], back[64] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (!arg)
        return close(fd) ? -errno : serve();
    if (connect(fd, (struct sockaddr *)&server_address, sizeof server_address))
        return -errno;
    enter();
    for (int i = 0; i < 10; i++) {
        int length = snprintf(text, sizeof text, "client %d says %d", (int)(intptr_t)arg, i);
        CHECK(send(fd, text, (size_t)length, 0) == length);
        CHECK(recv(fd, back, (size_t)length, MSG_WAITALL) == length);
        CHECK(!memcmp(text, back, (size_t)length));
    }
    leave();
    return close(fd) ? -errno : 0;
}

static void server(void)
{
    socklen_t size = sizeof server_address;

    listening = socket(AF_INET, SOCK_STREAM, 0);
    server_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(bind(listening, (struct sockaddr *)&server_address, size) == 0);
    CHECK(listen(listening, CLIENTS) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&server_address, &size) == 0);
    run_many(client, CLIENTS + 1);
    CHECK(most > 1);
    close(listening);
}

/* -- By streams --------------------------------------------------------------------------------------------------- */

static int streamer(void *arg)
{
    FILE *stream = fdopen(dup(ends[(intptr_t)arg]), arg ? "w" : "r");
    char line[32];
    int i = 0;

    if (arg) {
        for (; i < 5000; i++)
            CHECK(fprintf(stream, "line %d\n", i) > 0);
        close(ends[1]);
    } else {
        for (int number; i < 5000 && fgets(line, sizeof line, stream); i++)
            CHECK(sscanf(line, "line %d", &number) == 1 && number == i);
    }
    CHECK(i == 5000);
    return fclose(stream) ? -errno : 0;
}

static void streams(void)
{
    CHECK(pipe(ends) == 0);
    run_many(streamer, 2);
    close(ends[0]);
}

/* -- What the error was ------------------------------------------------------------------------------------------- */

static int prints_error(void *arg)
{
    char text[200] = "";
    FILE *stream = fmemopen(text, sizeof text, "w"), *pipe_end = fdopen(ends[1], "w");

    CHECK(stream && pipe_end);
    errno = ENOENT;
    CHECK(fprintf(stream, "%m") > 0 && errno == ENOENT);
    CHECK(fclose(stream) == 0);
    CHECK(!strcmp(text, strerror(ENOENT)));
    memset(text, 0, sizeof text);
    errno = ENOENT;
    CHECK(fprintf(pipe_end, "%m%8000s", "") > 0 && errno == ENOENT); /* off the hub: more than it takes at once */
    CHECK(fclose(pipe_end) == 0);
    CHECK(read(ends[0], text, strlen(strerror(ENOENT))) > 0);
    CHECK(!strcmp(text, strerror(ENOENT)));
    close(ends[0]);
    return 0;
}

static void prints(void)
{
    CHECK(pipe(ends) == 0);
    run_many(prints_error, 1);
}

/* -- Several wait for one event ----------------------------------------------------------------------------------- */

#define READERS 3

static int notes, stopped;
static char folder[] = "/tmp/coop-XXXXXX";

static int read_note(void *arg)
{
    char buffer[4096], path[64];

    if ((intptr_t)arg < READERS)
        return read(notes, buffer, sizeof(struct inotify_event) + 32) > 0 ? 0 : -errno;
    for (int i = 0; i < READERS; i++) { /* of each, all who wait hear */
        usleep(2000);
        snprintf(path, sizeof path, "%s/%d", folder, i);
        if (mkdir(path, 0700) || rmdir(path))
            return -errno;
    }
    return 0;
}

static void readers(void)
{
    notes = inotify_init1(IN_CLOEXEC);
    CHECK(mkdtemp(folder) != NULL);
    CHECK(inotify_add_watch(notes, folder, IN_CREATE) >= 0);
    run_many(read_note, READERS + 1);
    close(notes);
    rmdir(folder);
}

static int until_stopped(void *arg)
{
    const struct timespec past = {0, 1};

    if (arg)
        stopped = 1;
    while (!stopped)
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL))
            return -EIO;
    return 0;
}

static void sleeps(void)
{
    run_many(until_stopped, 2);
}

static int until_stopped_ready(void *arg)
{
    struct pollfd ready = {.fd = ends[0], .events = POLLOUT};
    int timeout = (intptr_t)arg ? 0 : -1;

    if ((intptr_t)arg == 2)
        stopped = 1;
    while (!stopped)
        if (poll(&ready, 1, timeout) != 1)
            return -EIO;
    return 0;
}

static void are_ready(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(until_stopped_ready, 3);
}

const struct coop_test talk_tests[] = {
    {"two talk over a socket", conversation},
    {"a server and its clients in one thread", server},
    {"streams", streams},
    {"several wait for one event", readers},
    {"a sleep that is over lets others go", sleeps},
    {"the error that is printed is the caller's", prints},
    {"what needs no wait lets others go", are_ready},
    {NULL, NULL},
};
