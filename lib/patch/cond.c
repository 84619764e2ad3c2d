/* SPDX-License-Identifier: MIT
 *
 * Conditions waited for in a hub. libc's own waiters are counted in groups that no stranger can join (and that change
 * from release to release), so who waits in a hub waits in our table, by the condition's address:
 *
 *   wait       enters the table, then gives the mutex back: whoever changes what is waited for does that with the
 * mutex, and so finds him there signal     takes the first one out of the table; only if there is none it is libc's
 * signal broadcast  takes all out, and is libc's broadcast too
 *
 * A waiter that was taken out has been woken, whatever else has happened to it meanwhile: it returns 0. Only one that a
 * handler leaves for good does not return, and passes the wake on.
 *
 * Other processes cannot see the table. On a condition that they share a coroutine's wait is a pause of some
 * milliseconds that ends by a "spurious" wake-up, which POSIX has every waiter be prepared for.
 */
#include "patch/locks.h"
#include "patch/pthreads.h"

#include <errno.h>
#include <threads.h>

#define WREFS_SHARED    1u /* libc's marks in __wrefs, looked at once */
#define WREFS_MONOTONIC 2u

static unsigned marks_of(clockid_t clock, int shared)
{
    pthread_condattr_t attributes;
    pthread_cond_t cond;
    unsigned marks;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, clock);
    pthread_condattr_setpshared(&attributes, shared);
    pthread_cond_init(&cond, &attributes);
    marks = cond.__data.__wrefs;
    pthread_cond_destroy(&cond);
    return marks;
}

/* Whether libc marks conditions as we think. */
static int is_known(void)
{
    static int known; /* 1: yes; -1: no */
    int now = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (!now) {
        now = marks_of(CLOCK_REALTIME, PTHREAD_PROCESS_PRIVATE) == 0 &&
                      marks_of(CLOCK_MONOTONIC, PTHREAD_PROCESS_PRIVATE) == WREFS_MONOTONIC &&
                      marks_of(CLOCK_REALTIME, PTHREAD_PROCESS_SHARED) == WREFS_SHARED
                  ? 1
                  : -1;
        __atomic_store_n(&known, now, __ATOMIC_RELAXED);
    }
    return now > 0;
}

static unsigned marks(const pthread_cond_t *cond)
{
    return __atomic_load_n(&cond->__data.__wrefs, __ATOMIC_RELAXED);
}

/* Sleeps until it is taken out of the table. 0, -ETIMEDOUT, -ECANCELED or, if it leaves, -EINTR. */
static int sleep_in_table(struct mt__waiter *waiter, mt_deadline deadline)
{
    struct mt__wait wait = {.word = &waiter->word,
                            .flags = MT__WAIT_LEFT,
                            .reason = MT_WAIT_COND,
                            .object = waiter->object,
                            .deadline = deadline};
    int result = mt__wait_begin(&wait);

    while (!result && !__atomic_load_n(&waiter->word, __ATOMIC_ACQUIRE))
        result = mt__lock_round(&wait, 0);
    return mt__wait_end(&wait, result);
}

static int wait_in_table(pthread_cond_t *cond, pthread_mutex_t *mutex, mt_deadline deadline)
{
    struct mt__waiter waiter = {.object = cond};
    int result;

    mt__waiter_add(&waiter);
    result = mt__mutex_unlock(mutex);
    if (result) {
        mt__waiter_remove(&waiter);
        return result;
    }
    result = sleep_in_table(&waiter, deadline);
    if (mt__waiter_remove(&waiter))
        return -result;
    if (mt__patch_leaves())
        mt__waiters_wake(cond, NULL);
    return 0;
}

static int wait_by_polling(pthread_mutex_t *mutex, mt_deadline deadline)
{
    unsigned tries = 2;
    int result = mt__mutex_unlock(mutex);

    if (result)
        return result;
    mt__patch_pass(pthread_cond_wait);
    return mt__lock_poll(&tries, deadline);
}

