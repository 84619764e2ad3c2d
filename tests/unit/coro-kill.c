/* SPDX-License-Identifier: MIT
 *
 * Coroutines that are killed: by themselves, by other threads, with their thread, and at its end. tests/loops.t runs
 * this on each loop.
 */
#include "hub.h"

static int sleep_long(void *arg)
{
    int result = mt_sleep(MT_SEC(1000)), again = mt_sleep(MT_SEC(1000));

    return result == -ECANCELED && again == -ECANCELED ? -ECANCELED : -EIO;
}

static void a_killed_sleeper_comes_back(void **state)
{
    struct mt_task *task = spawn_coro(sleep_long, NULL);

    mt_coro_yield();
    assert_int_equal(mt_task_state(task), MT_WAITING);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
}

static int has_run;

static int run(void *arg)
{
    has_run = 1;
    return 0;
}

static void killed_before_it_began_it_never_runs(void **state)
{
    struct mt_task *task = spawn_coro(run, NULL);

    has_run = 0;
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
    assert_int_equal(has_run, 0);
}

static int kill_other(void *arg)
{
    usleep(10000);
    return mt_task_kill(arg);
}

static void another_thread_kills(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct mt_task *victim = spawn_coro(sleep_long, NULL), *killer = spawn(kill_other, victim);
        assert_int_equal(finish(victim), -ECANCELED);
        assert_int_equal(finish(killer), 0);
    }
}

static int thread_with_a_hub(void *arg)
{
    struct mt_task *task = mt_coro_spawn(sleep_long, NULL, NULL);
    int result = task ? mt_task_join(task, MT_FOREVER) : -errno;

    if (task)
        mt_task_detach(task); /* it still runs: the thread's end ends it */
    return result;
}

static void a_thread_is_killed_in_its_hub(void **state)
{
    struct mt_task *thread = spawn(thread_with_a_hub, NULL);

    until_waiting(thread, MT_WAIT_JOIN);
    usleep(2000);
    assert_int_equal(mt_task_kill(thread), 0);
    assert_int_equal(finish(thread), -ECANCELED);
}

static int yield_thrice(void *arg)
{
    for (int i = 0; i < 3; i++)
        mt_coro_yield();
    return 0;
}

static int hear_of_it_at_the_end(void *arg)
{
    struct mt_task *task = mt_coro_spawn(yield_thrice, NULL, NULL);
    int result = task ? mt_sleep(MT_MS(2)) : -errno; /* the hub sleeps, and its thread's kills are told to it */

    if (task)
        mt_task_release(task);
    while (!result && !mt_task_killed())
        usleep(500);
    usleep(2000);
    return result;
}

/* Who is told by letter of the kill, where the loop is not told by the kernel, has ended before that is read. */
static void a_thread_is_killed_outside_its_hub(void **state)
{
    for (int i = 0; i < 5; i++) {
        struct mt_task *thread = spawn(hear_of_it_at_the_end, NULL);
        usleep(4000);
        assert_int_equal(mt_task_kill(thread), 0);
        assert_int_equal(mt_task_join(thread, in_time()), 0);
        mt_task_release(thread);
    }
}

static int cleaned;

static int clean_up(void *arg)
{
    int result = mt_sleep(MT_SEC(1000));

    cleaned++;
    return result;
}

static int leave_some(void *arg)
{
    for (int i = 0; i < 10; i++)
        mt_task_detach(mt_coro_spawn(clean_up, NULL, NULL));
    return mt_sleep(MT_MS(1));
}

static mt_failure_fn *told;

static void keep_quiet(struct mt_task *task, int outcome, const char *message) {}

static void the_end_of_a_thread_ends_its_coroutines(void **state)
{
    told = mt_failure_hook(keep_quiet);
    cleaned = 0;
    assert_int_equal(finish(spawn(leave_some, NULL)), 0);
    assert_int_equal(cleaned, 10);
    mt_failure_hook(told);
}

static int spawn_one_more(void *arg)
{
    int result = mt_sleep(MT_SEC(1000));

    mt_task_detach(mt_coro_spawn(clean_up, NULL, NULL));
    return result;
}

static int leave_one_that_spawns(void *arg)
{
    mt_task_detach(mt_coro_spawn(spawn_one_more, NULL, NULL));
    return mt_sleep(MT_MS(1));
}

static void the_end_of_a_thread_ends_what_they_spawn_then(void **state)
{
    struct mt_task *thread;

    told = mt_failure_hook(keep_quiet);
    cleaned = 0;
    thread = spawn(leave_one_that_spawns, NULL);
    assert_int_equal(mt_task_join(thread, in_time()), 0);
    assert_int_equal(finish(thread), 0);
    assert_true(cleaned == 0 || cleaned == 1); /* it may not have begun */
    mt_failure_hook(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_sleeper_comes_back),
        cmocka_unit_test(killed_before_it_began_it_never_runs),
        cmocka_unit_test(another_thread_kills),
        cmocka_unit_test(a_thread_is_killed_in_its_hub),
        cmocka_unit_test(a_thread_is_killed_outside_its_hub),
        cmocka_unit_test(the_end_of_a_thread_ends_its_coroutines),
        cmocka_unit_test(the_end_of_a_thread_ends_what_they_spawn_then),
    };

    return RUN(tests);
}
