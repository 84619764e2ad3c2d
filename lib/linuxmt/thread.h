/* SPDX-License-Identifier: MIT
 *
 * Threads. See mt_thread_spawn(3).
 */
#ifndef LINUXMT_THREAD_H
#define LINUXMT_THREAD_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>

MT__BEGIN

struct mt_thread_options {
    const char *name;  /* NULL: "thread-" and the task's id */
    size_t stack_size; /* bytes, rounded up to pages; 0: 256 KiB. At least MT_STACK_MIN */
    size_t guard_size; /* bytes below the stack that fault; 0: one page */
    int daemon;        /* not 0: mt_joinall_threads does not wait for it */
    const void *cpus;  /* a cpu_set_t of cpus_size bytes: where it may run; NULL: as its spawner */
    size_t cpus_size;
    int policy; /* SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE with `priority`; 0 (SCHED_OTHER): as its spawner */
    int priority;
    int nice; /* added to the spawner's */
};

#define MT_STACK_MIN 16384

/* Starts a thread that runs fn(arg). The caller owns the handle. NULL with errno: EAGAIN (there may be no more threads:
 * RLIMIT_NPROC, a cgroup's pids.max, kernel.threads-max), ENOMEM, EINVAL (a stack below MT_STACK_MIN, a guard that is
 * no multiple of the page, CPUs that are not there, a priority that the policy has not), EPERM (a policy or a nice
 * value that needs privilege): fn has not been called then. */
struct mt_task *mt_thread_spawn(mt_fn *fn, void *arg, const struct mt_thread_options *options);

/* A thread as a thing with state and a method: embed it in a struct of your own, set run, and get back from `self` to
 * that struct with mt_container_of. `task` is the handle from the start on, for run too, and yours to release. */
struct mt_thread {
    int (*run)(struct mt_thread *self);
    struct mt_thread_options options;
    struct mt_task *task;
};

#define mt_container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Starts it. 0; -EALREADY: it has been started; else -errno as mt_thread_spawn. */
int mt_thread_start(struct mt_thread *thread);

/* Waits until all threads of the library have ended but daemons and the caller: what Python does at the end of a
 * program. Errors as mt_task_join's. */
int mt__joinall_threads(mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_joinall_threads(deadline) mt__joinall_threads(deadline, MT__HERE)

/* Which of the two ways threads are made, "raw" or "pthread", and why. */
const char *mt_thread_backend(void);
const char *mt_thread_backend_reason(void);

MT__END

#endif
