/* SPDX-License-Identifier: MIT
 *
 * The waits of coroutines among those of the model, and in the times of their tasks.
 */
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../bpf/coro.h"
#include "wait.skel.h"

/* What a descriptor is, if the process is still there to be asked. */
static enum wait_reason reason_of_fd(pid_t tgid, uint64_t fd)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%llu", tgid, (unsigned long long)fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    if (!strncmp(target, "socket:", 7))
        return WAIT_SOCKET;
    if (!strncmp(target, "pipe:", 5))
        return WAIT_PIPE;
    return *target == '/' && strncmp(target, "/dev/", 5) ? WAIT_FILE : WAIT_POLL;
}

static enum wait_reason reason_of(pid_t tgid, uint32_t reason, uint64_t object)
{
    if (reason == MT_WAIT_LOCK || reason == MT_WAIT_READ || reason == MT_WAIT_WRITE)
        return WAIT_LOCK;
    if (reason == MT_WAIT_SLEEP)
        return WAIT_SLEEP;
    if (reason == MT_WAIT_IO)
        return model_is_fd(object) ? reason_of_fd(tgid, object) : WAIT_OTHER;
    return WAIT_FUTEX;
}

static const struct model_coro *find_coro(const struct model *model, pid_t tgid, uint64_t id)
{
    for (size_t i = 0; i < model->coro_count; i++)
        if (model->coros[i].id == id && model->hubs[model->coros[i].hub].tgid == tgid)
            return &model->coros[i];
    return NULL;
}

/* Who the lock's word named: a coroutine by a number of its own, or a thread. */
static int task_of_owner(const struct model *model, pid_t tgid, uint32_t owner)
{
    for (size_t i = 0; i < model->coro_count; i++)
        if (model->coros[i].shows == owner && model->hubs[model->coros[i].hub].tgid == tgid &&
            model->coros[i].task >= 0)
            return model->coros[i].task;
    for (size_t i = 0; i < model->task_count; i++)
        if (model->tasks[i].raw.tgid == (__u32)tgid && model->tasks[i].raw.ns_tid == owner)
            return (int)i;
    return -1;
}

static bool note_owner(struct model *model, const struct coro_wait_key *key, uint64_t count, uint64_t ns, uint64_t max)
{
    int task = key->owner ? task_of_owner(model, (pid_t)key->tgid, key->owner) : -1;
    struct model_owned *more;
    if (task < 0)
        return true;
    more = realloc(model->owned, (model->owned_count + 1) * sizeof *more);
    if (!more)
        return false;
    model->owned = more;
    more[model->owned_count++] = (struct model_owned){(pid_t)key->tgid, key->object, task, count, ns, max};
    return true;
}

static bool add_holder(struct model_lock *lock, const struct model_owned *owned)
{
    struct model_holder *more;
    for (size_t i = 0; i < lock->holder_count; i++)
        if (lock->holders[i].task == owned->task && !lock->holders[i].readers) {
            struct model_holder *known = &lock->holders[i];
            known->began += owned->count;
            known->ns += owned->ns;
            known->max = owned->max > known->max ? owned->max : known->max;
            return true;
        }
    more = realloc(lock->holders, (lock->holder_count + 1) * sizeof *more);
    if (!more)
        return false;
    lock->holders = more;
    more[lock->holder_count++] = (struct model_holder){
        .task = owned->task, .began = owned->count, .ns = owned->ns, .max = owned->max, .place = ""};
    return true;
}

/* The kernel has not seen who held it, as nobody slept on it there: who it was when each wait began is all there is. */
bool model_add_owners(struct model *model)
{
    for (size_t o = 0; o < model->owned_count; o++)
        for (size_t i = 0; i < model->lock_count; i++) {
            const struct model_wait *first = &model->waits[model->locks[i].first];
            if (first->tgid == model->owned[o].tgid && first->object == model->owned[o].object &&
                !add_holder(&model->locks[i], &model->owned[o]))
                return false;
        }
    return true;
}

/* A thread's own wait in its hub is the thread's, beside the one in the loop. */
static int task_of(const struct model *model, const struct model_coro *coro)
{
    return coro->task >= 0 ? coro->task : model->hubs[coro->hub].task;
}

/* Where it waited: by the library's word for it if that is a line, else by the picture of its stack. */
static void place_row(struct model *model, struct session *session, struct model_wait *wait, const char *place,
                      int32_t picture)
{
    struct symbols_frame frames[MODEL_FRAMES];
    size_t count = model_unwind(model, session, wait->first, picture, frames);
    const struct symbols_frame *caller = symbols_caller(frames, count);
    const char *found = "";
    if (count)
        model_set_frames(model, frames, count, &found, &wait->stack, &wait->frames);
    wait->place = model_is_place(place) ? place : caller && !caller->runtime ? found : "";
}

/* "socket fd 5 (recv)", as of threads. */
static const char *file_text(struct model *model, const struct model_wait *wait, const char *call)
{
    const char *before = *call ? " (" : "", *after = *call ? ")" : "";
    if (wait->several)
        return model_text(model, "%s, several files%s%s%s", model_reason(wait->reason), before, call, after);
    return model_text(model, "%s fd %d%s%s%s", model_reason(wait->reason), wait->fd, before, call, after);
}

static const char *row_text(struct model *model, struct session *session, const struct model_wait *wait,
                            const struct coro_wait_key *key, const char *call)
{
    struct symbols *symbols = model_symbols(model, session, wait->first);
    const char *what;
    if (wait->fd >= 0)
        return file_text(model, wait, call);
    what = model_library_wait(model, symbols, wait->tgid, key->reason, key->object, wait->name);
    return *call ? model_text(model, "%s (%s)", what, call) : what;
}

