/* SPDX-License-Identifier: MIT
 *
 * Joining threads that are coroutines, in a hub or in any thread, and giving up to. Who joins is noted in `joiner`, so
 * that a second one, and two that join each other, are told.
 */
#include "patch/locks.h"
#include "patch/pthreads.h"

#include <threads.h>

static int is_ended(struct mt__pthread *thread)
{
    return (int)__atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE);
}

/* 0, -ETIMEDOUT or -ECANCELED. In any thread. */
static int wait_for_end(struct mt__pthread *thread, mt_deadline deadline)
{
    struct mt__wait wait = {.word = &thread->ended,
                            .flags = MT__WAIT_LEFT,
                            .reason = MT_WAIT_JOIN,
                            .object = &thread->ended,
                            .name = thread->name,
                            .deadline = deadline};
    struct mt__patch_call call = {0};
    int in_hub = mt__hub != NULL, result;

    if (in_hub)
        call = mt__patch_enter();
    result = mt__wait_begin(&wait);
    if (!result) {
        while (!result && !is_ended(thread))
            result = mt__lock_round(&wait, 0);
        result = mt__wait_end(&wait, result);
    }
    if (in_hub) {
        if (mt__patch_leaves()) /* it does not come back: another may join */
            __atomic_store_n(&thread->joiner, NULL, __ATOMIC_RELEASE);
        mt__patch_end(call, 0);
    }
    return is_ended(thread) ? 0 : result;
}

static int join_coroutine(struct mt__pthread *thread, void **value, mt_deadline deadline)
{
    struct mt__pthread *self = mt__pthread_if_known(), *nobody = NULL;
    int result = 0;

    if (thread == self || (self && __atomic_load_n(&self->joiner, __ATOMIC_ACQUIRE) == thread))
        return EDEADLK;
    if (__atomic_load_n(&thread->detached, __ATOMIC_ACQUIRE) ||
        !__atomic_compare_exchange_n(&thread->joiner, &nobody, self ? self : MT__JOINED_BY_THREAD, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return EINVAL;
    if (!is_ended(thread))
        result = deadline == MT_NOWAIT ? -EBUSY : wait_for_end(thread, deadline);
    if (result) {
        __atomic_store_n(&thread->joiner, NULL, __ATOMIC_RELEASE);
        return -result;
    }
    if (value)
        *value = thread->value;
    mt__pthread_drop(thread);
    return 0;
}

/* A thread of libc's, joined in a hub: nothing is woken there at its end that we could wait for. */
static int join_thread(pthread_t handle, void **value, mt_deadline deadline)
{
    unsigned tries = 0;
    int result;

    while ((result = mt__libc(pthread_tryjoin_np)(handle, value)) == EBUSY) {
        mt__pthread_point();
        if (mt__pthread_has_left(handle, value))
            return 0;
        if (mt__lock_poll(&tries, deadline))
            return ETIMEDOUT;
    }
    return result;
}

static int join(pthread_t handle, void **value, mt_deadline deadline)
{
    struct mt__pthread *thread = mt__pthread_of(handle);
    int result;

    mt__pthread_point();
    result = thread ? join_coroutine(thread, value, deadline) : join_thread(handle, value, deadline);
    if (result == ECANCELED)
        mt__pthread_cancelled();
    return result;
}

/* Whether it is ours to do: to end in a coroutine, or to wait in a hub. */
static int is_here(pthread_t handle)
{
    return mt__pthread_of(handle) || mt__patched(THREAD);
}

MT__PATCHED int pthread_join(pthread_t handle, void **value)
{
    if (!is_here(handle) || mt__pthread_is_library(__builtin_return_address(0))) /* of its own, which is about to end */
        return mt__libc(pthread_join)(handle, value);
    return join(handle, value, MT_FOREVER);
}

MT__PATCHED int pthread_tryjoin_np(pthread_t handle, void **value)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (mt__patched(THREAD))
        mt__patch_look_seldom();
    return thread ? join_coroutine(thread, value, MT_NOWAIT) : mt__libc(pthread_tryjoin_np)(handle, value);
}

MT__PATCHED int pthread_clockjoin_np(pthread_t handle, void **value, clockid_t clock, const struct timespec *time)
{
    mt_deadline deadline = MT_FOREVER;

    if (!is_here(handle))
        return mt__libc(pthread_clockjoin_np)(handle, value, clock, time);
    if (mt__lock_clock(clock) || (time && mt__lock_deadline(clock, time, &deadline)))
        return EINVAL;
    return join(handle, value, deadline);
}

MT__PATCHED int pthread_timedjoin_np(pthread_t handle, void **value, const struct timespec *time)
{
    if (!is_here(handle))
        return mt__libc(pthread_timedjoin_np)(handle, value, time);
    return pthread_clockjoin_np(handle, value, CLOCK_REALTIME, time);
}

MT__PATCHED int thrd_join(thrd_t handle, int *result)
{
    void *value = NULL;

    if (!is_here(handle))
        return mt__libc(thrd_join)(handle, result);
    if (join(handle, &value, MT_FOREVER))
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)value;
    return thrd_success;
}

MT__PATCHED int pthread_detach(pthread_t handle)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_detach)(handle);
    if (__atomic_exchange_n(&thread->detached, 1, __ATOMIC_ACQ_REL))
        return EINVAL;
    mt__pthread_drop(thread);
    return 0;
}

MT__PATCHED int thrd_detach(thrd_t handle)
{
    return pthread_detach(handle) ? thrd_error : thrd_success;
}
