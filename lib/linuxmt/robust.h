/* SPDX-License-Identifier: MIT
 *
 * A lock that outlives its owner: when a task dies holding it, the next one gets it, and is told. See
 * mt_robust_acquire(3).
 */
#ifndef LINUXMT_ROBUST_H
#define LINUXMT_ROBUST_H

#include <linuxmt/compiler.h>
#include <linuxmt/cond.h>
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

/* mt_cond_wait(3) with a robust lock, for users any of which may be killed: the waiter has the lock again, with all
 * that mt_robust_acquire can say of it. It returns 0 without a notification every now and then, for a notification may
 * have been lost with a task: call it in a loop. 0; -EOWNERDEAD: somebody has died holding the lock: mend; -ETIMEDOUT;
 * -ECANCELED; in all of these the lock is held. -ENOTRECOVERABLE: it is not, for good. And without having waited
 * -EPERM: the caller does not hold the lock; -EINVAL: what it guards has not been mended. */
int mt__cond_wait_robust(struct mt_cond *cond, struct mt_robust *robust, mt_deadline deadline,
                         const char *place) MT__MUST_CHECK;
#define mt_cond_wait_robust(cond, robust, deadline) mt__cond_wait_robust(cond, robust, deadline, MT__HERE)

/* The loop: waits until predicate(arg), which is called with the lock held, is not 0. It is not called when the lock
 * comes from the dead: mend, and wait again. 0; errors as above. */
int mt__cond_wait_for_robust(struct mt_cond *cond, struct mt_robust *robust, int (*predicate)(void *arg), void *arg,
                             mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_cond_wait_for_robust(cond, robust, predicate, arg, deadline) \
    mt__cond_wait_for_robust(cond, robust, predicate, arg, deadline, MT__HERE)

/* The kernel thread id of the holder, 0 if there is none. Out of date by the time it is read, unless it is the caller.
 */
int mt_robust_owner(const struct mt_robust *robust);

MT__END

#endif
