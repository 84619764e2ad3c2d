/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * liblinuxmt's hubs, by its probes hub__*: turns, sleeps, and how long each kind of operation takes.
 */
#ifndef BPF_WAIT_HUB_H
#define BPF_WAIT_HUB_H

#include "wait-coro.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CORO_HUBS);
    __type(key, __u32);
    __type(value, struct coro_hub);
} coro_hubs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct coro_op_key);
    __type(value, struct coro_op);
} coro_ops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CORO_OP_KINDS);
    __type(key, struct coro_op_kind_key);
    __type(value, struct coro_op_kind);
} coro_op_kinds SEC(".maps");

static const struct coro_hub coro_no_hub;
static const struct coro_op_kind coro_no_kind;

static __always_inline struct coro_hub *hub_of(const struct wait_task *t)
{
    __u32 slot = t->key.slot;
    struct coro_hub *hub = bpf_map_lookup_elem(&coro_hubs, &slot);
    if (hub)
        return hub;
    bpf_map_update_elem(&coro_hubs, &slot, &coro_no_hub, BPF_NOEXIST);
    hub = bpf_map_lookup_elem(&coro_hubs, &slot);
    if (!hub)
        count_lost(&lost.coros);
    return hub;
}

SEC("usdt")
int BPF_USDT(library_hub_sleep)
{
    struct wait_task *t = hub_here();
    struct coro_hub *hub = t ? hub_of(t) : NULL;
    if (!hub)
        return 0;
    t->hub_asleep = 1;
    hub->asleep = bpf_ktime_get_ns();
    hub->sleeps++;
    return 0;
}

SEC("usdt")
int BPF_USDT(library_hub_turn, __u64 tid, __u64 turns, __u64 ready, __u64 parked, __u64 submitted, __u64 completed)
{
    struct wait_task *t = hub_here();
    struct coro_hub *hub = t ? hub_of(t) : NULL;
    if (!hub)
        return 0;
    t->hub_asleep = 0;
    if (hub->asleep)
        hub->slept += bpf_ktime_get_ns() - hub->asleep;
    hub->asleep = 0;
    if (!hub->turns++) {
        hub->submitted_first = turns > 1 ? submitted : 0;
        hub->completed_first = turns > 1 ? completed : 0;
    }
    hub->ready = ready;
    hub->parked = parked;
    if (ready > hub->ready_most)
        hub->ready_most = ready;
    hub->submitted = submitted;
    hub->completed = completed;
    return 0;
}

SEC("usdt")
int BPF_USDT(library_hub_passed)
{
    struct wait_task *t = hub_here();
    struct coro_hub *hub = t ? hub_of(t) : NULL;
    if (hub)
        hub->passed++;
    return 0;
}

static __always_inline struct coro_op_kind *op_kind(__u32 slot, __u32 opcode)
{
    struct coro_op_kind_key key = {slot, opcode};
    struct coro_op_kind *kind = bpf_map_lookup_elem(&coro_op_kinds, &key);
    if (kind)
        return kind;
    bpf_map_update_elem(&coro_op_kinds, &key, &coro_no_kind, BPF_NOEXIST);
    kind = bpf_map_lookup_elem(&coro_op_kinds, &key);
    if (!kind)
        count_lost(&lost.coros);
    return kind;
}

SEC("usdt")
int BPF_USDT(library_op_begin, __u64 tid, __u64 address, __u64 opcode)
{
    struct wait_task *t = hub_here();
    if (!t)
        return 0;
    struct coro_op_key key = {address, t->tgid, 0};
    struct coro_op op = {bpf_ktime_get_ns(), (__u32)opcode, t->key.slot};
    struct coro_op_kind *kind = op_kind(t->key.slot, (__u32)opcode);
    if (kind)
        kind->begun++;
    if (bpf_map_update_elem(&coro_ops, &key, &op, BPF_ANY))
        count_lost(&lost.coros);
    return 0;
}

SEC("usdt")
int BPF_USDT(library_op_end, __u64 tid, __u64 address, __s64 result)
{
    struct wait_task *t = hub_here();
    if (!t)
        return 0;
    struct coro_op_key key = {address, t->tgid, 0};
    struct coro_op *op = bpf_map_lookup_elem(&coro_ops, &key);
    if (!op)
        return 0;
    __u64 ns = bpf_ktime_get_ns() - op->since;
    struct coro_op_kind *kind = op_kind(op->slot, op->opcode);
    bpf_map_delete_elem(&coro_ops, &key);
    if (!kind)
        return 0;
    __u32 bucket = bucket_of(ns);
    kind->count++;
    kind->ns += ns;
    if (ns > kind->max)
        kind->max = ns;
    if (result < 0)
        kind->failed++;
    if (bucket < WAIT_BUCKETS)
        kind->buckets[bucket]++;
    return 0;
}

#endif