/* Of many descriptors that are waited for in one call at one place none is worth a row of its own. */
static void add_fd(struct model *model, struct model_wait *row, int fd, const char *call)
{
    if (row->fd < 0 || row->fd == fd)
        return;
    row->several = true;
    row->what = file_text(model, row, call);
    row->fd = -1;
}

static void add_to_task(struct model_task *task, const struct model_wait *wait, uint64_t count, uint64_t ns,
                        uint64_t max)
{
    struct wait_sum *sum = &task->raw.reasons[wait->reason];
    task->waiting[wait->class] += ns;
    sum->count += count;
    sum->ns += ns;
    if (max > sum->max)
        sum->max = max;
}

static bool add_row(struct model *model, struct session *session, const struct model_coro *coro,
                    const struct coro_wait_key *key, const struct coro_wait *raw, uint64_t open_ns, bool open)
{
    int task = task_of(model, coro);
    const char *place = model_place(model, raw->place, sizeof raw->place), *call = model_is_place(place) ? "" : place;
    enum wait_reason reason =
        raw->file ? (enum wait_reason)raw->file : reason_of((pid_t)key->tgid, key->reason, key->object);
    bool nameless = key->reason == MT_WAIT_SLEEP || key->reason == MT_WAIT_IO;
    struct model_wait wait = {
        .reason = reason,
        .kind = model_kind_of_library(key->reason),
        .class = model_class_of(reason),
        .tgid = (pid_t)key->tgid,
        .first = task,
        .object = nameless ? 0 : key->object,
        .call = 0xffff,
        .fd = key->reason == MT_WAIT_IO && key->object && model_is_fd(key->object) ? (int)key->object : -1,
        .name = model_clean(model, raw->name, sizeof raw->name),
        .shared_at = "",
        .lock = -1,
        .waker = -1,
        .waker_name = "",
        .other_end = -1,
    };
    uint64_t count = raw->count + open, ns = raw->ns + open_ns, max = raw->max > open_ns ? raw->max : open_ns;
    place_row(model, session, &wait, open && *coro->place ? coro->place : place, raw->stack);
    wait.what = row_text(model, session, &wait, key, call);
    struct model_wait *row = model_wait_row(model, &wait);
    if (!row)
        return false;
    if (key->reason == MT_WAIT_IO)
        add_fd(model, row, wait.fd, call);
    if (*call &&
        !row->several) /* the first that was added may have begun before the recording: of that it is not known */
        row->what = wait.what;
    row->count += count;
    row->ns += ns;
    row->open += open;
    row->max = max > row->max ? max : row->max;
    histogram_add(&row->times, raw->buckets, 0, max);
    if (open)
        row->times.buckets[histogram_bucket(open_ns)]++, row->times.count++;
    if (coro->task >= 0)
        add_to_task(&model->tasks[task], &wait, count, ns, max);
    return (reason != WAIT_LOCK || note_owner(model, key, count, ns, max)) &&
           model_add_part(&row->parts, &row->part_count, task, count, ns);
}

/* A wait by the library's clock lasts until its task runs again: what of that it was ready is not waiting. */
static void fit_classes(struct model_task *task)
{
    uint64_t sum = 0, left = task->raw.waiting;
    for (unsigned c = 0; c < MODEL_CLASSES; c++)
        sum += task->waiting[c];
    for (unsigned c = 0; c < MODEL_CLASSES && sum; c++) {
        uint64_t part = (uint64_t)((double)task->waiting[c] / (double)sum * (double)task->raw.waiting);
        task->waiting[c] = part < left ? part : left;
        left -= task->waiting[c];
    }
    task->waiting[MODEL_IDLE] += left;
}

/* The wait that a coroutine is in at the end, as probes or records told. */
static bool add_open(struct model *model, struct session *session)
{
    for (size_t i = 0; i < model->coro_count; i++) {
        const struct model_coro *coro = &model->coros[i];
        struct coro_wait_key key = {coro->id,     coro->object, 0, (__u32)model->hubs[coro->hub].tgid,
                                    coro->reason, coro->owner,  0};
        struct coro_wait none = {.stack = -1};
        uint64_t ns = coro->since < coro->life ? coro->since : coro->life;
        if (coro->root || coro->state != MT_WAITING || !coro->reason)
            continue;
        snprintf(none.name, sizeof none.name, "%s", coro->object_name);
        snprintf(none.place, sizeof none.place, "%s", *coro->call ? coro->call : coro->place);
        if (!add_row(model, session, coro, &key, &none, ns, true))
            return false;
    }
    return true;
}

bool model_add_coro_waits(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.coro_waits);
    struct coro_wait_key key = {0}, next;
    struct coro_wait raw;
    bool first = true;
    if (!(session->probes & SESSION_COROS))
        return true;
    while (!bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        const struct model_coro *coro = find_coro(model, (pid_t)key.tgid, key.id);
        if (!coro || coro->root || bpf_map_lookup_elem(fd, &key, &raw))
            continue;
        if (!add_row(model, session, coro, &key, &raw, 0, false))
            return false;
    }
    if (!add_open(model, session))
        return false;
    for (size_t i = 0; i < model->task_count; i++)
        if (model->tasks[i].coroutine)
            fit_classes(&model->tasks[i]);
    return true;
}
