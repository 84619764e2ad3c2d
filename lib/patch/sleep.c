/* SPDX-License-Identifier: MIT
 *
 * Sleeping. An absolute time on a clock that can be set, or that runs while the machine is suspended, is a timerfd's to
 * tell: the hub's own timers go by CLOCK_MONOTONIC.
 */
#include "patch/patch.h"
#include "patch/undeclared.h"

#include <linuxmt/coro.h>
#include <sched.h>
#include <sys/timerfd.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static int is_time(const struct timespec *time)
{
    return time && time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

static int64_t nanoseconds(const struct timespec *time)
{
    if (time->tv_sec >= INT64_MAX / 1000000000)
        return MT_FOREVER;
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* 0 or -errno; what was left of the time goes to `left`. */
static int sleep_for(int64_t duration, struct timespec *left, const char *name)
{
    mt_deadline deadline = mt_after(duration);
    int64_t rest;
    int result;

    if (!duration) {
        result = mt_coro_yield();
        return result == -ECANCELED ? result : 0;
    }
    result = mt__patch_wait_time(deadline, name);
    if (result == -ETIME)
        return 0;
    rest = deadline - mt_now();
    if (rest < 0)
        rest = 0;
    if (left)
        *left = (struct timespec){.tv_sec = rest / 1000000000, .tv_nsec = rest % 1000000000};
    return result;
}

MT__PATCHED unsigned sleep(unsigned seconds)
{
    struct mt__patch_call call;
    struct timespec left = {0};
    int result;

    if (!mt__patched(SLEEP))
        return mt__libc(sleep)(seconds);
    call = mt__patch_begin();
    result = sleep_for(MT_SEC(seconds), &left, "sleep");
    mt__patch_end(call, result);
    return result ? (unsigned)(left.tv_sec + (left.tv_nsec >= 500000000)) : 0;
}

MT__PATCHED int usleep(useconds_t microseconds)
{
    struct mt__patch_call call;

    if (!mt__patched(SLEEP))
        return mt__libc(usleep)(microseconds);
    call = mt__patch_begin();
    return (int)mt__patch_end(call, sleep_for(MT_US(microseconds), NULL, "usleep"));
}

MT__PATCHED int nanosleep(const struct timespec *time, struct timespec *left)
{
    struct mt__patch_call call;

    if (!mt__patched(SLEEP) || !is_time(time))
        return mt__libc(nanosleep)(time, left);
    call = mt__patch_begin();
    return (int)mt__patch_end(call, sleep_for(nanoseconds(time), left, "nanosleep"));
}

MT__PATCHED int __nanosleep(const struct timespec *time, struct timespec *left)
{
    return nanosleep(time, left);
}

/* By a timer of the clock's own. 1: there is none for this clock. */
static int sleep_by_timer(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    const struct itimerspec once = {.it_value = *time};
    struct itimerspec rest = {{0, 0}, {0, 0}};
    int fd = mt__own(mt__sys(SYS_timerfd_create, clock, TFD_CLOEXEC | TFD_NONBLOCK));
    int result;

    if (fd < 0)
        return 1;
    result = (int)mt__sys(SYS_timerfd_settime, fd, flags & TIMER_ABSTIME ? TFD_TIMER_ABSTIME : 0, &once, NULL);
    if (!result)
        result = mt__patch_wait_fd(fd, POLLIN, MT__WAIT_INTERRUPT_ALWAYS, MT_FOREVER, "clock_nanosleep");
    if (result && left && !(flags & TIMER_ABSTIME) && !mt__sys(SYS_timerfd_gettime, fd, &rest))
        *left = rest.it_value;
    mt__own_close(fd);
    return result;
}

/* 1: not here. */
static int sleep_by_clock(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    mt_deadline deadline;
    int result;

    if (clock != CLOCK_MONOTONIC && (clock != CLOCK_REALTIME || flags & TIMER_ABSTIME)) {
        if (!time->tv_sec && !time->tv_nsec)
            return 1;
        return sleep_by_timer(clock, flags, time, left);
    }
    if (!(flags & TIMER_ABSTIME))
        return sleep_for(nanoseconds(time), left, "clock_nanosleep");
    deadline = nanoseconds(time);
    if (deadline <= mt_now())
        return sleep_for(0, NULL, "clock_nanosleep"); /* a loop around it may wait for another of the hub's */
    result = mt__patch_wait_time(deadline, "clock_nanosleep");
    return result == -ETIME ? 0 : result;
}

MT__PATCHED int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    struct mt__patch_call call;
    int result;

    if (!mt__patched(SLEEP) || !is_time(time) || flags & ~TIMER_ABSTIME)
        return mt__libc(clock_nanosleep)(clock, flags, time, left);
    call = mt__patch_begin();
    result = sleep_by_clock(clock, flags, time, left);
    mt__patch_end(call, result == -ECANCELED ? result : 0);
    if (result != 1)
        return -result;
    mt__patch_pass(clock_nanosleep);
    return mt__libc(clock_nanosleep)(clock, flags, time, left);
}

MT__PATCHED int thrd_sleep(const struct timespec *time, struct timespec *left)
{
    struct mt__patch_call call;
    int result;

    if (!mt__patched(SLEEP) || !is_time(time))
        return mt__libc(thrd_sleep)(time, left);
    call = mt__patch_begin();
    result = sleep_for(nanoseconds(time), left, "thrd_sleep");
    mt__patch_end(call, result == -ECANCELED ? result : 0);
    return result == -EINTR ? -1 : result ? -2 : 0;
}

MT__PATCHED void thrd_yield(void)
{
    struct mt__patch_call call;

    if (!mt__patched(SLEEP)) {
        mt__libc(thrd_yield)();
        return;
    }
    call = mt__patch_begin();
    sleep_for(0, NULL, "thrd_yield");
    mt__patch_end(call, 0);
}

MT__PATCHED int sched_yield(void)
{
    struct mt__patch_call call;

    if (!mt__patched(SLEEP))
        return mt__libc(sched_yield)();
    call = mt__patch_begin();
    sleep_for(0, NULL, "sched_yield");
    return (int)mt__patch_end(call, 0);
}
