/* SPDX-License-Identifier: MIT
 *
 * Waiting for a condition whose lock is robust: whoever else uses the two may be killed at any moment.
 *
 * The condition is cond.c's, and so is the argument for all who live. Of those who die:
 *
 * 1. A dead waiter stays counted in `waiters`. The count is then never 0, and a notification that nobody waits for
 * costs a system call; it is not relied upon for anything else. It does not grow but by deaths.
 * 2. Four things can be lost with a task, and none of them leaves a trace that the condition could be mended by: a
 * notification that it owed when it died with the lock held; one that it owed when it had released the lock; one
 * between the change of the number and the wake; and a wake that had come to it. For each of them the waiter that it
 * was meant for sleeps on a number that does not change any more, or has changed without a wake.
 * 3. So no sleep is longer than LOOK_AGAIN. After that the wait ends as by a notification: the waiter has the lock
 * again, is told by the lock if somebody has died holding it, and looks at what it waits for, which says all that a
 * notification could have said. Whatever was lost is made good within that time, whoever died, and however many.
 * 4. The lock is acquired again without heed of deadline and kills, as after any wait for a condition. It is not held
 * afterwards in one case only, that nobody may ever hold it again.
 *
 * Two futexes at once, the number and the lock's word, would not do instead of 3: the kernel wakes one of those who
 * sleep on a dead owner's word, and does nothing about a task that dies without the lock.
 */
#include "base/clock.h"
#include "sync/lock.h"
#include "wait/wait.h"

#include <errno.h>
#include <linuxmt/robust.h>

#define LOOK_AGAIN MT_MS(200)
#define DIED       0x40000000u /* as in robust.c */

/* 0: notified, or time to look again. */
static int sleep_until_changed(struct mt__wait *wait, uint32_t sequence)
{
    mt_deadline look = mt_after(LOOK_AGAIN), until = wait->deadline < look ? wait->deadline : look;
    int result = 0;

    while (!result && __atomic_load_n(wait->word, __ATOMIC_ACQUIRE) == sequence)
        result = mt__wait_round(wait, sequence, until);
    if (__atomic_load_n(wait->word, __ATOMIC_ACQUIRE) != sequence)
        return 0;
    return result == -ETIMEDOUT && until < wait->deadline ? 0 : result;
}

int mt__cond_wait_robust(struct mt_cond *cond, struct mt_robust *robust, mt_deadline deadline, const char *place)
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
    const char *acquired_at = robust->place;
    uint32_t sequence;
    int result, held;

    if (!mt__robust_is_mine(robust))
        return -EPERM;
    if (__atomic_load_n(&robust->word, __ATOMIC_RELAXED) & DIED)
        return -EINVAL; /* to release it would break it for good */
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    __atomic_fetch_add(&cond->waiters, 1, __ATOMIC_SEQ_CST);
    sequence = __atomic_load_n(&cond->sequence, __ATOMIC_SEQ_CST);
    (void)mt_robust_release(robust);
    result = sleep_until_changed(&wait, sequence);
    __atomic_fetch_sub(&cond->waiters, 1, __ATOMIC_RELEASE);
    result = mt__wait_end(&wait, result);
    held = mt__robust_reacquire(robust, acquired_at);
    return held ? held : result;
}

int mt__cond_wait_for_robust(struct mt_cond *cond, struct mt_robust *robust, int (*predicate)(void *), void *arg,
                             mt_deadline deadline, const char *place)
{
    int result = 0;

    if (!mt__robust_is_mine(robust))
        return -EPERM;
    if (__atomic_load_n(&robust->word, __ATOMIC_RELAXED) & DIED)
        return -EINVAL;
    while (!predicate(arg)) {
        if (result)
            return result;
        result = mt__cond_wait_robust(cond, robust, deadline, place);
        if (result == -EOWNERDEAD || result == -ENOTRECOVERABLE)
            return result; /* the predicate is not to see what is torn */
    }
    return 0;
}
