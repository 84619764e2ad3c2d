/* SPDX-License-Identifier: MIT
 *
 * A report as JSON. The schema is an interface, described in mtrace-json(5): members are only added, and "version"
 * changes if one changes its meaning. All times are integers of nanoseconds.
 */
#include "config.h"
#include "json.h"
#include "report.h"

#define SCHEMA_VERSION 1

static json_t *reasons_of(const struct model_task *task)
{
    json_t *all = json_object();
    for (unsigned i = 1; i < WAIT_REASONS; i++) {
        const struct wait_sum *sum = &task->raw.reasons[i];
        if (sum->count)
            json_object_set_new(all, model_reason(i),
                                json_pack("{s:o, s:o, s:o}", "count", json_number(sum->count), "time",
                                          json_number(sum->ns), "max", json_number(sum->max)));
    }
    return all;
}

static json_t *task_json(const struct model_task *task)
{
    return json_pack(
        "{s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "tid",
        (json_int_t)task->raw.tid, "pid", (json_int_t)task->raw.tgid, "name", json_text(task->name), "kind",
        task->coroutine ? "coroutine" : "thread", "id", task->coroutine ? json_number(task->id) : json_null(), "time",
        json_number(task->life), "running", json_number(task->raw.running), "ready", json_number(task->raw.ready),
        "waiting", json_number(task->raw.waiting), "blocked", json_number(task->waiting[MODEL_BLOCKED]), "peer",
        json_number(task->waiting[MODEL_PEER]), "idle", json_number(task->waiting[MODEL_IDLE]), "runs",
        json_number(task->raw.ready_count), "preempted", json_number(task->raw.preempted), "run_queue",
        json_histogram(&task->runq), "ended", task->raw.state == WAIT_STATE_DEAD, "reasons", reasons_of(task));
}

static json_t *parts_json(const struct model *model, const struct model_part *parts, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all,
                              json_pack("{s:I, s:o, s:o, s:o}", "tid", (json_int_t)model->tasks[parts[i].task].raw.tid,
                                        "name", json_text(model->tasks[parts[i].task].name), "count",
                                        json_number(parts[i].count), "time", json_number(parts[i].ns)));
    return all;
}

static json_t *holders_json(const struct model *model, const struct model_lock *lock)
{
    json_t *all = json_array();
    for (size_t i = 0; lock && i < lock->holder_count; i++) {
        const struct model_holder *holder = &lock->holders[i];
        const struct model_task *task = holder->task >= 0 ? &model->tasks[holder->task] : NULL;
        json_array_append_new(all, json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "tid",
                                             task ? json_number(task->raw.tid) : json_null(), "name",
                                             task ? json_text(task->name) : json_null(), "readers", holder->readers,
                                             "place", json_text_or_null(holder->place), "count",
                                             json_number(holder->began), "released", json_number(holder->released),
                                             "time", json_number(holder->ns), "max", json_number(holder->max)));
    }
    return all;
}

static json_t *stack_json(const char *const *stack, size_t frames)
{
    json_t *all = json_array();
    for (size_t i = 0; i < frames; i++)
        json_array_append_new(all, json_text(stack[i]));
    return all;
}

static json_t *wait_json(const struct model *model, const struct model_wait *wait)
{
    static const char *const classes[MODEL_CLASSES] = {"blocked", "peer", "idle"};
    bool futex = wait->reason == WAIT_LOCK || wait->reason == WAIT_FUTEX;
    const struct model_lock *lock = wait->lock >= 0 ? &model->locks[wait->lock] : NULL;
    return json_pack("{s:s, s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "reason", model_reason(wait->reason), "kind",
                     futex ? json_string(model_kind(wait->kind, wait->reason)) : json_null(), "class",
                     classes[wait->class], "pid", (json_int_t)wait->tgid, "what", json_text(wait->what), "name",
                     json_text_or_null(wait->name), "address", futex ? json_address_or_null(wait->object) : json_null(),
                     "fd", wait->fd >= 0 ? json_integer(wait->fd) : json_null(), "count", json_number(wait->count),
                     "time", json_number(wait->ns), "max", json_number(wait->max), "unfinished", (json_int_t)wait->open,
                     "place", json_text_or_null(wait->place), "waker", json_text_or_null(wait->waker_name), "times",
                     json_histogram(&wait->times), "tasks", parts_json(model, wait->parts, wait->part_count), "holders",
                     holders_json(model, lock), "stack", stack_json(wait->stack, wait->frames));
}

static json_t *gone_json(const struct model_lock *lock)
{
    if (!lock->gone)
        return json_null();
    return json_pack("{s:o, s:o}", "tid", json_number(lock->gone), "name", json_text_or_null(lock->gone_name));
}

