/* SPDX-License-Identifier: MIT
 *
 * Hubs and coroutines as JSON: "hubs", "coroutines" and "ended" of mtrace-json(5).
 */
#include "json.h"

static json_t *op_json(struct model *model, const struct model_op *op)
{
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:o}", "operation", model_op_name(model, op->opcode), "opcode",
                     (json_int_t)op->opcode, "begun", json_number(op->begun), "done", json_number(op->count), "failed",
                     json_number(op->failed), "now", (json_int_t)op->open, "times", json_histogram(&op->times));
}

static json_t *stack_json(const char **stack, size_t frames)
{
    json_t *all = json_array();
    for (size_t i = 0; i < frames; i++)
        json_array_append_new(all, json_text(stack[i]));
    return all;
}

static json_t *kept_json(const struct model_kept *kept)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "coroutine", json_text(kept->coro), "call",
                     json_text(kept->what), "place", json_text_or_null(kept->place), "count", json_number(kept->count),
                     "time", json_number(kept->ns), "max", json_number(kept->max), "unfinished", kept->open, "stack",
                     stack_json(kept->stack, kept->frames));
}

static json_t *monitor_json(const struct model_hub *hub)
{
    if (!hub->monitor_count)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "count", json_number(hub->monitor_count), "max", json_number(hub->monitor_most),
                     "last", json_text(hub->monitor_name));
}

static json_t *hub_json(struct model *model, const struct model_hub *hub)
{
    json_t *ops = json_array(), *kept = json_array();
    for (size_t i = 0; i < hub->op_count; i++)
        json_array_append_new(ops, op_json(model, &hub->ops[i]));
    for (size_t i = 0; i < hub->kept_count; i++)
        json_array_append_new(kept, kept_json(&hub->kept[i]));
    return json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tid", (json_int_t)hub->tid, "pid",
        (json_int_t)hub->tgid, "name", json_text(hub->name), "turns", json_number(hub->turns), "switches",
        json_number(hub->switches), "sleeps", json_number(hub->sleeps), "slept", json_number(hub->slept), "ready_most",
        json_number(hub->ready_most), "passed_on", json_number(hub->passed), "submitted", json_number(hub->submitted),
        "completed", json_number(hub->completed), "operations", ops, "kept_by", kept, "monitor", monitor_json(hub));
}

static json_t *coro_json(const struct model *model, const struct model_coro *coro)
{
    static const char *const states[] = {
        [MT_READY] = "ready", [MT_RUNNING] = "running", [MT_WAITING] = "waiting", [MT_DEAD] = "ended"};
    bool dead = coro->state == MT_DEAD, waits = *coro->what;
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, "
        "s:o, s:o, s:o}",
        "id", json_number(coro->id), "name", json_text(coro->name), "pid", (json_int_t)model->hubs[coro->hub].tgid,
        "hub", (json_int_t)model->hubs[coro->hub].tid, "thread", coro->root, "state",
        coro->state >= MT_READY && coro->state <= MT_DEAD ? states[coro->state] : "ready", "time",
        json_number(coro->life), "running", json_number(coro->running), "ready", json_number(coro->ready), "waiting",
        json_number(coro->waiting), "switches", json_number(coro->switches), "runs", json_number(coro->runs),
        "longest_run", json_number(coro->longest_run), "longest_ready", json_number(coro->longest_ready), "waits_for",
        json_text_or_null(coro->what), "call", json_text_or_null(coro->call), "place", json_text_or_null(coro->place),
        "stack", stack_json(coro->stack, coro->frames), "since", waits ? json_number(coro->since) : json_null(),
        "lost_wakeup", coro->overdue, "waits", json_number(coro->waits), "waited", json_number(coro->waited), "body",
        json_text_or_null(coro->body), "outcome", dead ? json_integer(coro->outcome) : json_null());
}

json_t *json_hubs(struct model *model)
{
    json_t *all = json_array();
    for (size_t i = 0; i < model->hub_count; i++)
        json_array_append_new(all, hub_json(model, &model->hubs[i]));
    return all;
}

json_t *json_coros(const struct model *model)
{
    json_t *all = json_array();
    for (size_t i = 0; i < model->coro_count; i++)
        json_array_append_new(all, coro_json(model, &model->coros[i]));
    return all;
}

json_t *json_ended(const struct model *model)
{
    json_t *all = json_array();
    for (size_t i = 0; i < model->ended_count; i++) {
        const struct model_ended *ended = &model->ended[i];
        json_array_append_new(all,
                              json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "body", json_text(ended->body),
                                        "pid", (json_int_t)ended->tgid, "count", json_number(ended->count), "failed",
                                        json_number(ended->failed), "running", json_number(ended->running), "ready",
                                        json_number(ended->ready), "waiting", json_number(ended->waiting), "switches",
                                        json_number(ended->switches), "longest_run", json_number(ended->longest_run)));
    }
    return all;
}
