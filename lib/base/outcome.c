/* SPDX-License-Identifier: MIT
 *
 * How a task's end is told. No failure is lost: a hook hears of each; without a hook, a failure whose outcome nobody
 * has read by the time the last handle goes, or the process exits, is printed. What failed before a fork is the
 * parent's to tell: mt__task_forked.
 */
#include "base/probe.h"
#include "base/task.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mt_failure_fn *failure_hook;

mt_failure_fn *mt_failure_hook(mt_failure_fn *hook)
{
    return __atomic_exchange_n(&failure_hook, hook, __ATOMIC_ACQ_REL);
}

int mt_fail(int code, const char *format, ...)
{
    struct mt_task *task = mt__self();
    va_list args;

    if (task) {
        va_start(args, format);
        vsnprintf(task->message, sizeof task->message, format, args);
        va_end(args);
    }
    return code;
}

static void print_failure(const struct mt_task *task, int outcome, const char *message)
{
    char line[MT_NAME_MAX + MT_MESSAGE_MAX + 128];
    int length;

    length = snprintf(line, sizeof line, "linuxmt: task \"%s\" failed: %s%s%s\n", mt__task_name(task), message,
                      message[0] ? ": " : "", outcome < 0 ? strerror(-outcome) : "");
    if (outcome > 0)
        length = snprintf(line, sizeof line, "linuxmt: task \"%s\" failed: %s%soutcome %d\n", mt__task_name(task),
                          message, message[0] ? ": " : "", outcome);
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* there is nowhere left to say it */
}

uint32_t mt__tasks_finished;

void mt__failure_unnoticed(struct mt_task *task)
{
    if (!__atomic_load_n(&failure_hook, __ATOMIC_ACQUIRE)) /* a hook has been told */
        print_failure(task, task->outcome, task->message);
}

void mt__failure_tell(struct mt_task *task, int outcome, const char *message)
{
    mt_failure_fn *hook = __atomic_load_n(&failure_hook, __ATOMIC_ACQUIRE);

    if (!task)
        task = mt__self();
    if (!task)
        return; /* a thread that is new to the library, and no memory to make it known */
    if (hook)
        hook(task, outcome, message);
    else
        print_failure(task, outcome, message);
}

int mt__failure_is_hooked(void)
{
    return __atomic_load_n(&failure_hook, __ATOMIC_ACQUIRE) != NULL;
}

static void tell_if_unread(struct mt_task *task, void *arg)
{
    if (__atomic_load_n(&task->done, __ATOMIC_ACQUIRE) && task->outcome &&
        !__atomic_exchange_n(&task->noticed, 1, __ATOMIC_RELAXED))
        print_failure(task, task->outcome, task->message);
}

__attribute__((destructor)) static void process_exits(void)
{
    if (!mt__failure_is_hooked())
        mt__tasks_visit(tell_if_unread, NULL);
}

/* done is set before the guard is taken, and looked at under it by whoever adds one: so none is added unseen. */
static void call_links(struct mt_task *task)
{
    struct mt__task_link *link, *next;

    mt__mini_acquire(&task->guard);
    link = task->links;
    task->links = NULL;
    mt__mini_release(&task->guard);
    for (; link; link = next) {
        next = link->next;
        link->call(link, task);
    }
}

void mt__task_finish(struct mt_task *task, int outcome)
{
    mt_failure_fn *hook = __atomic_load_n(&failure_hook, __ATOMIC_ACQUIRE);

    if (mt__at_end && task == mt__running && task->record->kind != MT_COROUTINE)
        mt__at_end();
    if (task->locals_end)
        task->locals_end(task);
    task->outcome = outcome;
    if (MT__PROBED(thread__exit) && task->record->kind != MT_COROUTINE)
        MT__PROBE3(thread__exit, task->record->id, task->record->tid, outcome);
    if (outcome && hook)
        hook(task, outcome, task->message);
    mt__record_begin(task->record);
    mt__record_state(task->record, MT_DEAD);
    mt__record_tid(task->record, 0);
    mt__record_end(task->record);
    mt__add(&mt__tasks_finished, 1);
    __atomic_store_n(&task->done, 1, __ATOMIC_RELEASE);
    call_links(task);
}
