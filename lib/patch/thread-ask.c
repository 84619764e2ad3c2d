/* SPDX-License-Identifier: MIT
 *
 * What is asked of a thread that is a coroutine. What the kernel knows of threads is said of the one that carries its
 * hub, as of processors and their clocks. Each takes libc's way for libc's threads.
 */
#include "patch/pthreads.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

/* 0: it has not begun. */
static int tid_of(const struct mt__pthread *thread)
{
    return __atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE) ? 0 : thread->mailbox.tid;
}

static int own_tid(const struct mt__pthread *thread)
{
    int tid = tid_of(thread);

    return tid ? tid : (int)mt__sys(SYS_gettid);
}

MT__PATCHED int pthread_getattr_np(pthread_t handle, pthread_attr_t *attributes)
{
    struct mt__pthread *thread = mt__pthread_of(handle);
    int error;

    if (!thread)
        return mt__libc(pthread_getattr_np)(handle, attributes);
    error = pthread_attr_init(attributes);
    if (error)
        return error;
    pthread_attr_setdetachstate(attributes, thread->detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
    pthread_attr_setguardsize(attributes, (size_t)sysconf(_SC_PAGESIZE));
    if (thread->stack_low)
        pthread_attr_setstack(attributes, thread->stack_low, (size_t)(thread->stack_top - thread->stack_low));
    else
        pthread_attr_setstacksize(attributes, thread->stack_size);
    return 0;
}

MT__PATCHED int pthread_setaffinity_np(pthread_t handle, size_t size, const cpu_set_t *processors)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_setaffinity_np)(handle, size, processors);
    return sched_setaffinity(own_tid(thread), size, processors) ? errno : 0;
}

MT__PATCHED int pthread_getaffinity_np(pthread_t handle, size_t size, cpu_set_t *processors)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_getaffinity_np)(handle, size, processors);
    return sched_getaffinity(own_tid(thread), size, processors) ? errno : 0;
}

MT__PATCHED int pthread_getcpuclockid(pthread_t handle, clockid_t *clock)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_getcpuclockid)(handle, clock);
    *clock = (clockid_t)((~(unsigned)own_tid(thread) << 3) | 6); /* the kernel's encoding: this thread's time */
    return 0;
}

/* Of those that know no priorities each will do, and is remembered. */
MT__PATCHED int pthread_setschedparam(pthread_t handle, int policy, const struct sched_param *parameters)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_setschedparam)(handle, policy, parameters);
    if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
        return ENOTSUP;
    if (parameters->sched_priority)
        return EINVAL;
    __atomic_store_n(&thread->policy, policy, __ATOMIC_RELAXED);
    return 0;
}

MT__PATCHED int pthread_getschedparam(pthread_t handle, int *policy, struct sched_param *parameters)
{
    struct mt__pthread *thread = mt__pthread_of(handle);

    if (!thread)
        return mt__libc(pthread_getschedparam)(handle, policy, parameters);
    *policy = __atomic_load_n(&thread->policy, __ATOMIC_RELAXED);
    *parameters = (struct sched_param){.sched_priority = 0};
    return 0;
}

MT__PATCHED int pthread_setschedprio(pthread_t handle, int priority)
{
    if (!mt__pthread_of(handle))
        return mt__libc(pthread_setschedprio)(handle, priority);
    return priority ? EINVAL : 0;
}

/* In the header it is another name of sched_yield; old programs call this one. */
int mt__old_yield(void) __asm__("pthread_yield");
MT__PATCHED int mt__old_yield(void)
{
    return sched_yield();
}
