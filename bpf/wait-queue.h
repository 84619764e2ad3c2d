/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * liblinuxmt's queues, by its probes queue__* and wait__*. A queue is told from others by the inode of its memfd, which
 * its memory says: so it is known wherever it is mapped, also in a child that was forked with the mapping.
 */
#ifndef BPF_WAIT_QUEUE_H
#define BPF_WAIT_QUEUE_H

#include "queue.h"
#include "wait-library.h"
#include <bpf/usdt.bpf.h>

__u32 queues_used = 1;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct queue_handle);
    __type(value, __u32);
} queue_handles SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, __u64);
    __type(value, __u32);
} queue_inodes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, QUEUE_MAX);
    __type(key, __u32);
    __type(value, struct queue_stat);
} queues SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct queue_user_key);
    __type(value, struct queue_user);
} queue_users SEC(".maps");

/* In place of a large value on the stack. */
static const struct queue_user queue_no_user;

static __always_inline __u32 queue_number(const struct queue_head *head, __u32 tgid)
{
    __u32 *known = bpf_map_lookup_elem(&queue_inodes, &head->inode);
    if (known)
        return *known;
    if (queues_used >= QUEUE_MAX)
        return 0;
    __u32 index = __sync_fetch_and_add(&queues_used, 1);
    struct queue_stat *queue = bpf_map_lookup_elem(&queues, &index);
    if (!queue)
        return 0;
    if (bpf_map_update_elem(&queue_inodes, &head->inode, &index, BPF_NOEXIST)) {
        known = bpf_map_lookup_elem(&queue_inodes, &head->inode);
        return known ? *known : 0;
    }
    queue->capacity = head->capacity;
    queue->order = head->order;
    queue->tgid = tgid;
    __builtin_memcpy(queue->name, head->name, sizeof queue->name);
    queue->inode = head->inode;
    return index;
}

/* The queue at an address of the current process: its index, 0 if that is none or there is no room. */
static __always_inline __u32 queue_meet(const struct queue_handle *handle)
{
    struct queue_head head = {};
    if (bpf_probe_read_user(&head, sizeof head, (void *)handle->address) || head.magic != QUEUE_MAGIC || !head.inode)
        return 0;
    __u32 index = queue_number(&head, handle->tgid);
    if (!index || bpf_map_update_elem(&queue_handles, handle, &index, BPF_ANY)) {
        count_lost(&lost.queues);
        return 0;
    }
    tell(WAIT_NEWS_QUEUE, handle->tgid);
    return index;
}

static __always_inline __u32 queue_at(__u64 address)
{
    struct queue_handle handle = {address, current_tgid(), 0};
    __u32 *known = bpf_map_lookup_elem(&queue_handles, &handle);
    return known ? *known : queue_meet(&handle);
}

/* What the current task does with the queue at that address; NULL if it is not traced or there is no room. */
static __always_inline struct queue_user *queue_user_of(__u64 address)
{
    struct queue_user_key key = {0, slot_of(bpf_get_current_task_btf())};
    if (!recording || !key.slot)
        return NULL;
    key.queue = queue_at(address);
    if (!key.queue)
        return NULL;
    struct queue_user *user = bpf_map_lookup_elem(&queue_users, &key);
    if (user)
        return user;
    bpf_map_update_elem(&queue_users, &key, &queue_no_user, BPF_NOEXIST);
    user = bpf_map_lookup_elem(&queue_users, &key);
    if (!user)
        count_lost(&lost.queues);
    return user;
}

/* At an address that was another queue's before, too. */
SEC("usdt")
int BPF_USDT(library_queue_open, __u64 address)
{
    struct queue_handle handle = {address, current_tgid(), 0};
    if (!recording || !slot_of(bpf_get_current_task_btf()))
        return 0;
    __u32 index = queue_meet(&handle);
    struct queue_stat *queue = index ? bpf_map_lookup_elem(&queues, &index) : NULL;
    if (queue)
        queue->made = 1;
    return 0;
}

static __always_inline void queue_moved(struct queue_side *side, __u64 count)
{
    side->calls++;
    side->messages += count;
    side->last = bpf_ktime_get_ns();
}

SEC("usdt")
int BPF_USDT(library_queue_put, __u64 address, __u64 name, __u64 count, __u64 depth)
{
    struct queue_user *user = queue_user_of(address);
    if (!user)
        return 0;
    queue_moved(&user->sides[QUEUE_PUT], count);
    if (depth > user->deepest)
        user->deepest = depth;
    return 0;
}

SEC("usdt")
int BPF_USDT(library_queue_get, __u64 address, __u64 name, __u64 count)
{
    struct queue_user *user = queue_user_of(address);
    if (user)
        queue_moved(&user->sides[QUEUE_GET], count);
    return 0;
}

/* The side that such a wait is on; NULL: it is not for a message or for room. */
static __always_inline struct queue_side *queue_side_of(__u64 reason, __u64 address)
{
    __u32 kind = kind_of_library(reason);
    struct queue_user *user = kind == WAIT_KIND_PUT || kind == WAIT_KIND_GET ? queue_user_of(address) : NULL;
    if (!user)
        return NULL;
    return kind == WAIT_KIND_PUT ? &user->sides[QUEUE_PUT] : &user->sides[QUEUE_GET];
}

SEC("usdt")
int BPF_USDT(library_queue_wait_begin, __u64 task, __u64 reason, __u64 address)
{
    struct queue_side *side = queue_side_of(reason, address);
    if (side)
        side->since = bpf_ktime_get_ns();
    return 0;
}

/* One that began before the recording counts from the recording's start. */
SEC("usdt")
int BPF_USDT(library_queue_wait_end, __u64 task, __u64 reason, __u64 address, __s64 result, __u64 ns)
{
    struct queue_side *side = queue_side_of(reason, address);
    if (!side)
        return 0;
    __u64 most = bpf_ktime_get_ns() - recorded_at;
    if (ns > most)
        ns = most;
    __u32 bucket = bucket_of(ns);
    side->since = 0;
    side->waits++;
    side->ns += ns;
    if (ns > side->max)
        side->max = ns;
    if (result < 0)
        side->unmet++;
    if (bucket < WAIT_BUCKETS)
        side->buckets[bucket]++;
    return 0;
}

#endif
