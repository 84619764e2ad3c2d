/* SPDX-License-Identifier: MIT
 *
 * Coroutines as threads: pthread_create, and who one is. See patch/pthreads.h.
 *
 * A thread that asks to be scheduled in real time is one: that is passed on to libc, as are this project's own, and all
 * of programs whose runtime needs the kernel's (modules.c).
 */
#include "patch/pthreads.h"
#include "coro/stack.h"
#include "patch/locks.h"
#include "patch/modules.h"

#include <limits.h>
#include <linuxmt/coro.h>
#include <linuxmt/local.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

void mt__pthread_drop(struct mt__pthread *thread)
{
    if (!__atomic_sub_fetch(&thread->references, 1, __ATOMIC_ACQ_REL))
        free(thread);
}

/* -- Life --------------------------------------------------------------------------------------------------------- */

/* Those that it was sent before it began come now. */
static void begin_signals(struct mt__pthread *thread, int has_id)
{
    uint64_t before;

    mt__mask_join(thread->mailbox.first_blocked);
    before = mt__signals_block();
    mt__mailbox_begin(&thread->mailbox, mt__hub->current);
    if (has_id)
        mt__ids_add(thread);
    mt__signals_restore(before);
    mt__signals_deliver();
}

static void end_signals(struct mt__pthread *thread)
{
    uint64_t before = mt__signals_block();

    mt__ids_remove(thread);
    mt__mailbox_close(&thread->mailbox);
    mt__signals_restore(before);
    mt__mask_leave();
}

static void end(struct mt__pthread *thread)
{
    struct mt_task *task;

    thread->disabled = 1;
    mt__destructors_run(thread);
    mt__keys_end(thread);
    mt__storage_end(&thread->storage);
    end_signals(thread);
    mt__mini_acquire(&thread->guard);
    task = thread->task;
    thread->task = NULL;
    mt__mini_release(&thread->guard);
    mt_task_release(task);
    mt__hub->current->pthread = NULL;
    __atomic_store_n(&thread->ended, 1, __ATOMIC_RELEASE);
    mt__lock_wake(&thread->ended, INT_MAX, 0);
    mt__pthread_drop(thread);
}

static void begin(struct mt__pthread *thread)
{
    struct mt__coro *coro = mt__hub->current;

    coro->pthread = thread;
    mt__mini_acquire(&thread->guard);
    thread->has_begun = 1;
    if (thread->requested)
        mt_task_kill(mt__running);
    mt__mini_release(&thread->guard);
    thread->stack_low = coro->stack->low;
    thread->stack_top = mt__stack_top(coro->stack);
}

static int run(void *arg)
{
    struct mt__pthread *volatile thread = arg;

    begin(thread);
    thread->base_frame = (uintptr_t)&thread;
    mt__storage_begin(&thread->storage);
    begin_signals(thread, 1);
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
    struct mt__pthread *thread = mt__alloc(sizeof *thread);

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
    thread->mailbox.first_blocked = mt__mask_of_caller();
    begin_signals(thread, 0);
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

/* The creator's, unless the attributes have one. */
static uint64_t first_mask(const pthread_attr_t *attributes)
{
    sigset_t set;

    if (attributes && !pthread_attr_getsigmask_np(attributes, &set))
        return mt__signals_of(&set);
    return mt__mask_of_caller();
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
    thread->mailbox.first_blocked = first_mask(attributes);
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
    if (!is_realtime(attributes) && !mt__modules_refuse())
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
