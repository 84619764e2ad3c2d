/* SPDX-License-Identifier: MIT
 *
 * Processes as tasks. See mt_process_spawn(3).
 */
#ifndef LINUXMT_PROCESS_H
#define LINUXMT_PROCESS_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>

MT__BEGIN

/* How a process comes to be. */
enum mt_start_method {
    MT_FORK = 0,       /* a copy of the caller, its memory shared until one of the two writes */
    MT_SPAWN = 1,      /* the program anew, which finds the function again: nothing is shared but what is handed over */
    MT_FORKSERVER = 2, /* forked from a small process that was spawned once */
};

struct mt_process_limit {
    int resource; /* RLIMIT_CPU, RLIMIT_AS, ... */
    uint64_t soft, hard;
};

struct mt_process_options {
    const char *name; /* NULL: "process-" and the task's id */
    enum mt_start_method start;
    int daemon; /* not 0: it is killed when this process has ended */
    int nice;   /* added to the caller's */
    const struct mt_process_limit *limits;
    size_t limit_count;
    unsigned sandbox;   /* MT_SANDBOX_COMPUTE, ...: what it may not do, see linuxmt/sandbox.h */
    const char *cgroup; /* folder of a cgroup (version 2) to run in; NULL: the caller's */
    const int *fds;     /* descriptors to hand over: the child's mt_process_fd(i). MT_FORK hands over all anyway */
    size_t fd_count;
};

#define MT_PROCESS_FDS_MAX    64
#define MT_PROCESS_LIMITS_MAX 16

/* How a process ended. */
struct mt_exit {
    int code;   /* the value given to exit, -1 if a signal ended it */
    int signal; /* the signal that ended it, or 0 */
    int core;   /* not 0: it left a core file */
};

/* Starts a process that runs fn. `size` bytes at `arg` are copied and handed over, and fn gets their address; with size
 * 0, and MT_FORK, it gets arg itself. The caller owns the handle. NULL with errno: EAGAIN, ENOMEM, EMFILE, ENFILE
 * (limits); EINVAL (options); EPERM (nice, limits or a cgroup that need privilege); ENOENT, EACCES (the cgroup);
 * ENOTSUP (a method other than MT_FORK before mt_process_init); ENOEXEC (fn is not in a file that can be found again):
 * fn has not been called then. */
struct mt_task *mt_process_spawn(mt_fn *fn, const void *arg, size_t size, const struct mt_process_options *options);

/* To be called first in the main of a program that uses MT_SPAWN or MT_FORKSERVER. Does not come back in their
 * processes. */
void mt_process_init(void);

/* How the process ended. 0; -EINPROGRESS: it has not; -EINVAL: the task is no process. */
int mt_process_exit(const struct mt_task *task, struct mt_exit *exit);

/* Sends it a signal, never to another process that got the same number. 0; -ESRCH: it has ended; -EINVAL; -EPERM. */
int mt_process_signal(struct mt_task *task, int signal);

/* A descriptor that polls readable when the process has ended; valid as long as the handle. -EINVAL: no process. */
int mt_process_pidfd(const struct mt_task *task);

/* In a process that mt_process_spawn started: the nth of the descriptors handed over, -EBADF if there are not that
 * many. */
int mt_process_fd(size_t n);

MT__END

#endif
