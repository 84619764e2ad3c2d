/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * liblinuxmt's coroutines, by its probes coro__* and wait__*. A coroutine is in one state at a time:
 *
 *   ready     from its spawn, its unpark or its yield until it is switched to
 *   running   until it parks, yields or ends: it has the hub's thread, whatever that does meanwhile
 *   waiting   from its park until its unpark; what for, wait__begin has said
 *   dead
 *
 * One that is there before the recording is met at its first event, which also says what it has been since the start.
 */
#ifndef BPF_WAIT_CORO_H
#define BPF_WAIT_CORO_H

#include "wait-blocked.h"
#include "wait-count.h"
#include "wait-sleep.h"
#include <bpf/usdt.bpf.h>

#define REASON_IO 18 /* enum mt_reason */

__u64 recorded_at; /* since when it is recorded */
__u32 coros_kept;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct coro_key);
    __type(value, struct coro);
} coros SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CORO_BODIES);
    __type(key, struct coro_body_key);
    __type(value, struct coro_sum);
} coro_bodies SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct coro_wait_key);
    __type(value, struct coro_wait);
} coro_waits SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CORO_PLACES);
    __type(key, struct coro_place_key);
    __type(value, __s32);
} coro_places SEC(".maps");

/* In place of large values on the stack. */
static const struct coro coro_none;
static const struct coro_wait coro_no_wait;

/* The current task as a hub; NULL: it is not traced. A wait that began before it was known to be one is a coroutine's,
 * not the thread's. */
static __always_inline struct wait_task *hub_here(void)
{
    struct wait_task *t = recording ? task_find(bpf_get_current_task_btf()) : NULL;
    if (t && !t->is_hub) {
        t->is_hub = 1;
        t->flags |= WAIT_TASK_LINUXMT;
        t->lib_kind = 0;
        t->lib_sleeps = 0;
        t->lib_sleeping = 0;
        tell(WAIT_NEWS_STACK, t->tgid); /* its code is mapped by now */
    }
    return t;
}

static __always_inline struct coro *coro_find(const struct wait_task *t, __u64 id)
{
    struct coro_key key = {id, t->tgid, 0};
    return bpf_map_lookup_elem(&coros, &key);
}

/* state: what it was until now, if this is the first that is heard of it. NULL: there is no room. */
static __always_inline struct coro *coro_meet(const struct wait_task *t, __u64 id, __u32 state)
{
    struct coro_key key = {id, t->tgid, 0};
    struct coro *c = bpf_map_lookup_elem(&coros, &key);
    if (c)
        return c;
    bpf_map_update_elem(&coros, &key, &coro_none, BPF_NOEXIST);
    c = bpf_map_lookup_elem(&coros, &key);
    if (!c) {
        count_lost(&lost.coros);
        return NULL;
    }
    c->key = key;
    c->slot = t->key.slot;
    c->state = state;
    c->since = c->born = t->born > recorded_at ? t->born : recorded_at;
    return c;
}

static __always_inline void coro_move(struct coro *c, __u32 state, __u64 now)
{
    __u64 ns = now > c->since ? now - c->since : 0;
    if (c->state == CORO_RUNNING) {
        c->running += ns;
        c->runs++;
        if (ns > c->longest_run)
            c->longest_run = ns;
    } else if (c->state == CORO_READY) {
        c->ready += ns;
        if (ns > c->longest_ready)
            c->longest_ready = ns;
    } else if (c->state == CORO_WAITING) {
        c->waiting += ns;
    }
    c->state = state;
    c->since = now;
}

SEC("usdt")
int BPF_USDT(library_coro_spawn, __u64 id, __u64 name, __u64 hub, __u64 body, __u64 spawner, __u64 shows)
{
    struct wait_task *t = hub_here();
    struct coro *c = t ? coro_meet(t, id, CORO_READY) : NULL;
    if (!c)
        return 0;
    c->since = c->born = bpf_ktime_get_ns();
    c->body = body;
    c->spawner = spawner;
    c->made = 1;
    c->shows = (__u32)shows;
    if (name)
        bpf_probe_read_user_str(c->name, sizeof c->name, (void *)name);
    return 0;
}

