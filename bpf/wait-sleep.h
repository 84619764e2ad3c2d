/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * A task goes to sleep: what it waits for, decoded from its system call and its registers, and one picture of its stack
 * for each place where it waits. The picture is a bounded slice of the user stack with the registers: libc keeps no
 * frame pointers, so mtrace unwinds it by the unwind tables. It is taken once for a (task, object, stack pointer),
 * never again.
 *
 * remote: the task is not the current one (the snapshot of those asleep when the recording starts), and reading may
 * sleep.
 */
#ifndef BPF_WAIT_SLEEP_H
#define BPF_WAIT_SLEEP_H

#include "wait-lock.h"

#define MODE_TYPE        0170000
#define MODE_SOCKET      0140000
#define MODE_PIPE        0010000
#define MODE_CHARACTER   0020000
#define ANON_INODE_MAGIC 0x09041934

static __always_inline struct inode *inode_of_fd(struct task_struct *task, __u32 fd)
{
    struct files_struct *files = task->files;
    struct fdtable *table = files ? files->fdt : NULL;
    struct file *file = NULL;
    if (!table || fd >= table->max_fds)
        return NULL;
    bpf_probe_read_kernel(&file, sizeof file, table->fd + fd);
    return file ? BPF_CORE_READ(file, f_inode) : NULL;
}

static __always_inline void decode_fd(struct wait_task *t, const struct call *call, struct task_struct *task)
{
    struct inode *inode = inode_of_fd(task, (__u32)call->arg[0]);
    t->key.reason = WAIT_FILE;
    if (!inode)
        return;
    t->key.object = BPF_CORE_READ(inode, i_ino);
    __u16 type = BPF_CORE_READ(inode, i_mode) & MODE_TYPE;
    if (type == MODE_SOCKET)
        t->key.reason = WAIT_SOCKET;
    else if (type == MODE_PIPE)
        t->key.reason = WAIT_PIPE;
    else if (type == MODE_CHARACTER || BPF_CORE_READ(inode, i_sb, s_magic) == ANON_INODE_MAGIC)
        t->key.reason = WAIT_EVENT;
    else
        t->key.object = (__u32)call->arg[0]; /* who reads a thousand files has few descriptors for them */
}

static __always_inline __u8 reason_of_class(int class)
{
    switch (class) {
    case CALL_SLEEP:
        return WAIT_SLEEP;
    case CALL_SIGNAL:
        return WAIT_SIGNAL;
    case CALL_POLL:
        return WAIT_POLL;
    case CALL_CHILD:
        return WAIT_CHILD;
    case CALL_URING:
        return WAIT_URING;
    case CALL_ACCEPT:
        return WAIT_ACCEPT;
    case CALL_FILE:
        return WAIT_FILE;
    case CALL_MEMORY:
        return WAIT_FAULT;
    default:
        return WAIT_OTHER;
    }
}

static __always_inline bool is_owned_kind(__u32 kind)
{
    return kind == WAIT_KIND_MTLOCK || kind == WAIT_KIND_READ || kind == WAIT_KIND_WRITE;
}

/* A read-write lock of liblinuxmt: its writer, or that there are readers. */
static __always_inline void judge_library_rwlock(struct wait_task *t, struct task_struct *task, bool remote)
{
    struct library_rwlock lock = {};
    t->holder = 0;
    t->gone = 0;
    t->place = 0;
    if (read_user(&lock, sizeof lock, t->lib_object, task, remote))
        return;
    if (lock.state & LIBRARY_WRITER)
        set_owner(t, lock.owner, t->private);
    else if (lock.state & LIBRARY_READERS)
        t->holder = WAIT_READERS;
}

