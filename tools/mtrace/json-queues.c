/* SPDX-License-Identifier: MIT
 *
 * Queues as JSON: "queues" of mtrace-json(5).
 */
#include "json.h"

static json_t *part_json(const struct model *model, const struct model_queue_part *part)
{
    const struct model_task *task = &model->tasks[part->task];
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "tid", (json_int_t)task->raw.tid, "pid",
                     (json_int_t)task->raw.tgid, "name", json_text(task->name), "messages", json_number(part->messages),
                     "calls", json_number(part->calls), "waits", json_number(part->waits), "time",
                     json_number(part->ns), "max", json_number(part->max), "waiting", part->waits_now);
}

static json_t *side_json(const struct model *model, const struct model_queue_side *side)
{
    json_t *tasks = json_array();
    for (size_t i = 0; i < side->part_count; i++)
        json_array_append_new(tasks, part_json(model, &side->parts[i]));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "messages", json_number(side->messages), "calls",
                     json_number(side->calls), "waits", json_number(side->waits), "time", json_number(side->ns), "max",
                     json_number(side->max), "in_vain", json_number(side->unmet), "waiting", (json_int_t)side->open,
                     "times", json_histogram(&side->times), "tasks", tasks);
}

/* What only the queue's memory tells. */
static json_t *known(const struct model_queue *queue, json_t *value)
{
    if (queue->looks)
        return value;
    json_decref(value);
    return json_null();
}

static json_t *queue_json(const struct model *model, const struct model_queue *queue)
{
    static const char *const orders[] = {"fifo", "lifo", "priority"};
    return json_pack(
        "{s:o, s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
        json_text_or_null(queue->name), "inode", json_number(queue->inode), "order",
        (unsigned)queue->order < 3 ? orders[queue->order] : "?", "capacity", (json_int_t)queue->capacity, "message_max",
        known(queue, json_integer(queue->message_max)), "depth", known(queue, json_integer(queue->depth)), "deepest",
        json_number(queue->deepest), "mean", known(queue, json_real(queue->mean)), "full",
        known(queue, json_real(queue->full)), "empty", known(queue, json_real(queue->empty)), "closed",
        known(queue, json_boolean(queue->closed)), "put_total", known(queue, json_integer(queue->put_total)),
        "got_total", known(queue, json_integer(queue->got_total)), "lost_put",
        known(queue, json_integer(queue->lost_put)), "lost_got", known(queue, json_integer(queue->lost_got)), "again",
        known(queue, json_integer(queue->again)), "put", side_json(model, &queue->sides[QUEUE_PUT]), "get",
        side_json(model, &queue->sides[QUEUE_GET]));
}

json_t *json_queues(const struct model *model)
{
    json_t *all = json_array();
    for (size_t i = 0; i < model->queue_count; i++)
        json_array_append_new(all, queue_json(model, &model->queues[i]));
    return all;
}
