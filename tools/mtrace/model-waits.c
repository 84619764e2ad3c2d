/* SPDX-License-Identifier: MIT
 *
 * The waits of the model. The kernel keeps one entry for each (task, object, stack pointer); here the stacks are
 * unwound, and the entries of all tasks that wait for the same thing at the same place of the program become one row.
 */
#include "model.h"
#include "records.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "wait.skel.h"

/* An entry of the kernel's array, with the time of a wait that has not ended. */
struct entry {
    struct wait_stat stat;
    int task;
    bool open;
    enum wait_reason counted_as; /* by the kernel */
};

struct entries {
    struct entry *at;
    size_t count;
};

static bool add_entry(struct entries *entries, const struct entry *entry)
{
    if (entries->count % 256 == 0) {
        struct entry *more = realloc(entries->at, (entries->count + 256) * sizeof *more);
        if (!more)
            return false;
        entries->at = more;
    }
    entries->at[entries->count++] = *entry;
    return true;
}

static void add_unfinished(struct entry *entry, uint64_t ns, bool open)
{
    struct wait_stat *stat = &entry->stat;
    entry->open = open;
    stat->min = !stat->count || ns < stat->min ? ns : stat->min;
    stat->max = ns > stat->max ? ns : stat->max;
    stat->count++;
    stat->ns += ns;
    stat->buckets[histogram_bucket(ns)]++;
}

/* The wait that the task is in, if the entry is of it, has lasted until the recording stopped, or until a wake-up that
 * the task has not come to count. One of liblinuxmt has been added up when the task's state was closed. */
static void add_open_wait(struct entry *entry, const struct wait_task *raw, uint64_t stopped)
{
    bool waits = raw->state == WAIT_STATE_WAITING, library = raw->lib_kind && raw->lib_sleeps;
    if (library && !memcmp(&raw->lib_key, &entry->stat.key, sizeof raw->lib_key)) {
        add_unfinished(entry, raw->lib_ns, true);
    } else if ((waits || raw->pending) && !raw->lib_sleeping && !memcmp(&raw->key, &entry->stat.key, sizeof raw->key)) {
        uint64_t until = waits ? stopped : raw->woken;
        add_unfinished(entry, until > raw->since ? until - raw->since : 0, waits);
    }
    if (raw->flags & WAIT_TASK_DIED && !memcmp(&raw->key, &entry->stat.key, sizeof raw->key))
        entry->open = true;
}

static bool read_entries(struct entries *entries, const struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.waits);
    for (__u32 index = 1; index < session->bpf->data->waits_used; index++) {
        struct entry entry = {0};
        if (bpf_map_lookup_elem(fd, &index, &entry.stat))
            break;
        entry.task = model_task_of_slot(model, entry.stat.key.slot);
        if (entry.task < 0)
            continue;
        entry.counted_as = entry.stat.key.reason;
        add_open_wait(&entry, &model->tasks[entry.task].raw, session->stopped);
        if (entry.stat.count && !add_entry(entries, &entry))
            return false;
    }
    return true;
}

static int compare_objects(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->stat.key.object != y->stat.key.object)
        return x->stat.key.object < y->stat.key.object ? -1 : 1;
    return (int)x->stat.key.reason - (int)y->stat.key.reason; /* locks first */
}

static bool is_lock_nearby(const struct entries *entries, const struct model *model, size_t at)
{
    const struct entry *futex = &entries->at[at];
    while (at-- > 0 && entries->at[at].stat.key.object == futex->stat.key.object)
        if (entries->at[at].stat.key.reason == WAIT_LOCK &&
            model->tasks[entries->at[at].task].raw.tgid == model->tasks[futex->task].raw.tgid)
            return true;
    return false;
}

/* A mutex that was between two owners when a task went to sleep on it is that mutex all the same. */
static void unite_locks(struct entries *entries, const struct model *model)
{
    if (entries->count)
        qsort(entries->at, entries->count, sizeof *entries->at, compare_objects);
    for (size_t i = 0; i < entries->count; i++)
        if (entries->at[i].stat.key.reason == WAIT_FUTEX && is_lock_nearby(entries, model, i))
            entries->at[i].stat.key.reason = WAIT_LOCK;
}

