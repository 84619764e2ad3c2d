/* SPDX-License-Identifier: MIT
 *
 * The pool's queue, and how workers come to know of work. A worker that finds none is, one after the other:
 *
 *   spinning    looks at `queued` for a while, without the lock; one worker at a time
 *   idle        counted in `idle`, and about to sleep on `work`, or asleep
 *   woken       counted in `waking` too: `work` has been raised for it
 *
 * Whoever puts work into the queue wakes a worker only if none is spinning and none woken: one that is on its way takes
 * the work and, if it sees more, wakes the next. So a burst of tasks costs the one who submits them one wake, and the
 * workers start in a chain.
 *
 * 1. Under the lock: if the queue is not empty and a worker is idle, then one is spinning, or woken, or running towards
 * mt__queue_get's look at the queue, or a put or get is about to wake one.
 * 2. A worker that comes back takes one off `waking`, whether or not it was the one meant: so waking is never more than
 * the wakes that have not been answered, and a wake too many is the worst.
 * 3. A worker counts itself idle and reads `work` under the lock, which whoever wakes it holds when it raises the word.
 *
 * tests/model/pool.pml checks that no task is left while a worker sleeps.
 *
 * The lock of the pool is mt_lock, acquired so that a killed task gets it too.
 */
#include "base/probe.h"
#include "pool/pool.h"
#include "sync/lock.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#define LOOKS_MAX  20u /* looks at the queue before a sleep, */
#define LOOKS_MIN  10u
#define PAUSES_MAX 64 /* at most so many pauses apart */

void mt__pool_lock(struct mt_pool *pool)
{
    mt__lock_reacquire(&pool->lock, NULL);
}

void mt__pool_unlock(struct mt_pool *pool)
{
    (void)mt_lock_release(&pool->lock); /* it is held */
}

/* -- Put ---------------------------------------------------------------------------------------------------------- */

/* Whether a worker must be woken: with the lock. If so it is counted, and the caller wakes it without the lock. */
static int must_wake(struct mt_pool *pool)
{
    if (!pool->queued || pool->spinning || pool->waking || !pool->idle)
        return 0;
    pool->waking++;
    __atomic_fetch_add(&pool->work, 1, __ATOMIC_RELEASE);
    return 1;
}

static void wake(struct mt_pool *pool, int needed)
{
    if (needed)
        mt__wake(&pool->work, 1, 0);
}

static int is_full(const struct mt_pool *pool)
{
    return pool->backlog && pool->queued >= pool->backlog;
}

/* With the lock. */
static int wait_for_room(struct mt_pool *pool, mt_deadline deadline)
{
    struct mt__worker *here = mt__worker_here();
    int result = 0;

    if (here && here->pool == pool)
        return 0; /* it would wait for itself */
    while (is_full(pool) && !mt__pool_refuses(pool)) {
        if (deadline == MT_NOWAIT)
            return -EBUSY;
        if (result)
            return result;
        result = mt_cond_wait(&pool->room, &pool->lock, deadline);
    }
    return 0;
}

int mt__queue_put(struct mt_pool *pool, struct mt_future *future, mt_deadline deadline)
{
    int result, needed;

    mt__pool_lock(pool);
    result = is_full(pool) ? wait_for_room(pool, deadline) : 0;
    if (!result)
        result = mt__pool_refuses(pool);
    if (result) {
        mt__pool_unlock(pool);
        return result;
    }
    *pool->tail = future;
    pool->tail = &future->next;
    __atomic_store_n(&pool->queued, pool->queued + 1, __ATOMIC_RELAXED);
    if (MT__PROBED(pool__queued))
        MT__PROBE6(pool__queued, pool, pool->name, future, future->fn, pool->queued, pool->kind);
    needed = must_wake(pool);
    mt__pool_unlock(pool);
    wake(pool, needed);
    return 0;
}

/* -- Get ---------------------------------------------------------------------------------------------------------- */

/* With the lock, which is not held while the queue's reference of a future that is not to run is dropped: that may free
 * it and tell of its failure. */
static struct mt_future *pop(struct mt__worker *worker)
{
    struct mt_pool *pool = worker->pool;
    struct mt_future *future;

    while ((future = pool->head) != NULL) {
        pool->head = future->next;
        if (!pool->head)
            pool->tail = &pool->head;
        future->next = NULL;
        __atomic_store_n(&pool->queued, pool->queued - 1, __ATOMIC_RELAXED);
        if (pool->backlog)
            mt_cond_notify(&pool->room, 1);
        if (mt__future_start(future, worker))
            return future;
        if (mt_future_state(future) == MT_CANCELLED) {
            pool->cancelled++;
            if (MT__PROBED(pool__cancelled))
                MT__PROBE4(pool__cancelled, pool, pool->name, future, pool->queued);
        }
        mt__pool_unlock(pool);
        mt_future_release(future);
        mt__pool_lock(pool);
    }
    return NULL;
}

/* With the lock: a list, at most a fair share of the queue, so that the others find something too; but not less than
 * the worker's process does in a moment. One that is heavy comes alone. */
static struct mt_future *pop_some(struct mt__worker *worker, unsigned most)
{
    struct mt_pool *pool = worker->pool;
    struct mt_future *first = pool->head, *last = first;
    size_t share = pool->queued / pool->wanted, moment = mt__remote_moment(worker);
    unsigned count = 1;

