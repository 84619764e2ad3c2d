/* SPDX-License-Identifier: MIT
 *
 * A worker: a thread or a coroutine that runs one future's task after another.
 *
 * It survives being killed. mt_future_kill and mt_pool_terminate set its task's `cancel` so that what the body blocks
 * in returns -ECANCELED; when the body has returned, the worker works out anew whether it is killed: it is if the pool
 * is terminated, or if the future outside the one that has ended is KILLED. Both sides do that under the worker's
 * guard, and a kill that is meant for one future takes effect only while that one is the innermost: so no kill is lost,
 * and none reaches a task that it was not meant for. Somebody who calls mt_task_kill on the worker's task reaches
 * whatever it runs.
 *
 * Coroutines all belong to the thread that opened the pool. When that thread ends, its hub kills them for good: each
 * leaves as soon as what it runs has returned, or at its very beginning (`unbegun`), and with the last one the pool has
 * ended by itself, so that nobody waits for its queue.
 *
 * If a body ends its thread (pthread_exit, pthread_cancel), all that it was running ends with -ECANCELED and a message,
 * and a new worker takes its place.
 *
 * If a body forks and returns in the child, there is nothing of the pool there that it could return to: the locks may
 * be held by threads that stayed behind, and the futures are the parent's. The child exits, as one does that forked in
 * a plain thread, and touches nothing of the pool before.
 */
#include "base/probe.h"
#include "pool/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __thread struct mt__worker *here __attribute__((tls_model("initial-exec")));

static int work_as_coroutine(void *arg);

struct mt__worker *mt__worker_here(void)
{
    struct mt_task *task = mt__self_if_known();

    return task && task->body == work_as_coroutine ? task->argument : here;
}

void mt__worker_be(struct mt__worker *worker)
{
    here = worker;
}

/* -- Being killed ------------------------------------------------------------------------------------------------- */

void mt__worker_kill(struct mt__worker *worker, struct mt_future *future)
{
    if (future && worker->pool->kind == MT_PROCESS) {
        mt__remote_kill(worker, future);
        return;
    }
    mt__mini_acquire(&worker->guard);
    if (!future || worker->current == future)
        mt_task_kill(worker->task);
    mt__mini_release(&worker->guard);
}

void mt__worker_turn_to(struct mt__worker *worker, struct mt_future *future)
{
    __atomic_store_n(&worker->current, future, __ATOMIC_RELEASE);
}

void mt__worker_settle(struct mt__worker *worker, struct mt_future *future, int nested)
{
    struct mt_task *task = mt__self_if_known();
    uint32_t killed;

    if (!nested && !__atomic_load_n(&task->cancel, __ATOMIC_ACQUIRE))
        return;
    mt__mini_acquire(&worker->guard);
    killed = future ? __atomic_load_n(&future->word, __ATOMIC_ACQUIRE) & MT__KILLED : 0;
    killed = killed || __atomic_load_n(&worker->pool->state, __ATOMIC_ACQUIRE) == MT__TERMINATED;
    killed = killed || mt__pool_hub_ends(worker->pool);
    if (killed)
        __atomic_store_n(&task->cancel, 1, __ATOMIC_SEQ_CST);
    else
        mt__wait_uncancel(task);
    mt__mini_release(&worker->guard);
}

/* -- Running a task ----------------------------------------------------------------------------------------------- */

void mt__worker_note_end(struct mt__worker *worker, struct mt_future *future, int code)
{
    struct mt_task *task = worker->task;

    future->code = code;
    __atomic_store_n(&worker->done, worker->done + 1, __ATOMIC_RELAXED);
    if (code)
        __atomic_store_n(&worker->failed, worker->failed + 1, __ATOMIC_RELAXED);
    if (MT__PROBED(pool__done))
        MT__PROBE6(pool__done, worker->pool, worker->pool->name, future, task->record->id, (int64_t)code,
                   future->told ? future->told->message : NULL);
    future->by.worker_id = task->record->id;
}

void mt__worker_ended(struct mt__worker *worker, struct mt_future *future, int code)
{
    mt__worker_note_end(worker, future, code);
    mt__future_end(future, MT_DONE);
}

static void run_inner(struct mt__worker *worker, struct mt_future *future)
{
    struct mt_task *task = mt__self_if_known();
    struct mt_future *outer = future->by.outer;
    int code;

    if (MT__PROBED(pool__started))
        MT__PROBE6(pool__started, worker->pool, worker->pool->name, future, task->record->id, future->fn,
                   __atomic_load_n(&worker->pool->queued, __ATOMIC_RELAXED));
    task->message[0] = 0;
    code = future->fn(mt__future_argument(future));
    mt__worker_forked(worker->pool->forks);
    mt__future_tell(future, code ? task : NULL, task->message);
    task->message[0] = 0;
    mt__worker_ended(worker, future, code);
    mt__worker_turn_to(worker, outer);
    mt__worker_settle(worker, outer, outer != NULL);
    mt_future_release(future);
}