bool model_same_futex(const struct model_wait *a, const struct model_wait *b)
{
    if (*a->shared_at || *b->shared_at)
        return !strcmp(a->shared_at, b->shared_at);
    return a->tgid == b->tgid && a->object == b->object;
}

/* Of those that are the same the same. */
uint64_t model_futex_hash(const struct model_wait *wait)
{
    return *wait->shared_at ? lookup_hash(0, wait->shared_at)
                            : lookup_hash(wait->object ^ (uint64_t)wait->tgid << 48, "");
}

static bool is_of_file(const struct model_wait *wait)
{
    return (wait->reason == WAIT_FILE || wait->reason == WAIT_DISK) && wait->call != 0xffff;
}

/* The processes of one program that wait at one place of it for the like, as the compilers of a make do. */
static bool same_program(const struct model *model, const struct model_wait *a, const struct model_wait *b)
{
    return a->tgid == b->tgid ||
           (a->reason != WAIT_STOPPED &&
            !strncmp(model->tasks[a->first].raw.comm, model->tasks[b->first].raw.comm, sizeof model->tasks->raw.comm));
}

/* A futex is the same by whichever of its system calls it is waited for; which of its files a program waits for at one
 * place tells less than that it waits for files. */
static bool same_wait(const struct model *model, const struct model_wait *a, const struct model_wait *b)
{
    if (a->reason != b->reason)
        return false;
    if (model_is_futex(a)) /* the place last: of many locks most are told apart by less */
        return model_same_futex(a, b) && !strcmp(a->place, b->place);
    return a->call == b->call && (a->object == b->object || is_of_file(a)) && !strcmp(a->place, b->place) &&
           same_program(model, a, b);
}

static uint64_t hash_of(const struct model_wait *wait)
{
    return model_is_futex(wait) ? model_futex_hash(wait)
                                : lookup_hash((uint64_t)wait->reason << 16 | wait->call, wait->place);
}

static struct model_wait *find_wait(struct model *model, const struct model_wait *wait, uint64_t hash)
{
    for (int i = lookup_first(&model->rows, hash); i >= 0; i = lookup_next(&model->rows, i))
        if (same_wait(model, &model->waits[i], wait))
            return &model->waits[i];
    return NULL;
}

static bool is_library_kind(enum wait_kind kind)
{
    return kind >= WAIT_KIND_COND && kind <= WAIT_KIND_CHANNEL;
}

/* A wait that turned out to be of another class than the kernel thought moves its time in its task's. */
static void move_class(struct model_task *task, enum model_class from, enum model_class to, uint64_t ns)
{
    if (ns > task->waiting[from])
        ns = task->waiting[from];
    task->waiting[from] -= ns;
    task->waiting[to] += ns;
}

/* A wait that began before the library's probes were attached is the same, but only a later one knows its name. */
static bool add_to_wait(struct model *model, struct model_wait *wait, const struct entry *entry)
{
    if (is_library_kind(entry->stat.key.kind))
        wait->kind = entry->stat.key.kind;
    if (!wait->name[0] && entry->stat.name[0])
        wait->name = model_text(model, "%.*s", WAIT_NAME_MAX - 1, entry->stat.name);
    wait->count += entry->stat.count;
    wait->ns += entry->stat.ns;
    wait->handed += entry->stat.handed;
    wait->open += entry->open;
    if (is_of_file(wait) && wait->fd != entry->stat.fd) {
        wait->several = true;
        wait->fd = -1;
    }
    if (entry->stat.max > wait->max)
        wait->max = entry->stat.max;
    histogram_add(&wait->times, entry->stat.buckets, entry->stat.min, entry->stat.max);
    move_class(&model->tasks[entry->task], model_class_of(entry->counted_as), wait->class, entry->stat.ns);
    return model_add_part(&wait->parts, &wait->part_count, entry->task, entry->stat.count, entry->stat.ns);
}

