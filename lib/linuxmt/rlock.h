/* SPDX-License-Identifier: MIT
 *
 * A recursive lock: its owner may acquire it again, and releases it as often. See mt_rlock_acquire(3).
 */
#ifndef LINUXMT_RLOCK_H
#define LINUXMT_RLOCK_H

#include <linuxmt/compiler.h>
#include <linuxmt/cond.h>
#include <linuxmt/lock.h>
#include <errno.h>

MT__BEGIN

struct mt_rlock {
    struct mt_lock lock;
    uint32_t depth; /* how often its owner holds it */
};

#define MT_RLOCK_INIT   \
    {                   \
        MT_LOCK_INIT, 0 \
    }
#define MT_RLOCK_INIT_NAMED(name)   \
    {                               \
        MT_LOCK_INIT_NAMED(name), 0 \
    }

/* flags: 0 or MT_SHARED. */
void mt_rlock_init(struct mt_rlock *rlock, const char *name, unsigned flags);

/* 0; -EOVERFLOW if it is held UINT32_MAX times; else as mt_lock_acquire, which never says -EDEADLK of the owner here.
 */
static inline int mt__rlock_acquire(struct mt_rlock *rlock, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_rlock_acquire(rlock, deadline) mt__rlock_acquire(rlock, deadline, MT__HERE)

/* 0; -EPERM if the caller does not hold it. */
static inline int mt_rlock_release(struct mt_rlock *rlock);

/* Waits as mt_cond_wait does, with a lock held any number of times: it is released wholly, and held as often
 * afterwards. */
int mt__cond_wait_rlock(struct mt_cond *cond, struct mt_rlock *rlock, mt_deadline deadline,
                        const char *place) MT__MUST_CHECK;
#define mt_cond_wait_rlock(cond, rlock, deadline) mt__cond_wait_rlock(cond, rlock, deadline, MT__HERE)

int mt__rlock_again(struct mt_rlock *rlock, mt_deadline deadline, const char *place);
int mt__rlock_release_slow(struct mt_rlock *rlock);

static inline int mt__rlock_acquire(struct mt_rlock *rlock, mt_deadline deadline, const char *place)
{
    uint32_t free_word = 0, id = mt__here.id;

    if (MT__LIKELY(
            id && !*mt__here.probed &&
            __atomic_compare_exchange_n(&rlock->lock.word, &free_word, id, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
        rlock->lock.place = place;
        __atomic_store_n(&rlock->depth, 1, __ATOMIC_RELAXED);
        return 0;
    }
    return mt__rlock_again(rlock, deadline, place);
}

static inline int mt_rlock_release(struct mt_rlock *rlock)
{
    uint32_t id = mt__here.id, word;

    /* To one who is not the owner the depth tells nothing, but to such a one the word is another's. */
    if (MT__LIKELY(id && !*mt__here.probed && __atomic_load_n(&rlock->depth, __ATOMIC_RELAXED) == 1 &&
                   mt__lock_release_fast(&rlock->lock, id)))
        return 0;
    word = __atomic_load_n(&rlock->lock.word, __ATOMIC_RELAXED);
    if (MT__LIKELY(id && (word & 0x3fffffffu) == id && rlock->depth > 1)) {
        __atomic_store_n(&rlock->depth, rlock->depth - 1, __ATOMIC_RELAXED);
        return 0;
    }
    return mt__rlock_release_slow(rlock);
}

MT__END

#endif
