/* SPDX-License-Identifier: MIT
 *
 * What the calls of a queue have in common: each acquires a guard, lets the order do its part, releases, and where
 * there was no room or no message waits for the other side.
 *
 *   waits for    sleeps on          until one of these is not what it was when it looked
 *   room         the get guard      freed, closed
 *   a message    the put guard      tail, closed, viewed
 *   all done     the done guard     done_count
 *
 * close sets `closed` to 1 with the put guard held and wakes that side, then to 2 with the get guard held and wakes the
 * other. A user that finds 1 does the second part itself: the closer may have been killed.
 */
#include "queue/call.h"
#include "base/clock.h"

#include <errno.h>

#define SPIN_PAUSES 16  /* at most between two looks */
#define SPIN_MAX    300 /* pauses, each some 40 ns */
#define SPIN_PROBE  32  /* failures after which a long spin is tried again */

int64_t mt__queue_patience = MT_SEC(10);

struct mt__visit mt__queue_visit(struct mt_queue *queue, enum mt_reason reason, mt_deadline deadline)
{
    return (struct mt__visit){
        .wait =
            {
                .flags = MT__WAIT_SHARED,
                .reason = reason,
                .object = queue->shared,
                .name = queue->name,
                .deadline = deadline,
            },
        .notes = queue->notes,
    };
}

/* For calls that have no deadline, and work for killed tasks too. */
struct mt__visit mt__queue_short_visit(struct mt_queue *queue, enum mt_reason reason)
{
    struct mt__visit visit = mt__queue_visit(queue, reason, mt_after(mt__queue_patience));

    visit.wait.flags |= MT__WAIT_NOCANCEL;
    return visit;
}

int mt__queue_acquire(struct mt_queue *queue, struct mt__guard *guard, struct mt__visit *visit)
{
    int taken;

    if (__builtin_expect(!mt__here.id, 0) && !mt__self())
        return -ENOMEM;
    taken = mt__guard_acquire(guard, visit);
    if (taken == 2) {
        queue->store->repair(queue, guard);
        mt__count_lost(queue, guard);
    }
    return taken < 0 ? taken : 0;
}

void mt__queue_release(struct mt_queue *queue, struct mt__guard *guard)
{
    mt__guard_release(guard, queue->store->single ? MT__WAKE_ALL : MT__WAKE_ONE);
}

/* The second part of closing. */
int mt__queue_finish_closing(struct mt_queue *queue, struct mt__visit *visit)
{
    struct mt__guard *guard = mt__get_guard(queue);
    int result = mt__queue_acquire(queue, guard, visit);

    if (result)
        return result;
    __atomic_store_n(&queue->shared->closed, 2, __ATOMIC_RELEASE);
    mt__guard_release(guard, MT__WAKE_ALL);
    return 0;
}

uint32_t mt__queue_closed(struct mt_queue *queue, struct mt__visit *visit)
{
    uint32_t closed = __atomic_load_n(&queue->shared->closed, __ATOMIC_ACQUIRE);

    if (closed == 1)
        mt__queue_finish_closing(queue, visit);
    return closed;
}

/* -- Waiting for the other side ----------------------------------------------------------------------------------- */

/* Looks at the number for as long as that has paid lately, and more and more rarely: each look takes its cache line
 * from the other side, and what comes meanwhile comes together. */
static int spin(struct mt_queue *queue, const struct mt__number *number)
{
    uint32_t usual = __atomic_load_n(&queue->spins, __ATOMIC_RELAXED), limit = usual * 2 + 16, round, pauses = 1;
    uint32_t failures = __atomic_load_n(&queue->spin_failures, __ATOMIC_RELAXED);

    if (limit > SPIN_MAX || failures % SPIN_PROBE == 0)
        limit = SPIN_MAX;
    for (round = 0; round < limit; round += pauses) {
        if (mt__load32(number->at) != number->seen) {
            __atomic_store_n(&queue->spins, usual + ((int32_t)(round - usual)) / 8, __ATOMIC_RELAXED);
            return 1;
        }
        for (uint32_t i = 0; i < pauses; i++)
            mt__arch_pause();
        pauses = pauses < SPIN_PAUSES ? pauses * 2 : pauses;
    }
    __atomic_store_n(&queue->spin_failures, failures + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->spins, usual - usual / 8, __ATOMIC_RELAXED);
    mt__sys(SYS_sched_yield); /* the other side may only want this processor */
    return mt__load32(number->at) != number->seen;
}

/* 0: look again. */
int mt__queue_wait(struct mt_queue *queue, struct mt__guard *guard, struct mt__visit *visit,
                   const struct mt__number *numbers, unsigned count, mt_deadline until)
{
    int result;

    if (visit->wait.deadline == MT_NOWAIT)
        return -EBUSY;
    if (!visit->slept && mt__wait_may_spin() && spin(queue, numbers))
        return 0;
    result = mt__guard_sleep(guard, visit, numbers, count, until);
    if (result == 1) { /* what the dead one has left undone, whoever needs it next */
        result = mt__queue_acquire(queue, guard, visit);
        if (!result)
            mt__guard_release(guard, MT__WAKE_ALL);
    }
    return result == -ETIMEDOUT && until < visit->wait.deadline ? 0 : result;
}

/* -- For tracers -------------------------------------------------------------------------------------------------- */

void mt__queue_tell_put(const struct mt_queue *queue, int count)
{
    if (count > 0)
        MT__PROBE4(queue__put, queue->shared, queue->name, count, queue->store->size(queue));
}

void mt__queue_tell_get(const struct mt_queue *queue, int count)
{
    if (count > 0)
        MT__PROBE4(queue__get, queue->shared, queue->name, count, queue->store->size(queue));
}
