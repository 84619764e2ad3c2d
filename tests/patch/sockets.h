/* SPDX-License-Identifier: MIT
 *
 * What scenarios of sockets have in common.
 */
#ifndef TESTS_PATCH_SOCKETS_H
#define TESTS_PATCH_SOCKETS_H

#include "scenario.h"

#include <sys/socket.h>
#include <sys/time.h>

static inline void pair(int type, int fds[2])
{
    if (socketpair(AF_UNIX, type, 0, fds))
        abort();
}

static inline void close_both(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static inline void timeout(int fd, int option, long microseconds)
{
    struct timeval time = {microseconds / 1000000, microseconds % 1000000};

    setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

/* A peer that takes its time. */
static inline void in_pieces(int fd)
{
    for (int i = 0; i < 3; i++) {
        pause_ms(5);
        if (write(fd, "abcd", 4) != 4)
            abort();
    }
}

#endif
