/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * One small program for each kind of hook that mtrace uses, so that "mtrace doctor" can try them one by one: they are
 * loaded and attached for a moment, and count what they see to show that they run.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

__u64 switches;
__u64 tasks;
__u64 calls;
__u32 doctor_tgid;
bool read_user;

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} of_task SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("tp_btf/sched_switch")
int on_switch(void *context)
{
    (void)context;
    __sync_fetch_and_add(&switches, 1);
    return 0;
}

SEC("tp_btf/sched_switch")
int on_switch_storage(void *context)
{
    (void)context;
    __u64 *count = bpf_task_storage_get(&of_task, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (count)
        ++*count;
    return 0;
}

SEC("tp_btf/sched_switch")
int on_switch_ring(void *context)
{
    (void)context;
    __u64 *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event)
        bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
    return 0;
}

SEC("iter.s/task")
int on_task(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    __u64 word;
    if (!task || (__u32)task->tgid != doctor_tgid)
        return 0;
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
    void *stack = (void *)BPF_CORE_READ(regs, sp);
    tasks++;
    read_user = !bpf_copy_from_user_task(&word, sizeof(word), stack, task, 0);
    return 0;
}

SEC("uprobe")
int on_call(void *context)
{
    (void)context;
    __sync_fetch_and_add(&calls, 1);
    return 0;
}
