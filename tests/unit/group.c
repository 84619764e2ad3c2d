/* SPDX-License-Identifier: MIT */
#include "hub.h"

static int at_once, most;

static int work(void *arg)
{
    int result, now = __atomic_add_fetch(&at_once, 1, __ATOMIC_SEQ_CST);

    if (now > __atomic_load_n(&most, __ATOMIC_RELAXED))
        __atomic_store_n(&most, now, __ATOMIC_RELAXED);
    result = mt_sleep(MT_MS(2));
    __atomic_sub_fetch(&at_once, 1, __ATOMIC_SEQ_CST);
    return result;
}

static int wait_for_ever(void *arg)
{
    return mt_sleep(MT_SEC(600));
}

static struct mt_group *group_of(enum mt_kind kind, uint32_t limit)
{
    struct mt_group_options options = {.name = "some", .kind = kind, .limit = limit};
    struct mt_group *group = mt_group_new(&options);

    assert_non_null(group);
    return group;
}

static void test_never_more_than_the_limit(void **state)
{
    for (int kind = MT_THREAD; kind <= MT_COROUTINE; kind += 2) {
        struct mt_group *group = group_of(kind, 3);
        most = 0;
        for (int i = 0; i < 20; i++) {
            struct mt_task *task = mt_group_spawn(group, work, NULL, in_time());
            assert_non_null(task);
            assert_true(mt_group_count(group) <= 3);
            mt_task_release(task);
        }
        assert_int_equal(mt_group_join(group, in_time()), 0);
        assert_int_equal(mt_group_count(group), 0);
        assert_true(most <= 3);
        if (kind == MT_COROUTINE)
            assert_int_equal(most, 3);
        mt_group_free(group);
    }
}

