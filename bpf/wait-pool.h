/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * liblinuxmt's pools, by its probes pool__*. A task is known by the address of its future from when it is queued until
 * its body has returned. A worker that waits for a future may run another task meanwhile, inside its own: it is busy
 * from the outermost's start to its end.
 */
#ifndef BPF_WAIT_POOL_H
#define BPF_WAIT_POOL_H

#include "pool.h"
#include "wait-queue.h"

__u32 pools_used = 1;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, POOL_MAX);
    __type(key, struct pool_key);
    __type(value, __u32);
} pool_indexes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, POOL_MAX);
    __type(key, __u32);
    __type(value, struct pool_stat);
} pools SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct pool_task_key);
    __type(value, struct pool_task);
} pool_tasks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct pool_worker_key);
    __type(value, struct pool_worker);
} pool_workers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, POOL_FAILURES);
    __type(key, struct pool_failure_key);
    __type(value, struct pool_failure);
} pool_failures SEC(".maps");

static const struct pool_worker pool_no_worker;

static __always_inline __u32 pool_new(const struct pool_key *key)
{
    __u32 index = pools_used < POOL_MAX ? __sync_fetch_and_add(&pools_used, 1) : 0, *known;
    struct pool_stat *pool = index ? bpf_map_lookup_elem(&pools, &index) : NULL;
    if (!pool)
        return 0;
    if (bpf_map_update_elem(&pool_indexes, key, &index, BPF_NOEXIST)) {
        known = bpf_map_lookup_elem(&pool_indexes, key);
        return known ? *known : 0;
    }
    pool->key = *key;
    return index;
}

/* The index of a pool of the current process; 0 if the task is not traced, or there is no room. */
static __always_inline __u32 pool_at(__u64 address, __u64 name)
{
    struct pool_key key = {address, current_tgid(), 0, ""};
    if (!recording || !slot_of(bpf_get_current_task_btf()))
        return 0;
    bpf_probe_read_user_str(key.name, sizeof key.name, (void *)name);
    __u32 *known = bpf_map_lookup_elem(&pool_indexes, &key), index = known ? *known : pool_new(&key);
    if (!index)
        count_lost(&lost.pools);
    return index;
}

static __always_inline void pool_note_queued(__u32 index, __u64 queued)
{
    struct pool_stat *pool = bpf_map_lookup_elem(&pools, &index);
    if (!pool)
        return;
    pool->queued = (__u32)queued;
    if (pool->queued > pool->most)
        pool->most = pool->queued;
}

static __always_inline struct pool_worker *pool_worker_of(__u32 index)
{
    struct pool_worker_key key = {index, slot_of(bpf_get_current_task_btf())};
    struct pool_worker *worker = bpf_map_lookup_elem(&pool_workers, &key);
    if (worker)
        return worker;
    bpf_map_update_elem(&pool_workers, &key, &pool_no_worker, BPF_NOEXIST);
    worker = bpf_map_lookup_elem(&pool_workers, &key);
    if (!worker)
        count_lost(&lost.pools);
    return worker;
}

static __always_inline void pool_add_time(__u64 ns, __u64 *sum, __u64 *max, __u32 *buckets)
{
    __u32 bucket = bucket_of(ns);
    *sum += ns;
    if (ns > *max)
        *max = ns;
    if (bucket < WAIT_BUCKETS)
        buckets[bucket]++;
}

/* The pool's lock is held here, so nobody else is. */
SEC("usdt")
int BPF_USDT(library_pool_queued, __u64 address, __u64 name, __u64 future, __u64 body, __u64 queued, __u64 kind)
{
    __u32 index = pool_at(address, name);
    struct pool_stat *pool = index ? bpf_map_lookup_elem(&pools, &index) : NULL;
    if (!pool)
        return 0;
    struct pool_task_key key = {future, pool->key.tgid, 0};
    struct pool_task task = {bpf_ktime_get_ns(), 0, body, index, 0};
    pool->kind = (__u32)kind;
    pool->put++;
    pool_note_queued(index, queued);
    if (bpf_map_update_elem(&pool_tasks, &key, &task, BPF_ANY))
        count_lost(&lost.pools);
    return 0;
}

