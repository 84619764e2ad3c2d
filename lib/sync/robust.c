/* SPDX-License-Identifier: MIT
 *
 * The robust lock. The kernel takes part: at the end of a thread, however it ends, it walks the thread's list of held
 * locks (robust-list.c), puts D in the place of the owner, and wakes one sleeper.
 *
 *   word        meaning                                       who changes it, to what
 *   0           free                                          anybody: o
 *   o           held by o                                     o: 0.   another, about to sleep: W.   the kernel: D
 *   D           its owner died                                anybody: o|D
 *   o|D         held, and what it guards is not mended        o, mended: o.   o, not mended: broken, 0.   the kernel: D
 *   with W      there may be sleepers: who frees the word wakes one
 *
 * 1. W is set by the compare-and-swap after which the task sleeps, and kept by a taker that has slept, who does not
 * know whether it was the last, and by whoever takes over from the dead.
 * 2. broken is only set by an owner, before it releases: every later one sees it, releases, and so wakes the next.
 * 3. A wake can be lost: A and B sleep, the wake goes to A, another task takes the free word without W, and A is
 * killed before it has looked. Nobody wakes B then, and the kernel cannot know. So no sleep is longer than LOOK_AGAIN,
 * after which B sets W anew. (Leaving W in a free word would mend that too, at the price of a system call a release
 * ever after.)
 * 4. The word is always a shared futex: the kernel wakes it as one.
 * 5. What runs in a hub sleeps on the word as a thread does, between two attempts to take it; list_op_pending
 * (robust-list.h) is only set during an attempt, as the next coroutine may make one of its own. A thread that dies
 * while a coroutine of it sleeps may so have used up a wake: that is as in 3.
 *
 * The bit that reserves a starved lock (lock.c) is D here, so those who barge in are not held back: a sleeper may be
 * overtaken any number of times.
 *
 * tests/model/robust.pml checks 1 to 3.
 */
#include "base/clock.h"
#include "base/probe.h"
#include "sync/lock.h"
#include "sync/lockorder.h"
#include "sync/robust-list.h"
#include "task/deadlock.h"

#include <errno.h>
#include <linuxmt/robust.h>
#include <stddef.h>
#include <string.h>

#define WAITERS    MT__ROBUST_WAITERS
#define DIED       MT__ROBUST_DIED
#define OWNER      MT__OWNER_MASK
#define LOOK_AGAIN MT_MS(200)
#define PATIENCE   MT_MS(1) /* before it looks for a circle */

_Static_assert(offsetof(struct mt_robust, word) - offsetof(struct mt_robust, next) == (size_t)MT__ROBUST_OFFSET,
               "where the kernel looks for the word");

void mt_robust_init(struct mt_robust *robust, const char *name, unsigned flags)
{
    memset(robust, 0, sizeof *robust);
    robust->name = name;
    robust->flags = (uint16_t)flags;
}

int mt_robust_owner(const struct mt_robust *robust)
{
    return (int)(__atomic_load_n(&robust->word, __ATOMIC_RELAXED) & OWNER);
}

/* A fork's child holds nothing: the kernel would not hand it on, either. */
int mt__robust_is_mine(const struct mt_robust *robust)
{
    return mt__here.thread && (uint32_t)mt_robust_owner(robust) == mt__here.thread;
}

static struct mt__robust_links *links_of(struct mt_robust *robust)
{
    return (struct mt__robust_links *)&robust->previous;
}

