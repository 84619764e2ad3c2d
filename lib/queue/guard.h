/* SPDX-License-Identifier: MIT
 *
 * A lock in shared memory that outlives its holder, on whose word others sleep until its next release has brought what
 * they wait for. See guard.c for the states of the word and the argument.
 *
 * Between acquire and release nothing may block, nor another guard be acquired.
 */
#ifndef QUEUE_GUARD_H
#define QUEUE_GUARD_H

#include "wait/wait.h"
#include <linux/futex.h>

struct mt__guard {
    uint32_t word;
    uint32_t
        sleeps;     /* how many sleeps have begun on the word, and how many wakes were sent: they only help to choose */
    uint32_t wakes; /* how to wake, so it does not matter when they are wrong */
};

/* What one call of the library does with guards: its wait, begun at the first sleep, and what it was woken on. */
struct mt__visit {
    struct mt__wait wait;
    int begun;
    int notes;               /* it may note what it sleeps on: see guard.c */
    struct mt__guard *slept; /* a wake that was meant for whoever can use it may have come to this task */
};

/* Its holder has died in it, and nobody has acquired it since. */
int mt__guard_is_broken(struct mt__guard *guard);

/* 1: acquired; 2: acquired from a task that died in it: repair what it guards; 0: somebody holds it, or is at it. */
int mt__guard_try(struct mt__guard *guard);

/* The same, but waits: 1, 2, or -EBUSY (the visit's deadline is MT_NOWAIT), -ETIMEDOUT, -ECANCELED, -ENOMEM. A wake
 * that has come to the task on another guard is passed on first: so it is called when there is something to be had,
 * else two that sleep would wake each other for ever. */
int mt__guard_acquire(struct mt__guard *guard, struct mt__visit *visit);

enum mt__release {
    MT__WAKE_ONE, /* whoever sleeps can use what has changed */
    MT__WAKE_ALL, /* not each of them can */
    MT__WAKE_NONE /* nothing has changed for those who sleep */
};
void mt__guard_release(struct mt__guard *guard, enum mt__release how);

#define MT__NUMBERS 3 /* at most, for one sleep */

/* A number that changes when what is waited for may have come. */
struct mt__number {
    uint32_t *at;
    uint32_t seen;
};

/* Sleeps until a release of the guard, while the numbers are what was seen. 0: look again; 1: the holder died: acquire,
 * repair, release, and look again; -ETIMEDOUT (`until` has passed), -ECANCELED, -ENOMEM. */
int mt__guard_sleep(struct mt__guard *guard, struct mt__visit *visit, const struct mt__number *numbers, unsigned count,
                    mt_deadline until);

/* Wakes all who sleep on the word, whoever holds it: for what changes beside it. */
void mt__guard_wake_all(struct mt__guard *guard);

/* Ends the visit's wait, if one was begun, with that result. Returns the result. */
int mt__visit_end(struct mt__visit *visit, int result);

/* -- The inline fast path ----------------------------------------------------------------------------------------- */

/* The robust list of this thread, and of which thread: a fork's child has one of its own. */
struct mt__robust {
    struct robust_list_head *head;
    uint32_t id;
};
extern __thread struct mt__robust mt__robust __attribute__((tls_model("initial-exec")));

/* Notes for the kernel what it looks at when this thread dies. It is this thread that the order matters to. */
static inline void mt__guard_note(struct mt__guard *guard)
{
    struct robust_list_head *head = mt__robust.head;
    uintptr_t entry = guard ? (uintptr_t)&guard->word - (uintptr_t)head->futex_offset : 0;

    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    *(struct robust_list *volatile *)&head->list_op_pending = (struct robust_list *)entry;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Acquires a guard that is free and that nobody sleeps on. */
static inline int mt__guard_enter(struct mt__guard *guard)
{
    uint32_t id = mt__here.thread, word = 0;

    if (!id || mt__robust.id != id)
        return 0;
    mt__guard_note(guard);
    if (__atomic_compare_exchange_n(&guard->word, &word, id, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 1;
    mt__guard_note(NULL);
    return 0;
}

/* Releases a guard if nobody sleeps on it. */
static inline int mt__guard_leave(struct mt__guard *guard)
{
    uint32_t word = mt__here.thread;

    if (!__atomic_compare_exchange_n(&guard->word, &word, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        return 0;
    mt__guard_note(NULL);
    return 1;
}

#endif
