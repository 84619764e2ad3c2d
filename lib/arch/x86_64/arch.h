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

/* One restartable sequence: if *gate is 0 and *word is old, stores new. Returns whether it did; 0 also if it was cut
 * short. area is the thread's: see base/rseq.h. The kernel wants the signature before the place that it goes on at
 * (0x53053053, glibc's RSEQ_SIG; the three bytes before make an instruction of it). */
#define MT__ARCH_STORE_IF 1
static inline int mt__arch_store_if(uint64_t *area, const uint8_t *gate, uint32_t *word, uint32_t old, uint32_t new)
{
    __asm__ goto(".pushsection __rseq_cs, \"aw\"\n\t"
                 ".balign 32\n"
                 "3:\t"
                 ".long 0, 0\n\t" /* version, flags */
                 ".quad 1f, 2f - 1f, 4f\n\t"
                 ".popsection\n\t"
                 "leaq 3b(%%rip), %%rax\n\t"
                 "movq %%rax, %[area]\n"
                 "1:\t"
                 "cmpb $0, %[gate]\n\t"
                 "jne %l[not_done]\n\t"
                 "cmpl %[old], %[word]\n\t"
                 "jne %l[not_done]\n\t"
                 "movl %[new], %[word]\n"
                 "2:\n\t"
                 ".pushsection __rseq_failure, \"ax\"\n\t"
                 ".byte 0x0f, 0xb9, 0x3d\n\t"
                 ".long 0x53053053\n"
                 "4:\t"
                 "jmp %l[not_done]\n\t"
                 ".popsection"
                 :
                 : [area] "m"(*area), [gate] "m"(*gate), [word] "m"(*word), [old] "r"(old), [new] "ir"(new)
                 : "rax", "memory", "cc"
                 : not_done);
    return 1;
not_done:
    return 0;
}

/* Of a jmp_buf of glibc's: which word has the stack pointer, and what a guard has been combined with to make the word.
 */
#define MT__ARCH_JUMP_STACK 6
static inline uintptr_t mt__arch_jump_word(uintptr_t word)
{
    return word >> 17 | word << 47;
}

static inline __attribute__((always_inline)) uintptr_t mt__arch_stack_pointer(void) /* the caller's */
{
    uintptr_t stack;
    __asm__ volatile("mov %%rsp, %0" : "=r"(stack));
    return stack;
}

#define MT__ARCH_DTV_OFFSET       8    /* of the dtv pointer in the control block */
#define MT__ARCH_TLS_DESCRIPTORS  0    /* how compilers reach variables of threads, if nobody says otherwise */
#define MT__ARCH_MULTIPLE_THREADS 0x18 /* of header.multiple_threads in struct pthread */

#endif
