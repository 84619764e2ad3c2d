/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What bpf/stuck.bpf.c tells of a task, and mtrace's fallback by /proc too: where it stands, and the bytes of what it
 * waits for.
 */
#ifndef BPF_STUCK_H
#define BPF_STUCK_H

#include <linux/types.h>

#define STUCK_OBJECT 64   /* bytes copied from a futex word upward: the largest lock that is decoded has 56 */
#define STUCK_REGS   34   /* words of the largest register set (aarch64's user_pt_regs) */
#define STUCK_PAGE   4096 /* bytes that one request for memory gives */

#define STUCK_STOPPED 4 /* the kernel's state of a task that a signal has stopped */

struct stuck_task {
    __u32 pid; /* process and thread as the reader's pid namespace numbers them, */
    __u32 tid;
    __u32 own_pid; /* and as the process does: what it writes into its locks */
    __u32 own_tid;
    __u32 state;            /* the kernel's task state: 0 = running or about to */
    __s32 syscall;          /* -1: in none, or not one that can be read */
    __u64 args[6];          /* of the system call */
    __u64 switches;         /* how often it has left a CPU: unchanged = it has slept all the while */
    __u64 started;          /* with tid: which thread it is, although numbers are used again */
    __u64 word;             /* address of the futex word it waits on, 0 = it does not wait on one */
    __u32 words;            /* how many words it waits on (futex_waitv); the first one is told */
    __u32 object_size;      /* bytes of object that could be read */
    __u64 regs[STUCK_REGS]; /* struct pt_regs or user_pt_regs as it entered the kernel */
    __u32 regs_whole;       /* 1: all of them; 0: only instruction and stack pointer are known */
    __u32 narrow;           /* a 32-bit program's */
    char name[16];
    unsigned char object[STUCK_OBJECT]; /* from word upward */
};

struct stuck_memory {
    __u64 address;
    __u32 size; /* 0: the memory could not be read */
    __u32 pad;
    unsigned char bytes[STUCK_PAGE];
};

#endif
