/* SPDX-License-Identifier: MIT
 *
 * The coroutines of the model: what the probes told (bpf/coro.h), with the names and states that the task records of
 * those processes have. One that did nothing while it was recorded is only in the records; one that has ended is only
 * in what the probes told. Each but a thread's own is also one of the model's tasks, so that all reports have it.
 */
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/coro.h"
#include "wait.skel.h"

/* -- What the records say ----------------------------------------------------------------------------------------- */

static const struct tasks *met_tasks(const struct session *session, pid_t tgid)
{
    for (size_t i = 0; i < session->user_count; i++)
        if (session->users[i].pid == tgid)
            return &session->users[i];
    return NULL;
}

/* A task as it is now, else as it was when its process was met. */
static const struct mt__record *find_record(const struct session *session, const struct tasks *now, pid_t tgid,
                                            uint64_t id)
{
    const struct mt__record *record = now && now->pid == tgid ? tasks_by_id(now, id) : NULL;
    const struct tasks *met = met_tasks(session, tgid);
    return record ? record : met ? tasks_by_id(met, id) : NULL;
}

static bool open_now(struct tasks *now, pid_t tgid)
{
    bool good = !tasks_open(now, tgid) && !tasks_read(now);
    if (!good)
        now->count = 0;
    return good;
}

static int task_of_thread(const struct model *model, pid_t tgid, int ns_tid)
{
    for (size_t i = 0; i < model->task_count; i++)
        if (model->tasks[i].raw.tgid == (__u32)tgid && model->tasks[i].raw.ns_tid == (__u32)ns_tid &&
            !model->tasks[i].coroutine)
            return (int)i;
    return -1;
}

/* -- One coroutine ------------------------------------------------------------------------------------------------ */

