/* SPDX-License-Identifier: MIT
 *
 * The graph: arrows, circles, chains, and whether a circle stands still.
 *
 * Why standing still proves a deadlock: a picture is not taken at one instant, so a circle in it may be made of moments
 * that never were together. But a thread whose count of switches is the same in two pictures slept from the first to
 * the second. If all of a circle did, there is an instant between the two at which every one of them waits, and every
 * lock is held by a thread that sleeps. For a wait with a timeout, which may wake and wait again, the same lock and
 * owner in every picture must do, and the report says that it is timed.
 */
#include "deadlock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void picture_clear(struct picture *picture)
{
    free(picture->waiters);
    picture->waiters = NULL;
    picture->count = picture->circles = picture->abandoned = 0;
}

static int add_process(struct picture *picture, struct reader *reader, struct process *process)
{
    struct stuck_task *tasks;
    size_t count;
    int error = reader_list(reader, process->pid, &tasks, &count);
    if (error)
        return error;
    struct waiter *larger = reallocarray(picture->waiters, picture->count + count, sizeof(*larger));
    if (!larger) {
        free(tasks);
        return -ENOMEM;
    }
    picture->waiters = larger;
    process->threads = count;
    for (size_t i = 0; i < count; i++) {
        larger[picture->count++] = (struct waiter){.task = tasks[i], .process = process, .owner = -1, .circle = -1};
        if (tasks[i].tid == tasks[i].pid || !i) /* the first thread may have ended before the others */
            memcpy(process->name, tasks[i].name, sizeof(process->name));
    }
    process->name[sizeof(process->name) - 1] = 0;
    free(tasks);
    return 0;
}

static const struct stuck_task *thread_of(const struct picture *picture, const struct process *process, int own_tid)
{
    for (size_t i = 0; i < picture->count; i++)
        if (picture->waiters[i].process == process && !picture->waiters[i].coroutine &&
            picture->waiters[i].task.own_tid == (uint32_t)own_tid)
            return &picture->waiters[i].task;
    return NULL;
}

/* A hub sleeps on behalf of those who wait in it, so what for is in their records. These count each wait as threads do
 * their switches. */
static void use_record(struct waiter *waiter, const struct mt__record *record, struct reader *reader)
{
    struct stuck_task *task = &waiter->task;
    waiter->record = record;
    waiter->in_hub = true;
    task->state = record->state == MT_WAITING;
    task->switches = record->waits;
    task->syscall = -1;
    task->word = task->state ? record->wait_word : 0;
    task->object_size =
        task->word ? (uint32_t)reader_memory(reader, task, task->word, task->object, sizeof(task->object)) : 0;
}

