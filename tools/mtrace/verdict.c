/* SPDX-License-Identifier: MIT
 *
 * The one line for somebody on call: what most of the time that was not idle went to. Shares are of the busy time
 * (running, ready, blocked, on a peer), so that a hundred threads of a pool with nothing to do do not hide the one lock
 * that the other two fight for.
 */
#include "code-text.h"
#include "format.h"
#include "model.h"
#include <string.h>

#define SHORT_BELOW   20000000 /* ns: a recording that is shorter shows how programs start, and little else */
#define FEW_BELOW     20       /* with fewer delays than these percentiles mean nothing */
#define STOPPED_ABOVE 0.5      /* stopped for more than this share of the time: nothing else matters */
#define IDLE_BELOW \
    0.10 /* all tasks together busy for less than this share of the recording: there is nothing to explain */
#define READY_ABOVE 0.15 /* tasks together ready for less than this share of the recording do not lack a CPU */
#define WAITS_ABOVE 0.05 /* of the busy time: less is as good as nothing */
#define LOCK_ABOVE  0.20 /* a lock with this share of the busy time is the answer, whatever else there is */
#define TASK_COUNTS 0.01 /* a task that waits for less than this share of its life is not counted among the waiters */

static uint64_t blocked_time(const struct model *model)
{
    return model->waiting[MODEL_BLOCKED] + model->waiting[MODEL_PEER];
}

static uint64_t busy_time(const struct model *model)
{
    return model->running + model->ready + blocked_time(model);
}

/* The longest wait that is not idle; they come first. */
static const struct model_wait *worst_wait(const struct model *model)
{
    return model->wait_count && model->waits[0].class != MODEL_IDLE ? &model->waits[0] : NULL;
}

/* "3 of 8 tasks spent 71 % of their time" */
static void say_who(struct model *model, const struct model_part *parts, size_t count)
{
    size_t waiters = 0;
    uint64_t waited = 0, life = 0;
    for (size_t i = 0; i < count; i++) {
        const struct model_task *task = &model->tasks[parts[i].task];
        if ((double)parts[i].ns < TASK_COUNTS * (double)task->life)
            continue;
        waiters++;
        waited += parts[i].ns;
        life += task->life;
    }
    double share = life ? (double)waited / (double)life : 0;
    if (model->task_count == 1)
        model_say(model, "%s spent %s of its time", model->tasks[0].label, format_share(share));
    else if (waiters == 1)
        model_say(model, "%s, 1 of %zu tasks, spent %s of its time", model->tasks[parts[0].task].label,
                  model->task_count, format_share(share));
    else
        model_say(model, "%zu of %zu tasks spent %s of their time", waiters, model->task_count, format_share(share));
}

static void judge_lock(struct model *model, const struct model_lock *lock)
{
    const struct model_wait *first = &model->waits[lock->first];
    say_who(model, lock->parts, lock->part_count);
    model_say(model, " waiting for %s", first->what);
    if (lock->holder_count)
        model_say(model, ", held by %s of that time", model_holders(model, lock));
    if (*first->place)
        model_say(model, "; most wait in %s", code_text(first->place));
}

/* Nobody will ever give it back. */
static void judge_gone(struct model *model, const struct model_lock *lock)
{
    const struct model_wait *first = &model->waits[lock->first];
    model_say(model, "%u of %zu tasks wait%s for ever for %s: its owner, thread %u", lock->open, model->task_count,
              lock->open == 1 ? "s" : "", first->what, lock->gone);
    if (*lock->gone_name)
        model_say(model, " (%s)", lock->gone_name);
    model_say(model, ", has ended without giving it back");
    if (*first->place)
        model_say(model, "; most wait in %s", code_text(first->place));
}

#define CIRCLE_NAMED 3 /* links of a circle in a sentence */