static struct model_coro *add_coro(struct model *model)
{
    struct model_coro *more = realloc(model->coros, (model->coro_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    model->coros = more;
    more[model->coro_count] = (struct model_coro){
        .hub = -1, .task = -1, .name = "", .what = "", .call = "", .place = "", .body = "", .object_name = ""};
    return &more[model->coro_count++];
}

/* Times up to the end of the recording, in the state that it is in then. */
static void set_times(struct model_coro *coro, const struct coro *raw, uint64_t stopped)
{
    uint64_t ns = raw->state != CORO_DEAD && stopped > raw->since ? stopped - raw->since : 0;
    static const enum mt_state states[] = {
        [CORO_NEW] = MT_READY,       [CORO_READY] = MT_READY, [CORO_RUNNING] = MT_RUNNING,
        [CORO_WAITING] = MT_WAITING, [CORO_DEAD] = MT_DEAD,
    };
    coro->state = raw->state <= CORO_DEAD ? states[raw->state] : MT_READY;
    coro->running = raw->running + (coro->state == MT_RUNNING ? ns : 0);
    coro->ready = raw->ready + (coro->state == MT_READY ? ns : 0);
    coro->waiting = raw->waiting + (coro->state == MT_WAITING ? ns : 0);
    coro->life = coro->running + coro->ready + coro->waiting;
    coro->switches = raw->switches;
    coro->runs = raw->runs + (coro->state == MT_RUNNING);
    coro->longest_run = coro->state == MT_RUNNING && ns > raw->longest_run ? ns : raw->longest_run;
    coro->longest_ready = coro->state == MT_READY && ns > raw->longest_ready ? ns : raw->longest_ready;
    coro->outcome = raw->outcome;
    if (coro->state == MT_WAITING && raw->reason)
        coro->since = stopped > raw->began ? stopped - raw->began : 0;
    coro->reason = coro->state == MT_WAITING ? raw->reason : 0;
    coro->shows = raw->shows;
}

/* By its record as it is now, what the probes told since, its record as it was when its process was met, or its number,
 * as the library itself makes one up. */
static const char *coro_name(struct model *model, const struct model_coro *coro, const struct coro *raw,
                             const struct mt__record *record, const struct tasks *now)
{
    bool is_now = record && now && tasks_by_id(now, record->id) == record;
    if (raw && raw->name[0] && !(is_now && record->name[0]))
        return model_clean(model, raw->name, sizeof raw->name);
    if (record && record->name[0])
        return model_clean(model, record->name, sizeof record->name);
    if (coro->root && model->hubs[coro->hub].task >= 0)
        return model_text(model, "%s", model->tasks[model->hubs[coro->hub].task].name);
    return model_text(model, "coroutine-%llu", (unsigned long long)coro->id);
}

static const char *body_of(struct model *model, struct symbols *symbols, const struct coro *raw,
                           const struct mt__record *record)
{
    uint64_t body = raw ? raw->body : 0;
    if (!body && record && record->kind == MT_COROUTINE)
        body = record->body;
    return model_body(model, symbols, body);
}

static void use_record(struct model *model, struct symbols *symbols, struct model_coro *coro,
                       const struct mt__record *record, const struct tasks *now, bool say)
{
    if (!record)
        return;
    coro->waits = record->waits;
    coro->waited = record->waited;
    coro->shows = (uint32_t)record->tid;
    if (record->state != MT_WAITING || coro->state != MT_WAITING || !now || tasks_by_id(now, coro->id) != record)
        return;
    if (say) {
        coro->owner = record->wait_owner;
        model_say_wait(model, coro, symbols, record->wait_reason, record->wait_object, record->wait_name,
                       record->wait_place);
    }
    if (coro->reason == record->wait_reason && coro->object == record->wait_object)
        model_say_place(model, coro, symbols, now, record);
}

static bool add_seen(struct model *model, struct session *session, const struct coro *raw, const struct tasks *now)
{
    int thread = model_task_of_slot(model, raw->slot);
    const struct mt__record *record = find_record(session, now, (pid_t)raw->key.tgid, raw->key.id);
    struct model_hub *hub;
    struct model_coro *coro;
    if (thread < 0)
        return true;
    hub = model_hub_of(model, (pid_t)raw->key.tgid, (pid_t)model->tasks[thread].raw.tid, thread,
                       model->tasks[thread].name);
    coro = hub ? add_coro(model) : NULL;
    if (!coro)
        return false;
    struct symbols *symbols = model_symbols(model, session, thread);
    coro->id = raw->key.id;
    coro->hub = (int)(hub - model->hubs);
    coro->root = record ? record->kind != MT_COROUTINE : !raw->made && raw->state != CORO_DEAD;
    set_times(coro, raw, session->stopped);
    hub->switches += raw->switches;
    coro->name = coro_name(model, coro, raw, record, now);
    if (coro->state == MT_WAITING && raw->reason)
        model_say_wait(model, coro, symbols, raw->reason, raw->object, raw->wait_name, raw->wait_place);
    coro->owner = raw->owner;
    coro->body = body_of(model, symbols, raw, record);
    use_record(model, symbols, coro, record, now, coro->state == MT_WAITING && !raw->reason);
    return true;
}

/* -- Those that only the records know ----------------------------------------------------------------------------- */

static bool is_known(const struct model *model, pid_t tgid, uint64_t id)
{
    for (size_t i = 0; i < model->coro_count; i++)
        if (model->coros[i].id == id && model->hubs[model->coros[i].hub].tgid == tgid)
            return true;
    return false;
}

static bool is_hub(const struct tasks *tasks, const struct mt__record *record)
{
    for (size_t i = 0; record->kind == MT_THREAD && i < tasks->count; i++)
        if (tasks->records[i].kind == MT_COROUTINE && tasks->records[i].thread == record->tid)
            return true;
    return false;
}

/* It has been in that state since before the recording, or no switch of it would have been missed. */
static bool add_unseen(struct model *model, struct session *session, const struct mt__record *record,
                       const struct tasks *now)
{
    bool root = record->kind == MT_THREAD;
    int thread = task_of_thread(model, now->pid, root ? record->tid : record->thread);
    struct model_hub *hub;
    struct model_coro *coro;
    uint64_t life = model->duration;
    if (thread < 0)
        return true;
    hub = model_hub_of(model, now->pid, (pid_t)model->tasks[thread].raw.tid, thread, model->tasks[thread].name);
    coro = hub ? add_coro(model) : NULL;
    if (!coro)
        return false;
    coro->id = record->id;
    coro->hub = (int)(hub - model->hubs);
    coro->root = root;
    coro->state = record->state;
    coro->name = coro_name(model, coro, NULL, record, now);
    coro->life = life;
    if (record->state == MT_WAITING) {
        coro->waiting = life;
        coro->since =
            session->stopped > (uint64_t)record->wait_since ? session->stopped - (uint64_t)record->wait_since : 0;
    } else if (record->state == MT_RUNNING) {
        coro->running = coro->longest_run = life;
        coro->runs = 1;
    } else {
        coro->ready = coro->longest_ready = life;
    }
    struct symbols *symbols = model_symbols(model, session, thread);
    coro->body = body_of(model, symbols, NULL, record);
    use_record(model, symbols, coro, record, now, true);
    return true;
}

static bool add_from_records(struct model *model, struct session *session, const struct tasks *now)
{
    const struct tasks *met = met_tasks(session, now->pid);
    for (size_t i = 0; i < now->count; i++) {
        const struct mt__record *record = &now->records[i];
        if ((record->kind != MT_COROUTINE && !is_hub(now, record)) || record->state == MT_DEAD ||
            is_known(model, now->pid, record->id))
            continue;
        if (met && tasks_by_id(met, record->id) && !add_unseen(model, session, record, now))
            return false;
    }
    return true;
}

/* -- As tasks ----------------------------------------------------------------------------------------------------- */

static void fill_task(struct model_task *task, const struct model_task *thread, const struct model_coro *coro,
                      size_t index)
{
    task->slot = 0x80000000u + (__u32)index;
    task->coroutine = true;
    task->id = coro->id;
    task->life = coro->life;
    task->raw.tid = thread->raw.tid;
    task->raw.tgid = thread->raw.tgid;
    task->raw.parent = thread->slot;
    task->raw.running = coro->running;
    task->raw.ready = coro->ready;
    task->raw.waiting = coro->waiting;
    task->raw.ready_count = coro->switches;
    task->raw.max_ready = coro->longest_ready;
    task->raw.state = coro->state == MT_DEAD ? WAIT_STATE_DEAD : WAIT_STATE_READY;
    snprintf(task->name, sizeof task->name, "%s", coro->name);
}

/* Behind the threads: tasks are in the order of their slots. What they waited for comes with the waits. */
static bool add_tasks(struct model *model)
{
    struct model_task *more = realloc(model->tasks, (model->task_count + model->coro_count + 1) * sizeof *more);
    if (!more)
        return false;
    model->tasks = more;
    for (size_t i = 0; i < model->coro_count; i++) {
        struct model_coro *coro = &model->coros[i];
        int thread = model->hubs[coro->hub].task;
        if (coro->root || thread < 0)
            continue;
        memset(&more[model->task_count], 0, sizeof *more);
        fill_task(&more[model->task_count], &more[thread], coro, i);
        coro->task = (int)model->task_count++;
    }
    return true;
}

static bool read_seen(struct model *model, struct session *session, const struct tasks *now, size_t now_count)
{
    int fd = bpf_map__fd(session->bpf->maps.coros);
    struct coro_key key = {0}, next;
    struct coro raw;
    bool first = true;
    while (!bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        if (bpf_map_lookup_elem(fd, &key, &raw))
            continue;
        const struct tasks *own = NULL;
        for (size_t i = 0; i < now_count; i++)
            if (now[i].pid == (pid_t)key.tgid)
                own = &now[i];
        if (!add_seen(model, session, &raw, own))
            return false;
    }
    return true;
}

/* One that was so before the recording has not been heard of as a hub. */
static bool is_asleep(const struct wait_task *thread)
{
    return thread->hub_asleep || (!thread->is_hub && thread->state == WAIT_STATE_WAITING &&
                                  (thread->reason == WAIT_URING || thread->reason == WAIT_POLL));
}

static void read_threads(struct model *model)
{
    for (size_t i = 0; i < model->hub_count; i++) {
        struct model_hub *hub = &model->hubs[i];
        const struct wait_task *thread = hub->task >= 0 ? &model->tasks[hub->task].raw : NULL;
        hub->asleep = thread && is_asleep(thread);
        hub->ended = thread && thread->state == WAIT_STATE_DEAD;
    }
}

bool model_add_coros(struct model *model, struct session *session)
{
    struct tasks *now = calloc(session->user_count + 1, sizeof *now);
    if (!now)
        return false;
    for (size_t i = 0; i < session->user_count; i++)
        open_now(&now[i], session->users[i].pid);
    bool good = read_seen(model, session, now, session->user_count);
    for (size_t i = 0; good && i < session->user_count; i++)
        good = add_from_records(model, session, &now[i]);
    good = good && add_tasks(model);
    read_threads(model);
    for (size_t i = 0; good && i < session->user_count; i++)
        if (now[i].count)
            model_find_lost(model, &now[i]);
    for (size_t i = 0; good && i < model->hub_count; i++) {
        struct model_hub *hub = &model->hubs[i];
        for (size_t n = 0; n < session->user_count; n++) {
            const struct mt__record *record = hub->task >= 0 && now[n].pid == hub->tgid
                                                  ? tasks_by_tid(&now[n], (int)model->tasks[hub->task].raw.ns_tid)
                                                  : NULL;
            if (record && record->blocked) {
                hub->monitor_count = record->blocked;
                hub->monitor_most = record->blocked_most;
                hub->monitor_name = model_clean(model, record->blocked_by, sizeof record->blocked_by);
            }
        }
    }
    for (size_t i = 0; i < session->user_count; i++)
        tasks_close(&now[i]);
    free(now);
    return good;
}