/* By anybody of its process; of threads the kernel knows. */
SEC("usdt")
int BPF_USDT(library_task_name, __u64 id, __u64 name)
{
    struct wait_task *t = recording ? task_find(bpf_get_current_task_btf()) : NULL;
    struct coro *c = t ? coro_find(t, id) : NULL;
    if (c)
        bpf_probe_read_user_str(c->name, sizeof c->name, (void *)name);
    return 0;
}

SEC("usdt")
int BPF_USDT(library_coro_switch, __u64 from, __u64 to, __u64 why, __u64 ready, __u64 top)
{
    struct wait_task *t = hub_here();
    if (!t)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    /* One that has ended may be forgotten. One that waits and is first heard of here has parked before the recording:
     * its hub has slept on its stack since. */
    struct coro *c = why == 2 ? coro_find(t, from) : coro_meet(t, from, why == 1 ? CORO_WAITING : CORO_RUNNING);
    if (c && c->state == CORO_RUNNING)
        coro_move(c, why == 1 ? CORO_WAITING : why == 2 ? CORO_DEAD : CORO_READY, now);
    c = coro_meet(t, to, CORO_READY);
    if (c) {
        coro_move(c, CORO_RUNNING, now);
        c->top = top;
        if (from != to)
            c->switches++;
    }
    t->hub_coro = to;
    return 0;
}

SEC("usdt")
int BPF_USDT(library_coro_park, __u64 id)
{
    struct wait_task *t = hub_here();
    struct coro *c = t ? coro_meet(t, id, CORO_RUNNING) : NULL;
    if (!c)
        return 0;
    coro_move(c, CORO_WAITING, bpf_ktime_get_ns());
    return 0;
}

SEC("usdt")
int BPF_USDT(library_coro_unpark, __u64 id)
{
    struct wait_task *t = hub_here();
    struct coro *c = t ? coro_meet(t, id, CORO_WAITING) : NULL;
    if (!c)
        return 0;
    if (c->state == CORO_READY) /* it was to begin later: that was no wait for the hub */
        c->state = CORO_WAITING;
    coro_move(c, CORO_READY, bpf_ktime_get_ns());
    return 0;
}

static __always_inline void coro_fold(const struct coro *c)
{
    struct coro_body_key key = {c->body, c->key.tgid, c->slot};
    struct coro_sum first = {}, *sum;
    bpf_map_update_elem(&coro_bodies, &key, &first, BPF_NOEXIST);
    sum = bpf_map_lookup_elem(&coro_bodies, &key);
    if (!sum) {
        count_lost(&lost.coros);
        return;
    }
    sum->count++;
    sum->failed += c->outcome != 0;
    sum->running += c->running;
    sum->ready += c->ready;
    sum->waiting += c->waiting;
    sum->switches += c->switches;
    if (c->longest_run > sum->longest_run)
        sum->longest_run = c->longest_run;
}

SEC("usdt")
int BPF_USDT(library_coro_exit, __u64 id, __u64 hub, __s64 outcome)
{
    struct wait_task *t = hub_here();
    struct coro *c = t ? coro_meet(t, id, CORO_RUNNING) : NULL;
    if (!c)
        return 0;
    coro_move(c, CORO_DEAD, bpf_ktime_get_ns());
    c->ended = c->since;
    c->outcome = outcome;
    c->reason = 0;
    if (coros_kept < CORO_KEPT) {
        __sync_fetch_and_add(&coros_kept, 1);
        return 0;
    }
    struct coro_key key = {id, t->tgid, 0};
    coro_fold(c);
    bpf_map_delete_elem(&coros, &key);
    return 0;
}

/* -- What it waits for -------------------------------------------------------------------------------------------- */

