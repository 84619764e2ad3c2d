/* SPDX-License-Identifier: MIT
 *
 * The priority inheritance lock. The word is the kernel's as much as ours (FUTEX_LOCK_PI):
 *
 *   word        meaning                                       who changes it, to what
 *   0           free                                          anybody: o
 *   o           held by o, nobody waits                       o: 0.   the kernel, for one who waits: W
 *   with W      somebody waits in the kernel                  the kernel alone: it gives the lock to the most urgent
 *   with D      the last owner died holding it; kept by the kernel until the owner clears it
 *
 * 1. Only 0 -> o, o -> 0 and o|D -> 0 are made here, and the clearing of D by an owner: everything else is the
 * kernel's, so a word that is not one of these goes to the kernel. Nobody barges in.
 * 2. It is on the robust list (robust-list.c) while it is held, so that the kernel also hands on a lock whose owner
 * died while nobody waited.
 * 3. What to do about a dead owner is as in robust.c: broken is set by an owner that releases with D still there, and
 * makes every later one release again. The kernel drops D when it hands the lock on, hence the field.
 *
 * How it waits, and how it hears of being killed: lib/wait/pi.c. The kernel follows chains of such locks and refuses to
 * close a circle, whatever the policy of mt_deadlock(7) says, which would only report it.
 */
#include "base/clock.h"
#include "base/probe.h"
#include "sync/lockorder.h"
#include "sync/robust-list.h"
#include "task/deadlock.h"
#include "wait/pi.h"

#include <errno.h>
#include <linuxmt/lock.h>
#include <linuxmt/pilock.h>
#include <stddef.h>
#include <string.h>

#define DIED  MT__ROBUST_DIED
#define OWNER MT__OWNER_MASK

_Static_assert(offsetof(struct mt_pilock, word) - offsetof(struct mt_pilock, next) == (size_t)MT__ROBUST_OFFSET,
               "where the kernel looks for the word");

void mt_pilock_init(struct mt_pilock *pilock, const char *name, unsigned flags)
{
    memset(pilock, 0, sizeof *pilock);
    pilock->name = name;
    pilock->flags = (uint16_t)flags;
}

int mt_pilock_owner(const struct mt_pilock *pilock)
{
    return (int)(__atomic_load_n(&pilock->word, __ATOMIC_RELAXED) & OWNER);
}

/* A fork's child holds nothing: the kernel knows the lock as its parent's. */
static int is_mine(const struct mt_pilock *pilock)
{
    return mt__here.thread && (uint32_t)mt_pilock_owner(pilock) == mt__here.thread;
}

static struct mt__robust_links *links_of(struct mt_pilock *pilock)
{
    return (struct mt__robust_links *)&pilock->previous;
}

static unsigned wait_flags(const struct mt_pilock *pilock)
{
    return MT__IS_SHARED(pilock) ? MT__WAIT_SHARED : 0;
}

/* -- Acquire ------------------------------------------------------------------------------------------------------ */

static int acquire_by_waiting(struct mt_pilock *pilock, mt_deadline deadline, const char *place, int64_t *waited)
{
    struct mt__wait wait = {
        .word = &pilock->word,
        .flags = wait_flags(pilock),
        .reason = MT_WAIT_LOCK,
        .owner = (uint32_t)mt_pilock_owner(pilock),
        .object = pilock,
        .name = pilock->name,
        .place = place,
        .deadline = deadline,
    };
    int result;

    if (MT__PROBED(lock__contended))
        MT__PROBE4(lock__contended, pilock, pilock->name, wait.owner, place);
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    result = mt__deadlock_check(&wait);
    if (!result)
        do
            result = mt__wait_pi_round(&wait);
        while (result == -EAGAIN);
    *waited = mt_now() - wait.since;
    return mt__wait_end(&wait, result);
}