static void judge_circle(struct model *model)
{
    const struct model_task *first = &model->tasks[model->circle[0].task];
    bool timed = false;
    for (size_t i = 0; i < model->circle_count; i++)
        timed |= model->tasks[model->circle[i].task].raw.timed;
    if (model->circle_count == 1)
        model_say(model, "deadlock: %s, 1 of %zu tasks, waits %s for %s, which it holds itself", first->label,
                  model->task_count, timed ? "until a timeout" : "for ever", model->circle[0].what);
    else
        model_say(model, "deadlock: %zu of %zu tasks wait %s for each other", model->circle_count, model->task_count,
                  timed ? "until a timeout" : "for ever");
    for (size_t i = 0; model->circle_count > 1 && i < model->circle_count && i < CIRCLE_NAMED; i++) {
        const struct model_link *link = &model->circle[i], *next = &model->circle[(i + 1) % model->circle_count];
        model_say(model, "%s %s for %s held by %s", i ? "," : ":", model->tasks[link->task].label, link->what,
                  model->tasks[next->task].label);
    }
    if (model->circle_count > CIRCLE_NAMED)
        model_say(model, " and so on");
    if (first->raw.state != WAIT_STATE_DEAD)
        model_say(model, "; 'mtrace deadlock -p %u' shows where", first->raw.tgid);
}

static void judge_stopped(struct model *model, const struct model_wait *wait)
{
    double share = model->life ? (double)model->reasons[WAIT_STOPPED] / (double)model->life : 0;
    model_say(model, "%s %s of the time", wait->what, format_share(share));
    if (wait->open && !wait->object)
        model_say(model, ", and still is: 'kill -CONT %d' lets it go on", wait->tgid);
}

static void judge_wait(struct model *model, const struct model_wait *wait, int known)
{
    say_who(model, wait->parts, wait->part_count);
    model_say(model, " waiting for %s%s", model_wait_phrase(wait), wait->what);
    if (*wait->place)
        model_say(model, " in %s", code_text(wait->place));
    model_say_behind(model, wait, known);
}

static void judge_ready(struct model *model)
{
    const struct model_task *most = &model->tasks[0];
    for (size_t i = 1; i < model->task_count; i++)
        if (model->tasks[i].raw.ready > most->raw.ready)
            most = &model->tasks[i];
    double wanted = (double)(model->running + model->ready);
    model_say(model, "not enough CPU: tasks that could run waited for a CPU %s of the time",
              format_share((double)model->ready / wanted));
    if (model->runq.count < FEW_BELOW)
        model_say(model, " (the longest of only %s times: %s)", format_count(model->runq.count),
                  format_time(model->runq.max));
    else
        model_say(model, " (half of these waits were longer than %s, one in 100 than %s)",
                  format_time(histogram_percentile(&model->runq, 50)),
                  format_time(histogram_percentile(&model->runq, 99)));
    if (model->task_count > 1)
        model_say(model, "; most of all %s, %s of its time", most->label,
                  format_share(most->life ? (double)most->raw.ready / (double)most->life : 0));
}

/* What the idle time was spent on, by the longest of the idle waits. */
static void say_idle(struct model *model)
{
    double share = model->life ? (double)model->waiting[MODEL_IDLE] / (double)model->life : 0;
    const struct model_wait *longest = NULL;
    for (size_t i = 0; i < model->wait_count; i++)
        if (model->waits[i].class == MODEL_IDLE && (!longest || model->waits[i].ns > longest->ns))
            longest = &model->waits[i];
    model_say(model, "idle %s of the time", format_share(share));
    if (longest && longest->reason == WAIT_STOPPED)
        model_say(model, ", mostly %s", longest->what);
    else if (longest) {
        model_say(model, ", mostly waiting for %s%s%s", longest->what, *longest->place ? " in " : "",
                  code_text(longest->place));
        model_say_behind(model, longest, -1);
    }
}

static bool lacks_cpu(const struct model *model)
{
    return (double)model->ready >= READY_ABOVE * (double)model->duration;
}

/* Whether tasks wait for more than nothing, though most of the time one runs. */
static bool waits_besides(const struct model *model)
{
    return lacks_cpu(model) || (double)blocked_time(model) >= WAITS_ABOVE * (double)busy_time(model);
}

/* The larger part of that. */
static void say_besides(struct model *model, int busiest)
{
    const struct model_wait *wait = worst_wait(model);
    model_say(model, "; ");
    if (lacks_cpu(model) && model->ready >= blocked_time(model))
        model_say(model, "tasks that could run waited for a CPU %s of the time",
                  format_share((double)model->ready / (double)(model->running + model->ready)));
    else if (model->lock_count && model->locks[0].owned && (!wait || model->locks[0].ns >= wait->ns))
        judge_lock(model, &model->locks[0]);
    else if (wait)
        judge_wait(model, wait, busiest);
}

