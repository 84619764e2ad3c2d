/* SPDX-License-Identifier: MIT
 *
 * Sending signals: to a thread that is a coroutine, or to a hub's root, by way of its mailbox (sent.c); to a process
 * that is called by the id of a coroutine of it, as the kernel takes a thread's for its process's. And what is pending.
 */
#include "patch/pthreads.h"

#include <signal.h>
#include <unistd.h>

static int is_signal(int number)
{
    return number >= 0 && number <= SIGRTMAX;
}

/* -- To one thread --------------------------------------------------------------------------------------------------
 */

MT__PATCHED int pthread_kill(pthread_t handle, int number)
{
    struct mt__pthread *thread = mt__pthread_of(handle);
    int result;

    if (!thread) {
        result = number > 0 && is_signal(number) ? mt__signal_send_root(handle, 0, number, NULL) : 1;
        return result > 0 ? mt__libc(pthread_kill)(handle, number) : -result;
    }
    if (!is_signal(number))
        return EINVAL;
    if (!number || __atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE))
        return 0;
    return -mt__signal_send(&thread->mailbox, number, NULL);
}

MT__PATCHED int pthread_sigqueue(pthread_t handle, int number, const union sigval value)
{
    struct mt__pthread *thread = mt__pthread_of(handle);
    siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE};
    int result;

    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value = value;
    if (!thread) {
        result = number > 0 && is_signal(number) ? mt__signal_send_root(handle, 0, number, &info) : 1;
        return result > 0 ? mt__libc(pthread_sigqueue)(handle, number, value) : -result;
    }
    if (!is_signal(number))
        return EINVAL;
    if (__atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE))
        return ESRCH;
    return number ? -mt__signal_send(&thread->mailbox, number, &info) : 0;
}

MT__PATCHED int raise(int number)
{
    struct mt__mailbox *own = mt__pthread_is_on() ? mt__mailbox_here() : NULL;
    int result;

    if (!own || !own->coro || number <= 0 || !is_signal(number))
        return mt__libc(raise)(number);
    result = mt__signal_send(own, number, NULL);
    if (result)
        errno = -result;
    return result ? -1 : 0;
}

MT__PATCHED int gsignal(int number)
{
    return raise(number);
}

/* -- To a process ---------------------------------------------------------------------------------------------------
 */

MT__PATCHED int kill(pid_t process, int number)
{
    return mt__libc(kill)(mt__id_is_ours(process) ? getpid() : process, number);
}

MT__PATCHED int sigqueue(pid_t process, int number, const union sigval value)
{
    return mt__libc(sigqueue)(mt__id_is_ours(process) ? getpid() : process, number, value);
}

/* -- What is pending ------------------------------------------------------------------------------------------------
 */

MT__PATCHED int sigpending(sigset_t *set)
{
    const struct mt__mailbox *own = mt__pthread_is_on() ? mt__mailbox_here() : NULL;
    int result = mt__libc(sigpending)(set);

    if (!result && own)
        mt__signals_to(set, mt__signals_of(set) | __atomic_load_n(&own->pending, __ATOMIC_ACQUIRE));
    return result;
}
