/* SPDX-License-Identifier: MIT
 *
 * What a new process does: it sets itself up as its options say, tells its parent how that went, runs the body, leaves
 * outcome and message in the block and ends. Buffers of stdio are flushed; functions of atexit(3), which are the
 * parent's, are not called.
 *
 * SIGTERM kills the task in the library's sense: the call that the main task blocks in returns -ECANCELED. A second one
 * ends the process. A program that handles SIGTERM itself keeps its handler.
 *
 * A daemon ends with its parent. PR_SET_PDEATHSIG(2) is about the thread that forked, so it serves where that was the
 * main thread, or the worker of a pool, with which its process is to end; else a small thread watches the parent's
 * pidfd.
 */
#include "base/own.h"
#include "process/process.h"
#include "process/sandbox.h"
#include "wait/wait.h"
#include <linuxmt/thread.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Beside the other variables that a fork's child writes to, which spares it a page. */
#define ON_A_WRITTEN_PAGE __attribute__((section(".data")))
static const struct mt__start *my_start ON_A_WRITTEN_PAGE;
static struct mt_task *main_task ON_A_WRITTEN_PAGE;

int mt_process_fd(size_t n)
{
    return my_start && n < my_start->fd_count && n < MT_PROCESS_FDS_MAX ? my_start->fds[n] : -EBADF;
}

/* -- Setting up --------------------------------------------------------------------------------------------------- */

static void on_term(int signal)
{
    mt__wait_cancel(main_task);
}

/* While all signals are blocked. */
static void take_term(void)
{
    struct sigaction action = {.sa_handler = on_term, .sa_flags = SA_RESETHAND}, old;

    if (sigaction(SIGTERM, &action, &old) == 0 && (old.sa_flags & SA_SIGINFO || old.sa_handler != SIG_DFL))
        sigaction(SIGTERM, &old, NULL);
}

static int watch_parent(void *arg)
{
    struct pollfd parent = {.fd = (int)(intptr_t)arg, .events = POLLIN};

    while (poll(&parent, 1, -1) < 1)
        ;
    raise(SIGKILL);
    return 0;
}

static int die_with_parent(const struct mt__start *start)
{
    struct mt_thread_options options = {.name = "parent-watch", .stack_size = MT_STACK_MIN, .daemon = 1};
    struct mt_task *watcher;
    long fd;

    if (start->by_thread) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL))
            return -errno;
    } else {
        fd = mt__own(mt__sys(SYS_pidfd_open, start->parent, 0));
        if (fd < 0)
            return (int)fd;
        watcher = mt_thread_spawn(watch_parent, (void *)(intptr_t)fd, &options);
        if (!watcher) {
            int error = errno;
            mt__own_close((int)fd);
            return -error;
        }
        mt_task_detach(watcher);
    }
    return getppid() == start->parent ? 0 : -ESRCH; /* it ended meanwhile */
}

static int join_cgroup(const char *folder)
{
    char path[MT__CGROUP_MAX + 16];
    int fd, error = 0;

    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return mt_fail(-errno, "cannot open %s", path);
    if (write(fd, "0", 1) < 0)
        error = mt_fail(-errno, "cannot enter the cgroup %s", folder);
    close(fd);
    return error;
}

static int set_up(struct mt__start *start)
{
    int error = 0;

    if (start->cgroup[0])
        error = join_cgroup(start->cgroup);
    for (uint32_t i = 0; !error && i < start->limit_count; i++) {
        const struct mt_process_limit *limit = &start->limits[i];
        struct rlimit both = {limit->soft, limit->hard};
        if (setrlimit((__rlimit_resource_t)limit->resource, &both))
            error = -errno;
    }
    if (!error && start->nice) {
        errno = 0;
        if (nice(start->nice) == -1 && errno)
            error = errno == EACCES ? -EPERM : -errno;
    }
    if (!error && start->daemon)
        error = die_with_parent(start);
    return error ? error : mt__sandbox_enter(start);
}

static void tell_settled(struct mt__start *start, int error)
{
    start->error = error;
    if (error)
        memcpy(start->message, main_task->message, sizeof start->message);
    __atomic_store_n(&start->settled, 1, __ATOMIC_RELEASE);
    if (start->awaited)
        mt__sys(SYS_futex, &start->settled, FUTEX_WAKE, 1);
}

/* -- Running ------------------------------------------------------------------------------------------------------ */

static _Noreturn void report(struct mt__start *start, int outcome)
{
    if (mt__at_end && mt__self() == main_task)
        mt__at_end(); /* its coroutines end as those of a thread do */
    memcpy(start->message, main_task->message, sizeof start->message);
    start->outcome = outcome;
    __atomic_store_n(&start->reported, 1, __ATOMIC_RELEASE);
    fflush(NULL);
    _exit(outcome ? EXIT_FAILURE : EXIT_SUCCESS);
}

_Noreturn void mt__child_run(struct mt__start *start, mt_fn *fn, void *arg)
{
    int error;

    main_task = mt__self();
    if (!main_task) {
        start->error = -ENOMEM;
        __atomic_store_n(&start->settled, 1, __ATOMIC_RELEASE);
        _exit(EXIT_FAILURE);
    }
    my_start = start;
    mt__wait_uncancel(main_task); /* that was the forker's */
    main_task->message[0] = 0;
    memcpy(main_task->record->name, start->name, MT_NAME_MAX - 1);
    mt__sys(SYS_prctl, PR_SET_NAME, start->name);
    take_term();
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &start->signals, NULL, sizeof start->signals);
    error = set_up(start);
    tell_settled(start, error);
    if (error)
        _exit(EXIT_FAILURE);
    report(start, fn(arg));
}

_Noreturn void mt__child_run_block(struct mt__start *start)
{
    char why[MT_MESSAGE_MAX];
    mt_fn *fn = mt__function_find(&start->function, why, sizeof why);

    if (fn)
        mt__child_run(start, fn, start->argument_size ? start->argument : NULL);
    main_task = mt__self();
    if (!main_task)
        _exit(EXIT_FAILURE);
    mt_fail(-ENOEXEC, "%s", why);
    tell_settled(start, -ENOEXEC);
    report(start, -ENOEXEC);
}
