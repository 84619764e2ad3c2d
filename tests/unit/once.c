/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <pthread.h>

static int calls, failures_left;
static struct mt_once shared = MT_ONCE_INIT_NAMED("set-up");

static struct mt_event hold = MT_EVENT_INIT_NAMED("hold"); /* set: set_up need not wait */

static int set_up(void *arg)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    usleep(2000);
    if (mt_event_wait(&hold, MT_FOREVER))
        return -EIO;
    return failures_left-- > 0 ? mt_fail(-EIO, "not yet") : 0;
}

static int ask(void *arg)
{
    return mt_once(&shared, set_up, NULL, MT_FOREVER);
}

static int again(void *arg)
{
    return mt_once(arg, again, arg, MT_FOREVER);
}

static void runs_once(void **state)
{
    struct mt_task *tasks[8];

    calls = 0;
    failures_left = 0;
    mt_event_set(&hold);
    for (int i = 0; i < 8; i++)
        tasks[i] = spawn(ask, NULL);
    for (int i = 0; i < 8; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(calls, 1);
    assert_true(mt_once_is_done(&shared));
    assert_int_equal(mt_once(&shared, set_up, NULL, MT_NOWAIT), 0);
}

/* Who ran it sees the failure; the next in line tries again. */
static void a_failure_is_tried_again(void **state)
{
    struct mt_task *tasks[6];
    int failed = 0;

    memset(&shared, 0, sizeof shared);
    calls = 0;
    failures_left = 2;
    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(ask, NULL);
    for (int i = 0; i < 6; i++) {
        int outcome = finish(tasks[i]);
        assert_true(outcome == 0 || outcome == -EIO);
        failed += outcome != 0;
    }
    assert_int_equal(failed, 2);
    assert_int_equal(calls, 3);
    assert_true(mt_once_is_done(&shared));
}

static int end_the_thread(void *arg)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    if (mt_event_wait(&hold, MT_FOREVER))
        return -EIO;
    pthread_exit(NULL);
}

static int ask_and_end(void *arg)
{
    return mt_once(arg, end_the_thread, NULL, MT_FOREVER);
}

static int ask_it(void *arg)
{
    return mt_once(arg, set_up, NULL, in_time());
}

static void a_function_that_ends_its_thread_leaves_it_to_the_next(void **state)
{
    struct mt_once once = MT_ONCE_INIT_NAMED("left");
    struct mt_task *ending, *waiting;

    calls = 0;
    failures_left = 0;
    mt_event_clear(&hold);
    ending = spawn(ask_and_end, &once);
    while (!__atomic_load_n(&calls, __ATOMIC_SEQ_CST))
        usleep(100);
    waiting = spawn(ask_it, &once);
    until_waiting(waiting, MT_WAIT_ONCE);
    mt_event_set(&hold);
    assert_int_equal(finish(ending), -ECANCELED);
    assert_int_equal(finish(waiting), 0);
    assert_int_equal(calls, 2);
    assert_true(mt_once_is_done(&once));
}

static void busy_late_and_recursive(void **state)
{
    struct mt_once recursive = MT_ONCE_INIT;
    struct mt_task *task;

    memset(&shared, 0, sizeof shared);
    failures_left = 0;
    mt_event_clear(&hold);
    task = spawn(ask, NULL);
    while (!__atomic_load_n(&shared.word, __ATOMIC_RELAXED))
        usleep(100);
    assert_int_equal(mt_once(&shared, set_up, NULL, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_once(&shared, set_up, NULL, mt_after(MT_MS(2))), -ETIMEDOUT);
    mt_event_set(&hold);
    assert_int_equal(finish(task), 0);
    assert_int_equal(mt_once(&recursive, again, &recursive, MT_FOREVER), -EDEADLK);
    assert_false(mt_once_is_done(&recursive));
}

static void a_killed_waiter_leaves(void **state)
{
    struct mt_task *runner, *waiter;

    memset(&shared, 0, sizeof shared);
    failures_left = 0;
    mt_event_clear(&hold);
    runner = spawn(ask, NULL);
    while (!__atomic_load_n(&shared.word, __ATOMIC_RELAXED))
        usleep(100);
    waiter = spawn(ask, NULL);
    until_waiting(waiter, MT_WAIT_ONCE);
    assert_int_equal(mt_task_kill(waiter), 0);
    assert_int_equal(finish(waiter), -ECANCELED);
    mt_event_set(&hold);
    assert_int_equal(finish(runner), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_once),
        cmocka_unit_test(a_failure_is_tried_again),
        cmocka_unit_test(a_function_that_ends_its_thread_leaves_it_to_the_next),
        cmocka_unit_test(busy_late_and_recursive),
        cmocka_unit_test(a_killed_waiter_leaves),
    };
    return RUN(tests);
}
