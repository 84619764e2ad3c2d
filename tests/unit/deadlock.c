/* SPDX-License-Identifier: MIT */
#include "unit.h"

static struct mt_lock a = MT_LOCK_INIT_NAMED("a"), b = MT_LOCK_INIT_NAMED("b"), c = MT_LOCK_INIT_NAMED("c");
static struct mt_sem ready, proceed;
static char report[4096];
static int reports;

static void keep_report(const char *text)
{
    snprintf(report, sizeof report, "%s", text);
    __atomic_fetch_add(&reports, 1, __ATOMIC_SEQ_CST);
}

static int set_up(void **state)
{
    mt_deadlock_hook(keep_report);
    mt_deadlock_policy(MT_DEADLOCK_FAIL);
    reports = 0;
    report[0] = 0;
    return mt_sem_init(&ready, 0, NULL, 0) || mt_sem_init(&proceed, 0, NULL, 0);
}

struct pair {
    struct mt_lock *first, *second;
    mt_deadline timeout;
};

/* Takes one, waits until all have one, takes the other. */
static int take_two(void *arg)
{
    struct pair *pair = arg;
    int result = mt_lock_acquire(pair->first, MT_FOREVER);

    mt_sem_release(&ready, 1);
    if (!result)
        result = mt_sem_acquire(&proceed, MT_FOREVER);
    if (result)
        return result;
    result = mt_lock_acquire(pair->second, pair->timeout ? mt_after(pair->timeout) : MT_FOREVER);
    if (!result)
        mt_lock_release(pair->second);
    mt_lock_release(pair->first);
    return result;
}

static void start_all(struct pair *pairs, struct mt_task **tasks, int count)
{
    static const char *const names[] = {"one", "two", "three"};

    for (int i = 0; i < count; i++)
        tasks[i] = spawn_named(take_two, &pairs[i], names[i]);
    for (int i = 0; i < count; i++)
        assert_int_equal(mt_sem_acquire(&ready, MT_FOREVER), 0);
    assert_int_equal(mt_sem_release(&proceed, (uint32_t)count), 0);
}

/* Just one of the circle fails, the others get what they wait for, and the report names each. */
static void circle_of(int count)
{
    struct pair pairs[3] = {{&a, &b, 0}, {&b, count == 2 ? &a : &c, 0}, {&c, &a, 0}};
    struct mt_task *tasks[3];
    int failed = 0;

    start_all(pairs, tasks, count);
    for (int i = 0; i < count; i++) {
        int outcome = finish(tasks[i]);
        assert_true(outcome == 0 || outcome == -EDEADLK);
        failed += outcome != 0;
    }
    assert_int_equal(failed, 1);
    assert_int_equal(reports, 1);
    assert_non_null(strstr(report, "\"one\""));
    assert_non_null(strstr(report, "\"two\""));
    assert_non_null(strstr(report, "lock \"a\""));
    assert_non_null(strstr(report, "lock \"b\""));
    assert_non_null(strstr(report, "acquired at "));
    assert_non_null(strstr(report, "deadlock.c:"));
    assert_true(count == 2 || strstr(report, "\"three\""));
}

static void two_locks(void **state)
{
    for (int i = 0; i < 20; i++) {
        set_up(state);
        circle_of(2);
    }
}

static void three_locks(void **state)
{
    for (int i = 0; i < 10; i++) {
        set_up(state);
        circle_of(3);
    }
}

static void report_only_goes_on_waiting(void **state)
{
    struct pair pairs[2] = {{&a, &b, 0}, {&b, &a, MT_MS(300)}};
    struct mt_task *tasks[2];

    assert_int_equal(mt_deadlock_policy(MT_DEADLOCK_REPORT), MT_DEADLOCK_FAIL);
    start_all(pairs, tasks, 2);
    assert_int_equal(finish(tasks[1]), -ETIMEDOUT);
    assert_int_equal(finish(tasks[0]), 0);
    assert_int_equal(reports, 1);
}

static void off_does_not_look(void **state)
{
    struct pair pairs[2] = {{&a, &b, 0}, {&b, &a, MT_MS(100)}};
    struct mt_task *tasks[2];

    mt_deadlock_policy(MT_DEADLOCK_OFF);
    start_all(pairs, tasks, 2);
    assert_int_equal(finish(tasks[1]), -ETIMEDOUT);
    assert_int_equal(finish(tasks[0]), 0);
    assert_int_equal(reports, 0);
}

/* A holds a lock and joins B, which wants the lock: a circle with a join in it. */
static int want_a(void *arg)
{
    int result = mt_lock_acquire(&a, in_time());

    return result ? result : mt_lock_release(&a);
}

static void through_a_join(void **state)
{
    struct mt_task *wants;
    int joined;

    assert_int_equal(mt_lock_acquire(&a, MT_FOREVER), 0);
    wants = spawn_named(want_a, NULL, "wants");
    until_waiting(wants, MT_WAIT_LOCK);
    usleep(20000); /* past its own look */
    joined = mt_task_join(wants, in_time());
    assert_int_equal(joined, -EDEADLK);
    assert_int_equal(reports, 1);
    assert_non_null(strstr(report, "the end of \"wants\""));
    assert_int_equal(mt_lock_release(&a), 0);
    assert_int_equal(finish(wants), 0);
}

/* Contention without a circle is never reported, however long the chains. */
struct crowd {
    struct mt_lock locks[4];
};

static int take_in_order(void *arg)
{
    struct crowd *crowd = arg;

    for (int round = 0; round < 300; round++) {
        int from = round % 3;
        for (int i = from; i < 4; i++)
            if (mt_lock_acquire(&crowd->locks[i], MT_FOREVER))
                return -EIO;
        if (round % 8 == 0)
            usleep(1500); /* so that the others starve, and look */
        for (int i = 3; i >= from; i--)
            if (mt_lock_release(&crowd->locks[i]))
                return -EIO;
    }
    return 0;
}

static void no_false_alarm(void **state)
{
    struct crowd crowd = {{MT_LOCK_INIT, MT_LOCK_INIT, MT_LOCK_INIT, MT_LOCK_INIT}};
    struct mt_task *tasks[6];

    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(take_in_order, &crowd);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(reports, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_locks, set_up),
        cmocka_unit_test_setup(three_locks, set_up),
        cmocka_unit_test_setup(report_only_goes_on_waiting, set_up),
        cmocka_unit_test_setup(off_does_not_look, set_up),
        cmocka_unit_test_setup(through_a_join, set_up),
        cmocka_unit_test_setup(no_false_alarm, set_up),
    };
    return RUN(tests);
}
