/* SPDX-License-Identifier: MIT
 *
 * From the tasks' slots to the model. States that lasted when the recording stopped are closed here with the time until
 * then, so that a task's times add up to its life and a wait that never ended is not missed.
 */
#include "format.h"
#include "model.h"
#include "records.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "wait.skel.h"

bool model_add_part(struct model_part **parts, size_t *count, int task, uint64_t waits, uint64_t ns)
{
    for (size_t i = 0; i < *count; i++) {
        if ((*parts)[i].task == task) {
            (*parts)[i].count += waits;
            (*parts)[i].ns += ns;
            return true;
        }
    }
    struct model_part *more = realloc(*parts, (*count + 1) * sizeof *more);
    if (!more)
        return false;
    *parts = more;
    more[(*count)++] = (struct model_part){task, waits, ns};
    return true;
}

static int compare_parts(const void *a, const void *b)
{
    uint64_t x = ((const struct model_part *)a)->ns, y = ((const struct model_part *)b)->ns;
    return x < y ? 1 : x > y ? -1 : 0;
}

void model_sort_parts(struct model_part *parts, size_t count)
{
    if (count)
        qsort(parts, count, sizeof *parts, compare_parts);
}

int model_task_of_slot(const struct model *model, __u32 slot)
{
    /* Tasks are in the order of their slots, some of which are empty. */
    size_t low = 0, high = model->task_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model->tasks[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->task_count && model->tasks[low].slot == slot ? (int)low : -1;
}

/* What a thread calls itself may hold anything. */
static void copy_name(char *to, size_t size, const char *from, size_t length)
{
    size_t n = 0;
    for (; n + 1 < size && n < length && from[n]; n++)
        to[n] = from[n];
    to[n] = 0;
    format_clean(to);
}

static void add_sum(struct wait_sum *sum, uint64_t ns)
{
    sum->count++;
    sum->ns += ns;
    if (ns > sum->max)
        sum->max = ns;
}

/* A sleep that has lasted until then. One of a wait of liblinuxmt is a part of it. */
static void close_sleep(struct wait_task *raw, uint64_t until)
{
    uint64_t ns = until > raw->since ? until - raw->since : 0;
    raw->waiting += ns;
    if (raw->lib_sleeping)
        raw->lib_ns += ns;
    else
        add_sum(&raw->reasons[raw->reason < WAIT_REASONS ? raw->reason : WAIT_OTHER], ns);
}

/* Closes the state that the task is in, and the wait of liblinuxmt. The wait's own entry is seen to in model-waits.c,
 * which needs since as it is. */
static void close_state(struct wait_task *raw, uint64_t stopped)
{
    uint64_t since = raw->since;
    if (raw->state == WAIT_STATE_WAITING) {
        close_sleep(raw, stopped);
        since = stopped;
    } else if (raw->pending) {
        close_sleep(raw, raw->woken);
        since = raw->woken;
    }
    if (raw->lib_kind && raw->lib_sleeps && raw->lib_key.reason < WAIT_REASONS)
        add_sum(&raw->reasons[raw->lib_key.reason], raw->lib_ns);
    uint64_t ns = stopped > since ? stopped - since : 0;
    if (raw->state == WAIT_STATE_RUNNING) {
        raw->running += ns;
    } else if (raw->state == WAIT_STATE_READY) {
        raw->ready += ns;
        if (ns > raw->max_ready)
            raw->max_ready = ns;
    }
}

static void add_task(struct model *model, const struct session *session, __u32 slot)
{
    const struct wait_task *raw = &session->tasks[slot];
    const char *name = records_thread(session->records, (pid_t)raw->tgid, raw->ns_tid);
    struct model_task *task = &model->tasks[model->task_count++];
    task->raw = *raw;
    task->slot = slot;
    close_state(&task->raw, session->stopped);
    if (raw->name[0])
        copy_name(task->name, sizeof task->name, raw->name, sizeof raw->name);
    else if (*name)
        copy_name(task->name, sizeof task->name, name, strlen(name));
    else
        copy_name(task->name, sizeof task->name, raw->comm, sizeof raw->comm);
    histogram_add(&task->runq, raw->runq, 0, task->raw.max_ready);
    task->life = task->raw.running + task->raw.ready + task->raw.waiting;
    for (unsigned i = 1; i < WAIT_REASONS; i++)
        task->waiting[model_class_of(i)] += task->raw.reasons[i].ns;
}

static bool add_tasks(struct model *model, struct session *session)
{
    size_t used = session->bpf->data->tasks_used < session->slots ? session->bpf->data->tasks_used : session->slots;
    model->tasks = calloc(used + 1, sizeof *model->tasks);
    for (size_t slot = 1; model->tasks && slot < used; slot++)
        if (session->tasks[slot].tid && session->tasks[slot].state != WAIT_STATE_HELD)
            add_task(model, session, (__u32)slot);
    return model->tasks;
}

static int compare_names(const void *a, const void *b)
{
    const struct model_task *x = *(struct model_task *const *)a, *y = *(struct model_task *const *)b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x > y) - (x < y);
}

