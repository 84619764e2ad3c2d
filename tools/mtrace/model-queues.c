/* SPDX-License-Identifier: MIT
 *
 * The queues of the model: who put and got and waited as the probes told (bpf/queue.h), and how full each was as its
 * memory told (queues.h). Either may be missing: a queue may be over before it is looked at, and one that nobody uses
 * within the recording is only seen.
 */
#include "format.h"
#include "model.h"
#include "queues.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "wait.skel.h"

static struct model_queue *find_queue(struct model *model, uint64_t inode)
{
    for (size_t i = 0; i < model->queue_count; i++)
        if (model->queues[i].inode == inode)
            return &model->queues[i];
    return NULL;
}

static struct model_queue *add_queue(struct model *model, uint64_t inode, const char *name)
{
    char clean[WAIT_NAME_MAX];
    struct model_queue *more = realloc(model->queues, (model->queue_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    model->queues = more;
    struct model_queue *queue = &more[model->queue_count++];
    snprintf(clean, sizeof clean, "%.*s", WAIT_NAME_MAX - 1, name);
    format_clean(clean);
    *queue = (struct model_queue){.inode = inode, .name = model_text(model, "%s", clean)};
    queue->label = *clean ? model_text(model, "\"%s\"", clean) : model_text(model, "%llu", (unsigned long long)inode);
    return queue;
}

/* -- What the probes told ----------------------------------------------------------------------------------------- */

static struct model_queue_part *part_of(struct model_queue_side *side, int task)
{
    for (size_t i = 0; i < side->part_count; i++)
        if (side->parts[i].task == task)
            return &side->parts[i];
    struct model_queue_part *more = realloc(side->parts, (side->part_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    side->parts = more;
    more[side->part_count] = (struct model_queue_part){.task = task};
    return &more[side->part_count++];
}

static void add_open_wait(struct model_queue_side *side, struct model_queue_part *part, uint64_t ns, bool goes_on)
{
    __u32 buckets[WAIT_BUCKETS] = {0};
    buckets[histogram_bucket(ns)] = 1;
    histogram_add(&side->times, buckets, ns, ns);
    side->waits++, part->waits++;
    side->ns += ns, part->ns += ns;
    side->open += goes_on;
    part->waits_now = goes_on;
    side->max = ns > side->max ? ns : side->max;
    part->max = ns > part->max ? ns : part->max;
}

static bool add_side(struct model *model, struct model_queue_side *side, int task, const struct queue_side *raw)
{
    if (!raw->calls && !raw->waits && !raw->since)
        return true;
    struct model_queue_part *part = part_of(side, task);
    if (!part)
        return false;
    part->calls += raw->calls, side->calls += raw->calls;
    part->messages += raw->messages, side->messages += raw->messages;
    part->waits += raw->waits, side->waits += raw->waits;
    part->ns += raw->ns, side->ns += raw->ns;
    part->max = raw->max > part->max ? raw->max : part->max;
    side->max = raw->max > side->max ? raw->max : side->max;
    side->unmet += raw->unmet;
    histogram_add(&side->times, raw->buckets, 0, raw->max);
    if (raw->since) {
        const struct wait_task *last = &model->tasks[task].raw;
        bool dead = last->state == WAIT_STATE_DEAD;
        uint64_t until = dead ? last->ended : model->started + model->duration;
        add_open_wait(side, part, until > raw->since ? until - raw->since : 0, !dead);
    }
    return true;
}

static bool read_users(struct model *model, struct session *session, __u32 index, struct model_queue *queue)
{
    int fd = bpf_map__fd(session->bpf->maps.queue_users);
    struct queue_user_key key = {0}, next;
    struct queue_user user;
    bool first = true, good = true;
    while (good && !bpf_map_get_next_key(fd, first ? NULL : &key, &next)) {
        first = false;
        key = next;
        int task = model_task_of_slot(model, key.slot);
        if (key.queue != index || task < 0 || bpf_map_lookup_elem(fd, &key, &user))
            continue;
        queue->deepest = user.deepest > queue->deepest ? user.deepest : queue->deepest;
        for (unsigned side = 0; side < QUEUE_SIDES; side++)
            good = good && add_side(model, &queue->sides[side], task, &user.sides[side]);
    }
    return good;
}

static bool read_queues(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.queues);
    for (__u32 index = 1; index < session->bpf->data->queues_used && index < QUEUE_MAX; index++) {
        struct queue_stat raw;
        if (bpf_map_lookup_elem(fd, &index, &raw) || !raw.inode)
            continue;
        struct model_queue *queue = add_queue(model, raw.inode, raw.name);
        if (!queue)
            return false;
        queue->capacity = raw.capacity;
        queue->order = raw.order;
        if (!read_users(model, session, index, queue))
            return false;
    }
    return true;
}

/* -- What their memory told --------------------------------------------------------------------------------------- */

static bool add_look(struct model *model, const struct queues_look *look)
{
    struct model_queue *queue = find_queue(model, look->inode);
    if (!queue)
        queue = add_queue(model, look->inode, look->name);
    if (!queue)
        return false;
    double ns = look->ns ? (double)look->ns : 1;
    queue->looks = look->looks;
    queue->order = look->order;
    queue->capacity = look->capacity;
    queue->message_max = look->message_max;
    queue->depth = look->now.depth;
    queue->closed = look->now.closed;
    queue->put_total = look->now.put;
    queue->got_total = look->now.got;
    queue->lost_put = look->now.lost_put;
    queue->lost_got = look->now.lost_got;
    queue->again = look->now.again;
    queue->full = (double)look->full_ns / ns;
    queue->empty = (double)look->empty_ns / ns;
    queue->mean = look->depth_ns / ns;
    queue->deepest = look->deepest > queue->deepest ? look->deepest : queue->deepest;
    queue->sides[QUEUE_PUT].moved = look->now.put - look->first.put;
    queue->sides[QUEUE_GET].moved = look->now.got - look->first.got;
    return true;
}

static int task_of_waiter(const struct model *model, const struct queues_waiter *waiter)
{
    for (size_t i = 0; i < model->task_count; i++)
        if (model->tasks[i].raw.tgid == (__u32)waiter->pid && model->tasks[i].raw.ns_tid == waiter->tid &&
            model->tasks[i].raw.state != WAIT_STATE_DEAD)
            return (int)i;
    return -1;
}

/* One that no probe told the beginning of, for it was before the recording. */
static bool add_waiter(struct model *model, const struct queues_waiter *waiter)
{
    struct model_queue *queue = find_queue(model, waiter->inode);
    int task = task_of_waiter(model, waiter);
    if (!queue || task < 0)
        return true;
    struct model_queue_side *side = &queue->sides[waiter->put ? QUEUE_PUT : QUEUE_GET];
    struct model_queue_part *part = part_of(side, task);
    if (!part)
        return false;
    uint64_t since = waiter->since > model->started ? waiter->since : model->started;
    uint64_t until = model->started + model->duration;
    if (!part->waits_now && until > since)
        add_open_wait(side, part, until - since, true);
    return true;
}

/* -- Together ----------------------------------------------------------------------------------------------------- */

static int compare_queue_parts(const void *a, const void *b)
{
    const struct model_queue_part *x = a, *y = b;
    if (x->messages != y->messages)
        return x->messages < y->messages ? 1 : -1;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

static int compare_queues(const void *a, const void *b)
{
    const struct model_queue *x = a, *y = b;
    for (unsigned side = 0; side < QUEUE_SIDES; side++)
        if (x->sides[side].ns != y->sides[side].ns)
            return x->sides[side].ns < y->sides[side].ns ? 1 : -1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void finish_queues(struct model *model)
{
    for (size_t i = 0; i < model->queue_count; i++)
        for (unsigned side = 0; side < QUEUE_SIDES; side++) {
            struct model_queue_side *sorted = &model->queues[i].sides[side];
            if (sorted->messages > sorted->moved)
                sorted->moved = sorted->messages;
            if (sorted->part_count)
                qsort(sorted->parts, sorted->part_count, sizeof *sorted->parts, compare_queue_parts);
        }
    if (model->queue_count)
        qsort(model->queues, model->queue_count, sizeof *model->queues, compare_queues);
}

bool model_add_queues(struct model *model, struct session *session)
{
    size_t count;
    const struct queues_waiter *waiters = queues_waiters(session->queues, &count);
    if (!read_queues(model, session))
        return false;
    for (size_t i = 0; i < queues_count(session->queues); i++)
        if (!add_look(model, queues_at(session->queues, i)))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!add_waiter(model, &waiters[i]))
            return false;
    finish_queues(model);
    return true;
}

void model_free_queues(struct model *model)
{
    for (size_t i = 0; i < model->queue_count; i++)
        for (unsigned side = 0; side < QUEUE_SIDES; side++)
            free(model->queues[i].sides[side].parts);
    free(model->queues);
}