static int change(struct mt_robust *robust, uint32_t *from, uint32_t to)
{
    return __atomic_compare_exchange_n(&robust->word, from, to, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

struct wish {
    mt_deadline deadline;
    const char *place;
    unsigned flags; /* of the wait */
    uint32_t slept; /* WAITERS: it has, in a hub, between two attempts */
};

/* -- Acquire ------------------------------------------------------------------------------------------------------ */

/* 1: taken. 0: held by another; *seen is the word, marked if asked so. */
static int take_or_mark(struct mt_robust *robust, uint32_t slept, int mark, uint32_t *seen)
{
    uint32_t word = __atomic_load_n(&robust->word, __ATOMIC_RELAXED), next;

    for (;;) {
        int taking = !(word & OWNER);
        next = taking ? word | slept | mt__here.thread : mark ? word | WAITERS : word;
        if (next == word || change(robust, &word, next)) {
            *seen = next;
            return taking;
        }
    }
}

static mt_deadline end_of_round(const struct mt__wait *wait, uint32_t slept)
{
    mt_deadline limit = slept ? mt_after(LOOK_AGAIN) : wait->since + PATIENCE;

    return wait->deadline < limit ? wait->deadline : limit;
}

static int sleep_once(struct mt__wait *wait, uint32_t seen, uint32_t slept)
{
    mt_deadline until = end_of_round(wait, slept);
    int result = mt__wait_round(wait, seen, until);

    if (result == -ETIMEDOUT && until < wait->deadline)
        result = 0;
    if (result || slept)
        return result;
    result = mt__deadlock_check(wait);
    return wait->flags & MT__WAIT_NOCANCEL ? 0 : result; /* then it is only told of */
}

/* 0 and held, or the error. */
static int acquire_by_sleeping(struct mt_robust *robust, const struct wish *wish, uint32_t owner, int64_t *waited)
{
    const char *place = wish->place;
    struct mt__wait wait = {
        .word = &robust->word,
        .flags = MT__WAIT_SHARED | wish->flags,
        .reason = MT_WAIT_LOCK,
        .owner = owner,
        .object = robust,
        .name = robust->name,
        .place = place,
        .deadline = wish->deadline,
    };
    uint32_t slept = 0, seen;
    int result;

    if (MT__PROBED(lock__contended))
        MT__PROBE4(lock__contended, robust, robust->name, owner, place);
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    while (!take_or_mark(robust, slept, 1, &seen)) {
        result = sleep_once(&wait, seen, slept);
        slept = WAITERS;
        if (result) {
            mt__wake(&robust->word, 1, MT__WAIT_SHARED); /* one may have come to this task */
            break;
        }
    }
    *waited = mt_now() - wait.since;
    return mt__wait_end(&wait, result);
}

/* 0 and held, or the error: without what the last owner left. */
static int take(struct mt_robust *robust, const struct wish *wish, int64_t *waited)
{
    uint32_t seen;

    if (take_or_mark(robust, wish->slept, 0, &seen))
        return 0;
    if (wish->deadline == MT_NOWAIT)
        return -EBUSY;
    return acquire_by_sleeping(robust, wish, seen & OWNER, waited);
}

static int acquire(struct mt_robust *robust, const struct wish *wish)
{
    const char *place = wish->place;
    struct mt__ordered ordered = {robust, robust->name, place, &robust->flags};
    int64_t waited = 0;
    int result = mt__self() ? mt__robust_ready() : -ENOMEM, died;

    if (result)
        return result;
    if (mt__robust_is_mine(robust))
        return mt__hook() ? -EBUSY : -EDEADLK; /* in a hub it may be another coroutine's */
    if (MT__LOCKORDER && wish->deadline != MT_NOWAIT)
        mt__lockorder_wanted(&ordered);
    mt__robust_begin(links_of(robust), 0);
    result = take(robust, wish, &waited);
    if (!result)
        mt__robust_link(links_of(robust), 0);
    mt__robust_end();
    if (result)
        return result;
    died = (__atomic_load_n(&robust->word, __ATOMIC_RELAXED) & DIED) != 0;
    if (died)
        __atomic_load_n(&mt__tasks_finished, __ATOMIC_ACQUIRE); /* the dead one released nothing */
    if (MT__LOCKORDER)
        mt__lockorder_taken(&ordered);
    if (robust->broken) {
        mt_robust_release(robust);
        return -ENOTRECOVERABLE;
    }
    robust->place = place;
    if (MT__PROBED(lock__acquired))
        MT__PROBE5(lock__acquired, robust, robust->name, mt__here.thread, waited, place);
    return died ? -EOWNERDEAD : 0;
}

/* -- In a hub ----------------------------------------------------------------------------------------------------- */

/* Until the word is woken while it is not free, or it is time to look again. */
static int sleep_in_hub(struct mt__wait *wait)
{
    mt_deadline look = mt_after(LOOK_AGAIN), until = wait->deadline < look ? wait->deadline : look;
    uint32_t word = __atomic_load_n(wait->word, __ATOMIC_RELAXED);
    int result;

    while (!(word & WAITERS)) {
        if (!(word & OWNER))
            return 0;
        if (__atomic_compare_exchange_n(wait->word, &word, word | WAITERS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            word |= WAITERS;
    }
    result = word & OWNER ? mt__wait_round(wait, word, until) : 0;
    return result == -ETIMEDOUT && until < wait->deadline ? 0 : result;
}

/* The kernel only knows the lock as the thread's, whose list has one lock that is about to be taken: so one attempt is
 * made after the other, none of which is under way while others run. */
static int acquire_in_hub(struct mt_robust *robust, struct wish attempt, mt_deadline deadline)
{
    struct mt__wait wait = {.word = &robust->word,
                            .flags = MT__WAIT_SHARED | attempt.flags,
                            .reason = MT_WAIT_LOCK,
                            .owner = (uint32_t)mt_robust_owner(robust),
                            .object = robust,
                            .name = robust->name,
                            .place = attempt.place,
                            .deadline = deadline};
    int result = mt__wait_begin(&wait), ended = 0;

    if (result)
        return result;
    do {
        ended = sleep_in_hub(&wait);
        attempt.slept = WAITERS;
        result = ended ? -EBUSY : acquire(robust, &attempt);
    } while (result == -EBUSY && !ended);
    if (ended)
        mt__wake(&robust->word, 1, MT__WAIT_SHARED); /* one may have come to this task */
    return mt__wait_end(&wait, ended ? ended : result);
}

static int acquire_anywhere(struct mt_robust *robust, const struct wish *wish)
{
    struct wish attempt = {MT_NOWAIT, wish->place, wish->flags, 0};
    int result;

    if (!mt__hook())
        return acquire(robust, wish);
    result = acquire(robust, &attempt);
    return result != -EBUSY || wish->deadline == MT_NOWAIT ? result : acquire_in_hub(robust, attempt, wish->deadline);
}

int mt__robust_acquire(struct mt_robust *robust, mt_deadline deadline, const char *place)
{
    return acquire_anywhere(robust, &(struct wish){.deadline = deadline, .place = place});
}

int mt__robust_reacquire(struct mt_robust *robust, const char *place)
{
    return acquire_anywhere(robust, &(struct wish){MT_FOREVER, place, MT__WAIT_NOCANCEL, 0});
}

/* -- Release ------------------------------------------------------------------------------------------------------ */

int mt_robust_consistent(struct mt_robust *robust)
{
    if (!mt__robust_is_mine(robust))
        return -EPERM;
    if (!(__atomic_load_n(&robust->word, __ATOMIC_RELAXED) & DIED))
        return -EINVAL;
    __atomic_fetch_and(&robust->word, ~DIED, __ATOMIC_RELAXED);
    return 0;
}

int mt_robust_release(struct mt_robust *robust)
{
    if (!mt__robust_is_mine(robust))
        return -EPERM;
    if (MT__PROBED(lock__released))
        MT__PROBE3(lock__released, robust, robust->name, mt__here.thread);
    if (MT__LOCKORDER)
        mt__lockorder_dropped(robust);
    if (__atomic_load_n(&robust->word, __ATOMIC_RELAXED) & DIED)
        robust->broken = 1;
    mt__robust_begin(links_of(robust), 0);
    mt__robust_unlink(links_of(robust));
    if (__atomic_exchange_n(&robust->word, 0, __ATOMIC_RELEASE) & WAITERS)
        mt__wake(&robust->word, 1, MT__WAIT_SHARED);
    mt__robust_end();
    return 0;
}
