/* SPDX-License-Identifier: MIT
 *
 * Conversations: both sides in one thread.
 */
#include "coop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

const struct coop_test talk_tests[] = {
    {"two talk over a socket", conversation},
    {"a server and its clients in one thread", server},
    {"streams", streams},
    {"the error that is printed is the caller's", prints},
    {NULL, NULL},
};
