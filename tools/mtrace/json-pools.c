/* SPDX-License-Identifier: MIT
 *
 * Pools and lock-order inversions as JSON: "pools" and "inversions" of mtrace-json(5).
 */
#include "json.h"

static json_t *task_or_null(const struct model *model, int task)
{
    return task >= 0 ? json_text(model->tasks[task].name) : json_null();
}

static json_t *worker_json(const struct model *model, const struct model_worker *worker)
{
    const struct model_task *task = &model->tasks[worker->task];
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tid", (json_int_t)task->raw.tid, "name",
                     json_text(task->name), "started", json_number(worker->started), "done", json_number(worker->done),
                     "failed", json_number(worker->failed), "busy", json_number(worker->busy), "running",
                     worker->running ? json_number(worker->running) : json_null(), "body",
                     json_text_or_null(worker->body));
}

static json_t *failure_json(const struct model *model, const struct model_failure *failure)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "code", (json_int_t)failure->code, "message",
                     json_text_or_null(failure->message), "count", json_number(failure->count), "body",
                     json_text_or_null(failure->body), "worker", task_or_null(model, failure->task));
}

static json_t *pool_json(const struct model *model, const struct model_pool *pool)
{
    json_t *workers = json_array(), *failures = json_array();
    const char *kind = pool->kind == MT_THREAD      ? "thread"
                       : pool->kind == MT_PROCESS   ? "process"
                       : pool->kind == MT_COROUTINE ? "coroutine"
                                                    : "";
    for (size_t i = 0; i < pool->worker_count; i++)
        json_array_append_new(workers, worker_json(model, &pool->workers[i]));
    for (size_t i = 0; i < pool->failure_count; i++)
        json_array_append_new(failures, failure_json(model, &pool->failures[i]));
    return json_pack("{s:o, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                     json_text(pool->name), "pid", (json_int_t)pool->tgid, "kind", json_text_or_null(kind),
                     "queued_now", (json_int_t)pool->queued, "queued_most", (json_int_t)pool->most, "running_now",
                     (json_int_t)pool->running, "queued", json_number(pool->put), "started", json_number(pool->started),
                     "done", json_number(pool->done), "failed", json_number(pool->failed), "cancelled",
                     json_number(pool->cancelled), "wait_times", json_histogram(&pool->waits), "run_times",
                     json_histogram(&pool->runs), "workers", workers, "failures", failures);
}

json_t *json_pools(const struct model *model)
{
    json_t *all = json_array();
    for (size_t i = 0; i < model->pool_count; i++)
        json_array_append_new(all, pool_json(model, &model->pools[i]));
    return all;
}

json_t *json_inversions(const struct model *model)
{
    json_t *all = json_array();
    for (size_t i = 0; i < model->inversion_count; i++) {
        const struct model_inversion *inversion = &model->inversions[i];
        json_array_append_new(
            all, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "pid", (json_int_t)inversion->tgid, "task",
                           task_or_null(model, inversion->task), "wanted", json_text(inversion->wanted), "wanted_place",
                           json_text_or_null(inversion->wanted_place), "held", json_text(inversion->held), "held_place",
                           json_text_or_null(inversion->held_place)));
    }
    return all;
}
