/* SPDX-License-Identifier: MIT
 *
 * What stands behind a wait that is the verdict: a task that waits for a pipe, a child, a message or a condition is not
 * the answer, but who is to end that wait is, if it was recorded too. That one is followed in the same way until
 * somebody runs, lacks a CPU, sleeps, waits for a lock whose holders are told, or for something that no task ends.
 *
 * Who ended most of the waiting stands for all that end it; a wait that nobody has ended yet is followed where it can
 * be known who will: one for a child to the child, one for a pipe to who has its other end.
 */
#include "code-text.h"
#include "format.h"
#include "model.h"

#define LINKS      4    /* of a chain in a sentence */
#define ENDS_ABOVE 0.25 /* who ends less of the waiting than this does not stand for it, */
#define ENDS_MOST  0.75 /* and who ends less than this not alone */

const char *model_wait_phrase(const struct model_wait *wait)
{
    switch (wait->reason) {
    case WAIT_DISK:
        return "the disk: ";
    case WAIT_FAULT:
        return "memory: ";
    case WAIT_PIPE:
    case WAIT_SOCKET:
        return "the other end of ";
    default:
        return "";
    }
}

static uint64_t part_of(const struct model_wait *wait, int task)
{
    for (size_t i = 0; i < wait->part_count; i++)
        if (wait->parts[i].task == task)
            return wait->parts[i].ns;
    return 0;
}

/* What the task waited for longest. */
static const struct model_wait *longest_of(const struct model *model, int task)
{
    const struct model_wait *longest = NULL;
    uint64_t most = 0;
    for (size_t i = 0; i < model->wait_count; i++) {
        uint64_t ns = part_of(&model->waits[i], task);
        if (ns > most) {
            most = ns;
            longest = &model->waits[i];
        }
    }
    return longest;
}

/* The child that the task still waits for: the one that has lived longest. */
static int living_child(const struct model *model, int parent)
{
    int oldest = -1;
    for (size_t i = 0; i < model->task_count; i++) {
        const struct wait_task *raw = &model->tasks[i].raw;
        if (raw->parent == model->tasks[parent].slot && raw->tgid != model->tasks[parent].raw.tgid &&
            raw->tid == raw->tgid && raw->state != WAIT_STATE_DEAD &&
            (oldest < 0 || model->tasks[i].life > model->tasks[oldest].life))
            oldest = (int)i;
    }
    return oldest;
}

/* Who ends what the task waits for; alone: or nearly so. -1: nobody that was recorded, or it is not known. */
static int who_ends(const struct model *model, const struct model_wait *wait, int task, bool *alone)
{
    const struct model_waker *first = NULL;
    uint64_t waited = part_of(wait, task);
    for (size_t i = 0; !first && i < model->waker_count; i++)
        if (model->wakers[i].wakee == task && model->wakers[i].reason == wait->reason)
            first = &model->wakers[i];
    *alone = true;
    if (wait->open && wait->reason == WAIT_CHILD && living_child(model, task) >= 0)
        return living_child(model, task);
    if (!first && wait->open && wait->reason == WAIT_PIPE)
        return wait->other_end;
    if (!first || first->waker < 0 || (double)first->ns < ENDS_ABOVE * (double)waited)
        return -1;
    *alone = (double)first->ns >= ENDS_MOST * (double)waited;
    return first->waker;
}

static const char *share_of(const struct model_task *task, uint64_t ns)
{
    return format_share(task->life ? (double)ns / (double)task->life : 0);
}

/* What the task did most, in its share. The wait that has to be followed; NULL: there is none. */
static const struct model_wait *say_does(struct model *model, int index)
{
    const struct model_task *task = &model->tasks[index];
    const struct model_wait *wait = longest_of(model, index);
    uint64_t waited = wait ? part_of(wait, index) : 0;
    if (task->raw.running >= waited && task->raw.running >= task->raw.ready) {
        model_say(model, ", which ran %s of its time", share_of(task, task->raw.running));
        return NULL;
    }
    if (task->raw.ready >= waited) {
        model_say(model, ", which was ready to run %s of its time and had no CPU", share_of(task, task->raw.ready));
        return NULL;
    }
    if (wait->reason == WAIT_SLEEP)
        model_say(model, ", which slept %s of its time", share_of(task, waited));
    else
        model_say(model, ", which waited %s of its time for %s%s", share_of(task, waited), model_wait_phrase(wait),
                  wait->what);
    if (*wait->place)
        model_say(model, " in %s", code_text(wait->place));
    const struct model_lock *lock = wait->lock >= 0 ? &model->locks[wait->lock] : NULL;
    if (!lock || wait->class != MODEL_BLOCKED || !lock->holder_count)
        return wait->reason == WAIT_SLEEP ? NULL : wait;
    model_say(model, ", held by %s of that time", model_holders(model, lock));
    return NULL;
}

void model_say_behind(struct model *model, const struct model_wait *wait, int known)
{
    int chain[LINKS + 1] = {wait->parts[0].task};
    for (size_t links = 1; wait && links <= LINKS; links++) {
        bool alone, again = false;
        int next = wait->class == MODEL_BLOCKED && wait->reason != WAIT_FUTEX
                       ? -1
                       : who_ends(model, wait, chain[links - 1], &alone);
        if (next < 0)
            return;
        for (size_t i = 0; i < links; i++)
            again |= chain[i] == next;
        model_say(model, ": %s%s", alone ? "" : "mostly ", model->tasks[next].label);
        if (again || next == known)
            return;
        chain[links] = next;
        wait = say_does(model, next);
    }
}
