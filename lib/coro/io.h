/* SPDX-License-Identifier: MIT */
#ifndef CORO_IO_H
#define CORO_IO_H

#include "coro/hub.h"
#include <sys/types.h>

enum mt__direct {
    MT__DIRECT_NOT = 0,
    MT__DIRECT_SEND,    /* an attempt mostly succeeds, and never waits */
    MT__DIRECT_RECEIVE, /* nor does this, but whether it succeeds depends on what the last one has left */
};

/* One call on a descriptor, in both its forms: what the ring is to make of it, and an attempt that does not block. */
struct mt__call {
    struct mt__io io;
    short events;                           /* what it waits for when an attempt says -EAGAIN */
    long (*attempt)(struct mt__call *call); /* the result, -EAGAIN, or another -errno */
    enum mt__direct direct;
    const void *buffer;
    size_t size;
    int flags;
    off_t offset; /* -1: the file's own */
};

/* Nothing is known any more of the descriptor of that number. */
void mt__io_forget(struct mt__hub *hub, int fd);

/* The result, or -errno. */
long mt__io_call(struct mt__call *call, mt_deadline deadline, const char *place);

#endif