/* Inside another task: which finds its message and its place for a value as it left them. */
static void run_nested(struct mt__worker *worker, struct mt_future *future)
{
    struct mt_task *task = mt__self_if_known();
    struct mt__value *value = worker->value;
    char message[MT_MESSAGE_MAX];

    memcpy(message, task->message, sizeof message);
    worker->value = NULL;
    run_inner(worker, future);
    worker->value = value;
    memcpy(task->message, message, sizeof message);
}

void mt__worker_run(struct mt__worker *worker, struct mt_future *future)
{
    if (future->by.outer)
        run_nested(worker, future);
    else
        run_inner(worker, future);
}

void mt__value_drop(struct mt__value *value)
{
    if (value->bytes != value->near)
        free(value->bytes);
    value->bytes = NULL;
}

void mt__worker_give(struct mt__worker *worker, void *value, size_t size)
{
    struct mt_future *future = worker->current;

    if (worker->value) {
        mt__value_drop(worker->value);
        worker->value->bytes = value;
        worker->value->size = size;
        return;
    }
    if (future->value_size > MT__SMALL)
        free(future->value.far);
    future->value_size = size;
    if (size > MT__SMALL) {
        future->value.far = value;
    } else {
        memcpy(future->value.near, value, size);
        free(value);
    }
}

static void keep_near(struct mt__value *place, const void *value, size_t size)
{
    mt__value_drop(place);
    if (size)
        memcpy(place->near, value, size);
    place->bytes = place->near;
    place->size = size;
}

static void keep_small(struct mt_future *future, const void *value, size_t size)
{
    if (future->value_size > MT__SMALL)
        free(future->value.far);
    if (size)
        memcpy(future->value.near, value, size);
    future->value_size = size;
}

int mt_pool_reply(const void *value, size_t size)
{
    struct mt__worker *worker = mt__worker_here();
    void *copy;

    if (!worker || (!worker->current && !worker->value))
        return -EPERM;
    if (worker->value && size <= sizeof worker->value->near) {
        keep_near(worker->value, value, size);
        return 0;
    }
    if (!worker->value && size <= MT__SMALL) {
        keep_small(worker->current, value, size);
        return 0;
    }
    copy = mt__alloc(size ? size : 1);
    if (!copy)
        return -ENOMEM;
    if (size)
        memcpy(copy, value, size);
    mt__worker_give(worker, copy, size);
    return 0;
}

/* -- The thread --------------------------------------------------------------------------------------------------- */

static int initialize_once(struct mt__worker *worker)
{
    struct mt_pool *pool = worker->pool;

    if (pool->kind == MT_PROCESS)
        return mt__remote_initialize(worker);
    return pool->initializer ? pool->initializer(pool->argument) : 0;
}

int mt__worker_initialize(struct mt__worker *worker)
{
    struct mt_pool *pool = worker->pool;
    struct mt_task *task = mt__self();
    int code = 0;

    worker->initializing = 1;
    for (;;) {
        code = initialize_once(worker);
        if (!code || !mt__pool_initializer_failed(pool, code, task->message))
            break;
        task->message[0] = 0;
    }
    worker->initializing = 0;
    if (!code)
        task->message[0] = 0;
    if (!code && (pool->initializer || pool->kind == MT_PROCESS)) {
        mt__pool_lock(pool);
        pool->failures = 0;
        mt__pool_unlock(pool);
    }
    return code;
}

void mt__worker_leave(struct mt__worker *worker)
{
    if (!worker->left) {
        worker->left = 1;
        worker->pool->living--;
    }
}

void mt__worker_forked(uint64_t forks)
{
    if (forks != mt__pool_forks)
        exit(EXIT_SUCCESS);
}

/* Ends all that a worker was running, which runs nothing any more. */
static void end_running(struct mt__worker *worker, const char *why)
{
    struct mt_future *future, *outer;

    worker->task->noticed = 1; /* its futures tell of it */
    if (worker->remote) {
        mt__remote_lost(worker, why);
        return;
    }
    for (future = worker->current; future; future = outer) {
        outer = future->by.outer;
        mt__future_tell(future, worker->task, why);
        mt__worker_ended(worker, future, -ECANCELED);
        mt__worker_turn_to(worker, outer);
        mt_future_release(future);
    }
}

