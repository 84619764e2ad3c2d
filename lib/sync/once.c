/* SPDX-License-Identifier: MIT
 *
 * Done once:
 *
 *   0         not done        a caller: o
 *   o         o is at it      o: DONE or, if it failed or its thread is ended in it, 0.   another: o|W
 *   o|W       ... and somebody may sleep; whoever o leaves it to is woken, all of them: one takes over or all go on
 *   DONE      done, for good
 */
#include "base/clock.h"
#include "task/deadlock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/once.h>
#include <pthread.h>

#define WAITERS 0x80000000u
#define DONE    MT__ONCE_DONE

int mt_once_is_done(const struct mt_once *once)
{
    return __atomic_load_n(&once->word, __ATOMIC_ACQUIRE) == DONE;
}

static void leave(struct mt_once *once, uint32_t word)
{
    unsigned flags = once->flags & MT_SHARED ? MT__WAIT_SHARED : 0;

    if (__atomic_exchange_n(&once->word, word, __ATOMIC_ACQ_REL) & WAITERS)
        mt__wake(&once->word, UINT_MAX, flags);
}

static void thread_ends(void *once)
{
    leave(once, 0);
}

static int run(struct mt_once *once, mt_fn *fn, void *arg)
{
    int outcome;

    pthread_cleanup_push(thread_ends, once);
    outcome = fn(arg);
    pthread_cleanup_pop(0);
    leave(once, outcome ? 0 : DONE);
    return outcome;
}

/* Waits while another is at it. 1: it is this task's turn; 0: done; else the error. */
static int wait_for_turn(struct mt_once *once, struct mt__wait *wait, uint32_t id)
{
    int result = mt__deadlock_check(wait);

    for (;;) {
        uint32_t word = 0;
        if (__atomic_compare_exchange_n(&once->word, &word, id, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
            return 1;
        if (word == DONE)
            return 0;
        if (result)
            return result;
        if (!(word & WAITERS) &&
            !__atomic_compare_exchange_n(&once->word, &word, word | WAITERS, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        result = mt__wait_round(wait, word | WAITERS, wait->deadline);
    }
}

int mt__once_slow(struct mt_once *once, mt_fn *fn, void *arg, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = &once->word,
        .flags = once->flags & MT_SHARED ? MT__WAIT_SHARED : 0,
        .reason = MT_WAIT_ONCE,
        .object = once,
        .name = once->name,
        .place = place,
        .deadline = deadline,
    };
    uint32_t word = 0;
    int result;

    if (!mt__self())
        return -ENOMEM;
    if (__atomic_compare_exchange_n(&once->word, &word, mt__here.id, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
        return run(once, fn, arg);
    if (word == DONE)
        return 0;
    if ((word & MT__OWNER_MASK) == mt__here.id)
        return -EDEADLK;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    wait.owner = word & MT__OWNER_MASK;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    result = wait_for_turn(once, &wait, mt__here.id);
    if (result != 1)
        return mt__wait_end(&wait, result);
    mt__wait_end(&wait, 0);
    return run(once, fn, arg);
}