/* What liblinuxmt's own words for it say goes before what the system call looks like. */
static __always_inline void decode_library(struct wait_task *t, struct task_struct *task, bool remote, __u64 *name)
{
    t->key.object = t->lib_kind == WAIT_KIND_JOIN ? 0 : t->lib_object;
    t->key.kind = t->lib_kind;
    t->key.reason = is_owned_kind(t->lib_kind) ? WAIT_LOCK : t->lib_kind == WAIT_KIND_SLEEP ? WAIT_SLEEP : WAIT_FUTEX;
    *name = t->lib_name;
    if (t->key.reason != WAIT_LOCK)
        t->gone = 0;
    else if (t->lib_kind != WAIT_KIND_MTLOCK)
        judge_library_rwlock(t, task, remote);
    else if (!t->holder)
        set_owner(t, t->lib_owner, t->private);
    t->lib_sleeping = 1;
    if (t->lib_sleeps)
        t->key = t->lib_key;
}

/* Of the calls that take it as a number. */
static __always_inline __u32 poll_timeout(const struct call *call)
{
    __s32 timeout = 0;
    if (call->number == NR_EPOLL_PWAIT || call->number == NR_EPOLL_WAIT)
        timeout = (__s32)call->arg[3];
    else if (call->number == NR_POLL)
        timeout = (__s32)call->arg[2];
    return timeout > 0 ? timeout : 0;
}

static __always_inline void decode_call(struct wait_task *t, struct call *call, struct task_struct *task, bool remote,
                                        bool *shared, __u64 *name)
{
    __u32 number = (__u32)call->number;
    if (number >= CALL_NUMBERS) {
        t->key.reason = WAIT_FAULT;
        t->key.call = CALL_NONE;
        return;
    }
    int class = call_class(number);
    t->key.call = number;
    if (call->packed) {
        __u32 fd = 0;
        read_user(&fd, sizeof fd, call->packed, task, remote);
        call->arg[0] = fd;
    }
    if (class == CALL_FUTEX || class == CALL_FUTEX_WAITV || class == CALL_FUTEX_WAIT) {
        decode_futex(t, call, class, task, remote, shared, name);
        if (t->lib_kind)
            decode_library(t, task, remote, name);
    } else if (class == CALL_FD) {
        decode_fd(t, call, task);
    } else {
        t->key.reason = reason_of_class(class);
        t->timeout_ms = poll_timeout(call);
        if (t->key.reason == WAIT_OTHER)
            t->key.object = number;
    }
}

/* The stack pointer's slice, or as much as there is of it. */
static __always_inline __u32 read_stack(struct wait_stack *picture, __u64 sp, struct task_struct *task, bool remote)
{
    if (!read_user(picture->bytes, WAIT_STACK_BYTES, sp, task, remote))
        return WAIT_STACK_BYTES;
    if (!read_user(picture->bytes, 1024, sp, task, remote))
        return 1024;
    return read_user(picture->bytes, 256, sp, task, remote) ? 0 : 256;
}

static __always_inline __s32 take_picture(struct task_struct *task, struct pt_regs *regs, __u64 sp, __u32 tgid,
                                          bool remote)
{
    if (stacks_used >= max_stacks) {
        count_lost(&lost.stacks);
        return -1;
    }
    __u32 index = __sync_fetch_and_add(&stacks_used, 1);
    struct wait_stack *picture = bpf_map_lookup_elem(&stacks, &index);
    if (!picture) {
        count_lost(&lost.stacks);
        return -1;
    }
    picture->tgid = tgid;
    __u32 size = bpf_core_type_size(struct pt_regs);
    if (size > sizeof picture->regs)
        size = sizeof picture->regs;
    bpf_probe_read_kernel(picture->regs, size, regs);
    picture->size = read_stack(picture, sp, task, remote);
    tell(WAIT_NEWS_STACK, tgid);
    return index;
}

/* A new entry for the task's wait. NULL if there is no room. */
static __always_inline struct wait_stat *new_wait(struct wait_task *t)
{
    if (waits_used >= max_waits)
        return NULL;
    __u32 index = __sync_fetch_and_add(&waits_used, 1);
    struct wait_stat *stat = bpf_map_lookup_elem(&waits, &index);
    if (!stat || bpf_map_update_elem(&wait_indexes, &t->key, &index, BPF_NOEXIST))
        return NULL;
    t->seen_index = index;
    stat->key = t->key;
    stat->stack = stat->fd = -1;
    return stat;
}

