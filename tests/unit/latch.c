/* SPDX-License-Identifier: MIT */
#include "unit.h"

static int wait_for(void *arg)
{
    return mt_latch_wait(arg, MT_FOREVER);
}

static int down(void *arg)
{
    return mt_latch_count_down(arg, 1);
}

static void counts_down(void **state)
{
    struct mt_latch latch = MT_LATCH_INIT_NAMED(3, "three");
    mt_deadline start = mt_now();

    assert_int_equal(mt_latch_init(&latch, (uint32_t)MT_LATCH_MAX + 1, NULL, 0), -EINVAL);
    assert_int_equal(mt_latch_init(&latch, 3, "three", 0), 0);
    assert_int_equal(mt_latch_wait(&latch, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_latch_wait(&latch, mt_after(MT_MS(20))), -ETIMEDOUT);
    assert_between(elapsed(start), 20, 60000);
    assert_int_equal(mt_latch_count_down(&latch, 0), 0);
    assert_int_equal(mt_latch_count_down(&latch, 4), -EINVAL);
    assert_int_equal(mt_latch_count_down(&latch, 2), 0);
    assert_int_equal(mt_latch_count(&latch), 1);
    assert_int_equal(mt_latch_count_down(&latch, 1), 0);
    assert_int_equal(mt_latch_count_down(&latch, 1), -EINVAL);
    assert_int_equal(mt_latch_wait(&latch, MT_NOWAIT), 0);
    assert_true(latch.word == 0);
}

static void lets_all_through(void **state)
{
    for (int round = 0; round < 50; round++) {
        struct mt_latch latch = MT_LATCH_INIT(4);
        struct mt_task *waiters[4], *downs[4];
        for (int i = 0; i < 4; i++)
            waiters[i] = spawn(wait_for, &latch);
        if (round % 2)
            for (int i = 0; i < 4; i++)
                until_waiting(waiters[i], MT_WAIT_LATCH);
        for (int i = 0; i < 4; i++)
            downs[i] = spawn(down, &latch);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(finish(waiters[i]), 0);
            assert_int_equal(finish(downs[i]), 0);
        }
        assert_true(latch.word == 0);
    }
}

static void a_killed_waiter_leaves(void **state)
{
    struct mt_latch latch = MT_LATCH_INIT(1);
    struct mt_task *task = spawn(wait_for, &latch);

    until_waiting(task, MT_WAIT_LATCH);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_down),
        cmocka_unit_test(lets_all_through),
        cmocka_unit_test(a_killed_waiter_leaves),
    };
    return RUN(tests);
}
