/* SPDX-License-Identifier: MIT
 *
 * Coroutines as threads: pthread_create, who one is, join and detach. See patch/pthreads.h.
 *
 * A thread that asks to be scheduled in real time is one: that is passed on to libc, as are this project's own.
 */
#include "patch/pthreads.h"
#include "coro/stack.h"
#include "patch/locks.h"

#include <limits.h>
#include <linuxmt/coro.h>
#include <linuxmt/local.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

static void drop(struct mt__pthread *thread)
{
    if (!__atomic_sub_fetch(&thread->references, 1, __ATOMIC_ACQ_REL))
        free(thread);
}

/* -- Life --------------------------------------------------------------------------------------------------------- */

static void end(struct mt__pthread *thread)
{
    struct mt_task *task;

    thread->disabled = 1;
    mt__keys_end(thread);
    mt__mini_acquire(&thread->guard);
    task = thread->task;
    thread->task = NULL;
    mt__mini_release(&thread->guard);
    mt_task_release(task);
    mt__hub->current->pthread = NULL;
    __atomic_store_n(&thread->ended, 1, __ATOMIC_RELEASE);
    mt__lock_wake(&thread->ended, INT_MAX, 0);
    drop(thread);
}

static void begin(struct mt__pthread *thread)
{
    struct mt__coro *coro = mt__hub->current;

    coro->pthread = thread;
    thread->tid = (int)mt__hub->tid;
    thread->stack_low = coro->stack->low;
    thread->stack_top = mt__stack_top(coro->stack);
}

static int run(void *arg)
{
    struct mt__pthread *volatile thread = arg;

    begin(thread);
    thread->base_frame = (uintptr_t)&thread;
    if (!setjmp(thread->base)) {
        thread->unwinds = 1;
        if (thread->start_c11)
            thread->value = (void *)(intptr_t)thread->start_c11(thread->arg);
        else
            thread->value = thread->start(thread->arg);
    }
    end(thread);
    mt__pthread_gone();
    return 0;
}

static struct mt__pthread *make(void)
{
    struct mt__pthread *thread = calloc(1, sizeof *thread);

    if (thread)
        thread->references = 2;
    return thread;
}

static void adopted_ends(void *thread)
{
    end(thread);
}

static struct mt_local adopted = MT_LOCAL_INIT(adopted_ends);

/* A coroutine that mt_coro_spawn made. Nobody joins it. */
static struct mt__pthread *adopt(void)
{
    struct mt__pthread *thread = make();

    if (!thread || mt_local_set(&adopted, thread)) {
        free(thread);
        return NULL;
    }
    thread->references = thread->detached = 1;
    thread->task = mt_task_retain(mt__running);
    strncpy(thread->name, mt_task_name(thread->task), sizeof thread->name - 1);
    begin(thread);
    return thread;
}

struct mt__pthread *mt__pthread_here(void)
{
    struct mt__hub *hub = mt__hub;

    if (!hub || hub->current == &hub->root)
        return NULL;
    return hub->current->pthread ? hub->current->pthread : mt__pthread_is_on() ? adopt() : NULL;
}

/* -- Creating ----------------------------------------------------------------------------------------------------- */

static int is_realtime(const pthread_attr_t *attributes)
{
    int inherits, policy;

    return attributes && !pthread_attr_getinheritsched(attributes, &inherits) && inherits == PTHREAD_EXPLICIT_SCHED &&
           !pthread_attr_getschedpolicy(attributes, &policy) && policy != SCHED_OTHER;
}

/* Stacks are reserved, not used: what libc would give is what it gets, with a guard page taken from it. */
static size_t stack_size(const pthread_attr_t *attributes)
{
    pthread_attr_t defaults;
    size_t size = 0;

    if (attributes) {
        pthread_attr_getstacksize(attributes, &size);
    } else if (!pthread_getattr_default_np(&defaults)) {
        pthread_attr_getstacksize(&defaults, &size);
        pthread_attr_destroy(&defaults);
    }
    return size < MT_CORO_STACK ? MT_CORO_STACK : size > MT_CORO_STACK_MAX ? MT_CORO_STACK_MAX : size;
}

