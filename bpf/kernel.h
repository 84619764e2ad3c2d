/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The few kernel types that the programs look into, written by hand: only the fields used, found at load by the running
 * kernel's BTF (CO-RE), so neither their order nor their offsets here mean anything. No vmlinux.h, no BTF on the build
 * machine.
 */
#ifndef BPF_KERNEL_H
#define BPF_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

#define __VMLINUX_H__ /* libbpf's macros shall use the kernel's names of registers, as struct pt_regs does below */
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
    unsigned long s_magic;
};

struct inode {
    unsigned short i_mode;
    unsigned long i_ino;
    struct super_block *i_sb;
};

struct file {
    struct inode *f_inode;
};

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};

struct files_struct {
    struct fdtable *fdt;
};

struct ns_common {
    unsigned int inum;
};

struct pid_namespace {
    struct ns_common ns;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};

struct pid {
    unsigned int level;
    struct upid numbers[1];
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
    unsigned long bx, r10, r9, r8, cx, dx, si, di, orig_ax, ip, sp, bp;
    unsigned short cs;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
    __u64 regs[31];
    __u64 sp;
    __u64 pc;
    __u64 orig_x0;
    int syscallno;
};
#else
#error "no register layout for this CPU yet"
#endif

struct mm_struct;

#pragma clang attribute pop
#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
    __u64 regs[31];
    __u64 sp;
    __u64 pc;
    __u64 pstate;
};
#endif
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sched_entity {
    __u64 sum_exec_runtime;
};

struct task_struct {
    struct sched_entity se;
    unsigned int __state;
    unsigned int flags;
    unsigned in_iowait : 1;
    int pid;
    int tgid;
    int exit_code;
    struct pid *thread_pid;
    struct task_struct *group_leader;
    char comm[16];
    struct files_struct *files;
    struct mm_struct *mm; /* NULL: a kernel thread, or one that has ended */
    unsigned long nvcsw;
    unsigned long nivcsw;
    __u64 start_time;
};

/* Before 5.14. */
struct task_struct___old {
    volatile long state;
};

struct seq_file;

struct bpf_iter_meta {
    struct seq_file *seq;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

#pragma clang attribute pop

#define PF_EXITING   0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000

#define TASK_RUNNING     0
#define TASK_STOPPED     0x0004
#define TASK_TRACED      0x0008
#define TASK_DEAD_STATES 0x00b0 /* EXIT_DEAD, EXIT_ZOMBIE, TASK_DEAD */

/* The sleeping state of a task as its own scheduler sees it. */
static __always_inline unsigned int task_state(struct task_struct *task)
{
    if (bpf_core_field_exists(task->__state))
        return BPF_CORE_READ(task, __state);
    return (unsigned int)BPF_CORE_READ((struct task_struct___old *)task, state);
}

#include "call-i386.h"

/* A system call as its caller made it. number is -1 outside a system call (a page fault, a signal). */
struct call {
    int number;
    unsigned long arg[6];
    unsigned long ip, sp;
    bool narrow;          /* a 32-bit program's */
    unsigned long packed; /* where the arguments lie in memory, if they do (i386's socketcall); 0: they are in arg */
};

static __always_inline void read_call(struct pt_regs *regs, struct call *call)
{
    call->packed = 0;
    call->narrow = false;
#if defined(__TARGET_ARCH_x86)
    call->number = (int)regs->orig_ax;
    call->arg[0] = regs->di;
    call->arg[1] = regs->si;
    call->arg[2] = regs->dx;
    call->arg[3] = regs->r10;
    call->arg[4] = regs->r8;
    call->arg[5] = regs->r9;
    call->ip = regs->ip;
    call->sp = regs->sp;
    call->narrow = regs->cs == I386_CODE;
    if (call->narrow && call->number >= 0) {
        if (call->number == I386_SOCKETCALL)
            call->packed = regs->cx;
        call->number = call_of_i386(call->number, regs->bx);
        call->arg[0] = regs->bx;
        call->arg[1] = regs->cx;
        call->arg[2] = regs->dx;
        call->arg[3] = regs->si;
        call->arg[4] = regs->di;
        call->arg[5] = regs->bp;
    }
#else
    call->number = regs->syscallno;
    call->arg[0] = regs->orig_x0;
    call->arg[1] = regs->regs[1];
    call->arg[2] = regs->regs[2];
    call->arg[3] = regs->regs[3];
    call->arg[4] = regs->regs[4];
    call->arg[5] = regs->regs[5];
    call->ip = regs->pc;
    call->sp = regs->sp;
#endif
}

#endif
