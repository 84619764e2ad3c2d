/* SPDX-License-Identifier: MIT
 *
 * Inside the room: waiting for io_uring(7)'s completions.
 */
#ifndef PATCH_RING_H
#define PATCH_RING_H

#include "patch/patch.h"

#include <stddef.h>

struct __kernel_timespec;

/* Where a ring has them. */
struct mt__ring_counters {
    const unsigned *head, *tail, *room;
};

struct mt__ring_wish {
    int fd;
    int tells_itself; /* the descriptor is readable as soon as there is a completion */
    struct mt__ring_counters counters;
    unsigned count;
    const sigset_t *mask; /* NULL: the caller's */
    mt_deadline deadline;
    enum mt__name_number number;
};

/* Whether the kernel has what it takes for rings of others to be waited for in the hub. */
int mt__ring_can_wait(void);

/* 0: so many are there, or the time has come, or a signal, and some are; -ETIME, -EINTR, ... */
long mt__ring_wait(struct mt__ring_wish wish);
mt_deadline mt__ring_deadline(const struct __kernel_timespec *time);

/* As mt__patch_begin_fair, of what is no cancellation point. */
struct mt__patch_call mt__ring_begin(void);

/* io_uring_enter(2): its result or -errno. */
long mt__ring_enter(int fd, unsigned submit, unsigned count, unsigned flags, const void *arg, size_t size);

#endif
