/* SPDX-License-Identifier: MIT
 *
 * Waiting for signals. Those that are accepted (sigwait) are waited for by a descriptor of them, and then accepted.
 * Those that are handled (pause, sigsuspend) are waited for off the hub, and handled there, in a thread that has the
 * mask while the hub's thread has none open: so only signals to the process end such a wait, and not those to the
 * thread.
 */
#include "patch/fd.h"
#include "patch/undeclared.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static mt_deadline deadline_of(const struct timespec *timeout)
{
    if (!timeout || timeout->tv_sec > INT64_MAX / 2000000000)
        return MT_FOREVER;
    return mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
}

/* The signal, or -errno. */
static long accept_signal(const sigset_t *set, siginfo_t *info, mt_deadline deadline, enum mt__name_number number)
{
    const struct timespec none = {0, 0};
    int fd = -1, result = 0;
    long signal;

    for (;;) {
        signal = mt__sys(SYS_rt_sigtimedwait, set, info, &none, 8);
        if (signal != -EAGAIN || result)
            break;
        if (fd < 0 && (fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) {
            signal = -errno;
            break;
        }
        result = mt__patch_wait_fd(fd, POLLIN, MT__WAIT_INTERRUPT_ALWAYS, deadline, mt__names[number].name);
    }
    if (fd >= 0)
        mt__sys(SYS_close, fd);
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

static int wait_for_handler(const sigset_t *mask)
{
    struct mt__patch_call call = mt__patch_begin();
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    mt__off(MT__N_sigsuspend, (const long[6]){(long)(mask ? mask : &before)});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return (int)mt__patch_end(call, -EINTR);
}

MT__PATCHED int pause(void)
{
    return mt__patched(SIGNAL) ? wait_for_handler(NULL) : mt__libc(pause)();
}

MT__PATCHED int sigsuspend(const sigset_t *mask)
{
    return mt__patched(SIGNAL) ? wait_for_handler(mask) : mt__libc(sigsuspend)(mask);
}

MT__PATCHED int __sigsuspend(const sigset_t *mask)
{
    return sigsuspend(mask);
}