/* Not the same wait as last time: finds its entry, or makes one with all that is only read once. */
static __always_inline void describe_wait(struct wait_task *t, struct task_struct *task, struct pt_regs *regs,
                                          const struct call *call, bool remote, bool shared, __u64 name)
{
    __u32 *index = bpf_map_lookup_elem(&wait_indexes, &t->key);
    t->seen = t->key;
    t->seen_index = index ? *index : 0;
    if (index)
        return;
    struct wait_stat *stat = new_wait(t);
    if (!stat)
        return;
    stat->shared = shared;
    if (call_class(t->key.call) == CALL_FD)
        stat->fd = (__s32)call->arg[0];
    if (name && remote)
        bpf_copy_from_user_task(stat->name, sizeof stat->name - 1, (void *)name, task, 0);
    else if (name)
        bpf_probe_read_user_str(stat->name, sizeof stat->name, (void *)name);
    stat->stack = take_picture(task, regs, call->sp, t->tgid, remote);
}

static __always_inline bool same_key(const struct wait_key *a, const struct wait_key *b)
{
    return a->object == b->object && a->sp == b->sp && a->reason == b->reason && a->kind == b->kind &&
           a->call == b->call;
}

/* The entries of the wait and of the lock that it is for: mostly those of the last one. */
static __always_inline void find_wait(struct wait_task *t, struct task_struct *task, struct pt_regs *regs,
                                      const struct call *call, bool remote, bool shared, __u64 name)
{
    if (same_key(&t->key, &t->seen))
        return;
    if (t->key.reason == WAIT_FUTEX && !waited_for(t, t->key.object))
        t->waited[t->waited_next++ % WAIT_REMEMBERED] = t->key.object;
    describe_wait(t, task, regs, call, remote, shared, name);
    t->seen_lock = t->key.reason == WAIT_LOCK ? lock_index(t, shared) : 0;
}

/* Called before the task's state says waiting. */
static __always_inline void wait_begin(struct wait_task *t, struct task_struct *task, __u32 state, bool remote)
{
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
    struct call call = {};
    bool shared = false;
    __u64 name = 0;

    t->key.object = 0;
    t->key.kind = 0;
    t->key.sp = 0;
    t->key.call = CALL_NONE;
    t->lock = 0;
    t->left_lock = 0;
    t->holder = 0;
    t->gone = 0;
    t->timed = 0;
    t->place = 0;
    t->lib_sleeping = 0;
    t->hub_kept = t->is_hub && !t->hub_asleep;
    t->hub_keeper = t->hub_coro;
    t->private = 0;
    t->timeout_ms = 0;
    if (task->flags & (PF_KTHREAD | PF_IO_WORKER)) {
        t->key.reason = t->reason = WAIT_URING;
        return;
    }
    read_call(regs, &call);
    t->key.sp = call.sp;
    if (state & (TASK_STOPPED | TASK_TRACED)) {
        t->key.reason = WAIT_STOPPED;
        t->key.object = state & TASK_TRACED;
    } else if (call.number == NR_RESTART && t->seen.sp == call.sp) {
        t->key = t->seen; /* a sleep that the kernel itself interrupted goes on */
    } else {
        decode_call(t, &call, task, remote, &shared, &name);
    }
    if ((t->key.reason == WAIT_FILE || t->key.reason == WAIT_FAULT || t->key.reason == WAIT_OTHER) &&
        BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait))
        t->key.reason = WAIT_DISK;

    t->reason = t->key.reason;
    if (!t->lib_sleeping || !t->lib_sleeps)
        find_wait(t, task, regs, &call, remote, shared, name);
    if (t->lib_sleeping && !t->lib_sleeps++) {
        t->lib_key = t->key;
        t->lib_index = t->seen_index;
        t->lib_lock = t->seen_lock;
        t->lib_ns = 0;
    }
    t->lock = t->lib_sleeping ? t->lib_lock : t->key.reason == WAIT_LOCK ? t->seen_lock : 0;
    if (t->lock)
        lock_enter(t, task, remote);
}

#endif
