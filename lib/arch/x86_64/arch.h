/* SPDX-License-Identifier: MIT */
#ifndef ARCH_X86_64_H
#define ARCH_X86_64_H

#include "arch/x86_64/switch.h"
#include <stdint.h>

/* Where glibc's struct pthread begins, seen from the thread pointer: they are one here (TLS variant II: TLS blocks lie
 * below). */
#define MT__TLS_BLOCKS_BELOW 1

static inline long mt__arch_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* clone(2) as fork does it: the child goes on here, on a copy of the stack. 0 in the child, its process id, or -errno.
 */
static inline long mt__arch_fork(unsigned long flags, int *parent_tid, int *child_tid)
{
    return mt__arch_syscall(56, (long)flags, 0, (long)parent_tid, (long)child_tid, 0, 0);
}

static inline char *mt__arch_thread_pointer(void)
{
    char *tp;
    __asm__("mov %%fs:0, %0" : "=r"(tp));
    return tp;
}

static inline void mt__arch_pause(void)
{
    __builtin_ia32_pause();
}

/* The stack protector's canary and the pointer guard, which a new thread inherits: both lie in the thread's control
 * block. */
static inline void mt__arch_tcb_init(char *tcb, const char *from)
{
    *(void **)tcb = tcb;
    *(void **)(tcb + 16) = tcb;
    *(uintptr_t *)(tcb + 0x28) = *(const uintptr_t *)(from + 0x28);
    *(uintptr_t *)(tcb + 0x30) = *(const uintptr_t *)(from + 0x30);
}

#define MT__ARCH_DTV_OFFSET       8    /* of the dtv pointer in the control block */
#define MT__ARCH_MULTIPLE_THREADS 0x18 /* of header.multiple_threads in struct pthread */

#endif
