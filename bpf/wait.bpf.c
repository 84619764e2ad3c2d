/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The scheduler's view of the tasks of some processes. A traced task is in one state at a time:
 *
 *   new      made, not yet woken for the first time
 *   running  from being switched in until being switched out
 *   ready    from being woken, or switched out against its will, until being switched in
 *   waiting  from being switched out by itself until being woken
 *   dead     from its exit
 *   held     forked by mtrace itself, until the exec with which its recording begins
 *
 * and its times in these add up to its life. A wake-up of a task that has not been switched out yet ends no wait.
 *
 * Who may write a task's slot: sched_switch in every state but waiting, and whoever wakes it (under its pi_lock, so one
 * at a time) in that one: it leaves the time and its own name, and the wait is counted by the task's next sched_switch.
 * So a wait is wholly described before the state says waiting. The snapshot only fills slots that are still new. What
 * the kernel does not show is in wait-unseen.h.
 */
#include "wait-count.h"
#include "wait-hub.h"
#include "wait-library.h"
#include "wait-order.h"
#include "wait-pool.h"
#include "wait-queue.h"
#include "wait-sleep.h"
#include "wait-unseen.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Who wakes a task. What an interrupt wakes is woken by nobody, though some task is current: certain if that is the
 * idle one, if a timer or a disk ends that wait, and if the current task could not wake a private futex. Network
 * interrupts are left alone: on loopback they run in the sender's own call. */
static __always_inline void note_waker(struct wait_task *t, __u64 ns)
{
    t->waker = 0;
    t->waker_tid = current_tid();
    if (ended_by_time(t, ns) || (t->private && current_tgid() != t->tgid))
        t->waker_tid = 0;
    if (t->waker_tid)
        t->waker = slot_of(bpf_get_current_task_btf());
    if (!t->waker && t->waker_tid && t->waker_tid != t->known_waker_tid) {
        t->known_waker_tid = t->waker_tid;
        bpf_get_current_comm(t->waker_comm, sizeof t->waker_comm);
    }
}

/* Where the current task is, if it has never woken this one from such a wait. Pictures of wakers take half of the room
 * at the most: those of waits are worth more. */
static __always_inline void picture_waker(struct wait_task *t)
{
    const struct wait_waker_key *seen = &t->seen_waker;
    struct wait_waker_key key = {t->waker, t->waker_tid, t->key.slot, t->reason};
    t->waker_stack = 0;
    if ((seen->waker == key.waker && seen->tid == key.tid && seen->reason == key.reason) ||
        stacks_used >= max_stacks / 2 || bpf_map_lookup_elem(&waker_indexes, &key))
        return;
    struct task_struct *task = bpf_get_current_task_btf();
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
    struct call call;
    read_call(regs, &call);
    t->waker_stack = (__u32)(take_picture(task, regs, call.sp, current_tgid(), false) + 1);
}

/* Who takes a semaphore and gives it back uses it as a lock: it wakes others and waits itself. */
static __always_inline bool is_handed(const struct wait_task *t)
{
    const struct wait_task *waker = t->reason == WAIT_FUTEX && t->waker ? task_at(t->waker) : NULL;
    return waker && waited_for(waker, t->key.object);
}

/* The waker's part: as little as can be, for it works on another CPU's memory. */
static __always_inline void wait_end(struct wait_task *t, __u64 now)
{
    note_waker(t, elapsed(t, now));
    t->handed = is_handed(t);
    if (t->waker)
        picture_waker(t);
    else
        t->waker_stack = 0;
    if (t->lock)
        lock_leave(t, now);
    t->woken = now;
    t->pending = 1;
    t->state = WAIT_STATE_READY;
}

static __always_inline void ready_end(struct wait_task *t, __u64 ns)
{
    __u32 bucket = bucket_of(ns);
    t->ready += ns;
    t->ready_count++;
    if (ns > t->max_ready)
        t->max_ready = ns;
    if (bucket < WAIT_BUCKETS)
        t->runq[bucket]++;
}

