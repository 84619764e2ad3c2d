/* SPDX-License-Identifier: MIT
 *
 * The hubs of the model: turns, operations, and the calls that kept one.
 */
#include "format.h"
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/coro.h"
#include "wait.skel.h"

struct model_hub *model_hub_of(struct model *model, pid_t tgid, pid_t tid, int task, const char *name)
{
    for (size_t i = 0; i < model->hub_count; i++)
        if (model->hubs[i].tgid == tgid && model->hubs[i].tid == tid)
            return &model->hubs[i];
    struct model_hub *more = realloc(model->hubs, (model->hub_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    model->hubs = more;
    more[model->hub_count] = (struct model_hub){
        .tgid = tgid, .tid = tid, .task = task, .name = model_text(model, "%s", name), .monitor_name = ""};
    return &more[model->hub_count++];
}

const char *model_op_name(struct model *model, uint32_t opcode)
{
    static const char *const names[] = {
        [0] = "nop",      [1] = "readv",    [2] = "writev",    [3] = "fsync",   [6] = "poll",     [9] = "sendmsg",
        [10] = "recvmsg", [11] = "timeout", [13] = "accept",   [14] = "cancel", [16] = "connect", [17] = "fallocate",
        [18] = "open",    [19] = "close",   [21] = "statx",    [22] = "read",   [23] = "write",   [26] = "send",
        [27] = "recv",    [30] = "splice",  [34] = "shutdown", [50] = "waitid", [51] = "futex",
    };
    if (opcode < sizeof names / sizeof *names && names[opcode])
        return names[opcode];
    return model_text(model, "operation %u", opcode);
}

static struct model_hub *hub_of_slot(struct model *model, __u32 slot)
{
    int task = model_task_of_slot(model, slot);
    for (size_t i = 0; task >= 0 && i < model->hub_count; i++)
        if (model->hubs[i].task == task)
            return &model->hubs[i];
    return NULL;
}

/* -- Operations --------------------------------------------------------------------------------------------------- */

static bool add_op(struct model_hub *hub, uint32_t opcode, const struct coro_op_kind *raw)
{
    struct model_op *more = realloc(hub->ops, (hub->op_count + 1) * sizeof *more);
    if (!more)
        return false;
    hub->ops = more;
    struct model_op *op = &more[hub->op_count++];
    *op = (struct model_op){.opcode = opcode, .begun = raw->begun, .count = raw->count, .failed = raw->failed};
    op->open = raw->begun > raw->count ? (uint32_t)(raw->begun - raw->count) : 0;
    histogram_add(&op->times, raw->buckets, 0, raw->max);
    return true;
}

static bool read_ops(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.coro_op_kinds);
    struct coro_op_kind_key key = {0}, next;
    struct coro_op_kind raw;
    bool first = true;
    while (!bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        struct model_hub *hub = hub_of_slot(model, key.slot);
        if (hub && !bpf_map_lookup_elem(fd, &key, &raw) && !add_op(hub, key.opcode, &raw))
            return false;
    }
    return true;
}

/* -- Calls that kept it ------------------------------------------------------------------------------------------- */

static const char *coro_name(struct model *model, const struct model_hub *hub, uint64_t id)
{
    for (size_t i = 0; i < model->coro_count; i++)
        if (model->coros[i].id == id && model->hubs[model->coros[i].hub].tgid == hub->tgid)
            return model->coros[i].name;
    return id ? model_text(model, "coroutine-%llu", (unsigned long long)id) : hub->name;
}

static bool same_kept(const struct model_kept *a, const struct model_kept *b)
{
    return !strcmp(a->coro, b->coro) && !strcmp(a->what, b->what) && !strcmp(a->place, b->place);
}

static bool add_kept(struct model *model, struct session *session, struct model_hub *hub,
                     const struct coro_blocked_key *key, const struct coro_blocked *raw, bool open)
{
    struct symbols_frame frames[MODEL_FRAMES];
    struct wait_stat stat;
    struct model_kept kept = {.place = "", .open = open, .count = raw->count, .ns = raw->ns, .max = raw->max};
    if (bpf_map_lookup_elem(bpf_map__fd(session->bpf->maps.waits), &key->wait, &stat))
        return true;
    size_t count = model_unwind(model, session, hub->task, stat.stack, frames);
    const char *call = model_call(stat.key.call);
    model_set_frames(model, frames, count, &kept.place, &kept.stack, &kept.frames);
    kept.coro = coro_name(model, hub, key->id);
    kept.what = *call                     ? call
                : stat.key.call == 0xffff ? "a page fault"
                                          : model_text(model, "system call %u", stat.key.call);
    for (size_t i = 0; i < hub->kept_count; i++)
        if (same_kept(&hub->kept[i], &kept)) {
            struct model_kept *known = &hub->kept[i];
            known->count += kept.count;
            known->ns += kept.ns;
            known->max = kept.max > known->max ? kept.max : known->max;
            known->open |= open;
            free(kept.stack);
            return true;
        }
    struct model_kept *more = realloc(hub->kept, (hub->kept_count + 1) * sizeof *more);
    if (!more) {
        free(kept.stack);
        return false;
    }
    hub->kept = more;
    more[hub->kept_count++] = kept;
    return true;
}

static bool read_kept(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.coro_blocked);
    struct coro_blocked_key key = {0}, next;
    struct coro_blocked raw;
    bool first = true;
    while (!bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        struct model_hub *hub = hub_of_slot(model, key.slot);
        if (hub && !bpf_map_lookup_elem(fd, &key, &raw) && !add_kept(model, session, hub, &key, &raw, false))
            return false;
    }
    return true;
}

