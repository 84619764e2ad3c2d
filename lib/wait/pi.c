/* SPDX-License-Identifier: MIT
 *
 * A wait in FUTEX_LOCK_PI cannot watch the task's `cancel` as other waits do: futex_waitv takes no such futexes, and a
 * signal does not help, as the kernel restarts the call after each (ERESTARTNOINTR). So it is cut into slices: a kill
 * is noticed within SLICE. Between two slices the task is off the owner's list for the time of a system call, and the
 * owner without its priority: that is the price, and why slices are no shorter.
 *
 * Deadlines are CLOCK_MONOTONIC, which FUTEX_LOCK_PI2 takes (Linux 5.14). FUTEX_LOCK_PI only knows CLOCK_REALTIME: a
 * slice is then converted as it begins, and a clock that is set meanwhile shortens it, or makes it longer by as much as
 * the clock went back.
 */
#include "wait/pi.h"
#include "base/clock.h"

#include <linux/futex.h>
#include <time.h>

#define SLICE MT_MS(50)

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static int lock_pi2_missing;

static int private(unsigned flags)
{
    return flags & MT__WAIT_SHARED ? 0 : FUTEX_PRIVATE_FLAG;
}

static long lock_pi(uint32_t *word, int kind, mt_deadline until)
{
    struct mt__timespec buffer;
    struct timespec now;
    long result;

    if (!__atomic_load_n(&lock_pi2_missing, __ATOMIC_RELAXED)) {
        result = mt__sys(SYS_futex, word, FUTEX_LOCK_PI2 | kind, 0, mt__timespec(until, &buffer));
        if (result != -ENOSYS)
            return result;
        __atomic_store_n(&lock_pi2_missing, 1, __ATOMIC_RELAXED);
    }
    clock_gettime(CLOCK_REALTIME, &now);
    until = until - mt_now() + (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return mt__sys(SYS_futex, word, FUTEX_LOCK_PI | kind, 0, mt__timespec(until, &buffer));
}

int mt__wait_pi_round(struct mt__wait *wait)
{
    mt_deadline end = mt__wait_limit(wait, wait->deadline), slice = mt_after(SLICE), until = end < slice ? end : slice;
    long result;

    if (__atomic_load_n(&wait->task->cancel, __ATOMIC_ACQUIRE))
        return -ECANCELED;
    result = lock_pi(wait->word, private(wait->flags), until);
    switch (result) {
    case 0:
        __atomic_load_n(wait->word, __ATOMIC_ACQUIRE); /* the kernel's own order, told to the compiler and to TSan */
        return 0;
    case -ETIMEDOUT:
        return until < end ? -EAGAIN : mt__wait_limited(wait, wait->deadline, -ETIMEDOUT);
    case -EAGAIN: /* the owner is just dying */
        mt__sys(SYS_sched_yield);
        return mt_now() < end ? -EAGAIN : mt__wait_limited(wait, wait->deadline, -ETIMEDOUT);
    case -EINTR:
        return -EAGAIN;
    case -ENOSYS:
        return -ENOTSUP;
    default:
        return (int)result;
    }
}

int mt__wait_pi_try(uint32_t *word, unsigned flags)
{
    long result = mt__sys(SYS_futex, word, FUTEX_TRYLOCK_PI | private(flags), 0, 0);

    if (!result)
        __atomic_load_n(word, __ATOMIC_ACQUIRE);
    return result == -EAGAIN || result == -EDEADLK ? -EBUSY : result == -ENOSYS ? -ENOTSUP : (int)result;
}

void mt__wait_pi_release(uint32_t *word, unsigned flags)
{
    __atomic_fetch_or(word, 0, __ATOMIC_RELEASE);
    while (mt__sys(SYS_futex, word, FUTEX_UNLOCK_PI | private(flags)) == -EAGAIN)
        ; /* the word was just being changed */
}