/* A task that is ready or waits, as far as it has been seen, has the CPU until now. */
static __always_inline void switch_in_unseen(struct wait_task *t, __u64 executed, __u64 now)
{
    __u64 ns = elapsed(t, now), ran = executed - t->executed;
    if (ran > ns)
        ran = ns;
    t->running += ran;
    if (t->state == WAIT_STATE_WAITING)
        wait_end_unseen(t, now - ran);
    else
        ready_end(t, ns - ran);
}

static __always_inline void switch_out(struct wait_task *t, struct task_struct *prev, bool preempted, __u32 state,
                                       __u64 now)
{
    __u64 executed = prev->se.sum_exec_runtime;
    if (t->pending)
        wait_settle(t);
    if (t->state == WAIT_STATE_READY || t->state == WAIT_STATE_WAITING)
        switch_in_unseen(t, executed, now);
    else
        t->running += elapsed(t, now);
    t->executed = executed;
    t->since = now;
    if (preempted || state == TASK_RUNNING) {
        t->state = WAIT_STATE_READY;
        t->preempted++;
        return;
    }
    wait_begin(t, prev, state, false);
    barrier();
    t->state = WAIT_STATE_WAITING;
}

static __always_inline void switch_in(struct wait_task *t, __u64 now)
{
    if (t->state == WAIT_STATE_WAITING)
        wait_end_unseen(t, now);
    if (t->pending)
        wait_settle(t);
    if (t->state == WAIT_STATE_READY)
        ready_end(t, elapsed(t, now));
    t->state = WAIT_STATE_RUNNING;
    t->since = now;
}

static __always_inline int switched(bool preempted, struct task_struct *prev, struct task_struct *next, __u32 state)
{
    if (!recording)
        return 0;
    __u64 now = 0;
    struct wait_task *t = task_find(prev);
    if (t && t->state < WAIT_STATE_DEAD) {
        now = bpf_ktime_get_ns();
        switch_out(t, prev, preempted, state, now);
    }
    t = task_find(next);
    if (t && t->state < WAIT_STATE_DEAD)
        switch_in(t, now ? now : bpf_ktime_get_ns());
    return 0;
}

