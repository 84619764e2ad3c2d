/* SPDX-License-Identifier: MIT
 *
 * What differs from CPU to CPU: the system call, the thread pointer, the pause of a spinning loop, the first
 * instructions of a cloned thread and the switch of stacks. Nothing outside lib/arch knows the CPU.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#if defined(__x86_64__)
#include "arch/x86_64/arch.h"
#elif defined(__aarch64__)
#include "arch/aarch64/arch.h"
#else
#error "no lib/arch for this CPU"
#endif

/* Clones a thread that starts on `stack` with the thread pointer `tls` and calls entry(arg), which never returns; arg
 * travels in a register, so nothing has to be written to the stack first. Returns the thread id, or -errno. */
long mt__arch_clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid, void *tls, void (*entry)(void *),
                    void *arg);

/* Each CPU's switch.h has struct mt__place, where a stack was left, of which sp, ip and bp are for debuggers, and
 *
 *   void *mt__arch_switch(struct mt__place *from, const struct mt__place *to, void *value)
 *      leaves this stack and goes on where `to` was left, in a call of this or the next that returns value there;
 *   void mt__arch_place_make(struct mt__place *place, void *top, void *entry, void *arg)
 *      prepares a new stack whose upper end is top, a multiple of 16: the first switch to it calls entry(arg, value),
 *      which never returns. Floating point is set up as it is here. */

/* The same switch, for those who have nothing left to do behind it. The value is a number here, so that no conversion of
 * what this returns keeps the compiler from ending in a jump to it. */
int mt__arch_switch_last(struct mt__place *from, const struct mt__place *to, int value);

#endif
