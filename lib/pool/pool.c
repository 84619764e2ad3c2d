/* SPDX-License-Identifier: MIT
 *
 * The pool as a thing: opened, closed, terminated, joined, made larger and smaller.
 *
 *   OPEN         takes tasks
 *   CLOSED       takes none; workers end when the queue is empty
 *   TERMINATED   the queue has been cancelled; what runs is killed, again and again until it has ended
 *   BROKEN       the initializer has failed too often: the queue has failed with its message
 *
 * A worker's struct stays on the pool's list until somebody has joined its thread: mt_pool_join, or mt_pool_resize for
 * those that left before. `living` counts those that still take tasks.
 */
#include "pool/pool.h"
#include "base/clock.h"
#include "process/process.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t mt__pool_forks;
static uint32_t pools;
static pthread_once_t watching = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    mt__pool_forks++;
    mt__unread_after_fork_in_child();
}

static void watch_forks(void)
{
    pthread_atfork(mt__unread_before_fork, mt__unread_after_fork, count_fork);
}

int mt__pool_is_stale(const struct mt_pool *pool)
{
    return pool->forks != mt__pool_forks;
}

int mt__pool_refuses(const struct mt_pool *pool)
{
    if (pool->state == MT__BROKEN)
        return -ENOTRECOVERABLE;
    return pool->state == MT__OPEN ? 0 : -EPIPE;
}

const char *mt_pool_name(const struct mt_pool *pool)
{
    return pool->name;
}

/* -- Open --------------------------------------------------------------------------------------------------------- */

static unsigned processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) ? (unsigned)CPU_COUNT(&set) : 1;
}

static unsigned usual_workers(const struct mt_pool_options *options)
{
    return options->kind == MT_COROUTINE ? MT_POOL_COROUTINES : processors();
}

static int check(const struct mt_pool_options *options)
{
    if (options->kind > MT_COROUTINE)
        return -EOPNOTSUPP;
    if (options->kind != MT_PROCESS && (options->process || options->tasks_per_worker || options->retries ||
                                        options->memory_max || options->soft_limit || options->hard_limit))
        return -EINVAL;
    if (options->process && (options->process->start > MT_FORKSERVER || options->process->fd_count))
        return -EINVAL;
    if (options->process && options->process->start != MT_FORK) {
        if (options->argument && !options->argument_size) /* an address that the process may not have */
            return -EINVAL;
        if (!mt__process_is_ready())
            return -ENOTSUP;
    }
    if (options->soft_limit < 0 || options->hard_limit < 0)
        return -EINVAL;
    if (options->workers > MT_POOL_WORKERS)
        return -EINVAL;
    if (options->kind != MT_COROUTINE && options->stack_size && options->stack_size < MT_STACK_MIN)
        return -EINVAL;
    return 0;
}

static struct mt_pool *make(const struct mt_pool_options *options)
{
    size_t size = options->argument_size;
    struct mt_pool *pool = size < SIZE_MAX / 2 ? mt__alloc(sizeof *pool + size) : NULL;

    if (!pool)
        return NULL;
    if (options->name)
        strncpy(pool->name, options->name, sizeof pool->name - 1);
    else
        snprintf(pool->name, sizeof pool->name, "pool-%u", __atomic_add_fetch(&pools, 1, __ATOMIC_RELAXED));
    mt_lock_init(&pool->lock, pool->name, 0);
    mt_cond_init(&pool->room, pool->name, 0);
    mt__set_init(&pool->ended);
    pool->tail = &pool->head;
    pool->patience = 10;
    pool->wanted = options->workers ? options->workers : usual_workers(options);
    pool->backlog = options->backlog;
    pool->stack_size = options->stack_size;
    pool->kind = options->kind ? options->kind : MT_THREAD;
    if (options->process)
        pool->process = *options->process;
    pool->tasks_per_worker = options->tasks_per_worker;
    pool->retries = options->retries;
    pool->memory_max = options->memory_max;
    pool->soft_limit = options->soft_limit;
    pool->hard_limit = options->hard_limit;
    pool->initializer = options->initializer;
    pool->argument_size = size;
    pool->argument = size ? pool->copy : (void *)(uintptr_t)options->argument;
    if (size)
        memcpy(pool->copy, options->argument, size);
    pool->tries = options->tries ? options->tries : 3;
    pool->forks = mt__pool_forks;
    return pool;
}

/* Brings the workers up to the number that is wanted: with the lock. */
static int fill(struct mt_pool *pool)
{
    int error = 0;

    while (!error && pool->living < pool->wanted)
        error = mt__worker_spawn(pool);
    return error;
}

struct mt_pool *mt_pool_open(const struct mt_pool_options *options)
{
    static const struct mt_pool_options defaults;
    struct mt_pool *pool = NULL;
    int error;

