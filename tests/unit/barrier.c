/* SPDX-License-Identifier: MIT */
#include "unit.h"

struct meeting {
    struct mt_barrier barrier;
    int rounds;
    int round[4];
    int actions, wrong, lasts;
    uint32_t next;
};

static int pass_rounds(void *arg)
{
    struct meeting *meeting = arg;
    uint32_t me = __atomic_fetch_add(&meeting->next, 1, __ATOMIC_SEQ_CST);

    for (int i = 0; i < meeting->rounds; i++) {
        int place;
        __atomic_store_n(&meeting->round[me], i, __ATOMIC_SEQ_CST);
        place = mt_barrier_wait(&meeting->barrier, MT_FOREVER);
        if (place < 0)
            return place;
        if (place == 3)
            __atomic_add_fetch(&meeting->lasts, 1, __ATOMIC_SEQ_CST);
        for (int k = 0; k < 4; k++) /* nobody is behind, nobody more than one ahead */
            if (__atomic_load_n(&meeting->round[k], __ATOMIC_SEQ_CST) < i ||
                __atomic_load_n(&meeting->round[k], __ATOMIC_SEQ_CST) > i + 1)
                __atomic_store_n(&meeting->wrong, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static int act(void *arg)
{
    struct meeting *meeting = arg;

    meeting->actions++;
    return 0;
}

static void rounds_do_not_mix(void **state)
{
    struct meeting meeting = {.rounds = 2000};
    struct mt_task *tasks[4];

    assert_int_equal(mt_barrier_init(&meeting.barrier, 4, act, &meeting, "meeting", 0), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(pass_rounds, &meeting);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(meeting.actions, 2000);
    assert_false(meeting.wrong);
    assert_int_equal(meeting.lasts, 2000);
    assert_int_equal(mt_barrier_waiting(&meeting.barrier), 0);
    assert_false(mt_barrier_is_broken(&meeting.barrier));
}

static void sizes(void **state)
{
    struct mt_barrier barrier;

    assert_int_equal(mt_barrier_init(&barrier, 0, NULL, NULL, NULL, 0), -EINVAL);
    assert_int_equal(mt_barrier_init(&barrier, UINT32_MAX, NULL, NULL, NULL, 0), -EINVAL);
    assert_int_equal(mt_barrier_init(&barrier, 1, NULL, NULL, NULL, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_barrier_wait(&barrier, MT_NOWAIT), 0);
}

static int wait_once(void *arg)
{
    return mt_barrier_wait(arg, MT_FOREVER);
}

static struct mt_barrier three;

static void two_wait(struct mt_task **tasks)
{
    assert_int_equal(mt_barrier_init(&three, 3, NULL, NULL, "three", 0), 0);
    for (int i = 0; i < 2; i++)
        tasks[i] = spawn(wait_once, &three);
    for (int i = 0; i < 2; i++)
        until_waiting(tasks[i], MT_WAIT_BARRIER);
    assert_int_equal(mt_barrier_waiting(&three), 2);
}

static void both_find_it_broken(struct mt_task **tasks)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(tasks[i]), -ENOTRECOVERABLE);
}

static void abort_breaks_it(void **state)
{
    struct mt_task *tasks[2];

    two_wait(tasks);
    mt_barrier_abort(&three);
    both_find_it_broken(tasks);
    assert_true(mt_barrier_is_broken(&three));
    assert_int_equal(mt_barrier_wait(&three, MT_FOREVER), -ENOTRECOVERABLE);
    mt_barrier_reset(&three);
    assert_false(mt_barrier_is_broken(&three));
    assert_int_equal(mt_barrier_wait(&three, mt_after(MT_MS(10))), -ETIMEDOUT);
    assert_true(mt_barrier_is_broken(&three));
}

static void a_deadline_breaks_it(void **state)
{
    struct mt_task *tasks[2];

    assert_int_equal(mt_barrier_init(&three, 4, NULL, NULL, NULL, 0), 0);
    for (int i = 0; i < 2; i++)
        tasks[i] = spawn(wait_once, &three);
    for (int i = 0; i < 2; i++)
        until_waiting(tasks[i], MT_WAIT_BARRIER);
    assert_int_equal(mt_barrier_wait(&three, mt_after(MT_MS(15))), -ETIMEDOUT);
    both_find_it_broken(tasks);
}

static void a_kill_breaks_it(void **state)
{
    struct mt_task *tasks[2];

    two_wait(tasks);
    assert_int_equal(mt_task_kill(tasks[0]), 0);
    assert_int_equal(finish(tasks[0]), -ECANCELED);
    assert_int_equal(finish(tasks[1]), -ENOTRECOVERABLE);
}

static void reset_lets_new_rounds_begin(void **state)
{
    struct mt_task *tasks[2], *more[2];

    two_wait(tasks);
    mt_barrier_reset(&three);
    for (int i = 0; i < 2; i++)
        more[i] = spawn(wait_once, &three);
    assert_true(mt_barrier_wait(&three, MT_FOREVER) >= 0);
    both_find_it_broken(tasks);
    for (int i = 0; i < 2; i++)
        assert_true(finish(more[i]) >= 0);
}

static int fail_to_act(void *arg)
{
    return -EIO;
}

static void a_failing_action_breaks_it(void **state)
{
    struct mt_task *tasks[2];

    two_wait(tasks);
    three.action = fail_to_act;
    assert_int_equal(mt_barrier_wait(&three, MT_FOREVER), -EIO);
    both_find_it_broken(tasks);
    assert_true(mt_barrier_is_broken(&three));
}

/* Resets and aborts at any moment: every wait comes back, with a place or an error, and the barrier is usable at the
 * end. */
static int keep_waiting(void *arg)
{
    struct meeting *meeting = arg;

    while (!__atomic_load_n(&meeting->wrong, __ATOMIC_SEQ_CST)) {
        int place = mt_barrier_wait(&meeting->barrier, mt_after(MT_US(300)));
        if (place == -ETIMEDOUT || place == -ENOTRECOVERABLE)
            mt_barrier_reset(&meeting->barrier);
        else if (place < 0 || place > 2)
            return -EIO;
    }
    return 0;
}

static void storm(void **state)
{
    struct meeting meeting = {.rounds = 0};
    struct mt_task *tasks[4];

    assert_int_equal(mt_barrier_init(&meeting.barrier, 3, NULL, NULL, "storm", 0), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(keep_waiting, &meeting);
    for (int i = 0; i < 200; i++) {
        usleep(500);
        if (i % 2)
            mt_barrier_abort(&meeting.barrier);
        else
            mt_barrier_reset(&meeting.barrier);
    }
    __atomic_store_n(&meeting.wrong, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    mt_barrier_reset(&meeting.barrier);
    assert_int_equal(meeting.barrier.leaving, 0);
    assert_int_equal(mt_barrier_waiting(&meeting.barrier), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_do_not_mix),
        cmocka_unit_test(sizes),
        cmocka_unit_test(abort_breaks_it),
        cmocka_unit_test(a_deadline_breaks_it),
        cmocka_unit_test(a_kill_breaks_it),
        cmocka_unit_test(reset_lets_new_rounds_begin),
        cmocka_unit_test(a_failing_action_breaks_it),
        cmocka_unit_test(storm),
    };
    return RUN(tests);
}
