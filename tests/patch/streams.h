/* SPDX-License-Identifier: MIT
 *
 * What scenarios of streams have in common: pipes with a slow peer.
 */
#ifndef TESTS_PATCH_STREAMS_H
#define TESTS_PATCH_STREAMS_H

#include "scenario.h"

/* A piece of what a slow peer has to say. */
static inline void put(int fd, const char *text)
{
    pause_ms(3);
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
}

/* A stream of that mode, whose other side is a peer. */
static inline FILE *from_peer(struct peer **peer, void (*run)(int fd), const char *mode)
{
    int fds[2];

    if (pipe(fds))
        abort();
    *peer = peer_start(run, fds[*mode == 'r']);
    return fdopen(fds[*mode != 'r'], mode);
}

/* A peer that reads to the end, and what came. */
static unsigned long drained, checksum;

static inline void drains(int fd)
{
    static unsigned char buffer[65536];
    long result;

    drained = checksum = 0;
    pause_ms(10);
    while ((result = read(fd, buffer, sizeof buffer)) > 0) {
        drained += (unsigned long)result;
        for (long i = 0; i < result; i++)
            checksum = checksum * 31 + buffer[i];
    }
    close(fd);
}

#endif
