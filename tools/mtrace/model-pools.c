/* SPDX-License-Identifier: MIT
 *
 * The pools of the model, from what the probes told: see bpf/pool.h. A worker that began and ended nothing within the
 * recording is known by its thread's name, which is the pool's with a number.
 */
#include "format.h"
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "wait.skel.h"

static const char *clean_text(struct model *model, const char *from, size_t size)
{
    char clean[POOL_MESSAGE];
    snprintf(clean, sizeof clean, "%.*s", (int)size - 1, from);
    format_clean(clean);
    return model_text(model, "%s", clean);
}

static const char *body_text(struct model *model, struct session *session, int task, uint64_t body)
{
    struct symbols *symbols = task >= 0 && body ? model_symbols(model, session, task) : NULL;
    struct symbols_frame frame;
    char text[160];
    if (!symbols || !symbols_code(symbols, body, false, &frame, 1))
        return "";
    if (frame.function)
        return model_text(model, "%s", frame.function);
    symbols_frame_text(&frame, text, sizeof text);
    return model_text(model, "%s", text);
}

/* -- Workers ------------------------------------------------------------------------------------------------------ */

static struct model_worker *add_worker(struct model_pool *pool, int task)
{
    struct model_worker *more = realloc(pool->workers, (pool->worker_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    pool->workers = more;
    more[pool->worker_count] = (struct model_worker){.task = task, .body = ""};
    return &more[pool->worker_count++];
}

static bool add_raw_worker(struct model *model, struct session *session, struct model_pool *pool, int task,
                           const struct pool_worker *raw)
{
    const struct wait_task *last = &model->tasks[task].raw;
    bool dead = last->state == WAIT_STATE_DEAD;
    uint64_t until = dead ? last->ended : model->started + model->duration;
    struct model_worker *worker = add_worker(pool, task);
    if (!worker)
        return false;
    worker->started = raw->started;
    worker->done = raw->done;
    worker->failed = raw->failed;
    worker->busy = raw->busy;
    if (raw->since && until > raw->since) {
        worker->busy += until - raw->since;
        worker->running = dead ? 0 : until - raw->since;
        worker->body = body_text(model, session, task, raw->body);
    }
    pool->started += raw->started;
    pool->done += raw->done;
    pool->failed += raw->failed;
    pool->running += worker->running ? raw->nested : 0;
    histogram_add(&pool->waits, raw->waits, 0, raw->wait_max);
    histogram_add(&pool->runs, raw->runs, 0, raw->run_max);
    return true;
}

static bool read_workers(struct model *model, struct session *session, __u32 index, struct model_pool *pool)
{
    int fd = bpf_map__fd(session->bpf->maps.pool_workers);
    struct pool_worker_key key = {0}, next;
    struct pool_worker raw;
    bool first = true;
    while (!bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        int task = model_task_of_slot(model, key.slot);
        if (key.pool == index && task >= 0 && !bpf_map_lookup_elem(fd, &key, &raw) &&
            !add_raw_worker(model, session, pool, task, &raw))
            return false;
    }
    return true;
}

static bool has_worker(const struct model_pool *pool, int task)
{
    for (size_t i = 0; i < pool->worker_count; i++)
        if (pool->workers[i].task == task)
            return true;
    return false;
}

/* Workers are threads of the pool's process, named "POOL/NUMBER", the pool's name cut at 20 bytes. The kernel keeps 15
 * of that: an idle worker with a longer name is only found if it was seen to start. */
static bool is_named_for(const struct model_pool *pool, const struct model_task *task)
{
    char prefix[24];
    int length = snprintf(prefix, sizeof prefix, "%.20s/", pool->name);
    const char *number = task->name + length;
    return task->raw.tgid == (__u32)pool->tgid && !strncmp(task->name, prefix, (size_t)length) && *number &&
           strspn(number, "0123456789") == strlen(number);
}

static bool add_idle_workers(const struct model *model, struct model_pool *pool)
{
    for (size_t i = 0; i < model->task_count; i++)
        if (is_named_for(pool, &model->tasks[i]) && !has_worker(pool, (int)i) && !add_worker(pool, (int)i))
            return false;
    return true;
}

/* -- Failures ----------------------------------------------------------------------------------------------------- */

static bool read_failures(struct model *model, struct session *session, __u32 index, struct model_pool *pool)
{
    int fd = bpf_map__fd(session->bpf->maps.pool_failures);
    struct pool_failure_key key = {0}, next;
    struct pool_failure raw;
    bool first = true;
    while (!bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        if (key.pool != index || bpf_map_lookup_elem(fd, &key, &raw))
            continue;
        struct model_failure *more = realloc(pool->failures, (pool->failure_count + 1) * sizeof *more);
        if (!more)
            return false;
        pool->failures = more;
        int task = model_task_of_slot(model, raw.slot);
        more[pool->failure_count++] =
            (struct model_failure){.code = key.code,
                                   .message = clean_text(model, key.message, sizeof key.message),
                                   .body = body_text(model, session, task, key.body),
                                   .task = task,
                                   .count = raw.count};
    }
    return true;
}

/* -- In order ----------------------------------------------------------------------------------------------------- */

static int compare_workers(const void *a, const void *b)
{
    const struct model_worker *x = a, *y = b;
    if (x->busy != y->busy)
        return x->busy < y->busy ? 1 : -1;
    return x->task - y->task;
}

static int compare_failures(const void *a, const void *b)
{
    const struct model_failure *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->message, y->message);
}

static int compare_pools(const void *a, const void *b)
{
    const struct model_pool *x = a, *y = b;
    if (x->failed != y->failed)
        return x->failed < y->failed ? 1 : -1;
    return x->busy < y->busy ? 1 : x->busy > y->busy ? -1 : 0;
}

static void add_up(const struct model *model, struct model_pool *pool)
{
    for (size_t i = 0; i < pool->worker_count; i++) {
        pool->busy += pool->workers[i].busy;
        pool->life += model->tasks[pool->workers[i].task].life;
    }
    if (pool->worker_count)
        qsort(pool->workers, pool->worker_count, sizeof *pool->workers, compare_workers);
    if (pool->failure_count)
        qsort(pool->failures, pool->failure_count, sizeof *pool->failures, compare_failures);
}

static bool add_pool(struct model *model, struct session *session, __u32 index, const struct pool_stat *raw)
{
    struct model_pool *more = realloc(model->pools, (model->pool_count + 1) * sizeof *more);
    if (!more)
        return false;
    model->pools = more;
    struct model_pool *pool = &more[model->pool_count++];
    *pool = (struct model_pool){.name = clean_text(model, raw->key.name, sizeof raw->key.name),
                                .tgid = (pid_t)raw->key.tgid,
                                .kind = raw->kind,
                                .queued = raw->queued,
                                .most = raw->most,
                                .put = raw->put,
                                .cancelled = raw->cancelled};
    if (!read_workers(model, session, index, pool) || !add_idle_workers(model, pool) ||
        !read_failures(model, session, index, pool))
        return false;
    add_up(model, pool);
    return true;
}

bool model_add_pools(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.pools);
    for (__u32 index = 1; index < session->bpf->data->pools_used && index < POOL_MAX; index++) {
        struct pool_stat raw;
        if (!bpf_map_lookup_elem(fd, &index, &raw) && raw.key.tgid && !add_pool(model, session, index, &raw))
            return false;
    }
    if (model->pool_count)
        qsort(model->pools, model->pool_count, sizeof *model->pools, compare_pools);
    return true;
}

void model_free_pools(struct model *model)
{
    for (size_t i = 0; i < model->pool_count; i++) {
        free(model->pools[i].workers);
        free(model->pools[i].failures);
    }
    free(model->pools);
}
