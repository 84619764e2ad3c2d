/* SPDX-License-Identifier: MIT
 *
 * Threads by clone(2), inside glibc.
 *
 * The end of a thread, in order; no step may use what an earlier one gave away:
 *
 *   1. the body returns (or pthread_exit or a cancellation unwinds to where the body was called)
 *   2. destructors of C++ thread_local objects and pthread keys run: the task is still its thread's task
 *   3. the task is finished: outcome, hook, DEAD, done
 *   4. all signals but glibc's SIGSETXID are blocked: from here on nothing of the user's can run. setuid() in another
 * thread holds the list's lock while it waits for every thread on the list to answer that signal, so it must still get
 * through
 *   5. off glibc's list
 *   6. the task's own reference is dropped. If it was the last one, the slot, on which this code still runs, goes to
 * the idle list: its tid is not 0 yet, so nobody takes it
 *   7. exit(2), this thread only. The kernel clears the tid word and wakes one joiner: now the slot can be used again
 *
 * tests/model/exit.pml checks steps 3 to 7 against joiners.
 */
#include "base/probe.h"
#include "thread/glibc.h"
#include "thread/slot.h"
#include "thread/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#define SIGSETXID 33 /* glibc's own: SIGRTMIN - 1 in the kernel's counting */
#define CLONE_FLAGS                                                                                    \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS | \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static void set_signals(int how, const uint64_t *set, uint64_t *old)
{
    mt__arch_syscall(SYS_rt_sigprocmask, how, (long)set, (long)old, sizeof *set, 0, 0);
}

/* Calls the body where pthread_exit and pthread_cancel can find an end to their unwinding: what pthread_cleanup_push
 * does in C. */
static int call_body(struct mt_task *task)
{
    __pthread_unwind_buf_t buffer;
    volatile int outcome = -ECANCELED;

    if (__sigsetjmp_cancel(buffer.__cancel_jmp_buf, 0) == 0) {
        __pthread_register_cancel(&buffer);
        outcome = task->body(task->argument);
        __pthread_unregister_cancel(&buffer);
    } else {
        strncpy(task->message, "it was ended by pthread_exit or pthread_cancel", sizeof task->message - 1);
    }
    return outcome;
}

static void leave(struct mt__slot *slot)
{
    uint64_t all_but_setxid = ~((uint64_t)1 << (SIGSETXID - 1));
    struct mt_task *task = slot->task;

    set_signals(SIG_BLOCK, &all_but_setxid, NULL);
    mt__glibc_leave(slot->thread_pointer);
    mt__task_drop(task);
    for (;;)
        mt__arch_syscall(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void thread_entry(void *arg)
{
    struct mt__slot *slot = arg;
    struct mt_task *task = slot->task;
    int outcome;

    mt__glibc_enter(slot->thread_pointer, slot->fresh ? &slot->resolver : NULL);
    slot->fresh = 0;
    outcome = mt__thread_begin(task, (uint32_t)*slot->tid, slot->named);
    set_signals(SIG_SETMASK, &slot->signals, NULL);
    if (!outcome)
        outcome = call_body(task);
    mt__glibc_destructors(slot->thread_pointer);
    mt__task_finish(task, outcome);
    mt__glibc_count(-1);
    leave(slot);
}

static long clone_thread(struct mt__slot *slot)
{
    uint64_t all = ~(uint64_t)0, before;
    long tid;

    /* The lock first: while signals are blocked nobody may be waiting for us to answer one. */
    mt__glibc_list_acquire();
    __atomic_store_n(&mt__cloned, 1, __ATOMIC_RELAXED);
    set_signals(SIG_BLOCK, &all, &before);
    slot->signals = before;
    if (__builtin_expect(__atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED), 0) &&
        (tid = -mt__sys_injected(SYS_clone)) != 0) {
        /* a test's failure */
    } else {
        tid = mt__arch_clone(CLONE_FLAGS, slot->stack + slot->stack_size, slot->tid, slot->tid, slot->thread_pointer,
                             thread_entry, slot);
    }
    if (tid > 0)
        mt__glibc_list_add(slot->thread_pointer);
    set_signals(SIG_SETMASK, &before, NULL);
    mt__glibc_list_release();
    return tid;
}

static int raw_spawn(struct mt_task *task, const struct mt_thread_options *options, int named)
{
    int error = 0;
    struct mt__slot *slot = mt__slot_take(options->stack_size, options->guard_size, &error);
    long tid;

    if (!slot)
        return error;
    slot->task = task;
    slot->named = named;
    task->resource = slot;
    task->alive = (uint32_t *)slot->tid;
    task->alive_shared = 1;
    mt__glibc_count(1);
    tid = clone_thread(slot);
    if (tid > 0)
        return 0;
    mt__glibc_count(-1);
    *slot->tid = 0;
    task->alive = &task->alive_word;
    mt__slot_give(slot);
    return (int)tid;
}

static void raw_reap(struct mt_task *task)
{
    mt__slot_give(task->resource);
}

/* Its slot is never used again: nobody has destroyed what the thread's keys and TLS hold. */
static void raw_lost(struct mt_task *task)
{
    struct mt__slot *slot = task->resource;

    mt__glibc_leave(slot->thread_pointer);
    mt__glibc_count(-1);
}

static const struct mt__kind raw_kind = {.reap = raw_reap, .lost = raw_lost};

const struct mt__backend mt__backend_raw = {"raw", &raw_kind, raw_spawn};
