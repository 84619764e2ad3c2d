/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The maps of wait.bpf.c and how a task gets its slot. A task is traced if and only if its task storage holds a slot:
 * that is the one test by which all programs leave early. It dies with the task, so that a thread id used again means
 * nothing here.
 *
 * Slots are never used again while a recording lasts. A task that finds none is counted and not traced; its children
 * are, if there is room by then, as their process is in the map of processes.
 */
#ifndef BPF_WAIT_TASK_H
#define BPF_WAIT_TASK_H

#include "kernel.h"
#include "wait.h"

/* Sizes are set before load; the map definitions carry the least. */
const volatile __u32 max_tasks = 2;
const volatile __u32 max_stacks = 2;
const volatile __u32 max_waits = 2;

bool recording;
__u32 snapshot_pass;
__u32 tasks_used = 1; /* slot 0 is nobody */
__u32 waits_used = 1, wakers_used = 1, locks_used = 1;
__u32 stacks_used;
__u32 tasks_alive;
__u32 own_level, own_inum; /* mtrace's own PID namespace; the machine's first one is level 0 */
__u32 launched;            /* the process that is held until its exec, 0: none */
__u64 launched_at;
struct wait_lost lost;

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u32);
} slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct wait_task);
} tasks SEC(".maps");

/* The processes followed. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, __u32);
} processes SEC(".maps");

/* (PID namespace, thread id in it) -> slot: what an owner recorded in user memory means. */
struct ns_tid {
    __u32 inum, tid;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct ns_tid);
    __type(value, __u32);
} tids SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct wait_key);
    __type(value, __u32);
} wait_indexes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct wait_stat);
} waits SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct wait_lock_key);
    __type(value, __u32);
} lock_indexes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct wait_lock);
} locks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct wait_holder_key);
    __type(value, struct wait_holder);
} holders SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2);
    __type(key, struct wait_waker_key);
    __type(value, __u32);
} waker_indexes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct wait_waker);
} wakers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct wait_stack);
} stacks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024);
} news SEC(".maps");

static __always_inline void count_lost(__u64 *counter)
{
    __sync_fetch_and_add(counter, 1);
}

static __always_inline void tell(__u32 kind, __u32 tgid)
{
    struct wait_news item = {kind, tgid};
    if (bpf_ringbuf_output(&news, &item, sizeof item, 0))
        count_lost(&lost.news);
}

static __always_inline __u32 slot_of(struct task_struct *task)
{
    __u32 *slot = bpf_task_storage_get(&slots, task, 0, 0);
    return slot ? *slot : 0;
}

static __always_inline struct wait_task *task_at(__u32 slot)
{
    return bpf_map_lookup_elem(&tasks, &slot);
}

/* Whether the task waited for this lately. */
static __always_inline bool waited_for(const struct wait_task *t, __u64 object)
{
    bool known = false;
    for (__u32 i = 0; i < WAIT_REMEMBERED; i++)
        known |= t->waited[i] == object;
    return known;
}

/* The task's slot, or NULL if it is not traced. */
static __always_inline struct wait_task *task_find(struct task_struct *task)
{
    __u32 slot = slot_of(task);
    return slot ? task_at(slot) : NULL;
}

static __always_inline void read_upid(struct pid *pid, __u32 level, struct upid *upid)
{
    bpf_core_read(upid, bpf_core_type_size(struct upid),
                  (void *)pid + bpf_core_field_offset(pid->numbers) + level * bpf_core_type_size(struct upid));
}

/* The number of a thread as mtrace's own PID namespace has it; 0 if it is not in there. */
static __always_inline __u32 tid_of(struct task_struct *task)
{
    struct upid upid = {};
    if (!own_level)
        return BPF_CORE_READ(task, pid);
    struct pid *pid = BPF_CORE_READ(task, thread_pid);
    if (!pid || BPF_CORE_READ(pid, level) < own_level)
        return 0;
    read_upid(pid, own_level, &upid);
    return BPF_CORE_READ(upid.ns, ns.inum) == own_inum ? upid.nr : 0;
}

static __always_inline __u32 tgid_of(struct task_struct *task)
{
    return own_level ? tid_of(BPF_CORE_READ(task, group_leader)) : BPF_CORE_READ(task, tgid);
}

static __always_inline __u32 current_tgid(void)
{
    return own_level ? tgid_of(bpf_get_current_task_btf()) : bpf_get_current_pid_tgid() >> 32;
}

/* Who runs now, 0 for a CPU that idles. Somebody whom mtrace's PID namespace does not have goes by the machine's
 * number, which tells it from others. */
static __always_inline __u32 current_tid(void)
{
    __u32 tid = own_level ? tid_of(bpf_get_current_task_btf()) : 0;
    return tid ? tid : (__u32)bpf_get_current_pid_tgid();
}

/* Called in mtrace's own context. */
static __always_inline void note_own_namespace(void)
{
    struct pid *pid = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid);
    struct upid upid = {};
    own_level = BPF_CORE_READ(pid, level);
    read_upid(pid, own_level, &upid);
    own_inum = BPF_CORE_READ(upid.ns, ns.inum);
}

/* Reads which thread the task is to itself: its id in its own PID namespace. */
static __always_inline void read_ns_tid(struct task_struct *task, struct ns_tid *id)
{
    struct pid *pid = BPF_CORE_READ(task, thread_pid);
    struct upid upid = {};
    read_upid(pid, BPF_CORE_READ(pid, level), &upid);
    id->tid = upid.nr;
    id->inum = BPF_CORE_READ(upid.ns, ns.inum);
}

static __always_inline void task_fill(struct wait_task *t, struct task_struct *task, __u32 slot, __u32 parent)
{
    struct ns_tid id;
    t->tid = tid_of(task);
    t->tgid = tgid_of(task);
    t->parent = parent;
    __u32 *flags = bpf_map_lookup_elem(&processes, &t->tgid);
    t->flags = flags ? *flags : 0;
    t->born = t->since = bpf_ktime_get_ns();
    t->executed = BPF_CORE_READ(task, se.sum_exec_runtime);
    t->state = WAIT_STATE_NEW;
    t->key.slot = slot;
    bpf_core_read(t->comm, sizeof t->comm, &task->comm);
    read_ns_tid(task, &id);
    t->ns_tid = id.tid;
    t->ns_inum = id.inum;
    bpf_map_update_elem(&tids, &id, &slot, BPF_ANY);
    __sync_fetch_and_add(&tasks_alive, 1);
}

/* Gives a task its slot, if it has none. Two programs may meet here over one task: the storage decides. */
static __always_inline struct wait_task *task_add(struct task_struct *task, __u32 parent)
{
    __u32 *own = bpf_task_storage_get(&slots, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!own) {
        count_lost(&lost.tasks);
        return NULL;
    }
    if (*own)
        return task_at(*own);

    if (tasks_used >= max_tasks) {
        count_lost(&lost.tasks);
        return NULL;
    }
    __u32 slot = __sync_fetch_and_add(&tasks_used, 1);
    struct wait_task *t = task_at(slot);
    if (!t) {
        count_lost(&lost.tasks);
        return NULL;
    }
    if (__sync_val_compare_and_swap(own, 0, slot))
        return NULL;
    task_fill(t, task, slot, parent);
    return t;
}

#endif