/* As libc's threads have the name of who made them; the process's own is its first thread's. */
static void inherit_name(struct mt__pthread *thread)
{
    const struct mt__pthread *creator = mt__pthread_if_known();

    strncpy(thread->name, creator ? creator->name : program_invocation_short_name, sizeof thread->name - 1);
}

static int create(pthread_t *handle, const pthread_attr_t *attributes, struct mt__pthread *thread)
{
    int state = PTHREAD_CREATE_JOINABLE, error;

    if (attributes)
        pthread_attr_getdetachstate(attributes, &state);
    if (state == PTHREAD_CREATE_DETACHED)
        thread->references = thread->detached = 1;
    thread->stack_size = stack_size(attributes);
    thread->stack_is_default = !attributes;
    inherit_name(thread);
    *handle = mt__pthread_handle(thread); /* before it runs: it may look */
    error = mt__pthread_spawn(thread, run);
    if (error)
        free(thread);
    return error ? EAGAIN : 0;
}

static int passes(const pthread_attr_t *attributes, const void *caller)
{
    if (!mt__pthread_is_on() || mt__pthread_is_library(caller) || (mt__hub && mt__hub->current->inside))
        return 1;
    if (!is_realtime(attributes))
        return 0;
    mt__patch_pass(pthread_create);
    return 1;
}

MT__PATCHED int pthread_create(pthread_t *restrict handle, const pthread_attr_t *restrict attributes,
                               void *(*start)(void *), void *restrict arg)
{
    struct mt__pthread *thread;

    if (passes(attributes, __builtin_return_address(0)))
        return mt__libc(pthread_create)(handle, attributes, start, arg);
    thread = make();
    if (!thread)
        return EAGAIN;
    thread->start = start;
    thread->arg = arg;
    return create(handle, attributes, thread);
}

MT__PATCHED int thrd_create(thrd_t *handle, thrd_start_t start, void *arg)
{
    struct mt__pthread *thread;

    if (passes(NULL, __builtin_return_address(0)))
        return mt__libc(thrd_create)(handle, start, arg);
    thread = make();
    if (!thread)
        return thrd_nomem;
    thread->start_c11 = start;
    thread->arg = arg;
    return create(handle, NULL, thread) ? thrd_error : thrd_success;
}

MT__PATCHED pthread_t pthread_self(void)
{
    struct mt__pthread *thread = mt__hub && mt__pthread_is_on() ? mt__pthread_here() : mt__pthread_if_known();

    return thread ? mt__pthread_handle(thread) : mt__libc(pthread_self)();
}

MT__PATCHED thrd_t thrd_current(void)
{
    return pthread_self();
}

/* -- Joining ------------------------------------------------------------------------------------------------------ */

static int is_ended(struct mt__pthread *thread)
{
    return (int)__atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE);
}

/* 0, -ETIMEDOUT or -ECANCELED. In any thread. */
static int wait_for_end(struct mt__pthread *thread, mt_deadline deadline)
{
    struct mt__wait wait = {
        .word = &thread->ended, .reason = MT_WAIT_JOIN, .object = thread, .name = thread->name, .deadline = deadline};
    struct mt__patch_call call = {0};
    int in_hub = mt__hub != NULL, result;

    if (in_hub)
        call = mt__patch_enter();
    result = mt__wait_begin(&wait);
    if (!result) {
        while (!result && !is_ended(thread))
            result = mt__lock_round(&wait, 0);
        result = mt__wait_end(&wait, result);
    }
    if (in_hub)
        mt__patch_end(call, 0);
    return is_ended(thread) ? 0 : result;
}

