/* SPDX-License-Identifier: MIT
 *
 * Calls at a task's end. A link is on its task's list, under the task's guard, until somebody takes it off: the one who
 * finishes the task, and then makes the call (base/outcome.c), or mt__link_remove. So each is made once or never, and
 * who took it off owns its memory. `done` is set before the list is emptied and looked at under the guard before a link
 * is added: so none is added too late.
 */
#include "base/task.h"

#include <errno.h>
#include <stdlib.h>

struct own {
    struct mt__task_link link;
    mt_link_fn *fn;
    void *arg;
};

int mt__link_remove(struct mt_task *task, struct mt__task_link *link)
{
    struct mt__task_link **at;
    int found;

    mt__mini_acquire(&task->guard);
    for (at = &task->links; *at && *at != link; at = &(*at)->next)
        ;
    found = *at != NULL;
    if (found)
        *at = link->next;
    mt__mini_release(&task->guard);
    return found;
}

/* At the end: calls are made in the order in which they were asked for. */
static int append(struct mt_task *task, struct mt__task_link *link)
{
    struct mt__task_link **at;
    int ended;

    link->next = NULL;
    mt__mini_acquire(&task->guard);
    ended = (int)__atomic_load_n(&task->done, __ATOMIC_ACQUIRE);
    for (at = &task->links; *at; at = &(*at)->next)
        ;
    if (!ended)
        *at = link;
    mt__mini_release(&task->guard);
    return ended;
}

int mt__link_add(struct mt_task *task, struct mt__task_link *link)
{
    int error;

    if (!mt_task_is_alive(task) || append(task, link))
        return 1;
    error = task->kind && task->kind->watch ? task->kind->watch(task) : 0;
    if (error && mt__link_remove(task, link))
        return error;
    return 0;
}

static void call(struct mt__task_link *link, struct mt_task *task)
{
    struct own own = *(struct own *)link;

    free(link);
    own.fn(task, own.arg);
}

int mt_task_link(struct mt_task *task, mt_link_fn *fn, void *arg)
{
    struct own *own = mt__alloc(sizeof *own);
    int result;

    if (!own)
        return -ENOMEM;
    *own = (struct own){{NULL, call}, fn, arg};
    result = mt__link_add(task, &own->link);
    if (result > 0)
        fn(task, arg);
    if (result)
        free(own);
    return result < 0 ? result : 0;
}

int mt_task_unlink(struct mt_task *task, mt_link_fn *fn, void *arg)
{
    struct mt__task_link **at, *link;

    mt__mini_acquire(&task->guard);
    for (at = &task->links; *at; at = &(*at)->next) {
        struct own *own = (struct own *)*at;
        if (own->link.call == call && own->fn == fn && own->arg == arg)
            break;
    }
    link = *at;
    if (link)
        *at = link->next;
    mt__mini_release(&task->guard);
    free(link);
    return link ? 0 : -ESRCH;
}
