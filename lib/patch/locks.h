/* SPDX-License-Identifier: MIT
 *
 * Inside the room: what the patched locks share.
 *
 * A lock of libc's stays a lock of libc's: what a coroutine does to it is what libc would have done to the same words,
 * but for the wait, which is the hub's. So threads that never heard of hubs, other processes, and objects that were
 * initialised statically or before the patch was on all take part. Two things are different in a coroutine:
 *
 *   who owns     libc writes the kernel's thread id, which all coroutines of a thread have in common. A coroutine
 *                writes its own number, which no kernel thread has; the thread that carries a hub writes its thread id,
 *                as libc does for it
 *   how to wait  on the futex word that libc's own waiters use, where it has one that stays the same from release to
 *                release (mutex, semaphore, barrier, once); else in a table of ours, which whoever wakes looks into
 *                before libc's own wake (condition, read-write lock)
 *
 * What libc's headers do not promise of the words is looked at once, at the first use: where it is otherwise the
 * objects of that kind pass through to libc, and are counted.
 */
#ifndef PATCH_LOCKS_H
#define PATCH_LOCKS_H

#include "patch/patch.h"
#include "wait/wait.h"

#include <pthread.h>
#include <time.h>

/* Who takes a lock here. In a hub only, like all of this. */
static inline uint32_t mt__lock_id(void)
{
    return mt__hub->current->id;
}

/* The code of an allocator that stands before libc's. Its locks stay libc's: hubs allocate too, and would wait in the
 * kernel for a coroutine that holds one and has been left. None is left there by a call that is libc's. modules.c's */
extern struct mt__code {
    uintptr_t low, size;
} mt__allocator;

static inline int mt__is_allocator(const void *caller)
{
    return (uintptr_t)caller - mt__allocator.low < mt__allocator.size;
}

/* In a function of libc's name. */
#define mt__locks_here() (mt__patched(LOCK) && !mt__is_allocator(__builtin_return_address(0)))

/* A round of a wait that nobody must cut short but its waker: also in the thread that carries the hub, which would be
 * told that it is stuck where a signal handler may still wake it. */
int mt__lock_round(struct mt__wait *wait, uint32_t expected);

void mt__lock_wake(uint32_t *word, unsigned n, unsigned flags);

/* An absolute time of a clock. 0, or EINVAL (the nanoseconds, or a clock that futexes do not know). */
int mt__lock_deadline(clockid_t clock, const struct timespec *time, mt_deadline *deadline);
int mt__lock_clock(clockid_t clock);                   /* 0 or EINVAL */
int mt__lock_nanoseconds(const struct timespec *time); /* 0 or EINVAL */

/* One try of a lock that can only be polled (another process may give it back, or its waiters are the kernel's):
 * sleeps a little, longer each time. 0, or ETIMEDOUT. */
int mt__lock_poll(unsigned *tries, mt_deadline deadline);

/* The mutex, for a condition. In a hub only. */
int mt__mutex_lock(pthread_mutex_t *mutex);
int mt__mutex_unlock(pthread_mutex_t *mutex);

/* -- Who waits where, by the object's address. Any thread may look and wake. -------------------------------------- */

struct mt__waiter {
    struct mt__waiter *next;
    const void *object;
    uint32_t word; /* 1: it has been woken, and is off the list */
    int kind;
};

extern size_t mt__waiters; /* of all objects */

void mt__waiter_add(struct mt__waiter *waiter);   /* at the end of its object's line */
int mt__waiter_remove(struct mt__waiter *waiter); /* 1; 0: it has been woken */

/* Wakes the first of an object, and those after it for which more(first, other) is not 0; more NULL: only the first.
 * Returns how many. */
unsigned mt__waiters_wake(const void *object, int (*more)(int first, int other));

void mt__waiters_forked(void); /* in a fork's child: nobody waits */

#endif
