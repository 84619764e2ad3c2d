/* SPDX-License-Identifier: MIT
 *
 * What can be asked of a task, and its handle.
 */
#include "base/probe.h"
#include "wait/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct mt_task *mt_task_current(void)
{
    struct mt_task *task = mt__self();

    if (!task)
        errno = ENOMEM;
    return task;
}

struct mt_task *mt_task_main(void)
{
    struct mt_task *task;

    if (mt__sys(SYS_gettid) == getpid())
        mt__self();
    task = mt__task_first();
    if (!task)
        errno = ESRCH;
    return task;
}

struct mt_task *mt_task_retain(struct mt_task *task)
{
    mt__add(&task->references, 1);
    return task;
}

void mt_task_release(struct mt_task *task)
{
    if (task)
        mt__task_drop(task);
}

void mt_task_detach(struct mt_task *task)
{
    mt_task_release(task);
}

static int is_done(const struct mt_task *task)
{
    if (__atomic_load_n(&task->done, __ATOMIC_ACQUIRE))
        return 1;
    return task->kind && task->kind->ended && task->kind->ended((struct mt_task *)task);
}

int mt_task_kill(struct mt_task *task)
{
    if (is_done(task))
        return -ESRCH;
    if (task->kind && task->kind->kill)
        return task->kind->kill(task);
    mt__wait_cancel(task);
    return 0;
}

int mt_task_killed(void)
{
    struct mt_task *task = mt__self_if_known();

    return task && __atomic_load_n(&task->cancel, __ATOMIC_ACQUIRE);
}

int mt_task_outcome(const struct mt_task *task)
{
    if (!is_done(task))
        return -EINPROGRESS;
    __atomic_store_n(&((struct mt_task *)task)->noticed, 1, __ATOMIC_RELAXED);
    return task->outcome;
}

int mt_task_ready(const struct mt_task *task)
{
    return is_done(task);
}

int mt_task_successful(const struct mt_task *task)
{
    return is_done(task) && mt_task_outcome(task) == 0;
}

int mt_task_set_value(void *value)
{
    struct mt_task *task = mt__self();

    if (!task)
        return -ENOMEM;
    __atomic_store_n(&task->value, value, __ATOMIC_RELEASE);
    return 0;
}

void *mt_task_value(const struct mt_task *task)
{
    return __atomic_load_n(&task->value, __ATOMIC_ACQUIRE);
}

int mt__task_get(struct mt_task *task, void **value, mt_deadline deadline, const char *place)
{
    int result = mt__task_join(task, deadline, place);

    if (!result)
        result = mt_task_outcome(task);
    if (!result)
        *value = mt_task_value(task);
    return result;
}

uint64_t mt_task_spawner(const struct mt_task *task)
{
    return task->record->spawner;
}

const char *mt_task_message(const struct mt_task *task)
{
    return task->message;
}

uint64_t mt_task_id(const struct mt_task *task)
{
    return task->record->id;
}

int mt_task_tid(const struct mt_task *task)
{
    const struct mt__record *record = task->record;

    return __atomic_load_n(record->kind == MT_COROUTINE ? &record->thread : &record->tid, __ATOMIC_RELAXED);
}

int mt_task_is_alive(const struct mt_task *task)
{
    return !is_done(task);
}

enum mt_kind mt_task_kind(const struct mt_task *task)
{
    return (enum mt_kind)task->record->kind;
}

enum mt_state mt_task_state(const struct mt_task *task)
{
    if (task->kind && task->kind->look)
        task->kind->look((struct mt_task *)task);
    return (enum mt_state)__atomic_load_n(&task->record->state, __ATOMIC_RELAXED);
}

const char *mt_task_name(const struct mt_task *task)
{
    return mt__task_name(task);
}

static void kernel_name(int tid, const char *name)
{
    char path[64];
    int fd;

    if (tid == (int)mt__sys(SYS_gettid)) {
        mt__sys(SYS_prctl, PR_SET_NAME, name);
        return;
    }
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, name, strnlen(name, 15)) < 0) {
        /* The kernel's copy is a courtesy to ps and top: the record has the name. */
    }
    close(fd);
}

/* Another task may set the name, so this is no change under the record's sequence: a reader may see a mixture of two
 * names once. */
void mt_task_set_name(struct mt_task *task, const char *name)
{
    int tid = mt_task_tid(task);

    strncpy(task->record->name, name, MT_NAME_MAX - 1);
    if (MT__PROBED(task__name))
        MT__PROBE2(task__name, task->record->id, task->record->name);
    if (tid && task->record->kind != MT_COROUTINE)
        kernel_name(tid, name);
}
