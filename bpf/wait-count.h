/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Counting a wait that has ended: its entry and that of who ended it. Each belongs to one task, who alone writes it.
 */
#ifndef BPF_WAIT_COUNT_H
#define BPF_WAIT_COUNT_H

#include "wait-blocked.h"
#include "wait-task.h"

static __always_inline __u32 bucket_of(__u64 ns)
{
    __u32 bucket = 0, v = ns >> 32;
    if (v)
        bucket = 32;
    else
        v = (__u32)ns;
    if (v >= 1 << 16) {
        v >>= 16;
        bucket += 16;
    }
    if (v >= 1 << 8) {
        v >>= 8;
        bucket += 8;
    }
    if (v >= 1 << 4) {
        v >>= 4;
        bucket += 4;
    }
    if (v >= 1 << 2) {
        v >>= 2;
        bucket += 2;
    }
    bucket += v >> 1;
    return bucket < WAIT_BUCKETS ? bucket : WAIT_BUCKETS - 1;
}

static __always_inline __u64 elapsed(const struct wait_task *t, __u64 now)
{
    return now > t->since ? now - t->since : 0;
}

static __always_inline void sum_add(struct wait_sum *sum, __u64 ns)
{
    sum->count++;
    sum->ns += ns;
    if (ns > sum->max)
        sum->max = ns;
}

static __always_inline void count_wait(__u32 index, __u64 ns, __u32 handed)
{
    __u32 bucket = bucket_of(ns);
    struct wait_stat *stat = index ? bpf_map_lookup_elem(&waits, &index) : NULL;
    if (!stat) {
        count_lost(&lost.waits);
        return;
    }
    if (!stat->count || ns < stat->min)
        stat->min = ns;
    stat->count++;
    stat->ns += ns;
    stat->handed += handed;
    if (ns > stat->max)
        stat->max = ns;
    if (bucket < WAIT_BUCKETS)
        stat->buckets[bucket]++;
}

static __always_inline __u32 new_waker(const struct wait_task *t, const struct wait_waker_key *key)
{
    if (wakers_used >= max_waits)
        return 0;
    __u32 index = __sync_fetch_and_add(&wakers_used, 1);
    struct wait_waker *waker = bpf_map_lookup_elem(&wakers, &index);
    if (!waker || bpf_map_update_elem(&waker_indexes, key, &index, BPF_NOEXIST))
        return 0;
    waker->key = *key;
    waker->stack = (__s32)t->waker_stack - 1;
    if (!key->waker && key->tid)
        __builtin_memcpy(waker->comm, t->waker_comm, sizeof waker->comm);
    return index;
}

static __always_inline __u32 find_waker(struct wait_task *t, __u32 reason)
{
    struct wait_waker_key *seen = &t->seen_waker;
    struct wait_waker_key key = {t->waker, t->waker_tid, t->key.slot, reason};
    if (seen->waker == key.waker && seen->tid == key.tid && seen->reason == key.reason)
        return t->seen_waker_index;
    __u32 *index = bpf_map_lookup_elem(&waker_indexes, &key);
    *seen = key;
    t->seen_waker_index = index ? *index : new_waker(t, &key);
    return t->seen_waker_index;
}

static __always_inline void count_waker(struct wait_task *t, __u32 reason, __u64 ns)
{
    if (t->waker_tid == WAIT_WAKER_UNSEEN)
        return;
    __u32 index = find_waker(t, reason);
    struct wait_waker *waker = index ? bpf_map_lookup_elem(&wakers, &index) : NULL;
    if (!waker) {
        count_lost(&lost.wakers);
        return;
    }
    waker->count++;
    waker->ns += ns;
    if (ns > waker->max)
        waker->max = ns;
}

/* A whole wait of ns has ended. */
static __always_inline void wait_count(struct wait_task *t, __u32 reason, __u32 index, __u64 ns)
{
    if (reason < WAIT_REASONS)
        sum_add(&t->reasons[reason], ns);
    count_wait(index, ns, t->handed);
    count_waker(t, reason, ns);
}

/* A sleep that has ended is counted by the task's own next switch. One of several within a wait of liblinuxmt waits for
 * the others. */
static __always_inline void wait_settle(struct wait_task *t)
{
    __u64 ns = elapsed(t, t->woken);
    t->waiting += ns;
    if (t->hub_kept)
        note_blocked(t, ns);
    if (t->lib_sleeping)
        t->lib_ns += ns;
    else
        wait_count(t, t->reason, t->seen_index, ns);
    t->since = t->woken;
    t->pending = 0;
}

/* The wait of liblinuxmt that the task is in, if it is in one, has ended with all its sleeps. */
static __always_inline void library_settle(struct wait_task *t)
{
    if (t->pending)
        wait_settle(t);
    if (t->lib_kind && t->lib_sleeps)
        wait_count(t, t->lib_key.reason, t->lib_index, t->lib_ns);
    t->lib_kind = 0;
    t->lib_sleeps = 0;
    t->lib_ns = 0;
    t->lib_sleeping = 0;
}

#endif
