/* SPDX-License-Identifier: MIT */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <errno.h>
#include <linuxmt/time.h>

/* A deadline as the kernel wants it. MT_FOREVER has none (NULL); MT_NOWAIT and the negative are the clock's zero. */
struct mt__timespec {
    int64_t seconds;
    int64_t nanoseconds;
};

static inline struct mt__timespec *mt__timespec(mt_deadline deadline, struct mt__timespec *out)
{
    if (deadline == MT_FOREVER)
        return 0;
    out->seconds = deadline > 0 ? deadline / 1000000000 : 0;
    out->nanoseconds = deadline > 0 ? deadline % 1000000000 : 0;
    return out;
}

/* The code for a wait that has run out: with MT_NOWAIT it never was one. */
static inline int mt__late(mt_deadline deadline)
{
    return deadline == MT_NOWAIT ? -EBUSY : -ETIMEDOUT;
}

#endif
