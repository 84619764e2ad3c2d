/* SPDX-License-Identifier: MIT
 *
 * Whichever of several locks is free first.
 *
 * 1. Each word is marked WAITERS before the sleep, as by any waiter of that lock (lock.c, 1), so each release wakes a
 * sleeper.
 * 2. A wake of one lock may come to this task while it takes another, or gives up. So when it is done it wakes one
 * waiter of each lock that it has marked and not taken: one too many does no harm.
 * 3. A reserved word is taken only after a sleep, like everywhere. This task does not starve: it asks for no
 * reservation.
 * 4. It adds no order of locks (lockorder.c): of several that are wanted no one closes a circle.
 */
#include "base/clock.h"
#include "sync/lock.h"
#include "task/deadlock.h"
#include "wait/wait.h"

#include <errno.h>

#define WAITERS    MT__LOCK_WAITERS
#define LOOK_EVERY MT_MS(1) /* where a mark may be lost */

struct any {
    struct mt_lock *const *locks;
    unsigned count;
    int slept;
    uint32_t *words[MT_LOCK_ANY_MAX];
    uint32_t seen[MT_LOCK_ANY_MAX];
    unsigned flags[MT_LOCK_ANY_MAX];
};

/* 1: taken. 0: busy, and seen is the word as it was left, marked if `mark`. */
static int take_or_mark(struct mt_lock *lock, int slept, int mark, uint32_t *seen)
{
    uint32_t word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED), next;

    for (;;) {
        int taking = !(word & MT__OWNER_MASK) && (!word || slept);
        next = taking ? mt__here.id | (slept ? word | WAITERS : 0) : mark ? word | WAITERS : word;
        if (next == word ||
            __atomic_compare_exchange_n(&lock->word, &word, next, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            *seen = next;
            return taking;
        }
    }
}

/* The place of the lock that was taken, or -EBUSY with all marked if so asked. */
static int look_at_all(struct any *any, int mark)
{
    for (unsigned i = 0; i < any->count; i++)
        if (take_or_mark(any->locks[i], any->slept, mark, &any->seen[i]))
            return (int)i;
    return -EBUSY;
}

static void pass_on(const struct any *any, int taken)
{
    for (unsigned i = 0; i < any->count; i++)
        if ((int)i != taken)
            mt__wake(any->words[i], 1, any->flags[i]);
}

static int sleep_for_any(struct any *any, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = any->words[0],
        .flags = any->flags[0],
        .reason = MT_WAIT_LOCK,
        .object = NULL, /* it waits for no one lock: no edge for those who look for circles */
        .name = any->locks[0]->name,
        .place = place,
        .deadline = deadline,
    };
    int result = mt__wait_begin(&wait), unsure = 0, taken;

    if (result)
        return result;
    for (unsigned i = 0; i < any->count; i++)
        unsure |= mt__lock_expect(any->locks[i]);
    while ((taken = look_at_all(any, 1)) < 0 && !result) {
        mt_deadline until = unsure && deadline > mt_after(LOOK_EVERY) ? mt_after(LOOK_EVERY) : deadline;
        result = mt__wait_round_any(&wait, any->words, any->seen, any->flags, any->count, until);
        if (result == -ETIMEDOUT && until < deadline)
            result = 0;
        any->slept = 1;
    }
    pass_on(any, taken);
    result = mt__wait_end(&wait, taken >= 0 ? 0 : result);
    return taken >= 0 ? taken : result;
}

int mt__lock_acquire_any(struct mt_lock *const *locks, unsigned count, mt_deadline deadline, const char *place)
{
    struct any any = {.locks = locks, .count = count};
    int taken;

    if (!count || count > MT_LOCK_ANY_MAX)
        return -EINVAL;
    if (!mt__self())
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        if (mt__lock_is_mine(locks[i]))
            return -EDEADLK;
        any.words[i] = &locks[i]->word;
        any.flags[i] = MT__IS_SHARED(locks[i]) ? MT__WAIT_SHARED : 0;
    }
    taken = look_at_all(&any, 0);
    if (taken < 0 && deadline != MT_NOWAIT)
        taken = sleep_for_any(&any, deadline, place);
    if (taken >= 0) {
        locks[taken]->place = place;
        mt__lock_tell_order(locks[taken], place);
    }
    return taken;
}
