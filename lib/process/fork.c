/* SPDX-License-Identifier: MIT
 *
 * A process by fork(3), glibc's own, because only it leaves malloc, stdio and the thread's id right in the child of a
 * program with threads. (So clone3(2), which could give the pidfd in the same call, is not to be had.) The child begins
 * when the parent has its pidfd, so that a parent which cannot have one can still say that nothing ran. As a rule that
 * is so before the child has come here; it is woken only if it has said that it sleeps.
 *
 * All signals are blocked in between: the child gets its handlers and its mask before one arrives.
 */
#include "process/process.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void wait_for_go(struct mt__start *start)
{
    const struct timespec slice = {0, 100 * 1000 * 1000};
    uint32_t go = 0;

    while (__atomic_compare_exchange_n(&start->go, &go, MT__SLEEPS, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE) ||
           go == MT__SLEEPS) {
        mt__arch_syscall(SYS_futex, (long)&start->go, FUTEX_WAIT, MT__SLEEPS, (long)&slice, 0, 0);
        go = 0;
        if (getppid() != start->parent)
            _exit(EXIT_FAILURE);
    }
    if (go == MT__STAY)
        _exit(EXIT_FAILURE);
}

static void say(struct mt__start *start, uint32_t go)
{
    if (__atomic_exchange_n(&start->go, go, __ATOMIC_ACQ_REL) == MT__SLEEPS)
        mt__arch_syscall(SYS_futex, (long)&start->go, FUTEX_WAKE, 1, 0, 0, 0);
}

static int fork_now(void)
{
    int error = __atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED) ? mt__sys_injected(SYS_clone) : 0;
    pid_t pid;

    if (error)
        return -error;
    pid = fork();
    return pid < 0 ? -errno : pid;
}

int mt__start_by_fork(struct mt__process *process, mt_fn *fn, void *arg)
{
    uint64_t all = ~0ull;
    long pidfd;
    int pid;

    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &process->start->signals, sizeof all);
    pid = fork_now();
    if (pid == 0) {
        wait_for_go(process->start);
        mt__child_run(process->start, fn, arg);
    }
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &process->start->signals, NULL, sizeof all);
    if (pid < 0)
        return pid;
    pidfd = mt__sys(SYS_pidfd_open, pid, 0);
    say(process->start, pidfd < 0 ? MT__STAY : MT__GO);
    if (pidfd < 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return (int)pidfd;
    }
    process->pid = pid;
    process->pidfd = (int)pidfd;
    return 0;
}
