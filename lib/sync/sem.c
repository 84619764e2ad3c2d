/* SPDX-License-Identifier: MIT
 *
 * The semaphore: value in the low 32 bits of `state`, number of waiters in the high ones, so that a release learns in
 * its one atomic step whether somebody waits, and never touches the semaphore again: the task it lets through may free
 * it.
 *
 * 1. A waiter counts itself before it looks at the value for the last time; a release adds to the value and sees the
 * count in the same step. So either the waiter sees the value or the release sees the waiter and wakes the word that
 * the waiter sleeps on.
 * 2. A woken waiter that finds the value gone (somebody was quicker) sleeps again; one that is killed passes the wake
 * on (lib/wait).
 *
 * tests/model/sem.pml checks 1 and 2.
 */
#include "base/clock.h"
#include "wait/wait.h"

#include <errno.h>
#include <linuxmt/sem.h>
#include <string.h>

#define ONE_WAITER ((uint64_t)1 << 32)

/* The half that the kernel compares: the value. Both CPUs are little-endian. */
static uint32_t *value_word(struct mt_sem *sem)
{
    return (uint32_t *)&sem->state;
}

int mt_sem_init(struct mt_sem *sem, uint32_t value, const char *name, unsigned flags)
{
    if (value > MT_SEM_MAX)
        return -EINVAL;
    memset(sem, 0, sizeof *sem);
    sem->state = value;
    sem->name = name;
    sem->flags = flags;
    return 0;
}

int mt_sem_init_bounded(struct mt_sem *sem, uint32_t value, const char *name, unsigned flags)
{
    int result = value ? mt_sem_init(sem, value, name, flags) : -EINVAL;

    if (!result)
        sem->bound = value;
    return result;
}

uint32_t mt_sem_value(const struct mt_sem *sem)
{
    return (uint32_t)__atomic_load_n(&sem->state, __ATOMIC_RELAXED);
}

/* Takes one, and `less` off the count of waiters with it. */
static int take(struct mt_sem *sem, uint64_t less)
{
    uint64_t state = __atomic_load_n(&sem->state, __ATOMIC_RELAXED);

    while ((uint32_t)state)
        if (__atomic_compare_exchange_n(&sem->state, &state, state - 1 - less, 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return 1;
    return 0;
}

static int wait_for_one(struct mt_sem *sem, struct mt__wait *wait)
{
    int result = 0;

    __atomic_fetch_add(&sem->state, ONE_WAITER, __ATOMIC_RELAXED);
    while (!take(sem, ONE_WAITER)) {
        if (result) {
            __atomic_fetch_sub(&sem->state, ONE_WAITER, __ATOMIC_RELAXED);
            return result;
        }
        result = mt__wait_round(wait, 0, wait->deadline);
    }
    return 0;
}

static __attribute__((noinline)) int acquire_by_waiting(struct mt_sem *sem, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = value_word(sem),
        .flags = sem->flags & MT_SHARED ? MT__WAIT_SHARED : 0,
        .reason = MT_WAIT_SEM,
        .object = sem,
        .name = sem->name,
        .place = place,
        .deadline = deadline,
    };
    int result = mt__wait_begin(&wait);

    return result ? result : mt__wait_end(&wait, wait_for_one(sem, &wait));
}

int mt__sem_acquire(struct mt_sem *sem, mt_deadline deadline, const char *place)
{
    if (take(sem, 0))
        return 0;
    return deadline == MT_NOWAIT ? -EBUSY : acquire_by_waiting(sem, deadline, place);
}

int mt_sem_release(struct mt_sem *sem, uint32_t count)
{
    uint64_t state = __atomic_load_n(&sem->state, __ATOMIC_RELAXED);
    uint32_t *word = value_word(sem), most = sem->bound ? sem->bound : MT_SEM_MAX;
    unsigned flags = sem->flags & MT_SHARED ? MT__WAIT_SHARED : 0;

    do {
        if (count > most - (uint32_t)state)
            return -EOVERFLOW;
    } while (!__atomic_compare_exchange_n(&sem->state, &state, state + count, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (count && state >= ONE_WAITER)
        mt__wake(word, count, flags);
    return 0;
}
