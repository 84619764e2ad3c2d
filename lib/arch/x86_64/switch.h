/* SPDX-License-Identifier: MIT
 *
 * The switch of stacks. Inline, so that the compiler saves the registers that are in use there and no others: it is
 * told that all change. What is behind it costs a mispredicted return at the end of its function, though; whoever has
 * nothing left to do calls mt__arch_switch_last instead, which goes on in its caller's caller.
 *
 * What a stack keeps besides: the control word of the x87, with the rounding and the exception masks, which mxcsr
 * mirrors, as <fenv.h> sets both. They are told apart by the x87's alone: on AMD's Zen, reading mxcsr takes 3.5 ns,
 * more than all the rest, and reading the x87's 1.3 ns. So what is set in mxcsr alone, by intrinsics, is the thread's:
 * flushing denormals to zero, for one.
 */
#ifndef ARCH_X86_64_SWITCH_H
#define ARCH_X86_64_SWITCH_H

#include <stdint.h>

/* Where a stack was left. switch.S knows the offsets. */
struct mt__place {
    void *sp, *ip, *bp;
    uint16_t control; /* of the x87 */
    uint32_t scratch;
};

/* For the clobbers: what gcc only knows with the extension that has it. */
#ifdef __AVX512F__
#define MT__ARCH_MORE_REGISTERS                                                                                   \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
        "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define MT__ARCH_MORE_REGISTERS
#endif

static inline __attribute__((always_inline)) void *mt__arch_switch(struct mt__place *from, const struct mt__place *to,
                                                                   void *value)
{
    __asm__ volatile("fnstcw 24(%0)\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, (%0)\n\t"
                     "movq %%rax, 8(%0)\n\t"
                     "movq %%rbp, 16(%0)\n\t"
                     "movzwl 24(%0), %%eax\n\t"
                     "cmpw 24(%1), %%ax\n\t"
                     "jne mt__arch_switch_control\n\t"
                     "movq 8(%1), %%rcx\n\t"
                     "movq 16(%1), %%rbp\n\t"
                     "movq (%1), %%rsp\n\t"
                     "jmp *%%rcx\n"
                     "1:"
                     : "+D"(from), "+S"(to), "+d"(value)
                     :
                     : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
                       "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15", "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "st", "st(1)",
                       "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc", "memory" MT__ARCH_MORE_REGISTERS);
    return value;
}

void mt__arch_begin(void);

static inline void mt__arch_place_make(struct mt__place *place, void *top, void *entry, void *arg)
{
    void **frame = (void **)top - 2;

    frame[0] = entry;
    frame[1] = arg;
    place->sp = frame;
    place->ip = (void *)mt__arch_begin;
    place->bp = 0;
    __asm__("fnstcw %0" : "=m"(place->control));
}

#endif
