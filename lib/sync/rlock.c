/* SPDX-License-Identifier: MIT
 *
 * The recursive lock: a lock and a depth, which only the lock's owner writes. The lock's word tells who that is. Others
 * may read the depth before they look at the word, and go by it no further, so it is written by relaxed stores.
 */
#include "sync/lock.h"

#include <errno.h>
#include <linuxmt/rlock.h>
#include <string.h>

static void set_depth(struct mt_rlock *rlock, uint32_t depth)
{
    __atomic_store_n(&rlock->depth, depth, __ATOMIC_RELAXED);
}

void mt_rlock_init(struct mt_rlock *rlock, const char *name, unsigned flags)
{
    mt_lock_init(&rlock->lock, name, flags);
    rlock->depth = 0;
}

int mt__rlock_again(struct mt_rlock *rlock, mt_deadline deadline, const char *place)
{
    int result;

    if (mt__lock_is_mine(&rlock->lock)) {
        if (rlock->depth == UINT32_MAX)
            return -EOVERFLOW;
        set_depth(rlock, rlock->depth + 1);
        return 0;
    }
    result = mt__lock_acquire(&rlock->lock, deadline, place);
    if (!result)
        set_depth(rlock, 1);
    return result;
}

int mt__rlock_release_slow(struct mt_rlock *rlock)
{
    if (!mt__lock_is_mine(&rlock->lock))
        return -EPERM;
    set_depth(rlock, rlock->depth - 1);
    if (rlock->depth)
        return 0;
    return mt_lock_release(&rlock->lock);
}

int mt__cond_wait_rlock(struct mt_cond *cond, struct mt_rlock *rlock, mt_deadline deadline, const char *place)
{
    uint32_t depth = rlock->depth;
    int result = mt__cond_wait(cond, &rlock->lock, deadline, place);

    if (result != -EPERM)
        set_depth(rlock, depth);
    return result;
}
