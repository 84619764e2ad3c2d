/* SPDX-License-Identifier: MIT
 *
 * Who held the locks while others waited, from the kernel's record (bpf/wait-lock.h). What was waited for since a lock
 * changed hands last is given to its last holder here; and a lock that is still waited for although its owner has ended
 * is found.
 */
#include "format.h"
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "wait.skel.h"

/* By what the kernel knows of it: the waits of that process on that address. */
struct model_lock *model_lock_of(const struct model *model, const struct wait_lock *raw)
{
    const struct lookup *waits = &model->by_object;
    for (int i = lookup_first(waits, lookup_hash(raw->key.object, "")); i >= 0; i = lookup_next(waits, i)) {
        const struct model_wait *wait = &model->waits[i];
        if (wait->lock < 0 || wait->object != raw->key.object)
            continue;
        for (size_t p = 0; p < wait->part_count; p++)
            if (model->tasks[wait->parts[p].task].raw.tgid == raw->tgid)
                return &model->locks[wait->lock];
    }
    return NULL;
}

/* "file:line". The lock may be gone, and something else be where its place was. */
static const char *check_place(struct model *model, char place[WAIT_PLACE_MAX])
{
    place[WAIT_PLACE_MAX - 1] = 0;
    const char *colon = strrchr(place, ':');
    if (!colon || colon == place || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
        return "";
    for (const char *at = place; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            return "";
    return model_text(model, "%s", place);
}

static bool add_holder(struct model_lock *lock, const struct model_holder *holder)
{
    for (size_t i = 0; i < lock->holder_count; i++) {
        struct model_holder *same = &lock->holders[i];
        if (same->task == holder->task && same->readers == holder->readers && !strcmp(same->place, holder->place)) {
            same->began += holder->began;
            same->released += holder->released;
            same->ns += holder->ns;
            same->max = same->max > holder->max ? same->max : holder->max;
            return true;
        }
    }
    struct model_holder *more = realloc(lock->holders, (lock->holder_count + 1) * sizeof *more);
    if (!more)
        return false;
    lock->holders = more;
    more[lock->holder_count++] = *holder;
    return true;
}

static bool read_holders(struct model *model, struct session *session, const struct wait_lock *locks, size_t count)
{
    int fd = bpf_map__fd(session->bpf->maps.holders);
    struct wait_holder_key *last = NULL, key;
    struct wait_holder value;
    while (!bpf_map_get_next_key(fd, last, &key)) {
        last = &key;
        struct model_lock *lock = key.lock < count ? model_lock_of(model, &locks[key.lock]) : NULL;
        if (!lock || bpf_map_lookup_elem(fd, &key, &value) || !(value.began | value.released | value.ns))
            continue;
        struct model_holder holder = {
            .task = model_task_of_slot(model, key.slot),
            .readers = key.slot == WAIT_READERS,
            .began = value.began,
            .released = value.released,
            .ns = value.ns,
            .max = value.max,
            .place = check_place(model, value.place),
        };
        if (!add_holder(lock, &holder))
            return false;
    }
    return true;
}

/* The time since the kernel's last look at the lock. */
static bool add_rest(struct model *model, struct session *session, const struct wait_lock *raw, __u32 index)
{
    struct model_lock *lock = model_lock_of(model, raw);
    uint64_t waiters = (raw->integral + (1ull << 47)) >> 48;
    uint64_t sum = raw->integral - (waiters << 48) + waiters * (session->stopped / WAIT_LOCK_UNIT);
    int task = model_task_of_slot(model, raw->holder);
    if (!lock || (task < 0 && raw->holder != WAIT_READERS) || (int64_t)(sum - raw->counted) <= 0)
        return true;
    struct wait_holder_key key = {raw->place, index, raw->holder};
    struct wait_holder value = {0};
    bpf_map_lookup_elem(bpf_map__fd(session->bpf->maps.holders), &key, &value);
    struct model_holder holder = {
        .task = task,
        .readers = raw->holder == WAIT_READERS,
        .ns = (sum - raw->counted) * WAIT_LOCK_UNIT,
        .max = waiters && session->stopped > raw->since ? session->stopped - raw->since : 0,
        .place = check_place(model, value.place),
    };
    return add_holder(lock, &holder);
}

/* A thread that found no room is not traced but there. */
static bool is_there(__u32 tgid, __u32 tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/task/%u", tgid, tid);
    return !access(path, F_OK);
}

#define TOGETHER_NS 50000000 /* threads that end within this time have ended with their process */

/* Whether the task ended well before those who wait for the lock did, or the recording. */
static bool ended_before(const struct model *model, const struct model_task *holder, const struct model_lock *lock)
{
    uint64_t first = model->started + model->duration;
    for (size_t i = 0; i < lock->part_count; i++) {
        const struct wait_task *raw = &model->tasks[lock->parts[i].task].raw;
        if (raw->state == WAIT_STATE_DEAD && raw->flags & WAIT_TASK_DIED && raw->ended < first)
            first = raw->ended;
    }
    return holder->raw.state == WAIT_STATE_DEAD && holder->raw.ended + TOGETHER_NS < first;
}

/* A lock that tasks wait for at the end although its owner has ended: it ended before they came, or while they waited.
 */
static void find_gone(struct model *model, const struct wait_lock *raw)
{
    struct model_lock *lock = model_lock_of(model, raw);
    int holder = model_task_of_slot(model, raw->holder);
    if (!lock || !lock->open || model->waits[lock->first].foreign)
        return;
    if (holder >= 0 && raw->read && ended_before(model, &model->tasks[holder], lock)) {
        lock->gone = model->tasks[holder].raw.tid;
        lock->gone_name = model->tasks[holder].name;
    } else if (raw->gone && !(model->lost.tasks && is_there(raw->tgid, raw->gone))) {
        lock->gone = raw->gone;
        for (size_t i = 0; i < model->task_count; i++)
            if (model->tasks[i].raw.tgid == raw->tgid && model->tasks[i].raw.ns_tid == raw->gone)
                lock->gone_name = model->tasks[i].name;
    }
}

const char *model_holder_name(const struct model *model, const struct model_holder *holder)
{
    if (holder->readers)
        return "readers";
    return holder->task >= 0 ? model->tasks[holder->task].label : "a task that is not traced";
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

#define NAMED     3    /* holders in a sentence, */
#define NAMED_MIN 0.05 /* but none that held it for less, unless it is the first */

static void add_words(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void add_words(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + length, size - length, format, ap);
    va_end(ap);
}

const char *model_holders(struct model *model, const struct model_lock *lock)
{
    char text[400] = "";
    double all = lock->ns ? (double)lock->ns : 1, named = 0, known = 0;
    size_t shown = 0;
    for (size_t i = 0; i < lock->holder_count; i++) {
        const struct model_holder *holder = &lock->holders[i];
        double share = (double)holder->ns / all;
        share = share > 1 ? 1 : share; /* the times are taken a little apart */
        known += share;
        if (shown == NAMED || (shown && share < NAMED_MIN))
            continue;
        add_words(text, sizeof text, "%s%s", shown++ ? ", " : "", model_holder_name(model, holder));
        if (*holder->place)
            add_words(text, sizeof text, " (%s)", base_name(holder->place));
        add_words(text, sizeof text, " %s", format_share(share));
        named += share;
    }
    if (lock->holder_count > shown && known - named >= NAMED_MIN)
        add_words(text, sizeof text, ", %zu other%s %s", lock->holder_count - shown,
                  lock->holder_count - shown == 1 ? "" : "s", format_share(known - named));
    if (1 - known >= NAMED_MIN)
        add_words(text, sizeof text, ", unknown %s", format_share(1 - known));
    return model_text(model, "%s", text);
}

static int compare_holders(const void *a, const void *b)
{
    const struct model_holder *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? 1 : -1;
    return x->began < y->began ? 1 : x->began > y->began ? -1 : 0;
}

bool model_add_holders(struct model *model, struct session *session)
{
    size_t count = session->bpf->data->locks_used;
    struct wait_lock *locks = calloc(count, sizeof *locks);
    bool good = locks != NULL;
    model->lost = session->bpf->bss->lost;
    for (__u32 i = 1; good && i < count; i++)
        if (bpf_map_lookup_elem(bpf_map__fd(session->bpf->maps.locks), &i, &locks[i]))
            count = i;
    good = good && read_holders(model, session, locks, count);
    for (__u32 i = 1; good && i < count; i++) {
        good = add_rest(model, session, &locks[i], i);
        find_gone(model, &locks[i]);
    }
    good = good && model_add_circle(model, locks, count);
    free(locks);
    for (size_t i = 0; i < model->lock_count; i++)
        if (model->locks[i].holder_count)
            qsort(model->locks[i].holders, model->locks[i].holder_count, sizeof *model->locks[i].holders,
                  compare_holders);
    return good;
}
