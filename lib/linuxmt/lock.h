/* SPDX-License-Identifier: MIT
 *
 * A mutual exclusion lock with an owner and a name. See mt_lock_acquire(3).
 *
 * The word is 0 when the lock is free, else the owner's id with two flag bits; lib/sync/lock.c tables the states.
 */
#ifndef LINUXMT_LOCK_H
#define LINUXMT_LOCK_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_lock {
    uint32_t word;
    uint16_t flags;
    uint8_t spin;      /* how long spinning has paid lately */
    uint8_t contended; /* somebody has slept for it: releasing it takes an atomic instruction */
    const char *name;  /* not copied: give it a string that lives as long as the lock */
    const char *place; /* "file:line" of the last acquisition */
};

#define MT_LOCK_INIT     \
    {                    \
        0, 0, 0, 0, 0, 0 \
    }
#define MT_LOCK_INIT_NAMED(name) \
    {                            \
        0, 0, 0, 0, name, 0      \
    }

#define MT_SHARED 1 /* the object lies in memory that several processes map */

/* flags: 0 or MT_SHARED. A name is optional. */
void mt_lock_init(struct mt_lock *lock, const char *name, unsigned flags);

/* 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -EDEADLK (the caller holds it, or waits in a cycle: see mt_deadlock(7));
 * -ECANCELED. */
static inline int mt_lock_acquire(struct mt_lock *lock, mt_deadline deadline) MT__MUST_CHECK;

/* 0; -EPERM if the caller does not hold it. */
static inline int mt_lock_release(struct mt_lock *lock);

/* Takes whichever of the locks is free first; if several are, the first in the list. Returns its place in the list, >=
 * 0. -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -EDEADLK (the caller holds one of them); -ECANCELED; -EINVAL (count is 0 or
 * above MT_LOCK_ANY_MAX). */
int mt__lock_acquire_any(struct mt_lock *const *locks, unsigned count, mt_deadline deadline,
                         const char *place) MT__MUST_CHECK;
#define mt_lock_acquire_any(locks, count, deadline) mt__lock_acquire_any(locks, count, deadline, MT__HERE)

#define MT_LOCK_ANY_MAX 127 /* futex_waitv's 128, less one for being killed */

/* The kernel thread id of the holder, 0 if it is free. Out of date by the time it is read, unless it is the caller. */
int mt_lock_owner(const struct mt_lock *lock);

/* -- The inline fast path ----------------------------------------------------------------------------------------- */

/* The calling task as locks see it: the id that goes into the word, 0 before its first slow path, and the counter that
 * is not 0 while a tracer wants to see every acquisition and release. */
struct mt__here {
    uint32_t id;
    uint32_t former; /* the id before the last fork */
    uint32_t thread; /* the kernel's id of the thread: a coroutine's id is not */
    const volatile uint16_t *probed;
    uint64_t *rseq; /* where the thread announces a restartable sequence, or NULL */
};
extern __thread struct mt__here mt__here __attribute__((tls_model("initial-exec")));

int mt__lock_acquire_slow(struct mt_lock *lock, mt_deadline deadline, const char *place);
int mt__lock_release_slow(struct mt_lock *lock);
int mt__lock_release_quiet(struct mt_lock *lock);

static inline int mt__lock_acquire(struct mt_lock *lock, mt_deadline deadline, const char *place)
{
    uint32_t free_word = 0, id = mt__here.id;
    if (MT__LIKELY(id && !*mt__here.probed &&
                   __atomic_compare_exchange_n(&lock->word, &free_word, id, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
        lock->place = place;
        return 0;
    }
    return mt__lock_acquire_slow(lock, deadline, place);
}

static inline int mt_lock_acquire(struct mt_lock *lock, mt_deadline deadline)
{
    return mt__lock_acquire(lock, deadline, 0);
}

/* The call as people write it also keeps where it stands. */
#define mt_lock_acquire(lock, deadline) mt__lock_acquire(lock, deadline, MT__HERE)

/* Returns whether it is free now: not if it is another's, or somebody sleeps. */
static inline int mt__lock_release_fast(struct mt_lock *lock, uint32_t id)
{
    if (!MT__TSAN && MT__LIKELY(mt__here.rseq && !__atomic_load_n(&lock->contended, __ATOMIC_RELAXED)))
        return mt__lock_release_quiet(lock);
    return __atomic_compare_exchange_n(&lock->word, &id, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static inline int mt_lock_release(struct mt_lock *lock)
{
    uint32_t id = mt__here.id;
    if (MT__LIKELY(id && !*mt__here.probed && mt__lock_release_fast(lock, id)))
        return 0;
    return mt__lock_release_slow(lock);
}

MT__END

#endif
