/* SPDX-License-Identifier: MIT */
#ifndef CORO_IO_H
#define CORO_IO_H

#include "coro/hub.h"
#include <sys/types.h>

/* One call on a descriptor, in both its forms: what the ring is to make of it, and an attempt that does not block. */
struct mt__call {
    struct mt__io io;
    short events;                           /* what it waits for when an attempt says -EAGAIN */
    long (*attempt)(struct mt__call *call); /* the result, -EAGAIN, or another -errno */
    const void *buffer;
    size_t size;
    int flags;
    off_t offset; /* -1: the file's own */
};

/* The result, or -errno. */
long mt__io_call(struct mt__call *call, mt_deadline deadline, const char *place);

#endif
