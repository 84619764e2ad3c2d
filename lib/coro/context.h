/* SPDX-License-Identifier: MIT
 *
 * A place where a stack was left, and the switch from one to another. What a thread has only one of and a stack needs
 * for itself goes along: errno, and what sanitizers know of stacks.
 */
#ifndef CORO_CONTEXT_H
#define CORO_CONTEXT_H

#include "arch/arch.h"
#include "coro/stack.h"
#include <errno.h>

struct mt__context {
    struct mt__place place;
    int error; /* errno, while it is left */
#if MT__ASAN
    void *fake;
    const void *bottom;
    size_t size;
#endif
#if MT__TSAN
    void *fiber;
    int own_fiber;
#endif
};

/* Prepares a context that calls entry(arg, value) on the stack, below `top` (16-byte aligned). entry never returns. */
void mt__context_make(struct mt__context *context, struct mt__stack *stack, char *top,
                      void (*entry)(void *arg, void *value), void *arg);

/* The first thing that entry does. */
void mt__context_begin(void);

/* What is left of a context that will not be entered again. */
void mt__context_end(struct mt__context *context);

/* Leaves from, the running one, for to, whose pending switch returns value. last: `from` will never be entered again.
 * Errno is changed before, as it is the same word on both sides: a context stays on its thread. */
#if MT__ASAN || MT__TSAN
void *mt__context_switch(struct mt__context *from, struct mt__context *to, void *value, int last);
#define mt__context_switch_last(from, to, value) \
    ((int)(intptr_t)mt__context_switch(from, to, (void *)(intptr_t)(value), 0))
#else
static inline __attribute__((always_inline)) void *mt__context_switch(struct mt__context *from, struct mt__context *to,
                                                                      void *value, int last)
{
    int *error = &errno;

    (void)last;
    from->error = *error;
    *error = to->error;
    return mt__arch_switch(&from->place, &to->place, value);
}

/* For "return mt__context_switch_last(...)", which is a jump then: where a function has nothing left to do. Three times
 * as quick as a switch with a return behind it, which the processor predicts wrongly. */
static inline __attribute__((always_inline)) int mt__context_switch_last(struct mt__context *from,
                                                                         struct mt__context *to, int value)
{
    int *error = &errno;

    from->error = *error;
    *error = to->error;
    return mt__arch_switch_last(&from->place, &to->place, value);
}
#endif

#endif