static __always_inline void coro_wait_begin(struct wait_task *t, __u64 id, __u64 reason, __u64 object, __u64 name,
                                            __u64 owner, __u64 place)
{
    struct coro *c = coro_meet(t, id, CORO_RUNNING);
    if (!c)
        return;
    c->reason = (__u32)reason;
    c->object = object;
    c->owner = (__u32)owner;
    c->began = bpf_ktime_get_ns();
    if (name != c->name_at) {
        c->wait_name[0] = 0;
        if (name)
            bpf_probe_read_user_str(c->wait_name, sizeof c->wait_name, (void *)name);
        c->name_at = name;
    }
    if (place != c->place_at) {
        c->wait_place[0] = 0;
        if (place)
            bpf_probe_read_user_str(c->wait_place, sizeof c->wait_place, (void *)place);
        c->place_at = place;
    }
}

/* While it is open: it may be closed right after the wait. */
static __always_inline __u32 reason_of_fd(__u64 fd)
{
    struct inode *inode = inode_of_fd(bpf_get_current_task_btf(), (__u32)fd);
    __u16 type = inode ? BPF_CORE_READ(inode, i_mode) & MODE_TYPE : 0;
    if (type == MODE_SOCKET)
        return WAIT_SOCKET;
    return type == MODE_PIPE ? WAIT_PIPE : 0;
}

/* A picture of its stack, the first one of that place; -1: none. A half of them is left for threads. */
static __always_inline __s32 coro_picture(const struct coro *c, struct pt_regs *regs, __u64 reason)
{
    __u64 sp = PT_REGS_SP(regs);
    struct coro_place_key key = {c->body, c->place_at, c->top - sp, c->key.tgid, (__u32)reason};
    __s32 *known = bpf_map_lookup_elem(&coro_places, &key), picture;
    if (known)
        return *known;
    if (stacks_used >= max_stacks / 2)
        return -1;
    picture = take_picture(bpf_get_current_task_btf(), regs, sp, c->key.tgid, false);
    bpf_map_update_elem(&coro_places, &key, &picture, BPF_NOEXIST);
    return picture;
}

static __always_inline struct coro_wait *coro_wait_of(const struct coro *c, struct pt_regs *regs, __u64 reason,
                                                      __u64 object)
{
    struct coro_wait_key key = {c->key.id, object, c->place_at, c->key.tgid, (__u32)reason, c->reason ? c->owner : 0,
                                0};
    struct coro_wait *wait = bpf_map_lookup_elem(&coro_waits, &key);
    if (wait)
        return wait;
    bpf_map_update_elem(&coro_waits, &key, &coro_no_wait, BPF_NOEXIST);
    wait = bpf_map_lookup_elem(&coro_waits, &key);
    if (!wait) {
        count_lost(&lost.coros);
        return NULL;
    }
    wait->slot = c->slot;
    wait->stack = coro_picture(c, regs, reason);
    if (reason == REASON_IO)
        wait->file = reason_of_fd(object);
    __builtin_memcpy(wait->name, c->wait_name, sizeof wait->name);
    __builtin_memcpy(wait->place, c->wait_place, sizeof wait->place);
    return wait;
}

/* The memory of names is only known to be there while it waits: it is not read again. One that began before the
 * recording counts from the recording's start. */
static __always_inline void coro_wait_end(struct wait_task *t, struct pt_regs *regs, __u64 id, __u64 reason,
                                          __u64 object, __s64 result, __u64 ns)
{
    struct coro *c = coro_find(t, id);
    if (!c || c->state == CORO_DEAD)
        return;
    __u64 now = bpf_ktime_get_ns(), most = now > recorded_at ? now - recorded_at : 0;
    if (c->state != CORO_RUNNING)
        coro_move(c, CORO_RUNNING, now);
    if (!c->reason) {
        c->place_at = 0;
        c->name_at = 0;
        c->wait_place[0] = 0;
        c->wait_name[0] = 0;
    }
    struct coro_wait *wait = coro_wait_of(c, regs, reason, object);
    c->reason = 0;
    if (!wait)
        return;
    if (ns > most)
        ns = most;
    __u32 bucket = bucket_of(ns);
    wait->count++;
    wait->ns += ns;
    if (ns > wait->max)
        wait->max = ns;
    if (result < 0)
        wait->unmet++;
    if (bucket < WAIT_BUCKETS)
        wait->buckets[bucket]++;
}

#endif
