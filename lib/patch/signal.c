/* SPDX-License-Identifier: MIT
 *
 * Waiting for signals. Those that are accepted (sigwait) are waited for by a descriptor of them, and then accepted.
 * Those that are handled (pause, sigsuspend) end a sleep without an end: see handler.c.
 */
#include "patch/fd.h"
#include "patch/signals.h"
#include "patch/undeclared.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define LONGEST MT_SEC(3600)
#define PAUSE   MT_MS(10)

static mt_deadline deadline_of(const struct timespec *timeout)
{
    if (!timeout || timeout->tv_sec > INT64_MAX / 2000000000)
        return MT_FOREVER;
    return mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
}

/* One that is there: sent to the caller, or else to its process. -EAGAIN: none. */
static long take(const sigset_t *set, siginfo_t *info)
{
    const struct timespec none = {0, 0};
    siginfo_t found;
    long signal = mt__signal_take(mt__signals_of(set), info);

    if (signal)
        return signal;
    do
        signal = mt__sys(SYS_rt_sigtimedwait, set, &found, &none, 8);
    while (signal > 0 && mt__signal_is_knock(&found));
    if (signal > 0 && info)
        *info = found;
    return signal;
}

/* Without a descriptor to wait for. 0: it is time to. */
static int look_again(mt_deadline deadline, enum mt__name_number number)
{
    mt_deadline next = mt_after(PAUSE);
    int result = mt__patch_wait_time(next < deadline ? next : deadline, mt__names[number].name);

    return result == -ETIME && next < deadline ? 0 : result;
}

/* The signal, or -errno. */
static long accept_signal(const sigset_t *set, siginfo_t *info, mt_deadline deadline, enum mt__name_number number)
{
    int fd = -1, result = 0;
    long signal;

    mt__signals_accept(mt__signals_of(set));
    for (;;) {
        signal = mt__patch_leaves() ? -EINTR : take(set, info);
        if (signal != -EAGAIN || result)
            break;
        if (fd < 0)
            fd = mt__own(mt__sys(SYS_signalfd4, -1, set, 8, SFD_CLOEXEC | SFD_NONBLOCK));
        result = fd < 0 ? look_again(deadline, number)
                        : mt__patch_wait_fd(fd, POLLIN, MT__WAIT_INTERRUPT_ALWAYS, deadline, mt__names[number].name);
    }
    mt__signals_accept(0);
    if (fd >= 0)
        mt__own_close(fd);
    return signal == -EAGAIN && result != -ETIME ? result : signal;
}

MT__PATCHED int sigwait(const sigset_t *restrict set, int *restrict signal)
{
    struct mt__patch_call call;
    long result;

    if (!mt__patched(SIGNAL))
        return mt__libc(sigwait)(set, signal);
    call = mt__patch_begin();
    result = accept_signal(set, NULL, MT_FOREVER, MT__N_sigwait);
    mt__patch_end(call, 0);
    if (result < 0)
        return (int)-result;
    *signal = (int)result;
    return 0;
}

MT__PATCHED int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info)
{
    struct mt__patch_call call;

    if (!mt__patched(SIGNAL))
        return mt__libc(sigwaitinfo)(set, info);
    call = mt__patch_begin();
    return (int)mt__patch_end(call, accept_signal(set, info, MT_FOREVER, MT__N_sigwaitinfo));
}

MT__PATCHED int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info,
                             const struct timespec *restrict timeout)
{
    struct mt__patch_call call;

    if (!mt__patched(SIGNAL) ||
        (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)))
        return mt__libc(sigtimedwait)(set, info, timeout);
    call = mt__patch_begin();
    return (int)mt__patch_end(call, accept_signal(set, info, deadline_of(timeout), MT__N_sigtimedwait));
}

/* -- Handlers ----------------------------------------------------------------------------------------------------- */

/* A handler that the mask lets in may run before there is a sleep to end: it has ended it. Each round has a
 * time, since a hub that only waits for signals is not stuck. */
static int until_handler(const sigset_t *mask, enum mt__name_number number)
{
    uint32_t never = 0;
    struct mt__wait wait = {.word = &never,
                            .flags = MT__WAIT_TIME | MT__WAIT_INTERRUPT_ALWAYS | (mask ? MT__WAIT_INTERRUPT_FIRST : 0),
                            .reason = MT_WAIT_SLEEP,
                            .place = mt__names[number].name,
                            .deadline = MT_FOREVER};
    struct mt__mask_suspended own;
    int result = mt__wait_begin(&wait);

    if (result)
        return result;
    if (mask)
        mt__mask_suspend(&own, mask);
    while (!result || result == -ETIMEDOUT)
        result = mt__wait_round(&wait, 0, mt_after(LONGEST));
    if (mask)
        mt__mask_resume(&own);
    return mt__wait_end(&wait, result);
}

static int wait_for_handler(const sigset_t *mask, enum mt__name_number number)
{
    struct mt__patch_call call = mt__patch_begin();

    return (int)mt__patch_end(call, until_handler(mask, number));
}

MT__PATCHED int pause(void)
{
    return mt__patched(SIGNAL) ? wait_for_handler(NULL, MT__N_pause) : mt__libc(pause)();
}

MT__PATCHED int sigsuspend(const sigset_t *mask)
{
    return mt__patched(SIGNAL) ? wait_for_handler(mask, MT__N_sigsuspend) : mt__libc(sigsuspend)(mask);
}

MT__PATCHED int __sigsuspend(const sigset_t *mask)
{
    return sigsuspend(mask);
}