int mt__pthread_join(struct mt__pthread *thread, void **value, mt_deadline deadline)
{
    struct mt__pthread *self = mt__pthread_if_known(), *nobody = NULL;
    int result = 0;

    if (thread == self || (self && __atomic_load_n(&self->joiner, __ATOMIC_ACQUIRE) == thread))
        return EDEADLK;
    if (__atomic_load_n(&thread->detached, __ATOMIC_ACQUIRE) ||
        !__atomic_compare_exchange_n(&thread->joiner, &nobody, self ? self : MT__JOINED_BY_THREAD, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return EINVAL;
    if (!is_ended(thread))
        result = deadline == MT_NOWAIT ? -EBUSY : wait_for_end(thread, deadline);
    if (result) {
        __atomic_store_n(&thread->joiner, NULL, __ATOMIC_RELEASE);
        return -result;
    }
    if (value)
        *value = thread->value;
    drop(thread);
    return 0;
}

/* A thread of libc's, joined in a hub: nothing is woken there at its end that we could wait for. */
static int join_thread(pthread_t handle, void **value, mt_deadline deadline)
{
    unsigned tries = 0;
    int result;

    while ((result = mt__libc(pthread_tryjoin_np)(handle, value)) == EBUSY) {
        mt__pthread_point();
        if (mt__pthread_has_left(handle, value))
            return 0;
        if (mt__lock_poll(&tries, deadline))
            return ETIMEDOUT;
    }
    return result;
}

static int join(pthread_t handle, void **value, mt_deadline deadline)
{
    struct mt__pthread *thread = mt__pthread_of(handle);
    int result;

    mt__pthread_point();
    result = thread ? mt__pthread_join(thread, value, deadline) : join_thread(handle, value, deadline);
    if (result == ECANCELED)
        mt__pthread_cancelled();
    return result;
}

/* Whether it is ours to do: to end in a coroutine, or to wait in a hub. */
static int is_here(pthread_t handle)
{
    return mt__pthread_of(handle) || mt__patched(THREAD);
}

MT__PATCHED int pthread_join(pthread_t handle, void **value)
{
    return is_here(handle) ? join(handle, value, MT_FOREVER) : mt__libc(pthread_join)(handle, value);
}

MT__PATCHED int pthread_tryjoin_np(pthread_t handle, void **value)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    return thread ? mt__pthread_join(thread, value, MT_NOWAIT) : mt__libc(pthread_tryjoin_np)(handle, value);
}

MT__PATCHED int pthread_clockjoin_np(pthread_t handle, void **value, clockid_t clock, const struct timespec *time)
{
    mt_deadline deadline = MT_FOREVER;

    if (!is_here(handle))
        return mt__libc(pthread_clockjoin_np)(handle, value, clock, time);
    if (mt__lock_clock(clock) || (time && mt__lock_deadline(clock, time, &deadline)))
        return EINVAL;
    return join(handle, value, deadline);
}

MT__PATCHED int pthread_timedjoin_np(pthread_t handle, void **value, const struct timespec *time)
{
    if (!is_here(handle))
        return mt__libc(pthread_timedjoin_np)(handle, value, time);
    return pthread_clockjoin_np(handle, value, CLOCK_REALTIME, time);
}

MT__PATCHED int thrd_join(thrd_t handle, int *result)
{
    void *value = NULL;

    if (!is_here(handle))
        return mt__libc(thrd_join)(handle, result);
    if (join(handle, &value, MT_FOREVER))
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)value;
    return thrd_success;
}

MT__PATCHED int pthread_detach(pthread_t handle)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_detach)(handle);
    if (__atomic_exchange_n(&thread->detached, 1, __ATOMIC_ACQ_REL))
        return EINVAL;
    drop(thread);
    return 0;
}

MT__PATCHED int thrd_detach(thrd_t handle)
{
    return pthread_detach(handle) ? thrd_error : thrd_success;
}
