/* SPDX-License-Identifier: MIT
 *
 * What the tests of processes share: each is done with every start method.
 */
#ifndef TESTS_PROCESS_UNIT_H
#define TESTS_PROCESS_UNIT_H

#include "unit.h"

#include "base/sys.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static const enum mt_start_method methods[] = {MT_FORK, MT_SPAWN, MT_FORKSERVER};
#define EACH(method) for (size_t method = MT_FORK; method <= MT_FORKSERVER; method++)

static inline struct mt_task *start(mt_fn *fn, const void *arg, size_t size, size_t method)
{
    struct mt_process_options options = {.start = (enum mt_start_method)method};
    struct mt_task *task = mt_process_spawn(fn, arg, size, &options);

    assert_non_null(task);
    return task;
}

static inline int return_it(void *arg)
{
    return *(int *)arg;
}

static inline int nap(void *arg)
{
    usleep(1000);
    return 0;
}

static inline int leave(void *arg)
{
    exit(*(int *)arg);
}

static inline int sleep_long(void *arg)
{
    int result = mt_sleep(MT_SEC(60));

    return result == -ECANCELED ? mt_fail(-ECANCELED, "cleaned up") : result;
}

static inline int tell_and_sleep(void *arg)
{
    if (write(mt_process_fd(0), "", 1) != 1)
        return -EIO;
    return sleep_long(NULL);
}

/* Starts one that sleeps, and waits until it does. */
static inline struct mt_task *sleeper(size_t method, mt_fn *fn)
{
    int told[2];
    char byte;
    struct mt_process_options options = {.start = (enum mt_start_method)method, .fds = &told[1], .fd_count = 1};
    struct mt_task *task;

    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    task = mt_process_spawn(fn, NULL, 0, &options);
    assert_non_null(task);
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    close(told[0]);
    return task;
}

#endif