static json_t *lock_json(const struct model *model, const struct model_lock *lock)
{
    const struct model_wait *first = &model->waits[lock->first];
    return json_pack("{s:o, s:s, s:o, s:o, s:I, s:b, s:o, s:b, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "what",
                     json_text(first->what), "kind", model_kind(first->kind, first->reason), "name",
                     json_text_or_null(first->name), "address", json_address_or_null(first->object), "pid",
                     (json_int_t)first->tgid, "owned", lock->owned, "owner_ended", gone_json(lock), "shared",
                     first->shared, "count", json_number(lock->count), "time", json_number(lock->ns), "max",
                     json_number(lock->max), "unfinished", (json_int_t)lock->open, "place",
                     json_text_or_null(first->place), "times", json_histogram(&lock->times), "tasks",
                     parts_json(model, lock->parts, lock->part_count), "holders", holders_json(model, lock));
}

static json_t *waker_json(const struct model *model, const struct model_waker *waker)
{
    const struct model_task *wakee = &model->tasks[waker->wakee];
    return json_pack("{s:o, s:o, s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "waker_tid",
                     waker->tid ? json_integer(waker->tid) : json_null(), "waker", json_text(waker->name), "woken_tid",
                     (json_int_t)wakee->raw.tid, "woken", json_text(wakee->name), "reason", model_reason(waker->reason),
                     "count", json_number(waker->count), "time", json_number(waker->ns), "max", json_number(waker->max),
                     "place", json_text_or_null(waker->place), "stack", stack_json(waker->stack, waker->frames));
}

static json_t *primitives_json(const struct model *model)
{
    struct model_primitive primitives[MODEL_PRIMITIVES];
    size_t count = model_primitives(model, primitives);
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all,
                              json_pack("{s:s, s:o, s:o, s:o, s:I}", "kind", primitives[i].kind, "count",
                                        json_number(primitives[i].count), "time", json_number(primitives[i].ns), "max",
                                        json_number(primitives[i].max), "unfinished", (json_int_t)primitives[i].open));
    return all;
}

static void add_parts(json_t *root, const struct report *report)
{
    const struct model *model = report->model;
    if (report->parts & (REPORT_TASKS | REPORT_SCHED)) {
        json_t *all = json_array();
        for (size_t i = 0; i < model->task_count; i++)
            json_array_append_new(all, task_json(&model->tasks[i]));
        json_object_set_new(root, "tasks", all);
    }
    if (report->parts & REPORT_WAITS) {
        json_t *all = json_array();
        for (size_t i = 0; i < model->wait_count; i++)
            json_array_append_new(all, wait_json(model, &model->waits[i]));
        json_object_set_new(root, "waits", all);
    }
    if (report->parts & (REPORT_LOCKS | REPORT_WAITS)) {
        json_t *all = json_array();
        for (size_t i = 0; i < model->lock_count; i++)
            json_array_append_new(all, lock_json(model, &model->locks[i]));
        json_object_set_new(root, "locks", all);
    }
    if (report->parts & (REPORT_LOCKS | REPORT_WAITS))
        json_object_set_new(root, "inversions", json_inversions(model));
    if (report->parts & REPORT_QUEUES)
        json_object_set_new(root, "queues", json_queues(model));
    if (report->parts & REPORT_POOLS)
        json_object_set_new(root, "pools", json_pools(model));
    if (report->parts & REPORT_COROS) {
        json_object_set_new(root, "hubs", json_hubs(report->model));
        json_object_set_new(root, "coroutines", json_coros(model));
        json_object_set_new(root, "ended_coroutines", json_ended(model));
    }
    if (report->parts & REPORT_PRIMITIVES)
        json_object_set_new(root, "primitives", primitives_json(model));
    if (report->parts & REPORT_RUNQ)
        json_object_set_new(root, "run_queue", json_histogram(&model->runq));
    if (report->parts & REPORT_WAKERS) {
        json_t *all = json_array();
        for (size_t i = 0; i < model->waker_count; i++)
            json_array_append_new(all, waker_json(model, &model->wakers[i]));
        json_object_set_new(root, "wakers", all);
    }
}

static json_t *lost_json(const struct model *model)
{
    const struct wait_lost *lost = &model->lost;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "total",
                     json_number(model->lost_total), "tasks", json_number(lost->tasks), "waits",
                     json_number(lost->waits), "locks", json_number(lost->locks), "holders", json_number(lost->holders),
                     "wakers", json_number(lost->wakers), "stacks", json_number(lost->stacks), "news",
                     json_number(lost->news), "queues", json_number(lost->queues), "pools", json_number(lost->pools),
                     "inversions", json_number(lost->inversions), "coroutines", json_number(lost->coros), "missed",
                     json_number(model->missed));
}

bool report_print_json(const struct report *report)
{
    const struct model *model = report->model;
    json_t *cost = json_pack("{s:o, s:f}", "kernel", model->cost_known ? json_real(model->cost_bpf) : json_null(),
                             "self", model->cost_self);
    json_t *root = json_pack(
        "{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "version", SCHEMA_VERSION, "mtrace", PACKAGE_VERSION, "verdict",
        json_text(model->verdict), "started", json_number(model->started), "duration", json_number(model->duration),
        "lost", lost_json(model), "cost", cost, "note", model->note ? json_text(model->note) : json_null());
    if (!root)
        return false;
    add_parts(root, report);
    bool good = !json_dumpf(root, report->output->file, JSON_INDENT(1)) && fputc('\n', report->output->file) != EOF;
    json_decref(root);
    return good || ferror(report->output->file);
}