static void replace(struct mt__worker *worker)
{
    struct mt_pool *pool = worker->pool;
    struct mt_future *list;
    int error = 0;

    mt__pool_lock(pool);
    mt__worker_leave(worker);
    if (pool->living < pool->wanted && (pool->state == MT__OPEN || pool->head))
        error = mt__worker_spawn(pool); /* if there is no thread to be had, the others go on */
    list = error && !pool->living ? mt__pool_break(pool, error, "there is no thread for a new worker") : NULL;
    mt__pool_unlock(pool);
    mt__pool_fail(pool, list);
}

/* An initializer that ends its thread has failed, and is called by a new worker as often as that may be. */
static void mourn(struct mt__worker *worker, const char *why)
{
    end_running(worker, why);
    if (worker->initializing)
        mt__pool_initializer_failed(worker->pool, -ECANCELED, why);
    replace(worker);
}

/* A body has ended the thread. */
static void lost(void *arg)
{
    struct mt__worker *worker = arg;

    mt__worker_forked(worker->pool->forks);
    mourn(worker, "its worker was ended by pthread_exit or pthread_cancel");
}

void mt__worker_mourn(struct mt__worker *worker)
{
    if (worker->left)
        return;
    mourn(worker, "its worker was ended by a system call");
}

static void serve(struct mt__worker *worker)
{
    struct mt_future *future;

    if (mt__worker_initialize(worker)) {
        mt__self_if_known()->message[0] = 0; /* the pool has it */
        return;
    }
    if (worker->remote) {
        mt__remote_work(worker);
        return;
    }
    while ((future = mt__queue_get(worker, 0)) != NULL)
        mt__worker_run(worker, future);
}

static int work(void *arg)
{
    struct mt__worker *worker = arg;

    here = worker;
    mt__pool_lock(worker->pool); /* mt__worker_spawn holds it until worker->task is set */
    mt__pool_unlock(worker->pool);
    pthread_cleanup_push(lost, worker);
    serve(worker);
    pthread_cleanup_pop(0);
    mt__remote_end(worker);
    mt__pool_lock(worker->pool);
    mt__worker_leave(worker);
    mt__pool_unlock(worker->pool);
    return 0;
}

/* -- The coroutine ------------------------------------------------------------------------------------------------ */

static void leave_as_coroutine(struct mt__worker *worker)
{
    struct mt_pool *pool = worker->pool;
    struct mt_future *list = NULL;

    mt__pool_lock(pool);
    mt__worker_leave(worker);
    if (!pool->living && mt__pool_hub_ends(pool) && pool->state != MT__BROKEN)
        list = mt__pool_break(pool, -ECANCELED, "the thread of its coroutines has ended");
    mt__pool_unlock(pool);
    mt__pool_fail(pool, list);
}

static int work_as_coroutine(void *arg)
{
    struct mt__worker *worker = arg;

    worker->begun = 1;
    serve(worker);
    leave_as_coroutine(worker);
    return 0;
}

/* Killed before it began, its body never runs. */
static void unbegun(struct mt_task *task, void *arg)
{
    struct mt__worker *worker = arg;

    (void)mt_task_outcome(task); /* that is no failure to be told of */
    if (!worker->begun)
        leave_as_coroutine(worker);
}

static struct mt_task *spawn_coroutine(struct mt__worker *worker, const char *name)
{
    struct mt_pool *pool = worker->pool;
    struct mt_coro_options options = {.name = name, .stack_size = pool->stack_size};
    struct mt_task *task = mt_coro_spawn(work_as_coroutine, worker, &options);

    if (!task)
        return NULL;
    if (mt_task_link(task, unbegun, worker)) {
        task->noticed = 1;
        mt_task_kill(task); /* it has not begun, and never will */
        mt_task_release(task);
        errno = ENOMEM;
        return NULL;
    }
    pool->hub = mt__hub;
    return task;
}

int mt__worker_spawn(struct mt_pool *pool)
{
    struct mt__worker *worker = mt__alloc(sizeof *worker);
    char name[MT_NAME_MAX + 16];
    struct mt_thread_options options = {.name = name, .stack_size = pool->stack_size, .daemon = 1};

    if (!worker)
        return -ENOMEM;
    snprintf(name, sizeof name, "%.20s/%u", pool->name, pool->numbered);
    worker->pool = pool;
    worker->task = pool->kind == MT_COROUTINE ? spawn_coroutine(worker, name) : mt_thread_spawn(work, worker, &options);
    if (!worker->task) {
        free(worker);
        return -errno;
    }
    pool->numbered++;
    pool->living++;
    worker->next = pool->workers;
    pool->workers = worker;
    return 0;
}
