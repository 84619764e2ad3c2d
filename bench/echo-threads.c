/* SPDX-License-Identifier: MIT
 *
 * The echo server as one writes it for threads, one for each connection, with nothing but libc's blocking calls: as it
 * stands, or with liblinuxmt-patch preloaded, which makes coroutines of them.
 */
#include "echo-server.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[ECHO_BUFFER];
    ssize_t count, sent;

    while ((count = recv(fd, buffer, sizeof buffer, 0)) > 0)
        for (ssize_t at = 0; at < count; at += sent) {
            sent = send(fd, buffer + at, (size_t)(count - at), 0);
            if (sent < 0) {
                close(fd);
                return NULL;
            }
        }
    close(fd);
    return NULL;
}

int echo_by_threads(void)
{
    pthread_t thread;

    for (;;) {
        int fd = accept(ECHO_LISTENER, NULL, NULL);
        if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            return 1;
        pthread_detach(thread);
    }
}