static __always_inline void pool_task_start(struct pool_worker *worker, __u64 future, __u64 body, __u32 index,
                                            __u64 now)
{
    struct pool_task_key key = {future, current_tgid(), 0};
    struct pool_task *known = bpf_map_lookup_elem(&pool_tasks, &key);
    if (known && known->queued_at && !known->started_at) {
        known->started_at = now;
        pool_add_time(now - known->queued_at, &worker->waited, &worker->wait_max, worker->waits);
        return;
    }
    struct pool_task task = {0, now, body, index, 0};
    if (bpf_map_update_elem(&pool_tasks, &key, &task, BPF_ANY))
        count_lost(&lost.pools);
}

SEC("usdt")
int BPF_USDT(library_pool_started, __u64 address, __u64 name, __u64 future, __u64 id, __u64 body, __u64 queued)
{
    __u32 index = pool_at(address, name);
    struct pool_worker *worker = index ? pool_worker_of(index) : NULL;
    if (!worker)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    if (!worker->nested)
        worker->since = now;
    worker->known = 1;
    worker->nested++;
    worker->started++;
    worker->body = body;
    pool_note_queued(index, queued);
    pool_task_start(worker, future, body, index, now);
    return 0;
}

static __always_inline void pool_fail(__u32 index, __u64 body, __s64 code, __u64 message, __u64 now)
{
    struct pool_failure_key key = {body, index, (__s32)code, ""};
    struct pool_failure first = {}, *failure;
    if (message)
        bpf_probe_read_user_str(key.message, sizeof key.message, (void *)message);
    bpf_map_update_elem(&pool_failures, &key, &first, BPF_NOEXIST);
    failure = bpf_map_lookup_elem(&pool_failures, &key);
    if (!failure) {
        count_lost(&lost.pools);
        return;
    }
    __sync_fetch_and_add(&failure->count, 1);
    failure->last = now;
    failure->slot = slot_of(bpf_get_current_task_btf());
}

/* A worker that is first heard of at the end of a task has been in it since before the recording. */
static __always_inline void pool_worker_ends(struct pool_worker *worker, __u64 now)
{
    if (!worker->known)
        worker->since = recorded_at;
    worker->known = 1;
    if (worker->nested)
        worker->nested--;
    if (!worker->nested && worker->since) {
        worker->busy += now - worker->since;
        worker->since = 0;
    }
}

SEC("usdt")
int BPF_USDT(library_pool_done, __u64 address, __u64 name, __u64 future, __u64 id, __s64 code, __u64 message)
{
    __u32 index = pool_at(address, name);
    struct pool_worker *worker = index ? pool_worker_of(index) : NULL;
    if (!worker)
        return 0;
    struct pool_task_key key = {future, current_tgid(), 0};
    struct pool_task *task = bpf_map_lookup_elem(&pool_tasks, &key);
    __u64 now = bpf_ktime_get_ns(), body = task ? task->body : 0;
    if (task && task->started_at)
        pool_add_time(now - task->started_at, &worker->ran, &worker->run_max, worker->runs);
    bpf_map_delete_elem(&pool_tasks, &key);
    pool_worker_ends(worker, now);
    worker->done++;
    if (code) {
        worker->failed++;
        pool_fail(index, body, code, message, now);
    }
    return 0;
}

SEC("usdt")
int BPF_USDT(library_pool_cancelled, __u64 address, __u64 name, __u64 future, __u64 queued)
{
    __u32 index = pool_at(address, name);
    struct pool_stat *pool = index ? bpf_map_lookup_elem(&pools, &index) : NULL;
    if (!pool)
        return 0;
    struct pool_task_key key = {future, pool->key.tgid, 0};
    pool->cancelled++;
    pool_note_queued(index, queued);
    bpf_map_delete_elem(&pool_tasks, &key);
    return 0;
}

#endif
