/* SPDX-License-Identifier: MIT */
#ifndef ARCH_AARCH64_H
#define ARCH_AARCH64_H

#include "arch/aarch64/switch.h"
#include <stdint.h>

/* TLS variant I: struct pthread lies just below the thread pointer, the TLS blocks above it. */
#define MT__TLS_BLOCKS_BELOW 0

static inline long mt__arch_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

/* clone(2) as fork does it: the child goes on here, on a copy of the stack. 0 in the child, its process id, or -errno.
 */
static inline long mt__arch_fork(unsigned long flags, int *parent_tid, int *child_tid)
{
    return mt__arch_syscall(220, (long)flags, 0, (long)parent_tid, 0, (long)child_tid, 0);
}

static inline char *mt__arch_thread_pointer(void)
{
    return __builtin_thread_pointer();
}

static inline void mt__arch_pause(void)
{
    __asm__ volatile("isb" ::: "memory"); /* yield is a nop on most cores; isb waits about as long as x86's pause */
}

/* Canary and pointer guard are global on this CPU: the control block holds only the dtv. */
static inline void mt__arch_tcb_init(char *tcb, const char *from)
{
    (void)tcb;
    (void)from;
}

/* There is none, as it could not be tried: qemu-user does not have rseq(2). */
#define MT__ARCH_STORE_IF 0
static inline int mt__arch_store_if(uint64_t *area, const uint8_t *gate, uint32_t *word, uint32_t old, uint32_t new)
{
    (void)area, (void)gate, (void)word, (void)old, (void)new;
    return 0;
}

/* Of a jmp_buf of glibc's: which word has the stack pointer, and what a guard has been combined with to make the word.
 */
#define MT__ARCH_JUMP_STACK 13
static inline uintptr_t mt__arch_jump_word(uintptr_t word)
{
    return word;
}

static inline __attribute__((always_inline)) uintptr_t mt__arch_stack_pointer(void) /* the caller's */
{
    uintptr_t stack;
    __asm__ volatile("mov %0, sp" : "=r"(stack));
    return stack;
}

#define MT__ARCH_DTV_OFFSET       0
#define MT__ARCH_TLS_DESCRIPTORS  1
#define MT__ARCH_MULTIPLE_THREADS 0

#endif
