/* SPDX-License-Identifier: MIT
 *
 * Callbacks: a task of the pool's own, started with the first one that is asked for, takes the notes of futures that
 * have ended from the pool's set and calls them, one after another. `callbacks` counts those that have been asked for
 * and not called yet; the task ends when the pool takes no more tasks, its workers are gone and that count is 0. A word
 * that it sleeps on, the set's, is raised for each of these. Of a pool of coroutines it is a coroutine too, in the same
 * thread, and there from the beginning.
 */
#include "pool/pool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_over(struct mt_pool *pool)
{
    int over;

    mt__pool_lock(pool);
    over = pool->state != MT__OPEN && !pool->living && !__atomic_load_n(&pool->callbacks, __ATOMIC_ACQUIRE);
    mt__pool_unlock(pool);
    return over;
}

static void forget(struct mt_pool *pool)
{
    __atomic_sub_fetch(&pool->callbacks, 1, __ATOMIC_ACQ_REL);
}

static void drop(struct mt__note *note)
{
    mt_future_release(note->future);
    free(note);
}

static void call(struct mt_pool *pool, struct mt__note *note)
{
    note->fn(note->future, note->arg);
    mt__worker_forked(pool->forks);
    drop(note);
    forget(pool);
}

void mt__callbacks_call(struct mt__note *list)
{
    struct mt__note *next;

    for (; list; list = next) {
        next = list->next;
        list->fn(list->future, list->arg);
        drop(list);
    }
}

/* A coroutine's wait ends when its thread does: then it stays until the workers have gone, and may not wait. */
static void sleep_until_told(struct mt_pool *pool, uint32_t ended)
{
    struct mt__set *set = &pool->ended;
    struct mt__wait wait = {.word = &set->ended,
                            .flags = pool->kind == MT_COROUTINE ? 0 : MT__WAIT_NOCANCEL,
                            .reason = MT_WAIT_POOL,
                            .object = set,
                            .deadline = MT_FOREVER};
    int result = 0;

    if (mt__pool_hub_ends(pool)) {
        mt_coro_yield();
        return;
    }
    if (mt__wait_begin(&wait))
        return;
    while (!result && __atomic_load_n(&set->ended, __ATOMIC_ACQUIRE) == ended)
        result = mt__wait_round(&wait, ended, MT_FOREVER);
    mt__wait_end(&wait, 0);
    if (result && !mt__pool_hub_ends(pool))
        mt__wait_uncancel(wait.task); /* nothing that it does can be meant */
}

static int call_all(void *arg)
{
    struct mt_pool *pool = arg;

    for (;;) {
        uint32_t ended = __atomic_load_n(&pool->ended.ended, __ATOMIC_ACQUIRE);
        struct mt__note *note = mt__set_take(&pool->ended);
        if (note)
            call(pool, note);
        else if (is_over(pool))
            return 0;
        else
            sleep_until_told(pool, ended);
    }
}

int mt__callbacks_start(struct mt_pool *pool)
{
    char name[MT_NAME_MAX + 16];
    struct mt_thread_options options = {.name = name, .stack_size = pool->stack_size, .daemon = 1};
    struct mt_coro_options coro_options = {.name = name, .stack_size = pool->stack_size};
    struct mt_task *caller;

    snprintf(name, sizeof name, "%.21s/callbacks", pool->name);
    caller = pool->kind == MT_COROUTINE ? mt_coro_spawn(call_all, pool, &coro_options)
                                        : mt_thread_spawn(call_all, pool, &options);
    if (!caller)
        return -errno;
    caller->noticed = 1; /* if it is killed before it begins, mt_pool_free makes the calls */
    __atomic_store_n(&pool->caller, caller, __ATOMIC_RELEASE);
    return 0;
}

/* A pool of coroutines has it already, so that none of them waits for the lock here: the future's guard is held. */
static int start_caller(struct mt_pool *pool)
{
    int result;

    if (__atomic_load_n(&pool->caller, __ATOMIC_ACQUIRE))
        return 0;
    mt__pool_lock(pool);
    result = pool->caller ? 0 : mt__callbacks_start(pool);
    mt__pool_unlock(pool);
    return result;
}

/* Asks for a callback of a future that has not ended; its guard is held. 1: stored, 0: it has ended. */
static int store(struct mt__note *note, struct mt_future *future)
{
    struct mt_pool *pool;
    int result;

    if (!mt__note_add(note, future))
        return 0;
    pool = future->pool;
    if (!pool)
        return 1;
    result = start_caller(pool);
    if (!result) {
        __atomic_add_fetch(&pool->callbacks, 1, __ATOMIC_ACQ_REL);
        return 1;
    }
    mt__note_take_off(note);
    return result;
}

int mt_future_add_done_callback(struct mt_future *future, mt_done_fn *fn, void *arg)
{
    struct mt__note *note;
    int result;

    if (!mt_future_is_done(future) && mt__future_is_stale(future))
        return -ESRCH;
    note = mt__alloc(sizeof *note);
    if (!note)
        return -ENOMEM;
    note->fn = fn;
    note->arg = arg;
    mt_future_retain(future);
    mt__mini_acquire(&future->guard);
    result = store(note, future);
    mt__mini_release(&future->guard);
    if (result > 0)
        return 0;
    free(note);
    if (!result)
        fn(future, arg);
    mt_future_release(future);
    return result;
}

static void nudge(struct mt_pool *pool)
{
    __atomic_fetch_add(&pool->ended.ended, 1, __ATOMIC_RELEASE);
    mt__wake(&pool->ended.ended, UINT_MAX, 0);
}

int mt_future_remove_done_callback(struct mt_future *future, mt_done_fn *fn, void *arg)
{
    struct mt__note *note;

    mt__mini_acquire(&future->guard);
    for (note = future->notes; note && (note->set || note->fn != fn || note->arg != arg); note = note->next)
        ;
    if (note)
        mt__note_take_off(note);
    if (note && future->pool && !mt__future_is_stale(future)) { /* the pool is there while the guard is held */
        forget(future->pool);
        nudge(future->pool);
    }
    mt__mini_release(&future->guard);
    if (!note)
        return -ESRCH;
    drop(note);
    return 0;
}

int mt__callbacks_join(struct mt_pool *pool, mt_deadline deadline)
{
    struct mt_task *caller;

    mt__pool_lock(pool);
    caller = pool->caller;
    mt__pool_unlock(pool);
    if (!caller)
        return 0;
    nudge(pool);
    return mt_task_join(caller, deadline);
}
