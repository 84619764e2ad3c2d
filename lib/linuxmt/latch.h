/* SPDX-License-Identifier: MIT
 *
 * A count that goes down to nothing, once, and those who wait for that. See mt_latch_wait(3).
 */
#ifndef LINUXMT_LATCH_H
#define LINUXMT_LATCH_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_latch {
    uint32_t word; /* the count, and a bit for "somebody may sleep" */
    uint32_t flags;
    const char *name;
};

#define MT_LATCH_MAX INT32_MAX
#define MT_LATCH_INIT(count) \
    {                        \
        count, 0, 0          \
    }
#define MT_LATCH_INIT_NAMED(count, name) \
    {                                    \
        count, 0, name                   \
    }

/* -EINVAL if count is above MT_LATCH_MAX. */
int mt_latch_init(struct mt_latch *latch, uint32_t count, const char *name, unsigned flags);

/* Takes n off the count; at 0 all who wait go on. 0; -EINVAL if fewer than n are left: nothing is taken then. */
int mt_latch_count_down(struct mt_latch *latch, uint32_t n);

/* Waits until the count is 0. 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -ENOMEM (a thread that is
 * new to the library, and no memory for its task). */
int mt__latch_wait(struct mt_latch *latch, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_latch_wait(latch, deadline) mt__latch_wait(latch, deadline, MT__HERE)

uint32_t mt_latch_count(const struct mt_latch *latch);

MT__END

#endif