/* Names that several tasks have get the thread id behind them. */
static bool label_tasks(struct model *model)
{
    struct model_task **order = calloc(model->task_count + 1, sizeof *order);
    if (!order)
        return false;
    for (size_t i = 0; i < model->task_count; i++)
        order[i] = &model->tasks[i];
    qsort(order, model->task_count, sizeof *order, compare_names);
    for (size_t i = 0; i < model->task_count; i++) {
        unsigned long long number = order[i]->coroutine ? order[i]->id : order[i]->raw.tid;
        bool same = (i && !strcmp(order[i]->name, order[i - 1]->name)) ||
                    (i + 1 < model->task_count && !strcmp(order[i]->name, order[i + 1]->name));
        order[i]->label = same ? model_text(model, "%s/%llu", order[i]->name, number) : order[i]->name;
    }
    free(order);
    return true;
}

/* After the waits: these may have moved some time from one class to another. */
static void add_up(struct model *model)
{
    for (size_t i = 0; i < model->task_count; i++) {
        const struct model_task *task = &model->tasks[i];
        /* A coroutine runs while its thread does, and is ready while another does. */
        model->life += task->coroutine ? task->raw.waiting : task->life;
        model->running += task->coroutine ? 0 : task->raw.running;
        model->ready += task->coroutine ? 0 : task->raw.ready;
        for (unsigned c = 0; c < MODEL_CLASSES; c++)
            model->waiting[c] += task->waiting[c];
        for (unsigned r = 0; r < WAIT_REASONS; r++)
            model->reasons[r] += task->raw.reasons[r].ns;
        histogram_join(&model->runq, &task->runq);
    }
}

static void add_note(struct model *model, struct session *session)
{
    if (names_error(session->names))
        session_note(session, names_error(session->names));
    model->note = session->note[0] ? session->note : NULL;
}

static void add_cost(struct model *model, const struct session *session)
{
    double duration = model->duration ? (double)model->duration : 1;
    model->cost_known = session->weighed_ns > 0;
    model->cost_bpf = model->cost_known ? (double)session->bpf_ns / (double)session->weighed_ns : 0;
    model->cost_self = (double)session->own_ns / duration;
    model->lost = session->bpf->bss->lost;
    model->lost_total = model->lost.tasks + model->lost.waits + model->lost.locks + model->lost.holders +
                        model->lost.wakers + model->lost.stacks + model->lost.news + model->lost.queues +
                        model->lost.pools + model->lost.inversions + model->lost.coros + session->missed;
    model->missed = session->missed;
}

struct model *model_read(struct session *session)
{
    struct model *model = calloc(1, sizeof *model);
    if (!model)
        return NULL;
    model->started = session->started;
    model->duration = session->stopped > session->started ? session->stopped - session->started : 0;
    model->threshold = session->threshold;
    if (!add_tasks(model, session) || (session->probes & SESSION_COROS && !model_add_coros(model, session)) ||
        !label_tasks(model) || (session->probes & SESSION_HUBS && !model_add_hubs(model, session)) ||
        !model_add_waits(model, session) || !model_add_locks(model, session) || !model_add_wakers(model, session) ||
        !model_add_inversions(model, session) ||
        (session->probes & SESSION_QUEUES && !model_add_queues(model, session)) ||
        (session->probes & SESSION_POOLS && !model_add_pools(model, session))) {
        model_free(model);
        return NULL;
    }
    model_find_ends(model);
    add_up(model);
    add_cost(model, session);
    add_note(model, session);
    if (session->probes & SESSION_QUEUES)
        model_judge_queues(model);
    else if (session->probes & SESSION_POOLS)
        model_judge_pools(model);
    else if (session->probes & SESSION_HUBS)
        model_judge_coros(model);
    else
        model_judge(model);
    return model;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->wait_count; i++) {
        free(model->waits[i].parts);
        free(model->waits[i].stack);
    }
    for (size_t i = 0; i < model->lock_count; i++) {
        free(model->locks[i].parts);
        free(model->locks[i].holders);
    }
    for (size_t i = 0; i < model->waker_count; i++)
        free(model->wakers[i].stack);
    for (size_t i = 0; i < model->text_count; i++)
        free(model->texts[i]);
    free(model->texts);
    free(model->tasks);
    free(model->waits);
    free(model->locks);
    lookup_free(&model->rows);
    lookup_free(&model->by_object);
    lookup_free(&model->by_futex);
    free(model->circle);
    free(model->wakers);
    free(model->inversions);
    model_free_queues(model);
    model_free_pools(model);
    model_free_coros(model);
    free(model);
}
