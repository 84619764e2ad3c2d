/* SPDX-License-Identifier: MIT
 *
 * A barrier whose users may be killed: its fields change under a robust lock, and who waits waits for a condition of
 * that (mt_cond_wait_robust(3)).
 *
 * 1. A round ends by its last one, by whoever cannot wait on, by abort and reset, and by the death of a user between
 * two stores: whoever gets the lock from the dead breaks the round, for nobody knows how many are in it. `round` is
 * raised and all are woken.
 * 2. A waiter that wakes finds its round ended, and in `bad` how. The bits are those of the last 64 rounds: one that is
 * held up for longer than that, in which tasks beside it have passed 64 times, takes its own for good.
 * 3. One that is killed while it sleeps has come, and is counted: the others do not wait for it.
 */
#include "manager/page.h"
#include "sync/lock.h"

#include <errno.h>

static uint64_t bit_of(uint32_t round)
{
    return 1ull << round % 64;
}

/* With the lock. */
static void end_round(struct mt__page_barrier *barrier, int bad)
{
    if (bad)
        barrier->bad |= bit_of(barrier->round);
    else
        barrier->bad &= ~bit_of(barrier->round);
    __atomic_store_n(&barrier->waiting, 0, __ATOMIC_RELEASE);
    barrier->round++;
    mt_cond_notify_all(&barrier->monitor.changed);
}

static void break_for_good(struct mt__page_barrier *barrier)
{
    __atomic_store_n(&barrier->broken, 1, __ATOMIC_RELEASE);
    end_round(barrier, 1);
}

/* What came with the lock. */
static int mend(struct mt__page_barrier *barrier, int result)
{
    if (result != -EOWNERDEAD)
        return result;
    break_for_good(barrier);
    return mt_robust_consistent(&barrier->monitor.lock);
}

static int acquire(struct mt__page_barrier *barrier)
{
    return mend(barrier, mt__robust_reacquire(&barrier->monitor.lock, NULL)); /* held for moments only */
}

/* With the lock. Its place, or -errno; -ENOTRECOVERABLE of the lock: *lost, it is not held. */
static int wait_for_others(struct mt__page_barrier *barrier, mt_deadline deadline, int *lost)
{
    struct mt__monitor *monitor = &barrier->monitor;
    uint32_t place = barrier->waiting, round = barrier->round;
    int result = 0;

    __atomic_store_n(&barrier->waiting, place + 1, __ATOMIC_RELEASE);
    if (place + 1 == barrier->parties) {
        end_round(barrier, 0);
        return (int)place;
    }
    while (!result && barrier->round == round)
        result = mend(barrier, mt_cond_wait_robust(&monitor->changed, &monitor->lock, deadline));
    *lost = result == -ENOTRECOVERABLE;
    if (*lost)
        return result;
    if (barrier->round == round) {
        break_for_good(barrier);
        return result;
    }
    return barrier->bad & bit_of(round) ? -ENOTRECOVERABLE : (int)place;
}

int mt__page_barrier_wait(struct mt__page *page, mt_deadline deadline)
{
    struct mt__page_barrier *barrier = &page->barrier;
    int lost = 0, result = acquire(barrier);

    if (result)
        return result;
    result = barrier->broken ? -ENOTRECOVERABLE : wait_for_others(barrier, deadline, &lost);
    if (!lost)
        mt_robust_release(&barrier->monitor.lock);
    return result;
}

int mt__page_barrier_stop(struct mt__page *page, int broken)
{
    struct mt__page_barrier *barrier = &page->barrier;
    int result = acquire(barrier);

    if (result)
        return result;
    if (barrier->waiting)
        end_round(barrier, 1);
    __atomic_store_n(&barrier->broken, (uint32_t)broken, __ATOMIC_RELEASE);
    return mt_robust_release(&barrier->monitor.lock);
}
