/* SPDX-License-Identifier: MIT
 *
 * A lock that outlives its owner: when a task dies holding it, the next one gets it, and is told. See
 * mt_robust_acquire(3).
 */
#ifndef LINUXMT_ROBUST_H
#define LINUXMT_ROBUST_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

/* The kernel relies on where word and next lie. */
struct mt_robust {
    uint32_t word;
    uint16_t flags;
    uint16_t broken;   /* not 0: it was released before what it guards had been mended */
    const char *name;  /* not copied, and the same address in each process that uses the lock */
    const char *place; /* "file:line" of the last acquisition */
    void *previous, *next;
};

#define MT_ROBUST_INIT      \
    {                       \
        0, 0, 0, 0, 0, 0, 0 \
    }
#define MT_ROBUST_INIT_NAMED(name) \
    {                              \
        0, 0, 0, name, 0, 0, 0     \
    }

/* flags: 0 or MT_SHARED. The memory must not hold a lock that somebody uses. */
void mt_robust_init(struct mt_robust *robust, const char *name, unsigned flags);

/* 0: held. -EOWNERDEAD: held as well, but its last owner died holding it: mend what it guards, then call
 * mt_robust_consistent. Not held: -ENOTRECOVERABLE (somebody released it without having mended: for good);
 * -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -EDEADLK (the caller holds it, or waits in a circle); -ECANCELED; -ENOMEM (a
 * thread that is new to the library); -ENOTSUP (libc's or the kernel's robust list cannot be shared here). */
int mt__robust_acquire(struct mt_robust *robust, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_robust_acquire(robust, deadline) mt__robust_acquire(robust, deadline, MT__HERE)

/* What the lock guards is in order again. 0; -EPERM: the caller does not hold it; -EINVAL: its last owner released it.
 */
int mt_robust_consistent(struct mt_robust *robust);

/* 0; -EPERM if the caller does not hold it. */
int mt_robust_release(struct mt_robust *robust);

/* The kernel thread id of the holder, 0 if there is none. Out of date by the time it is read, unless it is the caller.
 */
int mt_robust_owner(const struct mt_robust *robust);

MT__END

#endif