    if (!options)
        options = &defaults;
    pthread_once(&watching, watch_forks);
    error = check(options);
    if (!error) {
        pool = make(options);
        error = pool ? 0 : -ENOMEM;
    }
    if (pool) {
        mt__pool_lock(pool);
        error = fill(pool);
        if (!error && pool->kind == MT_COROUTINE) /* later it might be another thread that asks for the first call */
            error = mt__callbacks_start(pool);
        mt__pool_unlock(pool);
        if (error) {
            mt_pool_free(pool);
            pool = NULL;
        }
    }
    if (error)
        errno = -error;
    return pool;
}

/* -- Tasks -------------------------------------------------------------------------------------------------------- */

struct mt_future *mt_pool_apply_async(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size,
                                      mt_deadline deadline)
{
    struct mt_future *future;
    int error;

    if (mt__pool_is_stale(pool)) {
        errno = ESRCH;
        return NULL;
    }
    if (pool->kind == MT_PROCESS && arg && !size) { /* an address that the process may not have */
        errno = EINVAL;
        return NULL;
    }
    future = mt__future_new(pool, fn, arg, size);
    if (!future) {
        errno = ENOMEM;
        return NULL;
    }
    error = mt__queue_put(pool, future, deadline);
    if (error) {
        mt_future_release(future);
        mt_future_release(future);
        errno = -error;
        return NULL;
    }
    return future;
}

struct mt_future *mt_pool_apply(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size, mt_deadline deadline)
{
    struct mt_future *future = mt_pool_apply_async(pool, fn, arg, size, deadline);
    int error = future ? mt_future_wait(future, deadline) : 0;

    if (error) {
        mt_future_cancel(future);
        mt_future_release(future);
        errno = -error;
        return NULL;
    }
    return future;
}

/* -- The end ------------------------------------------------------------------------------------------------------ */

/* Drops the queue's references of futures that have been taken from it, having ended them: cancelled, or with a code.
 */
static uint64_t end_all(struct mt_future *list, int code, const char *message)
{
    struct mt_future *next;
    uint64_t count = 0;

    for (; list; list = next) {
        next = list->next;
        if (code)
            mt__future_fail(list, code, message);
        else
            mt_future_cancel(list);
        count += mt_future_state(list) == MT_CANCELLED;
        mt_future_release(list);
    }
    return count;
}

struct mt_future *mt__pool_break(struct mt_pool *pool, int code, const char *message)
{
    snprintf(pool->message, sizeof pool->message, "%s", message);
    pool->code = code;
    __atomic_store_n(&pool->state, MT__BROKEN, __ATOMIC_RELEASE);
    mt__queue_wake_all(pool);
    return mt__queue_clear(pool);
}

void mt__pool_fail(struct mt_pool *pool, struct mt_future *list)
{
    if (list) /* there is only one when it is broken, and the two are set */
        end_all(list, pool->code, pool->message);
}

void mt__pool_drop(struct mt_pool *pool, struct mt_future *list)
{
    uint64_t count;

    if (!list)
        return;
    if (__atomic_load_n(&pool->state, __ATOMIC_ACQUIRE) == MT__BROKEN) {
        mt__pool_fail(pool, list);
        return;
    }
    count = end_all(list, 0, NULL);
    mt__pool_lock(pool);
    pool->cancelled += count;
    mt__pool_unlock(pool);
}

int mt__pool_initializer_failed(struct mt_pool *pool, int code, const char *message)
{
    char text[MT_MESSAGE_MAX];
    struct mt_future *list = NULL;
    int again;

    mt__pool_lock(pool);
    again = ++pool->failures < pool->tries && pool->state < MT__TERMINATED;
    if (!again && pool->state < MT__TERMINATED) {
        snprintf(text, sizeof text, "the pool's initializer failed %u time%s: %.180s", pool->failures,
                 pool->failures == 1 ? "" : "s", message[0] ? message : strerror(code < 0 ? -code : code));
        list = mt__pool_break(pool, code, text);
    }
    mt__pool_unlock(pool);
    mt__pool_fail(pool, list);
    return again;
}

const char *mt_pool_message(struct mt_pool *pool)
{
    return __atomic_load_n(&pool->state, __ATOMIC_ACQUIRE) == MT__BROKEN ? pool->message : "";
}

int mt_pool_close(struct mt_pool *pool)
{
    if (mt__pool_is_stale(pool))
        return -ESRCH;
    mt__pool_lock(pool);
    if (pool->state == MT__OPEN)
        __atomic_store_n(&pool->state, MT__CLOSED, __ATOMIC_RELEASE);
    mt__queue_wake_all(pool);
    mt__pool_unlock(pool);
    return 0;
}

int mt_pool_terminate(struct mt_pool *pool)
{
    struct mt_future *list;

    if (mt__pool_is_stale(pool))
        return -ESRCH;
    mt__pool_lock(pool);
    if (pool->state != MT__BROKEN)
        __atomic_store_n(&pool->state, MT__TERMINATED, __ATOMIC_RELEASE);
    list = mt__queue_clear(pool);
    for (struct mt__worker *worker = pool->workers; worker; worker = worker->next)
        if (!worker->left)
            mt__worker_kill(worker, NULL);
    mt__queue_wake_all(pool);
    mt__pool_unlock(pool);
    mt__pool_drop(pool, list);
    return 0;
}