    if (!first)
        return NULL;
    if (share < moment)
        share = moment;
    if (most > share)
        most = (unsigned)share;
    if (!mt__remote_is_heavy(worker, first))
        for (; count < most && last->next && !mt__remote_is_heavy(worker, last->next); count++)
            last = last->next;
    pool->head = last->next;
    if (!pool->head)
        pool->tail = &pool->head;
    last->next = NULL;
    __atomic_store_n(&pool->queued, pool->queued - count, __ATOMIC_RELAXED);
    if (pool->backlog)
        mt_cond_notify(&pool->room, (int)count);
    return first;
}

static int has_processors(void)
{
    static int count;

    if (!count)
        count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return count > 1;
}

/* Looks for work without the lock, as long as that has paid lately. */
static void spin(struct mt_pool *pool)
{
    unsigned looks = pool->patience;
    int pauses = 1, found = 0;

    pool->spinning = 1;
    mt__pool_unlock(pool);
    while (looks-- && !found) {
        for (int i = 0; i < pauses; i++)
            mt__arch_pause();
        if (pauses < PAUSES_MAX)
            pauses *= 2;
        found = __atomic_load_n(&pool->queued, __ATOMIC_RELAXED) > 0;
    }
    mt__pool_lock(pool);
    pool->spinning = 0;
    if (found)
        pool->patience = pool->patience * 2 < LOOKS_MAX ? pool->patience * 2 : LOOKS_MAX;
    else
        pool->patience = pool->patience / 2 > LOOKS_MIN ? pool->patience / 2 : LOOKS_MIN;
}

/* With the lock, given up meanwhile. A kill of an idle worker is forgotten: it was meant for a task that has ended. But
 * that of a coroutine may be the end of its thread. */
static void sleep_until_woken(struct mt__worker *worker)
{
    struct mt_pool *pool = worker->pool;
    struct mt__wait wait = {.word = &pool->work,
                            .flags = pool->kind == MT_COROUTINE ? 0 : MT__WAIT_NOCANCEL,
                            .reason = MT_WAIT_POOL,
                            .object = pool,
                            .name = pool->name,
                            .deadline = MT_FOREVER};
    uint32_t work = __atomic_load_n(&pool->work, __ATOMIC_RELAXED);

    __atomic_store_n(&pool->idle, pool->idle + 1, __ATOMIC_RELAXED);
    mt__pool_unlock(pool);
    if (!mt__wait_begin(&wait)) {
        int result = mt__wait_round(&wait, work, MT_FOREVER);
        mt__wait_end(&wait, 0);
        if (result == -ECANCELED)
            mt__worker_settle(worker, NULL, 0);
    }
    mt__pool_lock(pool);
    __atomic_store_n(&pool->idle, pool->idle - 1, __ATOMIC_RELAXED);
    if (pool->waking)
        pool->waking--;
}

struct mt_future *mt__queue_get(struct mt__worker *worker, unsigned most)
{
    struct mt_pool *pool = worker->pool;
    struct mt_future *future = NULL;
    int needed, spun = 0;

    mt__pool_lock(pool);
    while (pool->living <= pool->wanted && !mt__pool_hub_ends(pool) &&
           !(future = most ? pop_some(worker, most) : pop(worker)) && pool->state == MT__OPEN) {
        if (!spun && !pool->spinning && pool->kind != MT_COROUTINE && has_processors()) {
            spin(pool);
            spun = 1;
        } else {
            sleep_until_woken(worker);
            spun = 0;
        }
    }
    if (!future)
        mt__worker_leave(worker);
    needed = must_wake(pool);
    mt__pool_unlock(pool);
    wake(pool, needed);
    return future;
}

struct mt_future *mt__queue_more(struct mt__worker *worker, unsigned most)
{
    struct mt_pool *pool = worker->pool;
    struct mt_future *list = NULL;
    int needed;

    if (!most || !__atomic_load_n(&pool->queued, __ATOMIC_RELAXED))
        return NULL;
    mt__pool_lock(pool);
    if (pool->head && pool->living <= pool->wanted && !mt__remote_is_heavy(worker, pool->head))
        list = pop_some(worker, most);
    needed = must_wake(pool);
    mt__pool_unlock(pool);
    wake(pool, needed);
    return list;
}

/* Workers of a closed pool leave when the queue is empty: what comes back then may be too much for those that are left.
 * With the lock. */
static void call_back(struct mt_pool *pool, size_t count)
{
    while (pool->state == MT__CLOSED && count-- && pool->living < pool->wanted)
        if (mt__worker_spawn(pool))
            return; /* then it takes longer */
}

void mt__queue_put_back(struct mt_pool *pool, struct mt_future *list)
{
    struct mt_future *last = list;
    size_t count = 1;
    int needed = 0;

    if (!list)
        return;
    for (; last->next; last = last->next)
        count++;
    mt__pool_lock(pool);
    if (pool->state <= MT__CLOSED) {
        if (!pool->head)
            pool->tail = &last->next;
        last->next = pool->head;
        pool->head = list;
        __atomic_store_n(&pool->queued, pool->queued + count, __ATOMIC_RELAXED);
        list = NULL;
        call_back(pool, count);
        needed = must_wake(pool);
    }
    mt__pool_unlock(pool);
    wake(pool, needed);
    mt__pool_drop(pool, list);
}

/* -- All of it ---------------------------------------------------------------------------------------------------- */

struct mt_future *mt__queue_clear(struct mt_pool *pool)
{
    struct mt_future *list = pool->head;

    pool->head = NULL;
    pool->tail = &pool->head;
    __atomic_store_n(&pool->queued, 0, __ATOMIC_RELAXED);
    return list;
}

void mt__queue_wake_all(struct mt_pool *pool)
{
    __atomic_fetch_add(&pool->work, 1, __ATOMIC_RELEASE);
    mt__wake(&pool->work, UINT_MAX, 0);
    mt_cond_notify_all(&pool->room);
}