/* 0 and held, or the error: without what the last owner left. */
static int take(struct mt_pilock *pilock, mt_deadline deadline, const char *place, int64_t *waited)
{
    uint32_t word = 0;

    if (__atomic_compare_exchange_n(&pilock->word, &word, mt__here.thread, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 0;
    if (deadline == MT_NOWAIT)
        return mt__wait_pi_try(&pilock->word, wait_flags(pilock));
    return acquire_by_waiting(pilock, deadline, place, waited);
}

static int acquire(struct mt_pilock *pilock, mt_deadline deadline, const char *place)
{
    struct mt__ordered ordered = {pilock, pilock->name, place, &pilock->flags};
    int64_t waited = 0;
    int result = mt__self() ? mt__robust_ready() : -ENOMEM, died;

    if (result)
        return result;
    if (is_mine(pilock))
        return mt__hook() ? -EBUSY : -EDEADLK; /* in a hub it may be another coroutine's */
    if (MT__LOCKORDER && deadline != MT_NOWAIT)
        mt__lockorder_wanted(&ordered);
    mt__robust_begin(links_of(pilock), MT__ROBUST_PI);
    result = take(pilock, deadline, place, &waited);
    if (!result)
        mt__robust_link(links_of(pilock), MT__ROBUST_PI);
    mt__robust_end();
    if (result)
        return result;
    died = (__atomic_load_n(&pilock->word, __ATOMIC_RELAXED) & DIED) != 0;
    if (died)
        __atomic_load_n(&mt__tasks_finished, __ATOMIC_ACQUIRE); /* the dead one released nothing */
    if (MT__LOCKORDER)
        mt__lockorder_taken(&ordered);
    if (pilock->broken) {
        mt_pilock_release(pilock);
        return -ENOTRECOVERABLE;
    }
    pilock->place = place;
    if (MT__PROBED(lock__acquired))
        MT__PROBE5(lock__acquired, pilock, pilock->name, mt__here.thread, waited, place);
    return died ? -EOWNERDEAD : 0;
}

/* -- In a hub ----------------------------------------------------------------------------------------------------- */

/* No other coroutine could run while one waits in FUTEX_LOCK_PI, and the lock would be the thread's who does that: no
 * helper can. Nor can the word be waited for as other words are: where the kernel finds such a waiter it refuses to
 * hand the lock on. So it is tried: when it is released in the same hub, and else after a part of the time that it has
 * been waited for. */
#define SOONEST MT_MS(1)
#define LATEST  MT_MS(50)
#define PART    4

/* A word that does not change, and that nobody else waits for. */
static uint32_t *bell_of(struct mt_pilock *pilock)
{
    return (uint32_t *)&pilock->name;
}

static int wait_for_bell(struct mt__wait *wait)
{
    mt_deadline now = mt_now(), part = (now - wait->since) / PART, until;
    uint32_t value;
    int result;

    until = now + (part < SOONEST ? SOONEST : part > LATEST ? LATEST : part);
    if (until > wait->deadline)
        until = wait->deadline;
    memcpy(&value, wait->word, sizeof value);
    result = mt__wait_round(wait, value, until);
    return result == -ETIMEDOUT && until < wait->deadline ? 0 : result;
}

static int acquire_in_hub(struct mt_pilock *pilock, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {.word = bell_of(pilock),
                            .reason = MT_WAIT_LOCK,
                            .owner = (uint32_t)mt_pilock_owner(pilock),
                            .object = pilock,
                            .name = pilock->name,
                            .place = place,
                            .deadline = deadline};
    int result = mt__wait_begin(&wait), ended;

    if (result)
        return result;
    do {
        ended = wait_for_bell(&wait);
        result = acquire(pilock, MT_NOWAIT, place);
    } while (result == -EBUSY && !ended);
    return mt__wait_end(&wait, result == -EBUSY ? ended : result);
}

int mt__pilock_acquire(struct mt_pilock *pilock, mt_deadline deadline, const char *place)
{
    int result;

    if (!mt__hook())
        return acquire(pilock, deadline, place);
    result = acquire(pilock, MT_NOWAIT, place);
    return result != -EBUSY || deadline == MT_NOWAIT ? result : acquire_in_hub(pilock, deadline, place);
}

/* -- Release ------------------------------------------------------------------------------------------------------ */

int mt_pilock_consistent(struct mt_pilock *pilock)
{
    if (!is_mine(pilock))
        return -EPERM;
    if (!(__atomic_load_n(&pilock->word, __ATOMIC_RELAXED) & DIED))
        return -EINVAL;
    __atomic_fetch_and(&pilock->word, ~DIED, __ATOMIC_RELAXED);
    return 0;
}

int mt_pilock_release(struct mt_pilock *pilock)
{
    uint32_t word = __atomic_load_n(&pilock->word, __ATOMIC_RELAXED) & (OWNER | DIED);

    if (!is_mine(pilock))
        return -EPERM;
    if (MT__PROBED(lock__released))
        MT__PROBE3(lock__released, pilock, pilock->name, mt__here.thread);
    if (MT__LOCKORDER)
        mt__lockorder_dropped(pilock);
    if (word & DIED)
        pilock->broken = 1;
    mt__robust_begin(links_of(pilock), MT__ROBUST_PI);
    mt__robust_unlink(links_of(pilock));
    if (!__atomic_compare_exchange_n(&pilock->word, &word, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        mt__wait_pi_release(&pilock->word, wait_flags(pilock));
    mt__robust_end();
    if (mt__hook())
        mt__hook()->unpark(bell_of(pilock), 1);
    return 0;
}
