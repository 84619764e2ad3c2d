/* SPDX-License-Identifier: MIT
 *
 * Semaphores waited for in a hub, as libc waits for them: a 64-bit word whose lower half is the value, which waiters
 * sleep on while it is 0, and whose upper half says how many wait, for those who post to know that they must wake.
 *
 *   value > 0             -> value - 1, and one waiter less
 *   value 0               sleeps on the lower half
 *
 * A signal that is handled meanwhile ends the wait with EINTR; unless it is to restart calls, and there is no end of
 * time, as with futex(2). So sem_post stays libc's, also in a signal handler, in a thread without a hub, and in another
 * process. That the words are as described is looked at once.
 */
#include "patch/locks.h"
#include "patch/pthreads.h"

#include <errno.h>
#include <semaphore.h>

struct words { /* of glibc's sem_t on 64-bit machines, since 2.21 */
    uint64_t both;
    int is_shared;
};

#define WAITER (1ull << 32)

static struct words *words_of(sem_t *sem)
{
    return (struct words *)sem;
}

static int is_as_thought(int shared)
{
    sem_t sem;
    int fits;

    sem_init(&sem, shared, 5);
    fits = words_of(&sem)->both == 5 && !words_of(&sem)->is_shared == !shared;
    fits = fits && !mt__libc(sem_trywait)(&sem) && words_of(&sem)->both == 4;
    sem_destroy(&sem);
    return fits;
}

static int is_here(void)
{
    static int known; /* 1: yes; -1: no */
    int now;

    if (!mt__patched(LOCK))
        return 0;
    now = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (!now) {
        now = is_as_thought(0) && is_as_thought(1) ? 1 : -1;
        __atomic_store_n(&known, now, __ATOMIC_RELAXED);
    }
    if (now < 0)
        mt__patch_pass(sem_wait);
    return now > 0;
}

/* Takes one, being one of `waiters` (0 or WAITER). */
static int take(struct words *words, uint64_t waiters)
{
    uint64_t both = __atomic_load_n(&words->both, __ATOMIC_RELAXED);

    while ((uint32_t)both)
        if (__atomic_compare_exchange_n(&words->both, &both, both - 1 - waiters, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return 1;
    return 0;
}

/* 0, or -errno. */
static int wait_for_post(struct words *words, mt_deadline deadline)
{
    struct mt__wait wait = {.word = (uint32_t *)&words->both,
                            .flags = (words->is_shared ? MT__WAIT_SHARED : 0) |
                                     (deadline == MT_FOREVER ? MT__WAIT_INTERRUPT : MT__WAIT_INTERRUPT_ALWAYS),
                            .reason = MT_WAIT_SEM,
                            .object = words,
                            .deadline = deadline};
    int result = mt__wait_begin(&wait), taken;

    if (result)
        return result;
    __atomic_fetch_add(&words->both, WAITER, __ATOMIC_RELAXED);
    while (!(taken = !mt__patch_leaves() && take(words, WAITER)) && !result)
        result = mt__lock_round(&wait, 0);
    if (!taken)
        __atomic_fetch_sub(&words->both, WAITER, __ATOMIC_RELAXED);
    result = mt__wait_end(&wait, taken ? 0 : result);
    return result;
}

static int wait_until(sem_t *sem, mt_deadline deadline)
{
    struct mt__patch_call call;
    int result;

    mt__pthread_point();
    mt__patch_look_seldom();
    if (take(words_of(sem), 0))
        return 0;
    call = mt__patch_enter();
    result = wait_for_post(words_of(sem), deadline);
    return (int)mt__patch_end(call, result);
}

MT__PATCHED int sem_wait(sem_t *sem)
{
    return is_here() ? wait_until(sem, MT_FOREVER) : mt__libc(sem_wait)(sem);
}

/* What is wrong with the time is told before anything is taken, as by libc. */
MT__PATCHED int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict time)
{
    mt_deadline deadline;

    if (!is_here())
        return mt__libc(sem_clockwait)(sem, clock, time);
    if (mt__lock_deadline(clock, time, &deadline)) {
        errno = EINVAL;
        return -1;
    }
    return wait_until(sem, deadline);
}

MT__PATCHED int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict time)
{
    return is_here() ? sem_clockwait(sem, CLOCK_REALTIME, time) : mt__libc(sem_timedwait)(sem, time);
}

MT__PATCHED int sem_trywait(sem_t *sem)
{
    if (mt__patched(LOCK))
        mt__patch_look_seldom();
    return mt__libc(sem_trywait)(sem);
}

MT__PATCHED int sem_getvalue(sem_t *restrict sem, int *restrict value)
{
    if (mt__patched(LOCK))
        mt__patch_look_seldom();
    return mt__libc(sem_getvalue)(sem, value);
}