/* Takes a worker whose thread has ended off the list; with the lock. NULL: somebody else has. */
static struct mt__worker *take_off(struct mt_pool *pool, struct mt_task *task)
{
    for (struct mt__worker **link = &pool->workers, *worker; (worker = *link) != NULL; link = &worker->next)
        if (worker->task == task) {
            *link = worker->next;
            return worker;
        }
    return NULL;
}

static void forget(struct mt_pool *pool, struct mt_task *task)
{
    struct mt__worker *worker;

    mt__pool_lock(pool);
    worker = take_off(pool, task);
    mt__pool_unlock(pool);
    if (!worker)
        return;
    mt__worker_mourn(worker);
    mt__pool_lock(pool);
    pool->done += worker->done;
    pool->failed += worker->failed;
    pool->cancelled += worker->cancelled;
    mt__pool_unlock(pool);
    mt_task_release(task);
    free(worker);
}

/* Joins one worker: any, or any that has left. 1: there was one; 0: none; -errno. */
static int join_one(struct mt_pool *pool, int left_only, mt_deadline deadline)
{
    struct mt__worker *worker;
    struct mt_task *task;
    int result;

    mt__pool_lock(pool);
    for (worker = pool->workers; worker && left_only && !worker->left; worker = worker->next)
        ;
    task = worker ? mt_task_retain(worker->task) : NULL;
    mt__pool_unlock(pool);
    if (!task)
        return 0;
    result = mt_task_join(task, deadline);
    if (!result)
        forget(pool, task);
    mt_task_release(task);
    return result ? result : 1;
}

int mt_pool_join(struct mt_pool *pool, mt_deadline deadline)
{
    struct mt__worker *here = mt__worker_here();
    int result;

    if (mt__pool_is_stale(pool))
        return -ESRCH;
    if (here && here->pool == pool)
        return -EDEADLK;
    if (__atomic_load_n(&pool->state, __ATOMIC_ACQUIRE) == MT__OPEN)
        return -EINVAL;
    while ((result = join_one(pool, 0, deadline)) > 0)
        ;
    return result ? result : mt__callbacks_join(pool, deadline);
}

int mt__pool_hub_ends(const struct mt_pool *pool)
{
    return pool->hub && pool->hub->ending;
}

/* Workers may need this thread. */
static void let_others(void)
{
    if (mt__hook())
        mt__hook()->yield();
    else
        mt__sys(SYS_sched_yield);
}

void mt_pool_free(struct mt_pool *pool)
{
    struct mt__note *note;
    int result;

    if (!pool)
        return;
    if (!mt__pool_is_stale(pool)) {
        if (__atomic_load_n(&pool->state, __ATOMIC_ACQUIRE) == MT__OPEN)
            mt_pool_terminate(pool);
        while ((result = mt_pool_join(pool, MT_FOREVER)) == -ECANCELED || result == -ETIMEDOUT)
            let_others(); /* a killed task cleans up too; what it waits for has been told to end */
        while ((note = mt__set_take(&pool->ended)) != NULL) /* who calls them was killed before it began */
            mt__callbacks_call(note);
    }
    mt_task_release(pool->caller);
    free(pool);
}

int mt_pool_resize(struct mt_pool *pool, unsigned workers)
{
    int result;

    if (mt__pool_is_stale(pool))
        return -ESRCH;
    if (!workers || workers > MT_POOL_WORKERS)
        return -EINVAL;
    while (join_one(pool, 1, MT_NOWAIT) > 0)
        ;
    mt__pool_lock(pool);
    result = mt__pool_refuses(pool);
    if (!result && workers > pool->wanted && pool->hub && pool->hub != mt__hub)
        result = -EXDEV;
    if (!result) {
        pool->wanted = workers;
        result = fill(pool);
        if (pool->living > workers)
            mt__queue_wake_all(pool);
    }
    mt__pool_unlock(pool);
    return result;
}

void mt_pool_count(struct mt_pool *pool, struct mt_pool_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    if (mt__pool_is_stale(pool))
        return;
    mt__pool_lock(pool);
    *counts = (struct mt_pool_counts){.workers = pool->living,
                                      .queued = pool->queued,
                                      .done = pool->done,
                                      .failed = pool->failed,
                                      .cancelled = pool->cancelled};
    for (struct mt__worker *worker = pool->workers; worker; worker = worker->next) {
        counts->running += __atomic_load_n(&worker->current, __ATOMIC_RELAXED) != NULL;
        counts->done += __atomic_load_n(&worker->done, __ATOMIC_RELAXED);
        counts->failed += __atomic_load_n(&worker->failed, __ATOMIC_RELAXED);
        counts->cancelled += __atomic_load_n(&worker->cancelled, __ATOMIC_RELAXED);
    }
    mt__pool_unlock(pool);
}
