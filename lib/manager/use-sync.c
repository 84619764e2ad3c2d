/* SPDX-License-Identifier: MIT
 *
 * Locks, events, semaphores and counters of a manager: in memory, or by requests.
 *
 * A lock by requests is held by the line over which it was acquired, which is kept aside until the release, and on the
 * server by the thread that serves that line: when the line breaks the thread ends, and the kernel hands the lock on as
 * it does for any owner that dies. `held` is written by the holder only: another gets the lock, and writes it, after
 * the server has seen the release, which is sent after `held` was cleared.
 */
#include "base/task.h"
#include "manager/client.h"
#include <linuxmt/lock.h>

#include <errno.h>
#include <stdlib.h>

static int64_t ask(struct mt__managed *managed, enum mt__op op, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    mt__request(&pack, op, 0, managed->id);
    return mt__call_plain(managed->manager, &pack, deadline);
}

/* -- Locks -------------------------------------------------------------------------------------------------------- */

static int is_mine(const struct mt__managed *lock)
{
    return mt__here.id && lock->forks == mt__manager_forks &&
           __atomic_load_n(&lock->holder, __ATOMIC_RELAXED) == mt__here.id;
}

struct mt__line *mt__hold_lend(struct mt__managed *lock)
{
    struct mt__line *line;

    if (!is_mine(lock))
        return NULL;
    line = lock->held;
    lock->held = NULL;
    __atomic_store_n(&lock->holder, 0, __ATOMIC_RELAXED);
    return line;
}

void mt__hold_back(struct mt__managed *lock, struct mt__line *line)
{
    lock->held = line;
    lock->forks = mt__manager_forks;
    __atomic_store_n(&lock->holder, mt__here.id, __ATOMIC_RELAXED);
}

static int acquire_by_request(struct mt__managed *lock, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__line *line;
    int broken = 0;
    int64_t result;

    if (!mt__self())
        return -ENOMEM;
    if (is_mine(lock))
        return -EDEADLK;
    result = mt__call_line(lock->manager, &line, deadline);
    if (result)
        return (int)result;
    mt__request(&pack, MT__OP_ACQUIRE, 0, lock->id);
    result = mt__ask_to_hold(line, &pack, deadline, &broken);
    if (broken) {
        mt__line_end(line);
    } else if (result && result != -EOWNERDEAD) {
        mt__line_give(line);
    } else {
        mt__hold_back(lock, line);
    }
    return (int)result;
}

static int ask_holding(struct mt__managed *lock, enum mt__op op, int *broken)
{
    struct mt__pack pack = {0};
    int64_t result;

    mt__request(&pack, op, 0, lock->id);
    result = mt__ask_result(lock->held, &pack, mt_after(MT_SEC(10)), broken);
    return *broken && result != -ENOMEM ? -EPIPE : (int)result;
}

static int release_by_request(struct mt__managed *lock)
{
    struct mt__line *line = mt__hold_lend(lock);
    struct mt__pack pack = {0};
    int broken = 0;
    int64_t result;

    if (!line)
        return -EPERM;
    mt__request(&pack, MT__OP_RELEASE, 0, lock->id);
    result = mt__ask_result(line, &pack, mt_after(MT_SEC(10)), &broken);
    if (broken || result)
        mt__line_end(line); /* which releases it too, as one whose holder died */
    else
        mt__line_give(line);
    return broken ? -EPIPE : (int)result;
}

int mt__hold(struct mt__managed *lock, mt_deadline deadline, const char *place)
{
    return lock->page ? mt__robust_acquire(&mt__page(lock->page)->lock, deadline, place)
                      : acquire_by_request(lock, deadline);
}

int mt__hold_consistent(struct mt__managed *lock)
{
    int broken = 0;

    if (lock->page)
        return mt_robust_consistent(&mt__page(lock->page)->lock);
    return is_mine(lock) ? ask_holding(lock, MT__OP_CONSISTENT, &broken) : -EPERM;
}

int mt__hold_release(struct mt__managed *lock)
{
    return lock->page ? mt_robust_release(&mt__page(lock->page)->lock) : release_by_request(lock);
}

int mt__managed_lock_acquire(struct mt_managed_lock *lock, mt_deadline deadline, const char *place)
{
    return mt__hold(&lock->of, deadline, place);
}

