/* SPDX-License-Identifier: MIT
 *
 * For unit tests of coroutines that take a process of their own.
 */
#ifndef TESTS_CORO_CHILD_H
#define TESTS_CORO_CHILD_H

#include "hub.h"

#include <sys/resource.h>
#include <sys/wait.h>

static inline int nothing(void *arg)
{
    return 0;
}

static inline int sleep_long(void *arg)
{
    return mt_sleep(MT_SEC(1000));
}

/* In a process of its own, whose standard error comes back in `said`. */
static inline int in_child(int (*body)(void), char *said, size_t size)
{
    int pipes[2], status;
    size_t at = 0;
    ssize_t count;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        alarm(120); /* only a test that hangs */
        _exit(body());
    }
    close(pipes[1]);
    while ((count = read(pipes[0], said + at, size - 1 - at)) > 0)
        at += (size_t)count;
    said[at] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#endif
