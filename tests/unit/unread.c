/* SPDX-License-Identifier: MIT
 *
 * Failures that nobody has read when the process exits. Each case runs in a child that exits, with its standard error
 * in a pipe.
 */
#include "unit.h"

#include <sys/wait.h>

static char said[4096];

/* Runs body in a child that exits: `said` is what it wrote to standard error. */
static void run_to_exit(void (*body)(void))
{
    int ends[2], status;
    size_t size = 0;
    ssize_t more;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        exit(0);
    }
    close(ends[1]);
    while (size < sizeof said - 1 && (more = read(ends[0], said + size, sizeof said - 1 - size)) > 0)
        size += (size_t)more;
    said[size] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int times(const char *text)
{
    int count = 0;

    for (const char *at = said; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static int fail_silently(void *arg)
{
    return mt_fail(-EIO, "the disk of %s is full", (const char *)arg);
}

static struct mt_task *start(const char *whose)
{
    struct mt_thread_options options = {.name = whose};

    return mt_thread_spawn(fail_silently, (void *)(uintptr_t)whose, &options);
}

/* Joined or ended: the main task may not assert here. */
static void end(struct mt_task *task)
{
    if (!task || mt_task_join(task, in_time()))
        _exit(1);
}

static void keep_handles(void)
{
    struct mt_task *read = start("one who was asked");

    end(start("one who was joined"));
    end(read);
    if (mt_task_outcome(read) != -EIO)
        _exit(2);
}

static void tasks_whose_handles_are_kept(void **state)
{
    run_to_exit(keep_handles);
    assert_string_equal(said, "linuxmt: task \"one who was joined\" failed: the disk of one who was joined is full: "
                              "Input/output error\n");
}

static void fork_and_exit(void)
{
    pid_t child;

    end(start("the parent"));
    child = fork();
    if (!child) {
        end(start("the child"));
        exit(0);
    }
    if (waitpid(child, NULL, 0) != child)
        _exit(3);
}

static void a_child_tells_of_its_own(void **state)
{
    run_to_exit(fork_and_exit);
    assert_int_equal(times("the disk of the parent is full"), 1);
    assert_int_equal(times("the disk of the child is full"), 1);
    assert_int_equal(times("\n"), 2);
}

static void hook(struct mt_task *task, int outcome, const char *message) {}

static void be_hooked(void)
{
    mt_failure_hook(hook);
    keep_handles();
}

static void a_hook_has_heard_of_them(void **state)
{
    run_to_exit(be_hooked);
    assert_string_equal(said, "");
}

static void keep_futures(void)
{
    struct mt_pool_options options = {.name = "disks", .workers = 2};
    struct mt_pool *pool = mt_pool_open(&options);
    struct mt_future *read, *kept, *given_back;
    pid_t child;

    if (!pool)
        _exit(1);
    read = mt_pool_apply(pool, fail_silently, "read", 5, MT_FOREVER);
    kept = mt_pool_apply(pool, fail_silently, "kept", 5, MT_FOREVER);
    given_back = mt_pool_apply(pool, fail_silently, "given back", 11, MT_FOREVER);
    if (!read || !kept || !given_back || mt_future_outcome(read) != -EIO)
        _exit(2);
    mt_future_release(given_back);
    child = fork();
    if (!child)
        exit(0);
    if (waitpid(child, NULL, 0) != child)
        _exit(3);
}

static void futures_whose_handles_are_kept(void **state)
{
    if (SANITIZER)
        skip(); /* LeakSanitizer judges what a child that exits has of its parent */
    run_to_exit(keep_futures);
    assert_int_equal(times("the disk of read is full"), 0);
    assert_int_equal(times("the disk of kept is full"), 1);
    assert_int_equal(times("the disk of given back is full"), 1);
    assert_int_equal(times("\n"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_whose_handles_are_kept),
        cmocka_unit_test(a_child_tells_of_its_own),
        cmocka_unit_test(a_hook_has_heard_of_them),
        cmocka_unit_test(futures_whose_handles_are_kept),
    };
    return RUN(tests);
}
