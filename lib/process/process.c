/* SPDX-License-Identifier: MIT
 *
 * Spawning processes: the options into the block, and the block to one of the three ways to start.
 */
#include "base/own.h"
#include "process/process.h"
#include "process/sandbox.h"
#include "wait/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int check(mt_fn *fn, const void *arg, size_t size, const struct mt_process_options *options)
{
    int error;

    if (!fn || options->start > MT_FORKSERVER || options->limit_count > MT_PROCESS_LIMITS_MAX ||
        options->fd_count > MT_PROCESS_FDS_MAX || size > PTRDIFF_MAX / 2 || (size && !arg))
        return -EINVAL;
    error = mt__sandbox_check(options->sandbox);
    if (error)
        return error;
    if (options->cgroup && strlen(options->cgroup) >= MT__CGROUP_MAX)
        return -ENAMETOOLONG;
    for (size_t i = 0; i < options->limit_count; i++)
        if (options->limits[i].resource < 0 || options->limits[i].resource >= RLIM_NLIMITS ||
            options->limits[i].soft > options->limits[i].hard)
            return -EINVAL;
    for (size_t i = 0; i < options->fd_count; i++)
        if (mt__sys(SYS_fcntl, options->fds[i], F_GETFD) < 0)
            return -EBADF;
    if (options->start == MT_FORK)
        return 0;
    if (arg && !size) /* an address means nothing in another program */
        return -EINVAL;
    return mt__process_is_ready() ? 0 : -ENOTSUP;
}

/* Settings can fail, and the spawner is to hear of that. */
static int has_settings(const struct mt_process_options *options)
{
    return options->daemon || options->nice || options->limit_count || options->cgroup || options->sandbox;
}

static void fill(struct mt__start *start, const void *arg, size_t size, const struct mt_process_options *options,
                 const char *name)
{
    memcpy(start->name, name, sizeof start->name);
    if (options->start != MT_FORK) /* which blocks them all, and is told then */
        mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &start->signals, sizeof start->signals);
    start->by_thread = options->start != MT_FORKSERVER &&
                       (options->daemon == MT__DAEMON_OF_THREAD || mt__here.thread == (uint32_t)start->parent);
    start->daemon = options->daemon;
    start->awaited = has_settings(options);
    start->nice = options->nice;
    start->sandbox = options->sandbox;
    start->limit_count = (uint32_t)options->limit_count;
    start->fd_count = (uint32_t)options->fd_count;
    if (options->limit_count)
        memcpy(start->limits, options->limits, options->limit_count * sizeof *options->limits);
    for (size_t i = 0; i < options->fd_count; i++)
        start->fds[i] = options->fds[i];
    if (options->cgroup)
        strcpy(start->cgroup, options->cgroup);
    if (size)
        memcpy(start->argument, arg, size);
}

/* Waits until the child has set itself up, or is gone. */
static int wait_until_settled(struct mt_task *task, struct mt__process *process)
{
    struct mt__start *start = process->start;
    struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
    int gone = 0;

    while (!__atomic_load_n(&start->settled, __ATOMIC_ACQUIRE)) {
        if (gone)
            return 0; /* killed on its way: that is its outcome */
        mt__start_wait(start);
        gone = poll(&end, 1, 0) == 1;
    }
    if (!start->error)
        return 0;
    task->noticed = 1;
    return start->error;
}

/* What stands in a buffer now would be written twice by a fork, and late by the others. A stream that another thread
 * holds, who may be waiting in it for input, is left as it is. */
static void flush(FILE *stream)
{
    if (!__fpending(stream) || ftrylockfile(stream)) /* looked at before: a lock taken is a page that a fork copies */
        return;
    fflush_unlocked(stream);
    funlockfile(stream);
}

static int start_process(struct mt__process *process, mt_fn *fn, void *arg, enum mt_start_method method, int block)
{
    flush(stdout);
    flush(stderr);
    switch (method) {
    case MT_FORK:
        return mt__start_by_fork(process, fn, process->start->argument_size ? process->start->argument : arg);
    case MT_SPAWN:
        return mt__start_by_exec(process, block);
    default:
        return mt__start_by_server(process, block);
    }
}

/* Makes block and process of a task that has none yet. On failure nothing is left of them. */
static int launch(struct mt_task *task, mt_fn *fn, const void *arg, size_t size,
                  const struct mt_process_options *options)
{
    struct mt__process *process = mt__alloc(sizeof *process);
    int block = -1, error = 0;

    if (!process)
        return -ENOMEM;
    process->start = mt__start_new(size, options->start == MT_FORK ? NULL : &block, &error);
    if (process->start) {
        process->start_size = process->start->size;
        fill(process->start, arg, size, options, task->record->name);
        if (options->start != MT_FORK)
            error = mt__function_name(fn, &process->start->function);
        if (!error)
            error = start_process(process, fn, (void *)(uintptr_t)arg, options->start, block);
        if (error)
            mt__start_free(process->start, process->start_size);
    }
    if (block >= 0)
        mt__sys(SYS_close, block);
    if (error) {
        free(process);
        return error;
    }
    process->pidfd = mt__own(process->pidfd);
    task->resource = process;
    mt__record_tid(task->record, process->pid);
    mt__record_state(task->record, MT_RUNNING);
    task->kind = &mt__process_kind;
    __atomic_store_n(&task->there, 1, __ATOMIC_RELEASE);
    return 0;
}

struct mt_task *mt_process_spawn(mt_fn *fn, const void *arg, size_t size, const struct mt_process_options *options)
{
    const struct mt_process_options none = {0};
    struct mt_task *task = NULL;
    int error;

    if (!options)
        options = &none;
    error = check(fn, arg, size, options);
    if (!error) {
        mt__process_first();
        task = mt__self() ? mt__task_new(MT_PROCESS, options->name) : NULL;
        error = task ? 0 : -ENOMEM;
    }
    if (task && !options->name)
        snprintf(task->record->name, sizeof task->record->name, "process-%llu", (unsigned long long)task->record->id);
    if (!error)
        error = launch(task, fn, arg, size, options);
    if (!error && has_settings(options)) {
        error = wait_until_settled(task, task->resource);
        while (error && mt_task_join(task, MT_FOREVER) == -ECANCELED)
            mt__sys(SYS_sched_yield); /* a killed spawner still waits for it: it has nothing left to do */
    }
    if (!error)
        return task;
    if (task)
        mt__task_drop(task);
    errno = -error;
    return NULL;
}