static void judge_running(struct model *model)
{
    const struct model_task *busiest = &model->tasks[0];
    for (size_t i = 1; i < model->task_count; i++)
        if (model->tasks[i].raw.running > busiest->raw.running)
            busiest = &model->tasks[i];
    double share = busiest->life ? (double)busiest->raw.running / (double)busiest->life : 0;
    if (share >= 0.7) {
        bool besides = waits_besides(model);
        model_say(model, "%s; %s ran %s of its time", besides ? "mostly CPU-bound" : "nothing waits: CPU-bound",
                  busiest->label, format_share(share));
        if (besides)
            say_besides(model, (int)(busiest - model->tasks));
    } else {
        model_say(model, "nothing blocks: ran %s, ",
                  format_share(model->life ? (double)model->running / (double)model->life : 0));
        say_idle(model);
    }
}

static const struct model_lock *abandoned_lock(const struct model *model)
{
    for (size_t i = 0; i < model->lock_count; i++)
        if (model->locks[i].gone)
            return &model->locks[i];
    return NULL;
}

/* The longest time in which a process was stopped. */
static const struct model_wait *stopped_wait(const struct model *model)
{
    if ((double)model->reasons[WAIT_STOPPED] < STOPPED_ABOVE * (double)model->life)
        return NULL;
    for (size_t i = 0; i < model->wait_count; i++)
        if (model->waits[i].reason == WAIT_STOPPED)
            return &model->waits[i];
    return NULL;
}

static void judge(struct model *model)
{
    uint64_t busy = busy_time(model);
    const struct model_lock *lock = model->lock_count && model->locks[0].owned ? &model->locks[0] : NULL;
    const struct model_lock *gone = abandoned_lock(model);
    const struct model_wait *wait = worst_wait(model), *stopped = stopped_wait(model);

    if (gone)
        judge_gone(model, gone);
    else if (model->circle)
        judge_circle(model);
    else if (stopped)
        judge_stopped(model, stopped);
    else if ((double)busy < IDLE_BELOW * (double)model->duration)
        say_idle(model);
    else if (lock && (double)lock->ns >= LOCK_ABOVE * (double)busy)
        judge_lock(model, lock);
    else if (wait && wait->ns >= model->ready && wait->ns >= model->running)
        judge_wait(model, wait, -1);
    else if (model->ready > model->running / 2 && lacks_cpu(model))
        judge_ready(model);
    else
        judge_running(model);
}

/* Nobody waits for each other yet, but may. */
static void say_inversions(struct model *model)
{
    const struct model_inversion *first = model->inversions;
    if (!model->inversion_count)
        return;
    model_say(model, "; can deadlock: %s", first->wanted);
    if (*first->wanted_place)
        model_say(model, " (%s)", first->wanted_place);
    model_say(model, " and %s", first->held);
    if (*first->held_place)
        model_say(model, " (%s)", first->held_place);
    model_say(model, " are locked in both orders");
    if (model->inversion_count > 1)
        model_say(model, ", and so are %zu more pairs", model->inversion_count - 1);
}

/* The processes that the recording began with, not their children. */
static void say_ends(struct model *model)
{
    for (size_t i = 0; i < model->task_count; i++) {
        const struct model_task *task = &model->tasks[i];
        int signal = task->raw.exit_code & 0x7f;
        if (task->raw.state == WAIT_STATE_DEAD && !task->raw.parent && task->raw.tid == task->raw.tgid && signal)
            model_say(model, "; %s was ended by signal %d (%s)", task->name, signal, strsignal(signal));
    }
}

void model_judge(struct model *model)
{
    if (!model->task_count || !model->life) {
        model_say(model, "nothing was recorded: no task of the process ran or waited");
        return;
    }
    if (model->duration < SHORT_BELOW)
        model_say(model, "only %s recorded, too little to judge by: ", format_time(model->duration));
    judge(model);
    say_inversions(model);
    say_ends(model);
}