/* The call that the thread is in at the end has kept it so far. */
static bool add_open_call(struct model *model, struct session *session, struct model_hub *hub)
{
    const struct wait_task *raw = &model->tasks[hub->task].raw;
    uint64_t ns = session->stopped > raw->since ? session->stopped - raw->since : 0;
    struct coro_blocked_key key = {raw->hub_keeper, raw->key.slot, raw->seen_index};
    struct coro_blocked blocked = {1, ns, ns};
    if (raw->state != WAIT_STATE_WAITING || !raw->hub_kept || ns < model->threshold)
        return true;
    return add_kept(model, session, hub, &key, &blocked, true);
}

/* -- In order ----------------------------------------------------------------------------------------------------- */

static void read_hub(struct model_hub *hub, struct session *session, __u32 slot, uint64_t stopped)
{
    struct coro_hub raw;
    if (bpf_map_lookup_elem(bpf_map__fd(session->bpf->maps.coro_hubs), &slot, &raw))
        return;
    hub->turns = raw.turns;
    hub->sleeps = raw.sleeps;
    hub->slept = raw.slept + (raw.asleep && stopped > raw.asleep ? stopped - raw.asleep : 0);
    hub->passed = raw.passed;
    hub->ready_most = raw.ready_most;
    hub->submitted = raw.submitted - raw.submitted_first;
    hub->completed = raw.completed - raw.completed_first;
}

/* The probes tell of a sleep only when it begins: the one that it was in at the start is the thread's. */
static void add_first_sleep(struct model_hub *hub, const struct model_task *thread)
{
    uint64_t loop = thread->raw.reasons[WAIT_URING].ns + thread->raw.reasons[WAIT_POLL].ns;
    if (loop > hub->slept)
        hub->slept = loop;
}

static bool read_ended(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.coro_bodies);
    struct coro_body_key key = {0}, next;
    struct coro_sum raw;
    bool first = true;
    while (!bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        int task = model_task_of_slot(model, key.slot);
        if (task < 0 || bpf_map_lookup_elem(fd, &key, &raw))
            continue;
        struct model_ended *more = realloc(model->ended, (model->ended_count + 1) * sizeof *more);
        struct symbols *symbols = model_symbols(model, session, task);
        struct symbols_frame frame = {0};
        if (!more)
            return false;
        model->ended = more;
        if (symbols && key.body)
            symbols_code(symbols, key.body, false, &frame, 1);
        more[model->ended_count++] =
            (struct model_ended){.body = model_text(model, "%s", frame.function ? frame.function : "?"),
                                 .tgid = (pid_t)key.tgid,
                                 .count = raw.count,
                                 .failed = raw.failed,
                                 .running = raw.running,
                                 .ready = raw.ready,
                                 .waiting = raw.waiting,
                                 .switches = raw.switches,
                                 .longest_run = raw.longest_run};
    }
    return true;
}

static int compare_kept(const void *a, const void *b)
{
    uint64_t x = ((const struct model_kept *)a)->ns, y = ((const struct model_kept *)b)->ns;
    return x < y ? 1 : x > y ? -1 : 0;
}

static int compare_ops(const void *a, const void *b)
{
    const struct model_op *x = a, *y = b;
    return x->begun < y->begun ? 1 : x->begun > y->begun ? -1 : (int)x->opcode - (int)y->opcode;
}

static uint64_t busy(const struct model_coro *coro)
{
    return coro->running + coro->ready;
}

static int compare_coros(const void *a, const void *b)
{
    const struct model_coro *x = a, *y = b;
    if (x->hub != y->hub)
        return x->hub - y->hub;
    if (x->root != y->root)
        return x->root ? -1 : 1;
    if (busy(x) != busy(y))
        return busy(x) < busy(y) ? 1 : -1;
    return x->id > y->id ? 1 : x->id < y->id ? -1 : 0;
}

void model_sort_coros(struct model *model)
{
    if (model->coro_count)
        qsort(model->coros, model->coro_count, sizeof *model->coros, compare_coros);
    for (size_t i = 0; i < model->hub_count; i++) {
        struct model_hub *hub = &model->hubs[i];
        if (hub->kept_count)
            qsort(hub->kept, hub->kept_count, sizeof *hub->kept, compare_kept);
        if (hub->op_count)
            qsort(hub->ops, hub->op_count, sizeof *hub->ops, compare_ops);
    }
}

bool model_add_hubs(struct model *model, struct session *session)
{
    for (size_t i = 0; i < model->hub_count; i++)
        if (model->hubs[i].task >= 0) {
            read_hub(&model->hubs[i], session, model->tasks[model->hubs[i].task].slot, session->stopped);
            add_first_sleep(&model->hubs[i], &model->tasks[model->hubs[i].task]);
            if (!add_open_call(model, session, &model->hubs[i]))
                return false;
        }
    if (!read_ops(model, session) || !read_kept(model, session) || !read_ended(model, session))
        return false;
    model_sort_coros(model);
    return true;
}

void model_free_coros(struct model *model)
{
    for (size_t i = 0; i < model->hub_count; i++) {
        for (size_t k = 0; k < model->hubs[i].kept_count; k++)
            free(model->hubs[i].kept[k].stack);
        free(model->hubs[i].kept);
        free(model->hubs[i].ops);
    }
    for (size_t i = 0; i < model->coro_count; i++)
        free(model->coros[i].stack);
    free(model->hubs);
    free(model->coros);
    free(model->owned);
    free(model->ended);
}
