/* SPDX-License-Identifier: MIT
 *
 * What is known of tasks at one moment, by value.
 */
#include "wait/wait.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {"new", "ready", "running", "waiting", "dead"};
static const char *const reason_names[] = {"nothing",   "lock",       "condition",  "semaphore", "event",
                                           "once",      "join",       "sleep",      "latch",     "barrier",
                                           "read lock", "write lock", "future",     "pool",      "timer",
                                           "queue put", "queue get",  "queue join", "I/O",       "channel"};

const char *mt_state_name(enum mt_state state)
{
    return (size_t)state < sizeof state_names / sizeof *state_names ? state_names[state] : "unknown";
}

const char *mt_reason_name(enum mt_reason reason)
{
    return (size_t)reason < sizeof reason_names / sizeof *reason_names && reason_names[reason] ? reason_names[reason]
                                                                                               : "unknown";
}

void mt_task_info(const struct mt_task *task, struct mt_task_info *info)
{
    struct mt__record record;

    if (task->kind && task->kind->look)
        task->kind->look((struct mt_task *)task);
    mt__record_copy(task->record, &record);
    memset(info, 0, sizeof *info);
    info->id = record.id;
    info->kind = (enum mt_kind)record.kind;
    info->state = (enum mt_state)record.state;
    info->tid = record.kind == MT_COROUTINE ? record.thread : record.tid;
    memcpy(info->name, record.name, sizeof info->name);
    if (!info->name[0])
        snprintf(info->name, sizeof info->name, "coroutine-%llu", (unsigned long long)record.id);
    if (record.state != MT_WAITING)
        return;
    info->reason = (enum mt_reason)record.wait_reason;
    info->object = (const void *)(uintptr_t)record.wait_object;
    info->owner = (int)record.wait_owner;
    info->since = record.wait_since;
    memcpy(info->place, record.wait_place, sizeof info->place);
    memcpy(info->object_name, record.wait_name, sizeof info->object_name);
}

struct list {
    struct mt_task_info *info;
    size_t room, count;
};

static int is_living(const struct mt_task *task)
{
    return __atomic_load_n(&task->there, __ATOMIC_ACQUIRE) && !__atomic_load_n(&task->done, __ATOMIC_ACQUIRE);
}

static void add(struct mt_task *task, void *arg)
{
    struct list *list = arg;

    if (!is_living(task))
        return;
    if (list->count < list->room)
        mt_task_info(task, &list->info[list->count]);
    list->count++;
}

struct handles {
    struct mt_task **tasks;
    size_t room, count;
};

static void add_handle(struct mt_task *task, void *arg)
{
    struct handles *handles = arg;

    if (!is_living(task))
        return;
    if (handles->count < handles->room) {
        if (!mt__task_retain_living(task))
            return;
        handles->tasks[handles->count] = task;
    }
    handles->count++;
}

size_t mt_task_list(struct mt_task **tasks, size_t count)
{
    struct handles handles = {tasks, count, 0};

    mt__self();
    mt__tasks_visit(add_handle, &handles);
    return handles.count;
}

size_t mt_task_count(void)
{
    return mt_task_enumerate(NULL, 0);
}

size_t mt_task_enumerate(struct mt_task_info *info, size_t count)
{
    struct list list = {info, count, 0};

    mt__self(); /* whoever asks is there too */
    mt__tasks_visit(add, &list);
    return list.count;
}
