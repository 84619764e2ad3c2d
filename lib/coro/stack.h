/* SPDX-License-Identifier: MIT */
#ifndef CORO_STACK_H
#define CORO_STACK_H

#include <linuxmt/compiler.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define MT__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MT__ASAN 1
#endif
#endif

/* Describes a stack, and lies at its upper end. What the stack carries is laid out below it, down from mt__stack_top.
 */
struct mt__stack {
    struct mt__stack *next; /* the owner's, and the pool's */
    char *low;              /* lowest usable byte; below it is the guard */
    size_t size;            /* reserved bytes, guard and this included: a power of two */
    const char *owner;      /* whose it is: what an overflow is reported with, or NULL */
    unsigned valgrind;
    const void *place; /* for debuggers: where what it carries was left, a struct mt__place; NULL: nothing */
};

/* A stack of at least that many reserved bytes, the guard included; 0: MT_CORO_STACK. NULL with *error = -errno:
 * -ENOMEM, -EINVAL (more than MT_CORO_STACK_MAX). */
struct mt__stack *mt__stack_take(size_t size, int *error);

/* Gives it back to the pool. Nothing runs on it. */
void mt__stack_give(struct mt__stack *stack);

/* The most bytes of it that have ever been in use since its pages were last given back to the kernel, in whole pages.
 */
size_t mt__stack_used(const struct mt__stack *stack);

static inline char *mt__stack_top(const struct mt__stack *stack)
{
    return (char *)((uintptr_t)stack & ~(uintptr_t)15);
}

/* From now on a fault in this thread's guard pages is told before it kills. Called once a thread that has stacks. */
void mt__stack_watch(void);

/* The stack that holds the address or whose guard does, if it is one of ours; NULL. Async-signal-safe. */
struct mt__stack *mt__stack_find(const void *address);

#endif
