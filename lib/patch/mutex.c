/* SPDX-License-Identifier: MIT
 *
 * Mutexes taken in a hub. The word is libc's, and so are its states (0 free, 1 held, 2 held and somebody may wait):
 *
 *            lock                              unlock
 *   0        -> 1 at once                      (not held: what libc does to it)
 *   1, 2     -> 2, and waits while it is 2     -> 0; from 2 wakes one
 *
 * Whoever took it after a wait leaves 2 behind, as he cannot know whether he was the last who waited. A wake that meets
 * somebody who has just run out of time is passed on by lib/wait. A wait for a mutex is no cancellation point.
 *
 * Robust mutexes, and those that lend or have priorities, are known to the kernel by the thread's own id and list:
 * coroutines of one thread are one owner there. They are taken by libc's trylock, in rounds with a pause in between;
 * recursive ones of these kinds go to libc as they are. Both are counted.
 */
#include "patch/locks.h"

#include <errno.h>
#include <threads.h>

#define KERNEL_KINDS (16 | 32 | 64) /* robust, inherits, protects */
#define SHARED_KIND  128
#define TYPE         3

static uint32_t *word_of(pthread_mutex_t *mutex)
{
    return (uint32_t *)&mutex->__data.__lock;
}

static int kind_of(const pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->__data.__kind, __ATOMIC_RELAXED);
}

static int is_mine(const pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED) == (int)mt__lock_id();
}

static void own(pthread_mutex_t *mutex)
{
    __atomic_store_n(&mutex->__data.__owner, (int)mt__lock_id(), __ATOMIC_RELAXED);
    mutex->__data.__nusers++;
}

static int try_word(pthread_mutex_t *mutex)
{
    uint32_t free = 0;

    return __atomic_compare_exchange_n(word_of(mutex), &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* 0, ETIMEDOUT, or EINTR: the call that this is a part of leaves. */
static int wait_for(pthread_mutex_t *mutex, mt_deadline deadline)
{
    struct mt__wait wait = {
        .word = word_of(mutex),
        .flags = MT__WAIT_NOCANCEL | MT__WAIT_LEFT | (kind_of(mutex) & SHARED_KIND ? MT__WAIT_SHARED : 0),
        .reason = MT_WAIT_LOCK,
        .owner = (uint32_t)__atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED),
        .object = mutex,
        .deadline = deadline,
    };
    struct mt__patch_call call = mt__patch_enter();
    int error = 0;

    mt__wait_begin(&wait);
    while (!error && __atomic_exchange_n(wait.word, 2, __ATOMIC_ACQUIRE) != 0)
        if (mt__lock_round(&wait, 2) == -ETIMEDOUT)
            error = ETIMEDOUT;
        else if (mt__patch_leaves()) {
            mt__wake(wait.word, 1, wait.flags); /* the handler may have come just after a wake */
            error = EINTR;
        }
    mt__wait_end(&wait, -error);
    mt__patch_end(call, 0);
    return error;
}

/* The owner takes it once more. -1: it is not his, or of a type that makes no difference. */
static int again(pthread_mutex_t *mutex, int kind, int busy)
{
    switch (kind & TYPE) {
    case PTHREAD_MUTEX_RECURSIVE_NP:
        if (!is_mine(mutex))
            return -1;
        if (mutex->__data.__count + 1 == 0)
            return EAGAIN;
        mutex->__data.__count++;
        return 0;
    case PTHREAD_MUTEX_ERRORCHECK_NP:
        return !busy && is_mine(mutex) ? EDEADLK : -1;
    default:
        return -1;
    }
}

static int taken(pthread_mutex_t *mutex, int kind)
{
    if ((kind & TYPE) == PTHREAD_MUTEX_RECURSIVE_NP)
        mutex->__data.__count = 1;
    own(mutex);
    return 0;
}

/* time NULL: without an end. It is looked at only if there is something to wait for. */
static int lock_until(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *time)
{
    int kind = kind_of(mutex), result = again(mutex, kind, 0);
    mt_deadline deadline = MT_FOREVER;

    if (result >= 0)
        return result;
    mt__patch_look_seldom();
    if (!try_word(mutex)) {
        if (time && (result = mt__lock_deadline(clock, time, &deadline)))
            return result;
        if ((result = wait_for(mutex, deadline)))
            return result;
    }
    return taken(mutex, kind);
}

/* One that the kernel has a hand in. */
static int lock_by_tries(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *time)
{
    mt_deadline deadline = MT_FOREVER;
    unsigned tries = 0;
    int result;

    mt__patch_pass(pthread_mutex_lock);
    mt__patch_look_seldom();
    if ((kind_of(mutex) & TYPE) == PTHREAD_MUTEX_RECURSIVE_NP)
        return time ? mt__libc(pthread_mutex_clocklock)(mutex, clock, time) : mt__libc(pthread_mutex_lock)(mutex);
    while ((result = mt__libc(pthread_mutex_trylock)(mutex)) == EBUSY) {
        if (!tries && time && (result = mt__lock_deadline(clock, time, &deadline)))
            return result;
        if (mt__lock_poll(&tries, deadline))
            return ETIMEDOUT;
        if (mt__patch_leaves())
            return EINTR;
    }
    return result;
}

static int is_ours(const pthread_mutex_t *mutex)
{
    return !(kind_of(mutex) & KERNEL_KINDS);
}

int mt__mutex_lock(pthread_mutex_t *mutex)
{
    return is_ours(mutex) ? lock_until(mutex, 0, NULL) : lock_by_tries(mutex, 0, NULL);
}

static int try_lock(pthread_mutex_t *mutex)
{
    int kind = kind_of(mutex), result = again(mutex, kind, 1);

    if (result >= 0)
        return result;
    mt__patch_look_seldom();
    return try_word(mutex) ? taken(mutex, kind) : EBUSY;
}

static int unlock(pthread_mutex_t *mutex)
{
    int kind = kind_of(mutex);

    if ((kind & TYPE) == PTHREAD_MUTEX_RECURSIVE_NP || (kind & TYPE) == PTHREAD_MUTEX_ERRORCHECK_NP) {
        if (!is_mine(mutex))
            return EPERM;
        if ((kind & TYPE) == PTHREAD_MUTEX_RECURSIVE_NP && --mutex->__data.__count)
            return 0;
    }
    __atomic_store_n(&mutex->__data.__owner, 0, __ATOMIC_RELAXED);
    mutex->__data.__nusers--;
    if (__atomic_exchange_n(word_of(mutex), 0, __ATOMIC_RELEASE) > 1)
        mt__lock_wake(word_of(mutex), 1, kind & SHARED_KIND ? MT__WAIT_SHARED : 0);
    return 0;
}

int mt__mutex_unlock(pthread_mutex_t *mutex)
{
    return is_ours(mutex) ? unlock(mutex) : mt__libc(pthread_mutex_unlock)(mutex);
}

/* -- libc's names ------------------------------------------------------------------------------------------------- */

MT__PATCHED int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return mt__locks_here() ? mt__mutex_lock(mutex) : mt__libc(pthread_mutex_lock)(mutex);
}

