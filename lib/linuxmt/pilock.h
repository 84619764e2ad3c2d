/* SPDX-License-Identifier: MIT
 *
 * A lock whose holder runs with the priority of the most urgent task that waits for it. See mt_pilock_acquire(3).
 */
#ifndef LINUXMT_PILOCK_H
#define LINUXMT_PILOCK_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

/* The kernel relies on where word and next lie. */
struct mt_pilock {
    uint32_t word;
    uint16_t flags;
    uint16_t broken;   /* not 0: it was released before what it guards had been mended */
    const char *name;  /* not copied, and the same address in each process that uses the lock */
    const char *place; /* "file:line" of the last acquisition */
    void *previous, *next;
};

#define MT_PILOCK_INIT      \
    {                       \
        0, 0, 0, 0, 0, 0, 0 \
    }
#define MT_PILOCK_INIT_NAMED(name) \
    {                              \
        0, 0, 0, name, 0, 0, 0     \
    }

/* flags: 0 or MT_SHARED. The memory must not hold a lock that somebody uses. */
void mt_pilock_init(struct mt_pilock *pilock, const char *name, unsigned flags);

/* 0: held. -EOWNERDEAD: held as well, but its last owner died holding it: mend what it guards, then call
 * mt_pilock_consistent. Not held: -ENOTRECOVERABLE (somebody released it without having mended: for good); -ETIMEDOUT
 * (with MT_NOWAIT: -EBUSY); -EDEADLK (the caller holds it, or waits in a circle); -ECANCELED; -ENOMEM (none in the
 * kernel, or a thread that is new to the library); -ENOTSUP (the kernel has no such locks, or libc's robust list cannot
 * be shared); -ESRCH, -EINVAL, -EPERM (its memory holds something else). */
int mt__pilock_acquire(struct mt_pilock *pilock, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_pilock_acquire(pilock, deadline) mt__pilock_acquire(pilock, deadline, MT__HERE)

/* What the lock guards is in order again. 0; -EPERM: the caller does not hold it; -EINVAL: its last owner released it.
 */
int mt_pilock_consistent(struct mt_pilock *pilock);

/* 0; -EPERM if the caller does not hold it. */
int mt_pilock_release(struct mt_pilock *pilock);

/* The kernel thread id of the holder, 0 if there is none. Out of date by the time it is read, unless it is the caller.
 */
int mt_pilock_owner(const struct mt_pilock *pilock);

MT__END

#endif
