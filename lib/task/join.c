/* SPDX-License-Identifier: MIT
 *
 * Waiting for a task's end. The word to wait on is *task->alive: the kernel clears a raw thread's and wakes ONE waiter,
 * so whoever comes back first wakes the rest. The word is part of what reap gives back; hence, under task->guard:
 *
 *   enter    reaped already: the task has ended, done. Else joiners++, and the word stays.
 *   leave    joiners--. If the task has ended and nobody else looks at the word: reaped = 1, and reap.
 *
 * A task that was killed while it joined, or whose deadline passed, leaves in the same way.
 *
 * A thread can end without ending its task: exit(2) called as a system call. Whoever leaves and sees that claims it by
 * `lost`, under the guard, and ends the task instead of it: then done, reaped. Its stack stays, for nothing has cleaned
 * up what hangs on it. Why one that is found lost is lost: the kernel has cleared its word, or, where the word is the
 * task's own, does not know its thread, and done is not set, nor that word cleared. A thread that ends in order does
 * both before.
 */
#include "base/clock.h"
#include "task/deadlock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define LOOK_EVERY MT_MS(500)

static int enter(struct mt_task *task)
{
    int ended;

    mt__mini_acquire(&task->guard);
    ended = task->reaped;
    if (!ended)
        task->joiners++;
    mt__mini_release(&task->guard);
    return ended;
}

/* Where the kernel clears no word of ours it must be asked. */
static int is_gone(struct mt_task *task)
{
    int tid = mt_task_tid(task);

    if (task->alive_shared)
        return !__atomic_load_n(task->alive, __ATOMIC_ACQUIRE);
    return tid && mt__sys(SYS_tgkill, mt__sys(SYS_getpid), tid, 0) == -ESRCH &&
           __atomic_load_n(task->alive, __ATOMIC_ACQUIRE);
}

/* With the guard. Returns whether the caller is to end the task of a thread that has not done so itself. */
static int claim_lost(struct mt_task *task)
{
    if (__atomic_load_n(&task->done, __ATOMIC_ACQUIRE) || task->lost || !task->kind ||
        !__atomic_load_n(&task->there, __ATOMIC_ACQUIRE) || !is_gone(task) ||
        __atomic_load_n(&task->done, __ATOMIC_ACQUIRE))
        return 0;
    task->lost = 1;
    return 1;
}

static void end_lost(struct mt_task *task)
{
    strncpy(task->message, "its thread was ended by a system call, and nothing of it was cleaned up",
            sizeof task->message - 1);
    if (task->kind->lost)
        task->kind->lost(task);
    task->locals_end = NULL;
    mt__task_finish(task, -ECANCELED);
    mt__mini_acquire(&task->guard);
    task->reaped = 1;
    if (!task->alive_shared)
        __atomic_store_n(task->alive, 0, __ATOMIC_RELEASE);
    mt__wake(task->alive, UINT_MAX, task->alive_shared ? MT__WAIT_SHARED : 0);
    mt__mini_release(&task->guard);
    mt__task_drop(task); /* its own reference */
}

/* Returns whether the task has ended. */
static int leave(struct mt_task *task, unsigned flags)
{
    int reap = 0, lost, ended;

    mt__mini_acquire(&task->guard);
    task->joiners--;
    lost = claim_lost(task);
    ended = task->lost || !__atomic_load_n(task->alive, __ATOMIC_ACQUIRE);
    if (ended) {
        if (task->joiners)
            mt__wake(task->alive, UINT_MAX, flags);
        else if (!task->reaped && !task->lost)
            reap = task->reaped = 1;
    }
    mt__mini_release(&task->guard);
    if (reap && task->kind)
        task->kind->reap(task);
    if (lost)
        end_lost(task);
    while (ended && !__atomic_load_n(&task->done, __ATOMIC_ACQUIRE))
        mt__sys(SYS_sched_yield); /* another ends it */
    return ended;
}

/* As mt__wait_round; where the kernel must be asked whether the thread is there, it is, from time to time. */
static int wait_round(struct mt_task *task, struct mt__wait *wait, uint32_t tid, mt_deadline deadline)
{
    mt_deadline look = task->alive_shared ? MT_FOREVER : mt_after(LOOK_EVERY);
    int result;

    if (look >= deadline)
        return mt__wait_round(wait, tid, deadline);
    result = mt__wait_round(wait, tid, look);
    return result == -ETIMEDOUT && !is_gone(task) ? 0 : result;
}

static int wait_for_end(struct mt_task *task, mt_deadline deadline, unsigned flags, const char *place)
{
    struct mt__wait wait = {
        .word = task->alive,
        .flags = flags,
        .reason = MT_WAIT_JOIN,
        .owner = (uint32_t)mt_task_tid(task),
        .object = (const void *)(uintptr_t)task->record->id,
        .name = task->record->name,
        .place = place,
        .deadline = deadline,
    };
    uint32_t tid = __atomic_load_n(task->alive, __ATOMIC_ACQUIRE);
    int result;

    if (!tid)
        return 0;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    result = mt__deadlock_check(&wait);
    while (!result && (tid = __atomic_load_n(task->alive, __ATOMIC_ACQUIRE)) != 0)
        result = wait_round(task, &wait, tid, deadline);
    return mt__wait_end(&wait, result);
}

int mt__task_join(struct mt_task *task, mt_deadline deadline, const char *place)
{
    unsigned flags = task->alive_shared ? MT__WAIT_SHARED : 0;
    int result;

    if (task == mt__self_if_known())
        return -EDEADLK;
    if (!task->kind && !__atomic_load_n(&task->done, __ATOMIC_ACQUIRE))
        return -EINVAL;
    if (task->kind && task->kind->join)
        return task->kind->join(task, deadline, place);
    if (enter(task))
        return 0;
    result = wait_for_end(task, deadline, flags, place);
    return leave(task, flags) ? 0 : result;
}

int mt__joinall(struct mt_task *const *tasks, size_t count, mt_deadline deadline, const char *place)
{
    for (size_t i = 0; i < count; i++) {
        int result = mt__task_join(tasks[i], deadline, place);
        if (result)
            return result;
    }
    return 0;
}
