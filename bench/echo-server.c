/* SPDX-License-Identifier: MIT
 *
 * Echo servers in C on the listening socket that is descriptor 3, one a variant: coroutines of ours (LINUXMT_LOOP says
 * on which loop), and what they are measured against, an epoll server as one would write it by hand (echo-epoll.c) and
 * one of threads (echo-threads.c). They go on until they are killed. The one by io_uring is a program of its own, as
 * only that needs liburing.
 */
#include "echo-server.h"

#include <errno.h>
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[ECHO_BUFFER];
    ssize_t count, sent;

    while ((count = mt_recv(fd, buffer, sizeof buffer, 0, MT_FOREVER)) > 0)
        for (ssize_t at = 0; at < count; at += sent) {
            sent = mt_send(fd, buffer + at, (size_t)(count - at), 0, MT_FOREVER);
            if (sent < 0)
                return mt_close(fd);
        }
    return mt_close(fd);
}

static int coroutines(void)
{
    for (;;) {
        int fd = mt_accept(ECHO_LISTENER, NULL, NULL, SOCK_CLOEXEC, MT_FOREVER);
        struct mt_task *task = fd < 0 ? NULL : mt_coro_spawn(serve, (void *)(intptr_t)fd, NULL);
        if (!task)
            return 1;
        mt_task_detach(task);
    }
}

int main(int argc, char **argv)
{
    const char *variant = argc > 1 ? argv[1] : "";

    if (!strcmp(variant, "mt"))
        return coroutines();
    if (!strcmp(variant, "mt-epoll")) {
        setenv("LINUXMT_LOOP", "epoll", 1);
        return coroutines();
    }
    if (!strcmp(variant, "threads"))
        return echo_by_threads();
    if (!strcmp(variant, "epoll"))
        return echo_by_epoll();
    fprintf(stderr, "usage: echo-server mt|mt-epoll|threads|epoll\n");
    return 2;
}