/* Handlers may have asked for pthread_exit meanwhile: then the mutex is needed first, as cleanup handlers give it back.
 * Who leaves by a jump has none. */
static void lock_again(pthread_mutex_t *mutex)
{
    void *value;
    int exits = 0;

    do
        exits |= mt__leave_is_exit(&value);
    while (!mt__patch_leaves() && mt__mutex_lock(mutex) == EINTR);
    if (exits && !mt__patch_leaves())
        mt__leave_exit(value);
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *time)
{
    mt_deadline deadline = MT_FOREVER;
    struct mt__patch_call call;
    int result = time ? mt__lock_deadline(clock, time, &deadline) : 0;

    if (result)
        return result;
    mt__pthread_point();
    call = mt__patch_enter();
    if (marks(cond) & WREFS_SHARED)
        result = wait_by_polling(mutex, deadline);
    else
        result = wait_in_table(cond, mutex, deadline);
    if (result != EPERM)
        lock_again(mutex);
    mt__patch_end(call, 0);
    if (result == ECANCELED)
        mt__pthread_cancelled();
    return result;
}

static int is_here(void)
{
    if (!mt__patched(LOCK))
        return 0;
    if (is_known())
        return 1;
    mt__patch_pass(pthread_cond_wait);
    return 0;
}

/* -- libc's names ------------------------------------------------------------------------------------------------- */

MT__PATCHED int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return is_here() ? wait_until(cond, mutex, 0, NULL) : mt__libc(pthread_cond_wait)(cond, mutex);
}

MT__PATCHED int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                                       const struct timespec *restrict time)
{
    if (!is_here())
        return mt__libc(pthread_cond_timedwait)(cond, mutex, time);
    return wait_until(cond, mutex, marks(cond) & WREFS_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, time);
}

MT__PATCHED int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
                                       const struct timespec *restrict time)
{
    return is_here() ? wait_until(cond, mutex, clock, time)
                     : mt__libc(pthread_cond_clockwait)(cond, mutex, clock, time);
}

/* Whoever waits in the table is woken by anybody, in a hub or not, and whatever is patched by now. */
static int wake_first(pthread_cond_t *cond)
{
    return __atomic_load_n(&mt__waiters, __ATOMIC_SEQ_CST) && mt__waiters_wake(cond, NULL);
}

static int all_of_them(int first, int other)
{
    return 1;
}

static void wake_all(pthread_cond_t *cond)
{
    if (__atomic_load_n(&mt__waiters, __ATOMIC_SEQ_CST))
        mt__waiters_wake(cond, all_of_them);
}

MT__PATCHED int pthread_cond_signal(pthread_cond_t *cond)
{
    return wake_first(cond) ? 0 : mt__libc(pthread_cond_signal)(cond);
}

MT__PATCHED int pthread_cond_broadcast(pthread_cond_t *cond)
{
    wake_all(cond);
    return mt__libc(pthread_cond_broadcast)(cond);
}

/* -- C11's: libc's are the same objects --------------------------------------------------------------------------- */

MT__PATCHED int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    if (!is_here())
        return mt__libc(cnd_wait)(cond, mutex);
    return wait_until((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, 0, NULL) ? thrd_error : thrd_success;
}

MT__PATCHED int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict time)
{
    int result;

    if (!is_here())
        return mt__libc(cnd_timedwait)(cond, mutex, time);
    result = wait_until((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, CLOCK_REALTIME, time);
    return result == ETIMEDOUT ? thrd_timedout : result ? thrd_error : thrd_success;
}

MT__PATCHED int cnd_signal(cnd_t *cond)
{
    return wake_first((pthread_cond_t *)cond) ? thrd_success : mt__libc(cnd_signal)(cond);
}

MT__PATCHED int cnd_broadcast(cnd_t *cond)
{
    wake_all((pthread_cond_t *)cond);
    return mt__libc(cnd_broadcast)(cond);
}
