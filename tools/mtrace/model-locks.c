/* SPDX-License-Identifier: MIT
 *
 * The locks of the model, each from the waits on it; and who woke whom.
 */
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "wait.skel.h"

static int find_lock(const struct model *model, const struct model_wait *wait)
{
    uint64_t hash = model_futex_hash(wait);
    for (int i = lookup_first(&model->by_futex, hash); i >= 0; i = lookup_next(&model->by_futex, i))
        if (model_same_futex(&model->waits[model->locks[i].first], wait))
            return i;
    return -1;
}

static bool add_lock(struct model *model, size_t index)
{
    struct model_wait *wait = &model->waits[index];
    int at = find_lock(model, wait);
    if (at < 0) {
        struct model_lock *more = realloc(model->locks, (model->lock_count + 1) * sizeof *more);
        if (!more)
            return false;
        model->locks = more;
        if (!lookup_add(&model->by_futex, model_futex_hash(wait)))
            return false;
        at = (int)model->lock_count++;
        more[at] = (struct model_lock){.first = index, .gone_name = ""};
    }
    struct model_lock *lock = &model->locks[at];
    wait->lock = at;
    lock->places++;
    lock->owned |= wait->class == MODEL_BLOCKED;
    lock->count += wait->count;
    lock->ns += wait->ns;
    lock->open += wait->open;
    if (wait->max > lock->max)
        lock->max = wait->max;
    histogram_join(&lock->times, &wait->times);
    for (size_t p = 0; p < wait->part_count; p++)
        if (!model_add_part(&lock->parts, &lock->part_count, wait->parts[p].task, wait->parts[p].count,
                            wait->parts[p].ns))
            return false;
    return true;
}

static int compare_locks(const void *a, const void *b)
{
    const struct model_lock *x = a, *y = b;
    if (x->owned != y->owned)
        return x->owned ? -1 : 1;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

/* The locks are in another order now. */
static bool find_anew(struct model *model)
{
    lookup_free(&model->by_futex);
    for (size_t i = 0; i < model->lock_count; i++)
        if (!lookup_add(&model->by_futex, model_futex_hash(&model->waits[model->locks[i].first])))
            return false;
    for (size_t i = 0; i < model->wait_count; i++)
        if (model->waits[i].lock >= 0)
            model->waits[i].lock = find_lock(model, &model->waits[i]);
    return true;
}

bool model_add_locks(struct model *model, struct session *session)
{
    for (size_t i = 0; i < model->wait_count; i++)
        if ((model->waits[i].reason == WAIT_LOCK || model->waits[i].reason == WAIT_FUTEX) &&
            model->waits[i].kind != WAIT_KIND_JOIN && !add_lock(model, i))
            return false;
    if (!model_add_holders(model, session) || !model_add_owners(model))
        return false;
    if (model->lock_count)
        qsort(model->locks, model->lock_count, sizeof *model->locks, compare_locks);
    for (size_t i = 0; i < model->lock_count; i++)
        model_sort_parts(model->locks[i].parts, model->locks[i].part_count);
    return find_anew(model);
}

static int compare_wakers(const void *a, const void *b)
{
    uint64_t x = ((const struct model_waker *)a)->ns, y = ((const struct model_waker *)b)->ns;
    return x < y ? 1 : x > y ? -1 : 0;
}

static const char *name_waker(struct model *model, const struct wait_waker_key *key, const struct wait_waker *value,
                              int task)
{
    if (task >= 0)
        return model->tasks[task].label;
    if (!key->tid)
        return key->reason == WAIT_DISK ? "disk" : "timer or device";
    if (value->comm[0])
        return model_text(model, "%.15s", value->comm);
    return model_text(model, "thread %u", key->tid);
}

/* Of all who wake the tasks of a wait from that reason, the one that ends most of the time. */
static void find_waker(const struct model *model, struct model_wait *wait)
{
    uint64_t most = 0;
    for (size_t i = 0; i < model->waker_count; i++) {
        const struct model_waker *waker = &model->wakers[i];
        if (waker->reason != wait->reason || waker->ns <= most)
            continue;
        for (size_t p = 0; p < wait->part_count; p++) {
            if (wait->parts[p].task == waker->wakee) {
                most = waker->ns;
                wait->waker = waker->waker;
                wait->waker_name = waker->name;
            }
        }
    }
}

bool model_add_wakers(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.wakers);
    for (__u32 index = 1; index < session->bpf->data->wakers_used; index++) {
        struct wait_waker value;
        if (bpf_map_lookup_elem(fd, &index, &value))
            break;
        const struct wait_waker_key key = value.key;
        int wakee = model_task_of_slot(model, key.wakee), task = key.waker ? model_task_of_slot(model, key.waker) : -1;
        if (wakee < 0 || !value.count)
            continue;
        struct model_waker *more = realloc(model->wakers, (model->waker_count + 1) * sizeof *more);
        if (!more)
            return false;
        model->wakers = more;
        struct model_waker *waker = &more[model->waker_count++];
        *waker = (struct model_waker){
            .waker = task,
            .wakee = wakee,
            .tid = key.tid,
            .name = name_waker(model, &key, &value, task),
            .reason = key.reason,
            .count = value.count,
            .ns = value.ns,
            .max = value.max,
            .place = "",
        };
        struct symbols_frame frames[MODEL_FRAMES];
        size_t count = task >= 0 ? model_unwind(model, session, task, value.stack, frames) : 0;
        if (count)
            model_set_frames(model, frames, count, &waker->place, &waker->stack, &waker->frames);
    }
    if (model->waker_count)
        qsort(model->wakers, model->waker_count, sizeof *model->wakers, compare_wakers);
    for (size_t i = 0; i < model->wait_count; i++)
        find_waker(model, &model->waits[i]);
    return true;
}
