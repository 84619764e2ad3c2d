/* SPDX-License-Identifier: MIT
 *
 * Waiting until the hub has nothing else to do. tests/loops.t runs this on each loop.
 */
#include "hub.h"

static char trace[16];

static int yield_and_tell(void *arg)
{
    for (int i = 0; i < 200; i++) /* more than the switches between two turns */
        if (mt_coro_yield())
            return -ECANCELED;
    strcat(trace, arg);
    return 0;
}

static int idle_and_tell(void *arg)
{
    int result = mt_coro_idle(in_time());

    strcat(trace, arg);
    return result;
}

static void idle_comes_after_all_that_is_ready(void **state)
{
    struct mt_task *tasks[4];

    trace[0] = 0;
    tasks[0] = spawn_coro(idle_and_tell, "1");
    tasks[1] = spawn_coro(yield_and_tell, "a");
    tasks[2] = spawn_coro(idle_and_tell, "2");
    tasks[3] = spawn_coro(yield_and_tell, "b");
    assert_int_equal(mt_coro_idle(in_time()), 0);
    strcat(trace, "0");
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(strlen(trace), 5);
    assert_memory_equal(trace, "ab", 2); /* whoever idles comes last */
}

static int stop;

static int never_stop(void *arg)
{
    while (!stop)
        if (mt_coro_yield())
            return -ECANCELED;
    return 0;
}

static int idle_within(void *arg)
{
    return mt_coro_idle(MT_FOREVER);
}

static void idle_ends_by_time_and_kill_too(void **state)
{
    struct mt_task *busy = spawn_coro(never_stop, NULL), *idler = spawn_coro(idle_within, NULL);

    assert_int_equal(mt_coro_idle(MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_coro_idle(mt_after(MT_MS(2))), -ETIMEDOUT);
    assert_int_equal(mt_with_timeout(MT_MS(2), idle_within, NULL), -ETIMEDOUT);
    assert_int_equal(mt_task_kill(idler), 0);
    assert_int_equal(finish(idler), -ECANCELED);
    stop = 1;
    assert_int_equal(finish(busy), 0);
    assert_int_equal(mt_coro_idle(MT_FOREVER), 0);
    assert_int_equal(mt_coro_idle(MT_NOWAIT), 0);
    assert_int_equal(finish(spawn(idle_within, NULL)), 0); /* a thread without coroutines */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_comes_after_all_that_is_ready),
        cmocka_unit_test(idle_ends_by_time_and_kill_too),
    };

    return RUN(tests);
}