int mt_managed_lock_consistent(struct mt_managed_lock *lock)
{
    return mt__hold_consistent(&lock->of);
}

int mt_managed_lock_release(struct mt_managed_lock *lock)
{
    return mt__hold_release(&lock->of);
}

/* -- Events ------------------------------------------------------------------------------------------------------- */

int mt_managed_event_set(struct mt_managed_event *event, mt_deadline deadline)
{
    if (!event->of.page)
        return (int)ask(&event->of, MT__OP_EVENT_SET, deadline);
    mt_event_set(&mt__page(event->of.page)->event);
    return 0;
}

int mt_managed_event_clear(struct mt_managed_event *event, mt_deadline deadline)
{
    if (!event->of.page)
        return (int)ask(&event->of, MT__OP_EVENT_CLEAR, deadline);
    mt_event_clear(&mt__page(event->of.page)->event);
    return 0;
}

int mt_managed_event_is_set(struct mt_managed_event *event, mt_deadline deadline)
{
    return event->of.page ? mt_event_is_set(&mt__page(event->of.page)->event)
                          : (int)ask(&event->of, MT__OP_EVENT_IS_SET, deadline);
}

int mt_managed_event_wait(struct mt_managed_event *event, mt_deadline deadline)
{
    return event->of.page ? mt__page_event_wait(mt__page(event->of.page), deadline)
                          : (int)ask(&event->of, MT__OP_EVENT_WAIT, deadline);
}

/* -- Semaphores --------------------------------------------------------------------------------------------------- */

int mt_managed_sem_acquire(struct mt_managed_sem *sem, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply;
    int64_t result;

    if (sem->of.page)
        return mt__page_sem_acquire(mt__page(sem->of.page), deadline);
    mt__request(&pack, MT__OP_SEM_ACQUIRE, 0, sem->of.id);
    result = mt__call_taking(sem->of.manager, &pack, &reply, deadline);
    free(reply.data);
    return (int)result;
}

int mt_managed_sem_release(struct mt_managed_sem *sem, uint32_t count, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    if (sem->of.page)
        return mt_sem_release(&mt__page(sem->of.page)->sem, count);
    mt__request(&pack, MT__OP_SEM_RELEASE, 0, sem->of.id);
    mt__pack_u32(&pack, count);
    return (int)mt__call_plain(sem->of.manager, &pack, deadline);
}

int64_t mt_managed_sem_value(struct mt_managed_sem *sem, mt_deadline deadline)
{
    return sem->of.page ? (int64_t)mt_sem_value(&mt__page(sem->of.page)->sem)
                        : ask(&sem->of, MT__OP_SEM_VALUE, deadline);
}

/* -- Counters ----------------------------------------------------------------------------------------------------- */

static int count_by_request(struct mt__managed *counter, enum mt__op op, int64_t number, int64_t *value,
                            mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply;
    int64_t result, got;

    mt__request(&pack, op, 0, counter->id);
    mt__pack_u64(&pack, (uint64_t)number);
    result = mt__call(counter->manager, &pack, &reply, deadline);
    if (result >= 0) {
        got = (int64_t)mt__unpack_u64(&reply.body);
        if (!mt__unpack_is_whole(&reply.body))
            result = -EPROTO;
        else if (value)
            *value = got;
    }
    free(reply.data);
    return (int)result;
}

int mt_managed_counter_add(struct mt_managed_counter *counter, int64_t delta, int64_t *value, mt_deadline deadline)
{
    int64_t now;

    if (!counter->of.page)
        return count_by_request(&counter->of, MT__OP_COUNT_ADD, delta, value, deadline);
    now = mt__page_count(mt__page(counter->of.page), delta);
    if (value)
        *value = now;
    return 0;
}

int mt_managed_counter_get(struct mt_managed_counter *counter, int64_t *value, mt_deadline deadline)
{
    return mt_managed_counter_add(counter, 0, value, deadline);
}

int mt_managed_counter_set(struct mt_managed_counter *counter, int64_t value, mt_deadline deadline)
{
    if (!counter->of.page)
        return count_by_request(&counter->of, MT__OP_COUNT_SET, value, NULL, deadline);
    __atomic_store_n(&mt__page(counter->of.page)->counter, value, __ATOMIC_SEQ_CST);
    return 0;
}
