/* SPDX-License-Identifier: MIT
 *
 * A process ends while coroutines wait: for LeakSanitizer, where it looks on, what they have in hand is not lost, nor
 * is what the thread's own stack refers to when one of them exits. Without it there is nothing to be seen.
 * tests/loops.t runs this on each loop.
 */
#include "hub.h"

#include <fcntl.h>
#include <sys/wait.h>

enum { BLOCKS = 100 };

/* Some addresses are found elsewhere by chance; not all. */
static void fill(void *volatile *blocks)
{
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(152);
}

static int hold_and_wait(void *arg)
{
    void *volatile blocks[BLOCKS];
    int result;

    fill(blocks);
    result = mt_sleep(MT_SEC(600));
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return result;
}

static int nothing(void *arg)
{
    return 0;
}

/* One of them is done with, and spare. */
static int while_one_waits(void *arg)
{
    struct mt_task *done = mt_coro_spawn(nothing, NULL, NULL);

    if (!done || !mt_coro_spawn(hold_and_wait, NULL, NULL) || mt_task_join(done, MT_FOREVER))
        return 1;
    mt_task_release(done);
    return mt_sleep(MT_MS(1)) != 0;
}

static int exit_here(void *arg)
{
    exit(0);
}

static int in_a_coroutine(void *arg)
{
    void *volatile blocks[BLOCKS];

    fill(blocks);
    if (while_one_waits(NULL) || !mt_coro_spawn(exit_here, NULL, NULL) || mt_sleep(MT_SEC(60)))
        return 1;
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return 2;
}

static int lose_some(void *arg)
{
    void *volatile blocks[BLOCKS];
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    fill(blocks);
    memset((void *)(uintptr_t)blocks, 0, sizeof blocks);
    dup2(null, STDERR_FILENO); /* LeakSanitizer tells of them */
    close(null);
    return while_one_waits(NULL);
}

static int exit_status(mt_fn *fn)
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        exit(fn(NULL));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_process_ends_while_one_waits(void **state)
{
    assert_int_equal(exit_status(while_one_waits), 0);
}

static void a_coroutine_ends_the_process(void **state)
{
    assert_int_equal(exit_status(in_a_coroutine), 0);
}

static void what_is_lost_is_told(void **state)
{
    if (!SANITIZER || TSAN)
        skip();
    assert_int_not_equal(exit_status(lose_some), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_ends_while_one_waits),
        cmocka_unit_test(a_coroutine_ends_the_process),
        cmocka_unit_test(what_is_lost_is_told),
    };

    return RUN(tests);
}