static void test_full(void **state)
{
    struct mt_group *group = group_of(MT_COROUTINE, 1);
    struct mt_task *task = mt_group_spawn(group, wait_for_ever, NULL, MT_NOWAIT);

    assert_non_null(task);
    assert_null(mt_group_spawn(group, work, NULL, MT_NOWAIT));
    assert_int_equal(errno, EBUSY);
    assert_null(mt_group_spawn(group, work, NULL, mt_after(MT_MS(3))));
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(mt_group_add(group, mt_task_current(), MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_group_join(group, mt_after(MT_MS(3))), -ETIMEDOUT);
    assert_int_equal(mt_group_kill(group, in_time()), 0);
    assert_int_equal(mt_task_outcome(task), -ECANCELED);
    mt_task_release(task);
    mt_group_free(group);
}

static void test_add_and_discard(void **state)
{
    if (forks_child_has_no_hub())
        skip();

    struct mt_group *group = group_of(0, 0);
    struct mt_task *tasks[3] = {mt_thread_spawn(wait_for_ever, NULL, NULL), mt_coro_spawn(wait_for_ever, NULL, NULL),
                                mt_process_spawn(wait_for_ever, NULL, 0, NULL)};

    for (int i = 0; i < 3; i++) {
        assert_non_null(tasks[i]);
        assert_false(mt_group_contains(group, tasks[i]));
        assert_int_equal(mt_group_add(group, tasks[i], MT_NOWAIT), 0);
        assert_true(mt_group_contains(group, tasks[i]));
    }
    assert_int_equal(mt_group_discard(group, tasks[1]), 0);
    assert_int_equal(mt_group_discard(group, tasks[1]), -ESRCH);
    assert_int_equal(mt_group_count(group), 2);
    assert_int_equal(mt_group_kill(group, in_time()), 0);
    assert_false(mt_task_is_alive(tasks[0]));
    assert_true(mt_task_is_alive(tasks[1]));
    assert_false(mt_task_is_alive(tasks[2]));
    assert_int_equal(mt_group_add(group, tasks[0], MT_NOWAIT), 0); /* it has ended: it does not stay */
    assert_int_equal(mt_group_count(group), 0);
    assert_int_equal(mt_killall(&tasks[1], 1, in_time()), 0);
    for (int i = 0; i < 3; i++) {
        (void)mt_task_outcome(tasks[i]);
        mt_task_release(tasks[i]);
    }
    mt_group_free(group);
}

static int join_own(void *group)
{
    return mt_group_join(group, MT_FOREVER) == -EDEADLK && mt_group_kill(group, MT_FOREVER) == -EDEADLK ? 0 : -EIO;
}

static int spawn_more(void *group)
{
    struct mt_task *task;

    while (mt_sleep(MT_SEC(600)) != -ECANCELED)
        ;
    task = mt_group_spawn(group, wait_for_ever, NULL, MT_NOWAIT);
    mt_task_release(task);
    return task ? 0 : -EIO;
}

static void test_kill_reaches_those_that_come_meanwhile(void **state)
{
    struct mt_group *group = group_of(0, 0);
    struct mt_task *task = mt_group_spawn(group, join_own, group, MT_NOWAIT);

    assert_int_equal(finish(task), 0);
    task = mt_group_spawn(group, spawn_more, group, MT_NOWAIT);
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    assert_int_equal(mt_group_kill(group, in_time()), 0);
    assert_int_equal(finish(task), 0);
    mt_group_free(group);
    mt_group_free(NULL);
}

static void test_kind_that_there_is_not(void **state)
{
    struct mt_group_options options = {.kind = MT_PROCESS};

    assert_null(mt_group_new(&options));
    assert_int_equal(errno, EINVAL);
}

static int square(void *arg)
{
    long *item = arg;
    int result = mt_sleep(MT_US(100 * (*item % 7)));

    if (*item == 13)
        return -EDOM;
    *item *= *item;
    return result;
}

static void test_map(void **state)
{
    struct mt_group *group = group_of(MT_COROUTINE, 8);
    long items[50];
    int outcomes[50];

    for (long i = 0; i < 50; i++)
        items[i] = i;
    assert_int_equal(mt_group_map(group, square, items, sizeof *items, 50, outcomes, MT_FOREVER), 1);
    for (long i = 0; i < 50; i++) {
        assert_int_equal(items[i], i == 13 ? 13 : i * i);
        assert_int_equal(outcomes[i], i == 13 ? -EDOM : 0);
    }
    assert_int_equal(mt_group_map(group, wait_for_ever, items, sizeof *items, 50, NULL, mt_after(MT_MS(5))),
                     -ETIMEDOUT);
    assert_int_equal(mt_group_count(group), 0);
    assert_int_equal(mt_group_map(group, square, NULL, 0, 0, NULL, MT_FOREVER), 0);
    mt_group_free(group);
}

/* -- bundles ------------------------------------------------------------------------------------------------------ */

static int fail_at_once(void *arg)
{
    return mt_fail(-EIO, "as it should");
}

static int cleaned;

static int clean_up(void *arg)
{
    int result = mt_sleep(MT_SEC(600));

    cleaned++;
    return result;
}

static void be_silent(struct mt_task *task, int outcome, const char *message) {}

static void test_bundle(void **state)
{
    struct mt_bundle bundle;

    mt_failure_hook(be_silent);
    cleaned = 0;
    assert_int_equal(mt_bundle_begin(&bundle), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(mt_bundle_spawn(&bundle, clean_up, NULL), 0);
    assert_int_equal(mt_bundle_spawn(&bundle, fail_at_once, NULL), 0);
    assert_int_equal(mt_bundle_join(&bundle, mt_after(MT_MS(5))), -ETIMEDOUT);
    assert_int_equal(mt_bundle_end(&bundle), 1);
    assert_int_equal(cleaned, 10);
    assert_int_equal(mt_bundle_begin(&bundle), 0);
    assert_int_equal(mt_bundle_spawn(&bundle, work, NULL), 0);
    assert_int_equal(mt_bundle_join(&bundle, MT_FOREVER), 0);
    assert_int_equal(mt_bundle_end(&bundle), 0);
    mt_failure_hook(NULL);
}

static int with_a_bundle(void *arg)
{
    struct mt_bundle bundle;
    int result = mt_bundle_begin(&bundle);

    if (result)
        return result;
    for (int i = 0; i < 5 && !result; i++)
        result = mt_bundle_spawn(&bundle, clean_up, NULL);
    if (!result)
        result = mt_bundle_join(&bundle, MT_FOREVER);
    return mt_bundle_end(&bundle) ? -EIO : result;
}

static void test_a_killed_owner_leaves_none_behind(void **state)
{
    struct mt_task *task = spawn_coro(with_a_bundle, NULL);

    cleaned = 0;
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    assert_int_equal(mt_killall(&task, 1, in_time()), 0);
    assert_int_equal(mt_task_outcome(task), -ECANCELED);
    assert_int_equal(cleaned, 5);
    mt_task_release(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_more_than_the_limit),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_add_and_discard),
        cmocka_unit_test(test_kill_reaches_those_that_come_meanwhile),
        cmocka_unit_test(test_kind_that_there_is_not),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_a_killed_owner_leaves_none_behind),
    };

    return RUN(tests);
}