MT__PATCHED int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    if (!mt__locks_here())
        return mt__libc(pthread_mutex_trylock)(mutex);
    if (is_ours(mutex))
        return try_lock(mutex);
    mt__patch_look_seldom();
    return mt__libc(pthread_mutex_trylock)(mutex);
}

MT__PATCHED int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    return mt__locks_here() ? mt__mutex_unlock(mutex) : mt__libc(pthread_mutex_unlock)(mutex);
}

MT__PATCHED int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict time)
{
    if (!mt__patched(LOCK))
        return mt__libc(pthread_mutex_timedlock)(mutex, time);
    return is_ours(mutex) ? lock_until(mutex, CLOCK_REALTIME, time) : lock_by_tries(mutex, CLOCK_REALTIME, time);
}

MT__PATCHED int pthread_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t clock,
                                        const struct timespec *restrict time)
{
    if (!mt__patched(LOCK))
        return mt__libc(pthread_mutex_clocklock)(mutex, clock, time);
    if (mt__lock_clock(clock))
        return EINVAL;
    return is_ours(mutex) ? lock_until(mutex, clock, time) : lock_by_tries(mutex, clock, time);
}

int __pthread_mutex_lock(pthread_mutex_t *mutex);
int __pthread_mutex_trylock(pthread_mutex_t *mutex);
int __pthread_mutex_unlock(pthread_mutex_t *mutex);

MT__PATCHED int __pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return pthread_mutex_lock(mutex);
}

MT__PATCHED int __pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    return pthread_mutex_trylock(mutex);
}

MT__PATCHED int __pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    return pthread_mutex_unlock(mutex);
}

/* -- C11's: libc's are the same objects --------------------------------------------------------------------------- */

static int thrd_result(int error)
{
    switch (error) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

MT__PATCHED int mtx_lock(mtx_t *mutex)
{
    return mt__patched(LOCK) ? thrd_result(mt__mutex_lock((pthread_mutex_t *)mutex)) : mt__libc(mtx_lock)(mutex);
}

MT__PATCHED int mtx_trylock(mtx_t *mutex)
{
    return mt__patched(LOCK) ? thrd_result(try_lock((pthread_mutex_t *)mutex)) : mt__libc(mtx_trylock)(mutex);
}

MT__PATCHED int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict time)
{
    if (!mt__patched(LOCK))
        return mt__libc(mtx_timedlock)(mutex, time);
    return thrd_result(lock_until((pthread_mutex_t *)mutex, CLOCK_REALTIME, time));
}

MT__PATCHED int mtx_unlock(mtx_t *mutex)
{
    return mt__patched(LOCK) ? thrd_result(mt__mutex_unlock((pthread_mutex_t *)mutex)) : mt__libc(mtx_unlock)(mutex);
}
