/* SPDX-License-Identifier: MIT
 *
 * What unit tests share. CMocka's asserts jump out of the test, so they stand on the main task only; other tasks record
 * what they saw.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER 1
#endif
#endif
#ifndef SANITIZER
#define SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif

/* A fork's child of a process with threads may start none of its own under ThreadSanitizer, and a hub on epoll has
 * helpers. */
static inline int forks_child_has_no_hub(void)
{
    return TSAN && strcmp(mt_loop_name(), "uring") != 0;
}

/* How often something is done that is worth doing very often: MT_TEST_SHARE=10 asks for a tenth of it, and so do
 * sanitizers. */
static inline int often(int times)
{
    const char *share = getenv("MT_TEST_SHARE");
    int parts = share ? atoi(share) : SANITIZER ? 10 : 1;

    return parts > 0 && times > parts ? times / parts : times;
}

/* Until when what is to come has come: long after it would on any machine, however busy, but a test that hangs ends. */
static inline mt_deadline in_time(void)
{
    return mt_after(MT_SEC(300));
}

/* Milliseconds since `start`. */
static inline long elapsed(mt_deadline start)
{
    return (long)((mt_now() - start) / 1000000);
}

/* Whether a round of what is done very often is still to be done: all `times`, but for no longer than half a minute
 * where each turn of another task takes its time, as under an emulator or on a busy processor. */
static inline int goes_on(int round, int times, mt_deadline start)
{
    return round < times && elapsed(start) < 30000;
}

#define RUN(tests) cmocka_run_group_tests_name(__BASE_FILE__, tests, NULL, NULL)

static inline struct mt_task *spawn_named(mt_fn *fn, void *arg, const char *name)
{
    struct mt_thread_options options = {.name = name};
    struct mt_task *task = mt_thread_spawn(fn, arg, &options);

    assert_non_null(task);
    return task;
}

static inline struct mt_task *spawn(mt_fn *fn, void *arg)
{
    struct mt_task *task = mt_thread_spawn(fn, arg, NULL);

    assert_non_null(task);
    return task;
}

/* Joins, gives the handle back and returns the outcome. */
static inline int finish(struct mt_task *task)
{
    int outcome;

    assert_int_equal(mt_task_join(task, in_time()), 0);
    outcome = mt_task_outcome(task);
    if (outcome)
        print_message("# %s: %d %s\n", mt_task_name(task), outcome, mt_task_message(task));
    mt_task_release(task);
    return outcome;
}

/* That many at once, each of which must end well. */
static inline void run_many(mt_fn *fn, void *arg, int count)
{
    struct mt_task *tasks[16];

    assert_true(count <= 16);
    for (int i = 0; i < count; i++)
        tasks[i] = spawn(fn, arg);
    for (int i = 0; i < count; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

/* Waits until the task waits for that reason: the way to know that it has got there. */
static inline void until_waiting(struct mt_task *task, enum mt_reason reason)
{
    for (mt_deadline limit = in_time(); mt_now() < limit;) {
        struct mt_task_info info;
        mt_task_info(task, &info);
        if (info.state == MT_WAITING && info.reason == reason)
            return;
        usleep(500);
    }
    fail_msg("the task never waited for a %s", mt_reason_name(reason));
}

/* Counted by asking for each: a look into /proc/self/fd would open one. */
static inline int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

#define assert_between(value, low, high) \
    do {                                 \
        long between_ = (value);         \
        assert_true(between_ >= (low));  \
        assert_true(between_ <= (high)); \
    } while (0)

#endif
