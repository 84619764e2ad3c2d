/* SPDX-License-Identifier: MIT
 *
 * Tasks that wait for each other in a circle when the recording ends.
 *
 * Why it is one, and not a picture of moments that never were together: an arrow is drawn from a task that still sleeps
 * to the holder that the lock's own word named when a task went to sleep on it last, and only while nobody has released
 * the lock since. A release with sleepers on the lock wakes one of them, which bpf/wait-lock.h sees and forgets the
 * holder. So each holder of the circle holds what it held, and all of them sleep.
 */
#include "model.h"
#include <stdlib.h>

/* The lock that the task sleeps on, or slept on until it was killed there; 0: none. */
static __u32 lock_at_end(const struct model_task *task)
{
    if (task->raw.state == WAIT_STATE_WAITING)
        return task->raw.lock;
    return task->raw.state == WAIT_STATE_DEAD && task->raw.flags & WAIT_TASK_DIED ? task->raw.left_lock : 0;
}

/* The task that holds what this one waits for, -1: none is known. */
static int task_before(const struct model *model, const struct wait_lock *locks, size_t count, int task)
{
    __u32 lock = lock_at_end(&model->tasks[task]);
    if (!lock || lock >= count || !locks[lock].read)
        return -1;
    return model_task_of_slot(model, locks[lock].holder);
}

static bool keep_circle(struct model *model, const struct wait_lock *locks, size_t count, int first)
{
    int task = first;
    do {
        const struct model_lock *lock = model_lock_of(model, &locks[lock_at_end(&model->tasks[task])]);
        struct model_link *more = realloc(model->circle, (model->circle_count + 1) * sizeof *more);
        if (!more)
            return false;
        model->circle = more;
        more[model->circle_count++] = (struct model_link){task, lock ? model->waits[lock->first].what : "a lock"};
        task = task_before(model, locks, count, task);
    } while (task != first);
    return true;
}

bool model_add_circle(struct model *model, const struct wait_lock *locks, size_t count)
{
    size_t *walk = calloc(model->task_count + 1, sizeof *walk); /* the walk that came to a task first, from 1 */
    bool good = walk != NULL;
    for (size_t i = 0; good && i < model->task_count && !model->circle; i++) {
        int at = (int)i;
        while (at >= 0 && !walk[at]) {
            walk[at] = i + 1;
            at = task_before(model, locks, count, at);
        }
        if (at >= 0 && walk[at] == i + 1)
            good = keep_circle(model, locks, count, at);
    }
    free(walk);
    return good;
}