/* The tracepoint's arguments changed twice: mtrace loads the one form that this kernel's BTF describes. */
SEC("?tp_btf/sched_switch")
int BPF_PROG(switch_state_last, bool preempted, struct task_struct *prev, struct task_struct *next, unsigned int state)
{
    return switched(preempted, prev, next, state);
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(switch_state_second, bool preempted, unsigned int state, struct task_struct *prev,
             struct task_struct *next)
{
    return switched(preempted, prev, next, state);
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(switch_no_state, bool preempted, struct task_struct *prev, struct task_struct *next)
{
    return switched(preempted, prev, next, task_state(prev));
}

static __always_inline int woken(struct task_struct *task)
{
    struct wait_task *t = recording ? task_find(task) : NULL;
    if (t && t->state == WAIT_STATE_WAITING)
        wait_end(t, bpf_ktime_get_ns());
    return 0;
}

/* In the waker's own context, unlike sched_wakeup, which may come from an interrupt on the wakee's CPU. */
SEC("tp_btf/sched_waking")
int BPF_PROG(waking, struct task_struct *task)
{
    return woken(task);
}

/* For a task that was woken before it had been switched out. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(wakeup, struct task_struct *task)
{
    return woken(task);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(wakeup_new, struct task_struct *task)
{
    struct wait_task *t = recording ? task_find(task) : NULL;
    if (t && t->state == WAIT_STATE_NEW) {
        t->state = WAIT_STATE_READY;
        t->since = t->born = bpf_ktime_get_ns();
    }
    return 0;
}

static __always_inline void follow_process(__u32 tgid)
{
    __u32 none = 0;
    if (bpf_map_update_elem(&processes, &tgid, &none, BPF_NOEXIST) == 0)
        tell(WAIT_NEWS_PROCESS, tgid);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
    if (!recording)
        return 0;
    __u32 slot = slot_of(parent), tgid = tgid_of(parent);
    if (!slot && !bpf_map_lookup_elem(&processes, &tgid))
        return 0;
    struct wait_task *p = slot ? task_at(slot) : NULL, *t = task_add(child, slot);
    if (p && t) {
        t->flags |= p->flags;
        __builtin_memcpy(t->name, p->name, sizeof t->name);
    }
    if (child->tgid != child->pid)
        return 0;
    follow_process(tgid_of(child));
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(execed, struct task_struct *task, int old_tid)
{
    struct wait_task *t = recording ? task_find(task) : NULL;
    if (!t)
        return 0;
    struct ns_tid id;
    __u32 slot = t->key.slot;
    /* A thread that is not the first takes over the first one's id. */
    t->tid = tid_of(task);
    read_ns_tid(task, &id);
    t->ns_tid = id.tid;
    bpf_map_update_elem(&tids, &id, &slot, BPF_ANY);
    bpf_core_read(t->comm, sizeof t->comm, &task->comm);
    t->flags = 0;
    t->is_hub = 0;
    t->hub_asleep = 0;
    t->hub_kept = 0;
    see_running(t);
    library_settle(t);
    t->name[0] = 0;
    if (t->state == WAIT_STATE_HELD) {
        t->born = t->since = launched_at = bpf_ktime_get_ns();
        t->state = WAIT_STATE_RUNNING;
    }
    tell(WAIT_NEWS_EXEC, t->tgid);
    return 0;
}

/* Whether a task that exits was killed in its last wait, which has no end then: it is still in that system call. */
static __always_inline bool died_waiting(const struct wait_task *t, struct task_struct *task)
{
    struct call call;
    read_call((struct pt_regs *)bpf_task_pt_regs(task), &call);
    return t->key.call != CALL_NONE && call.number == t->key.call && call.sp == t->key.sp;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
    struct wait_task *t = recording ? task_find(task) : NULL;
    if (!t || t->state == WAIT_STATE_DEAD)
        return 0;
    struct ns_tid id = {t->ns_inum, t->ns_tid};
    t->ended = bpf_ktime_get_ns();
    t->exit_code = task->exit_code;
    if (died_waiting(t, task))
        t->flags |= WAIT_TASK_DIED;
    if (t->pending)
        wait_settle(t);
    if (t->state == WAIT_STATE_RUNNING)
        t->running += elapsed(t, t->ended);
    else if (t->state == WAIT_STATE_READY || t->state == WAIT_STATE_WAITING)
        switch_in_unseen(t, task->se.sum_exec_runtime, t->ended);
    library_settle(t);
    t->state = WAIT_STATE_DEAD;
    bpf_core_read(t->comm, sizeof t->comm, &task->comm);
    bpf_map_delete_elem(&tids, &id);
    if (__sync_fetch_and_add(&tasks_alive, -1) == 1)
        tell(WAIT_NEWS_EXIT, t->tgid);
    return 0;
}

/* Those who are there when the recording starts. Before that pass 0 tells where mtrace itself is. The first pass gives
 * them their slots, by which owners are known; the second finds what the sleeping ones sleep for. Run once more at the
 * end, it reads the names that threads have given themselves. */
SEC("iter.s/task")
int snapshot(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    if (!task)
        return 0;
    if (!snapshot_pass) {
        note_own_namespace();
        return 0;
    }
    __u32 tgid = tgid_of(task), state = task_state(task);
    if (!bpf_map_lookup_elem(&processes, &tgid) || state & TASK_DEAD_STATES)
        return 0;
    if (snapshot_pass == 1) {
        struct wait_task *fresh = task_add(task, 0);
        if (fresh && tgid == launched)
            fresh->state = WAIT_STATE_HELD;
        return 0;
    }
    struct wait_task *t = task_find(task);
    if (!t)
        return 0;
    bpf_core_read(t->comm, sizeof t->comm, &task->comm);
    if (t->state != WAIT_STATE_NEW || !recording)
        return 0;
    if (state == TASK_RUNNING) {
        t->state = WAIT_STATE_READY;
    } else {
        wait_begin(t, task, state, true);
        barrier();
        t->state = WAIT_STATE_WAITING;
    }
    return 0;
}
