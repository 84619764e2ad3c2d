/* SPDX-License-Identifier: MIT */
#include "unit.h"

static int wait_for(void *arg)
{
    return mt_event_wait(arg, MT_FOREVER);
}

static void set_and_clear(void **state)
{
    struct mt_event event = MT_EVENT_INIT;
    mt_deadline start = mt_now();

    assert_false(mt_event_is_set(&event));
    assert_int_equal(mt_event_wait(&event, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_event_wait(&event, mt_after(MT_MS(25))), -ETIMEDOUT);
    assert_between(elapsed(start), 25, 60000);
    mt_event_set(&event);
    mt_event_set(&event);
    assert_true(mt_event_is_set(&event));
    assert_int_equal(mt_event_wait(&event, MT_NOWAIT), 0);
    assert_int_equal(mt_event_wait(&event, MT_FOREVER), 0);
    mt_event_clear(&event);
    mt_event_clear(&event);
    assert_false(mt_event_is_set(&event));
}

static void wakes_all(void **state)
{
    struct mt_event event;
    struct mt_task *tasks[6];

    mt_event_init(&event, "go", 0);
    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(wait_for, &event);
    for (int i = 0; i < 6; i++)
        until_waiting(tasks[i], MT_WAIT_EVENT);
    mt_event_set(&event);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

static void a_clear_does_not_lose_waiters(void **state)
{
    struct mt_event event = MT_EVENT_INIT;
    struct mt_task *task = spawn(wait_for, &event);

    until_waiting(task, MT_WAIT_EVENT);
    mt_event_clear(&event); /* nothing to clear: the waiter must still be found by the next set */
    mt_event_set(&event);
    assert_int_equal(finish(task), 0);
}

static void a_killed_waiter_leaves(void **state)
{
    struct mt_event event = MT_EVENT_INIT;
    struct mt_task *task = spawn(wait_for, &event);

    until_waiting(task, MT_WAIT_EVENT);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
}

struct pair {
    struct mt_event there, back;
    int rounds;
};

static int answer(void *arg)
{
    struct pair *pair = arg;

    for (int i = 0; i < pair->rounds; i++) {
        if (mt_event_wait(&pair->there, MT_FOREVER))
            return -EIO;
        mt_event_clear(&pair->there);
        mt_event_set(&pair->back);
    }
    return 0;
}

static void ping_pong(void **state)
{
    struct pair pair = {MT_EVENT_INIT, MT_EVENT_INIT, 5000};
    struct mt_task *task = spawn(answer, &pair);

    for (int i = 0; i < pair.rounds; i++) {
        mt_event_set(&pair.there);
        assert_int_equal(mt_event_wait(&pair.back, MT_FOREVER), 0);
        mt_event_clear(&pair.back);
    }
    assert_int_equal(finish(task), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_and_clear),
        cmocka_unit_test(wakes_all),
        cmocka_unit_test(a_clear_does_not_lose_waiters),
        cmocka_unit_test(a_killed_waiter_leaves),
        cmocka_unit_test(ping_pong),
    };
    return RUN(tests);
}
