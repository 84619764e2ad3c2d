/* SPDX-License-Identifier: MIT
 *
 * What is in the registers of a thread while others run: general ones, vectors, the floating point unit's stack and its
 * rounding. See slices.h.
 */
#include "slices.h"

#include <fenv.h>
#include <math.h>

static int round_of[2], round_over; /* who has got how far */

/* Returns once the other has gone on. */
static int other_moves(int self)
{
    int seen = LOAD(round_of[!self]);

    ADD(round_of[self]);
    while (LOAD(round_of[!self]) == seen) {
    }
    return 1;
}

#if defined(__x86_64__)

static int word[2], word_over;

/* Waits in one piece of assembly, with all of them full: how many of the words differ after that. */
__attribute__((noinline)) static int fill(int self, const uint64_t *in)
{
    uint64_t out[16 * 2 + 8];
    int *mine = &word[self], *others = &word[!self], seen = LOAD(*others), differ = 0;

    __asm__ volatile("movups (%[in]), %%xmm0\n\tmovups 16(%[in]), %%xmm1\n\tmovups 32(%[in]), %%xmm2\n\t"
                     "movups 48(%[in]), %%xmm3\n\tmovups 64(%[in]), %%xmm4\n\tmovups 80(%[in]), %%xmm5\n\t"
                     "movups 96(%[in]), %%xmm6\n\tmovups 112(%[in]), %%xmm7\n\tmovups 128(%[in]), %%xmm8\n\t"
                     "movups 144(%[in]), %%xmm9\n\tmovups 160(%[in]), %%xmm10\n\tmovups 176(%[in]), %%xmm11\n\t"
                     "movups 192(%[in]), %%xmm12\n\tmovups 208(%[in]), %%xmm13\n\tmovups 224(%[in]), %%xmm14\n\t"
                     "movups 240(%[in]), %%xmm15\n\t"
                     "movq 256(%[in]), %%r8\n\tmovq 264(%[in]), %%r9\n\tmovq 272(%[in]), %%r10\n\t"
                     "movq 280(%[in]), %%r11\n\tmovq 288(%[in]), %%r12\n\tmovq 296(%[in]), %%r13\n\t"
                     "movq 304(%[in]), %%r14\n\tmovq 312(%[in]), %%r15\n\t"
                     "lock incl (%[mine])\n"
                     "1:\tcmpl %[seen], (%[others])\n\t"
                     "je 1b\n\t"
                     "movups %%xmm0, (%[out])\n\tmovups %%xmm1, 16(%[out])\n\tmovups %%xmm2, 32(%[out])\n\t"
                     "movups %%xmm3, 48(%[out])\n\tmovups %%xmm4, 64(%[out])\n\tmovups %%xmm5, 80(%[out])\n\t"
                     "movups %%xmm6, 96(%[out])\n\tmovups %%xmm7, 112(%[out])\n\tmovups %%xmm8, 128(%[out])\n\t"
                     "movups %%xmm9, 144(%[out])\n\tmovups %%xmm10, 160(%[out])\n\tmovups %%xmm11, 176(%[out])\n\t"
                     "movups %%xmm12, 192(%[out])\n\tmovups %%xmm13, 208(%[out])\n\tmovups %%xmm14, 224(%[out])\n\t"
                     "movups %%xmm15, 240(%[out])\n\t"
                     "movq %%r8, 256(%[out])\n\tmovq %%r9, 264(%[out])\n\tmovq %%r10, 272(%[out])\n\t"
                     "movq %%r11, 280(%[out])\n\tmovq %%r12, 288(%[out])\n\tmovq %%r13, 296(%[out])\n\t"
                     "movq %%r14, 304(%[out])\n\tmovq %%r15, 312(%[out])\n\t"
                     :
                     : [in] "D"(in), [out] "S"(out), [mine] "a"(mine), [others] "d"(others), [seen] "c"(seen)
                     : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
                       "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "cc", "memory");
    for (int i = 0; i < 40; i++)
        differ += in[i] != out[i];
    return differ;
}

/* The same of the upper halves, where there are any. */
__attribute__((noinline, target("avx"))) static int fill_wide(int self, const uint64_t *in)
{
    uint64_t out[16];
    int *mine = &word[self], *others = &word[!self], seen = LOAD(*others), differ = 0;

    __asm__ volatile("vmovups (%[in]), %%ymm0\n\tvmovups 32(%[in]), %%ymm7\n\tvmovups 64(%[in]), %%ymm8\n\t"
                     "vmovups 96(%[in]), %%ymm15\n\t"
                     "lock incl (%[mine])\n"
                     "1:\tcmpl %[seen], (%[others])\n\t"
                     "je 1b\n\t"
                     "vmovups %%ymm0, (%[out])\n\tvmovups %%ymm7, 32(%[out])\n\tvmovups %%ymm8, 64(%[out])\n\t"
                     "vmovups %%ymm15, 96(%[out])\n\t"
                     "vzeroupper\n\t"
                     :
                     : [in] "D"(in), [out] "S"(out), [mine] "a"(mine), [others] "d"(others), [seen] "c"(seen)
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
    for (int i = 0; i < 16; i++)
        differ += in[i] != out[i];
    return differ;
}

static int all_registers(int self)
{
    uint64_t in[40];
    int differ = 0;

    for (int i = 0; i < 40; i++)
        in[i] = 0x0123456789abcdefull * (uint64_t)(2 * i + 1 + 100 * self);
    for (int i = 0; i < 6; i++) {
        differ += fill(self, in);
        if (__builtin_cpu_supports("avx"))
            differ += fill_wide(self, in);
    }
    see_off(&word[self], &word_over);
    return differ;
}

#else

static int all_registers(int self)
{
    return 0;
}

#endif

/* Sums that live in registers, of vectors where the compiler makes some, by a rounding of its own. */
static int sums(int self)
{
    static const int modes[] = {FE_DOWNWARD, FE_UPWARD};
    volatile double third = 3;
    float vector[64], expected[64];
    long double x = 1, y = 1;
    int wrong = 0;

    fesetround(modes[self]);
    for (int i = 0; i < 64; i++)
        vector[i] = expected[i] = (float)(i + self);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 1000; i++)
            x = x * 1.0000001L + 1 / (long double)third;
        wrong += !other_moves(self);
        for (int i = 0; i < 64; i++)
            vector[i] = vector[i] * 1.5f + 1;
        for (int i = 0; i < 1000; i++)
            y = y * 1.0000001L + 1 / (long double)third;
        for (int i = 0; i < 64; i++) {
            expected[i] = expected[i] * 1.5f + 1;
            wrong += expected[i] != vector[i];
        }
        wrong += x != y || fegetround() != modes[self];
    }
    see_off(&round_of[self], &round_over);
    fesetround(FE_TONEAREST);
    return wrong;
}

static void *keep_registers(void *arg)
{
    int self = (int)(intptr_t)arg, wrong = all_registers(self);

    return (void *)(intptr_t)(wrong + sums(self));
}

void registers(void)
{
    pthread_t other = start(keep_registers, (void *)1);
    int wrong = (int)(intptr_t)keep_registers(NULL);

    printf("registers: %d wrong, and %d\n", wrong, (int)(intptr_t)finish(other));
}