static int add_coroutines(struct picture *picture, struct process *process)
{
    process->coroutines = 0;
    for (size_t i = 0; i < process->tasks.count; i++) {
        const struct mt__record *record = &process->tasks.records[i];
        const struct stuck_task *thread = record->kind == MT_COROUTINE && record->state != MT_DEAD
                                              ? thread_of(picture, process, record->thread)
                                              : NULL;
        if (!thread)
            continue;
        struct waiter waiter = {.task = *thread, .process = process, .owner = -1, .circle = -1, .coroutine = true};
        struct waiter *larger = reallocarray(picture->waiters, picture->count + 1, sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        picture->waiters = larger;
        waiter.task.own_tid = (uint32_t)record->tid;
        waiter.task.started = record->id;
        memcpy(waiter.task.name, record->name, sizeof(waiter.task.name) - 1);
        waiter.task.name[sizeof(waiter.task.name) - 1] = 0;
        larger[picture->count++] = waiter;
        process->coroutines++;
    }
    return 0;
}

static bool has_coroutines(const struct tasks *tasks, const struct mt__record *thread)
{
    for (size_t i = 0; i < tasks->count; i++)
        if (tasks->records[i].kind == MT_COROUTINE && tasks->records[i].thread == thread->tid)
            return true;
    return false;
}

/* A hub's thread that waits in the loop; in a call of its own it waits as any thread does. */
static bool waits_in_hub(const struct waiter *waiter)
{
    return waiter->record && waiter->record->state == MT_WAITING && !waiter->task.word && waiter->task.state &&
           has_coroutines(&waiter->process->tasks, waiter->record);
}

uint32_t waiter_number(const struct waiter *waiter)
{
    return waiter->coroutine ? waiter->task.own_tid : waiter->task.tid;
}

int picture_take(struct picture *picture, struct reader *reader, pid_t *failed)
{
    picture_clear(picture);
    for (size_t i = 0; i < picture->process_count; i++) {
        struct process *process = &picture->processes[i];
        *failed = process->pid;
        int error = add_process(picture, reader, process);
        if (error)
            return error;
        if (process->has_tasks)
            tasks_read(&process->tasks); /* what cannot be read any more is empty */
        error = process->has_tasks ? add_coroutines(picture, process) : 0;
        if (error)
            return error;
    }
    qsort(picture->waiters, picture->count, sizeof(*picture->waiters), waiter_compare);
    for (size_t i = 0; i < picture->count; i++) {
        struct waiter *waiter = &picture->waiters[i];
        if (waiter->process->has_tasks)
            waiter->record = tasks_by_tid(&waiter->process->tasks, waiter->task.own_tid);
        if (waiter->record && (waiter->coroutine || waits_in_hub(waiter)))
            use_record(waiter, waiter->record, reader);
        waiter_decode(picture, waiter, reader);
    }
    picture_link(picture);
    return 0;
}

/* The owner in the same process; for a shared lock also in another one, if only one of those has such a thread. */
static int find_owner(const struct picture *picture, const struct waiter *waiter)
{
    int found = waiter_by_tid(picture, waiter->process, waiter->owner_tid), others = 0;
    if (found >= 0 || !waiter->shared || !waiter->owner_tid)
        return found;
    for (size_t i = 0; i < picture->count; i++)
        if (picture->waiters[i].task.own_tid == waiter->owner_tid) {
            found = i;
            others++;
        }
    return others == 1 ? found : -1;
}

/* Follows the arrows from each thread; one that meets its own walk has closed a circle. */
static void number_circles(struct picture *picture, int *walk)
{
    for (size_t i = 0; i < picture->count; i++)
        walk[i] = -1;
    for (int i = 0; i < (int)picture->count; i++) {
        int at = i;
        while (at >= 0 && walk[at] < 0) {
            walk[at] = i;
            at = picture->waiters[at].owner;
        }
        if (at < 0 || walk[at] != i || picture->waiters[at].circle >= 0)
            continue;
        for (int member = at; picture->waiters[member].circle < 0; member = picture->waiters[member].owner)
            picture->waiters[member].circle = picture->circles;
        picture->circles++;
    }
}

/* Every thread counts for each one that it comes to, but no more than once around. */
static void count_behind(struct picture *picture, int *seen)
{
    for (size_t i = 0; i < picture->count; i++)
        seen[i] = -1;
    for (int i = 0; i < (int)picture->count; i++) {
        seen[i] = i;
        for (int at = picture->waiters[i].owner; at >= 0 && seen[at] != i; at = picture->waiters[at].owner) {
            seen[at] = i;
            picture->waiters[at].behind++;
        }
    }
}

void picture_link(struct picture *picture)
{
    int *scratch = calloc(picture->count + 1, sizeof(*scratch));
    picture->circles = picture->abandoned = 0;
    for (size_t i = 0; i < picture->count; i++) {
        struct waiter *waiter = &picture->waiters[i];
        waiter->owner = find_owner(picture, waiter);
        waiter->abandoned = waiter->owner < 0 && waiter->owner_tid && !waiter->shared && waiter->kind != WAIT_JOIN;
        picture->abandoned += waiter->abandoned;
        waiter->circle = -1;
        waiter->behind = 0;
    }
    if (!scratch)
        return;
    number_circles(picture, scratch);
    count_behind(picture, scratch);
    free(scratch);
}

static bool stood_still(const struct picture *before, const struct waiter *waiter)
{
    int index = waiter_by_tid(before, waiter->process, waiter->task.own_tid);
    const struct waiter *former = index >= 0 ? &before->waiters[index] : NULL;
    return former && former->abandoned == waiter->abandoned && (former->circle >= 0) == (waiter->circle >= 0) &&
           former->task.started == waiter->task.started && former->task.word == waiter->task.word &&
           former->owner_tid == waiter->owner_tid && (waiter->timed || former->task.switches == waiter->task.switches);
}

void picture_keep_stable(struct picture *picture, const struct picture *before)
{
    size_t kept = 0;
    for (size_t circle = 0; circle < picture->circles; circle++) {
        bool stable = true;
        for (size_t i = 0; i < picture->count; i++)
            if (picture->waiters[i].circle == (int)circle)
                stable &= stood_still(before, &picture->waiters[i]);
        for (size_t i = 0; i < picture->count; i++)
            if (picture->waiters[i].circle == (int)circle)
                picture->waiters[i].circle = stable ? (int)kept : -1;
        kept += stable;
    }
    picture->circles = kept;
    for (size_t i = 0; i < picture->count; i++) {
        struct waiter *waiter = &picture->waiters[i];
        if (waiter->abandoned && !stood_still(before, waiter)) {
            waiter->abandoned = false;
            picture->abandoned--;
        }
    }
}

size_t picture_unknown(const struct picture *picture)
{
    size_t count = 0;
    for (size_t i = 0; i < picture->count; i++) {
        const struct waiter *waiter = &picture->waiters[i];
        count += waiter->kind > WAIT_SLEEP && waiter->owner < 0 && !waiter->abandoned;
    }
    return count;
}

int picture_longest_chain(const struct picture *picture)
{
    int best = -1;
    size_t best_length = 0;
    for (size_t i = 0; i < picture->count; i++) {
        size_t length = 0;
        for (int at = picture->waiters[i].owner; at >= 0 && length <= picture->count; at = picture->waiters[at].owner)
            length++;
        if (length > best_length && length <= picture->count) {
            best = i;
            best_length = length;
        }
    }
    return best;
}
