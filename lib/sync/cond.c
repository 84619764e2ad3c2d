/* SPDX-License-Identifier: MIT
 *
 * The condition variable: a sequence number that a notification raises, and a count of those who wait.
 *
 * 1. A waiter counts itself and reads the sequence while it holds the lock, so a notification that comes after it has
 * released the lock finds the count and changes the number: its sleep on the old number ends, or does not begin.
 * 2. A notification that nobody waits for changes nothing: who comes later, with the lock, sees what it was about.
 * 3. A waiter returns 0 when the number has changed, even if another was meant: a wake-up too many is allowed, one too
 * few is not. A wake of the kernel goes to one that sleeps; one that is killed at that moment passes it on (lib/wait).
 *
 * The number has 32 bits: a waiter that is held up between reading it and sleeping while exactly 2^32 notifications
 * pass would sleep on. tests/model/cond.pml checks 1 to 3.
 */
#include "sync/lock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/cond.h>
#include <string.h>

void mt_cond_init(struct mt_cond *cond, const char *name, unsigned flags)
{
    memset(cond, 0, sizeof *cond);
    cond->name = name;
    cond->flags = flags;
}

static int wait_for_change(struct mt__wait *wait, uint32_t sequence)
{
    int result = 0;

    while (!result && __atomic_load_n(wait->word, __ATOMIC_ACQUIRE) == sequence)
        result = mt__wait_round(wait, sequence, wait->deadline);
    return __atomic_load_n(wait->word, __ATOMIC_ACQUIRE) != sequence ? 0 : result;
}

int mt__cond_wait(struct mt_cond *cond, struct mt_lock *lock, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = &cond->sequence,
        .flags = cond->flags & MT_SHARED ? MT__WAIT_SHARED : 0,
        .reason = MT_WAIT_COND,
        .object = cond,
        .name = cond->name,
        .place = place,
        .deadline = deadline,
    };
    const char *acquired_at = lock->place;
    uint32_t sequence;
    int result;

    if (!mt__lock_is_mine(lock))
        return -EPERM;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    __atomic_fetch_add(&cond->waiters, 1, __ATOMIC_SEQ_CST);
    sequence = __atomic_load_n(&cond->sequence, __ATOMIC_SEQ_CST);
    (void)mt_lock_release(lock);
    result = wait_for_change(&wait, sequence);
    __atomic_fetch_sub(&cond->waiters, 1, __ATOMIC_RELEASE);
    result = mt__wait_end(&wait, result);
    mt__lock_reacquire(lock, acquired_at);
    return result;
}

int mt__cond_wait_for(struct mt_cond *cond, struct mt_lock *lock, int (*predicate)(void *), void *arg,
                      mt_deadline deadline, const char *place)
{
    int result = 0;

    if (!mt__lock_is_mine(lock))
        return -EPERM;
    while (!predicate(arg)) {
        if (result)
            return result;
        result = mt__cond_wait(cond, lock, deadline, place);
    }
    return 0;
}

void mt_cond_notify(struct mt_cond *cond, unsigned count)
{
    unsigned flags = cond->flags & MT_SHARED ? MT__WAIT_SHARED : 0;

    if (!count || !__atomic_load_n(&cond->waiters, __ATOMIC_SEQ_CST))
        return;
    __atomic_fetch_add(&cond->sequence, 1, __ATOMIC_SEQ_CST);
    mt__wake(&cond->sequence, count, flags);
}

void mt_cond_notify_all(struct mt_cond *cond)
{
    mt_cond_notify(cond, UINT_MAX);
}
