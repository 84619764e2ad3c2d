/* SPDX-License-Identifier: MIT
 *
 * To accept without waiting. accept(2) has no flag for that, and O_NONBLOCK belongs to all who share the socket: to set
 * it, if for a moment only, is to tell other processes that they do not want to wait either. poll(2) says whether there
 * is a connection, but of several who hear it one gets it, and the others would wait in the kernel for the next, with
 * all their coroutines.
 *
 * So the wait is made short instead: a timer of the kernel's interrupts this thread, again and again until the call is
 * over.
 *
 *   1. the signal is unblocked here, and the timer started      any tick from here on runs a handler that does nothing
 *   2. accept4: a connection, if there is one; else it waits    a tick before it began is followed by another in it
 *   3. the timer is deleted, and the signal blocked as before   a tick that is still pending is delivered in between
 *
 * A connection that is there is taken even if a tick has just come: the kernel looks for one before it looks for
 * signals. The signal is one of real time that the program has no use for; that is asked each time, as it may have
 * found one since. Without such a signal, or a timer, the call is made as it is.
 */
#include "coro/accept.h"
#include "base/mini.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#define TICK 500000 /* ns */

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static struct mt__mini guard;
static int tick_signal; /* 0: none yet */

void mt__accept_tick(int number)
{
    (void)number;
}

static int is_ticks(int number)
{
    struct sigaction now;

    return !sigaction(number, NULL, &now) && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == mt__accept_tick;
}

static int is_free(int number)
{
    struct sigaction now;

    return !sigaction(number, NULL, &now) && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

/* A handler that is once there stays. Not restarting the call is what it is for. */
static int take_signal(void)
{
    const struct sigaction action = {.sa_handler = mt__accept_tick, .sa_flags = SA_ONSTACK};
    int number;

    mt__mini_acquire(&guard);
    number = tick_signal && is_ticks(tick_signal) ? tick_signal : SIGRTMAX;
    while (number >= SIGRTMIN && !is_ticks(number) && !(is_free(number) && !sigaction(number, &action, NULL)))
        number--;
    __atomic_store_n(&tick_signal, number < SIGRTMIN ? 0 : number, __ATOMIC_RELAXED);
    mt__mini_release(&guard);
    return number < SIGRTMIN ? 0 : number;
}

/* 0: there is none to be had. */
static int signal_of_ticks(void)
{
    int number = __atomic_load_n(&tick_signal, __ATOMIC_RELAXED);

    return number && is_ticks(number) ? number : take_signal();
}

/* The kernel's number of the timer, or -errno. */
static long start_timer(int number)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number};
    const struct itimerspec often = {{0, TICK}, {0, TICK}};
    int timer;
    long error;

    event.sigev_notify_thread_id = (int)mt__sys(SYS_gettid);
    error = mt__sys(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
    if (error)
        return error;
    error = mt__sys(SYS_timer_settime, timer, 0, &often, NULL);
    if (error)
        mt__sys(SYS_timer_delete, timer);
    return error ? error : timer;
}

static long take(int fd, struct sockaddr *address, unsigned *size, int flags)
{
    int number = signal_of_ticks();
    uint64_t tick = number ? (uint64_t)1 << (number - 1) : 0, before;
    long timer, result;

    if (!number)
        return mt__sys(SYS_accept4, fd, address, size, flags);
    mt__sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &tick, &before, sizeof tick);
    timer = start_timer(number);
    result = mt__sys(SYS_accept4, fd, address, size, flags);
    if (timer >= 0)
        mt__sys(SYS_timer_delete, timer);
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    return result == -EINTR ? -EAGAIN : result;
}

/* Of what does not listen the call says at once that it does not. */
static int listens(int fd)
{
    int listening = 0;
    socklen_t size = sizeof listening;

    return !mt__sys(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) && listening;
}

long mt__accept_now(int fd, struct sockaddr *address, unsigned *size, int flags)
{
    const struct timespec none = {0, 0};
    struct pollfd look = {.fd = fd, .events = POLLIN};
    long owners = mt__sys(SYS_fcntl, fd, F_GETFL);

    if (owners < 0 || owners & O_NONBLOCK || !listens(fd))
        return mt__sys(SYS_accept4, fd, address, size, flags);
    if (!mt__sys(SYS_ppoll, &look, 1, &none, NULL, 0))
        return -EAGAIN;
    return take(fd, address, size, flags);
}