/* Where the library's probes could not be had. */
static void name_by_records(struct model *model, struct session *session, struct model_wait *wait)
{
    const struct records_word *word = wait->reason == WAIT_LOCK || wait->reason == WAIT_FUTEX
                                          ? records_word_at(session->records, wait->tgid, wait->object)
                                          : NULL;
    if (!word)
        return;
    wait->kind = model_kind_of_library(word->reason);
    wait->object = word->reason == MT_WAIT_JOIN ? 0 : word->object;
    if (word->name[0])
        wait->name = model_text(model, "%s", word->name);
    if (wait->kind == WAIT_KIND_READ || wait->kind == WAIT_KIND_WRITE)
        wait->reason = WAIT_LOCK;
    else if (wait->kind == WAIT_KIND_SLEEP)
        wait->reason = WAIT_SLEEP;
    wait->class = model_class_of(wait->reason);
}

struct model_wait *model_wait_row(struct model *model, struct model_wait *wait)
{
    uint64_t hash = hash_of(wait);
    struct model_wait *row = find_wait(model, wait, hash), *more = NULL;
    if (!row)
        more = realloc(model->waits, (model->wait_count + 1) * sizeof *more);
    if (more)
        model->waits = more;
    if (!more || !lookup_add(&model->rows, hash)) {
        free(wait->stack);
        return row;
    }
    more[model->wait_count] = *wait;
    return &more[model->wait_count++];
}

static bool add_wait(struct model *model, struct session *session, const struct entry *entry)
{
    struct model_wait wait = {
        .reason = entry->stat.key.reason,
        .kind = entry->stat.key.kind,
        .class = model_class_of(entry->stat.key.reason),
        .tgid = (pid_t)model->tasks[entry->task].raw.tgid,
        .object = entry->stat.key.object,
        .call = entry->stat.key.call,
        .first = entry->task,
        .shared = entry->stat.shared,
        .fd = entry->stat.fd,
        .name = "",
        .what = "",
        .shared_at = "",
        .place = "",
        .lock = -1,
        .waker = -1,
        .waker_name = "",
        .other_end = -1,
    };
    struct symbols_frame frames[MODEL_FRAMES];
    size_t count = model_unwind(model, session, entry->task, entry->stat.stack, frames);
    model_set_frames(model, frames, count, &wait.place, &wait.stack, &wait.frames);
    model_refine_kind(&wait, frames, count);
    name_by_records(model, session, &wait);
    model_find_interpreter_lock(model, session, &wait, entry->task);
    model_find_shared(model, session, &wait, entry->task);
    struct model_wait *row = model_wait_row(model, &wait);
    return row && add_to_wait(model, row, entry);
}

static int compare_waits(const void *a, const void *b)
{
    const struct model_wait *x = a, *y = b;
    if ((x->class == MODEL_IDLE) != (y->class == MODEL_IDLE))
        return x->class == MODEL_IDLE ? 1 : -1;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

/* A semaphore that those give who take it is a lock, such as Python's: its waiters are not idle. Where others give, as
 * to a thread that waits for work or for an end, it is none. One who takes it again before those whom it woke has never
 * waited: therefore a quarter is enough. */
static void find_semaphore_lock(struct model *model, struct model_wait *wait)
{
    if (wait->kind != WAIT_KIND_SEM || *wait->name || wait->part_count < 2 || wait->handed * 4 < wait->count)
        return;
    for (size_t i = 0; i < wait->part_count; i++)
        move_class(&model->tasks[wait->parts[i].task], wait->class, MODEL_BLOCKED, wait->parts[i].ns);
    wait->class = MODEL_BLOCKED;
}

bool model_add_waits(struct model *model, struct session *session)
{
    struct entries entries = {0};
    bool good = read_entries(&entries, model, session);
    if (good)
        unite_locks(&entries, model);
    for (size_t i = 0; good && i < entries.count; i++)
        good = add_wait(model, session, &entries.at[i]);
    free(entries.at);
    good = good && model_add_coro_waits(model, session);
    if (!good)
        return false;
    for (size_t i = 0; i < model->wait_count; i++) {
        struct model_wait *wait = &model->waits[i];
        model_sort_parts(wait->parts, wait->part_count);
        find_semaphore_lock(model, wait);
        model_name_wait(model, session, wait, wait->parts[0].task);
    }
    if (model->wait_count)
        qsort(model->waits, model->wait_count, sizeof *model->waits, compare_waits);
    lookup_free(&model->rows);
    for (size_t i = 0; good && i < model->wait_count; i++)
        good = lookup_add(&model->by_object, lookup_hash(model->waits[i].object, ""));
    return good;
}
