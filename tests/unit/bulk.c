/* SPDX-License-Identifier: MIT */
#include "hub.h"

static int sleep_ms(void *arg)
{
    int result = mt_sleep(MT_MS((intptr_t)arg));

    return result ? result : mt_task_set_value(arg);
}

static int fail_after_ms(void *arg)
{
    int result = mt_sleep(MT_MS((intptr_t)arg));

    return result ? result : -EIO;
}

static int wait_for_ever(void *arg)
{
    return mt_sleep(MT_SEC(600));
}

/* TSan knows no threads after a fork: a thread stands in for the process. */
static struct mt_task *spawn_kind(int kind, mt_fn *fn, void *arg)
{
    if (TSAN && kind == MT_PROCESS)
        kind = MT_THREAD;
    struct mt_task *task = kind == MT_COROUTINE ? mt_coro_spawn(fn, arg, NULL)
                           : kind == MT_THREAD  ? mt_thread_spawn(fn, arg, NULL)
                                                : mt_process_spawn(fn, arg, 0, NULL);

    assert_non_null(task);
    return task;
}

/* Waits until it is told to end, by the other end of a pipe. */
static int end_when_told(void *arg)
{
    char byte;

    return mt_read(*(int *)arg, &byte, 1, MT_FOREVER) == 1 ? 0 : -EIO;
}

/* A coroutine, a thread and a process, which end in that order. */
static void spawn_three(struct mt_task **tasks, intptr_t step)
{
    static const int kinds[] = {MT_PROCESS, MT_COROUTINE, MT_THREAD};
    static const intptr_t after[] = {3, 1, 2};

    for (int i = 0; i < 3; i++)
        tasks[i] = spawn_kind(kinds[i], sleep_ms, (void *)(after[i] * step));
}

static void release_all(struct mt_task **tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mt_task_release(tasks[i]);
}

static void test_iwait_in_the_order_of_the_end(void **state)
{
    struct mt_task *tasks[3], *task = NULL;
    struct mt_iwait *iwait;
    static const int kinds[] = {MT_PROCESS, MT_COROUTINE, MT_THREAD}, order[] = {1, 2, 0};
    int pipes[3][2];

    for (int i = 0; i < 3; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        tasks[i] = spawn_kind(kinds[i], end_when_told, &pipes[i][0]);
    }
    iwait = mt_iwait_new(tasks, 3);
    assert_non_null(iwait);
    assert_int_equal(mt_iwait_next(iwait, &task, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_iwait_next(iwait, &task, mt_after(MT_MS(1))), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(pipes[order[i]][1], "x", 1), 1);
        assert_int_equal(mt_iwait_next(iwait, &task, in_time()), 1);
        assert_ptr_equal(task, tasks[order[i]]);
        assert_int_equal(mt_task_outcome(task), 0);
    }
    for (int i = 0; i < 3; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    assert_int_equal(mt_iwait_next(iwait, &task, MT_FOREVER), 0);
    mt_iwait_free(iwait);
    iwait = mt_iwait_new(tasks, 3); /* of those that have ended all are there at once */
    assert_non_null(iwait);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_iwait_next(iwait, &task, MT_NOWAIT), 1);
    mt_iwait_free(iwait);
    release_all(tasks, 3);
}

static void test_iwait_given_up(void **state)
{
    struct mt_task *tasks[3];
    struct mt_iwait *iwait;

    spawn_three(tasks, 20);
    iwait = mt_iwait_new(tasks, 3);
    assert_non_null(iwait);
    mt_iwait_free(iwait);
    assert_int_equal(mt_joinall(tasks, 3, in_time()), 0);
    release_all(tasks, 3);
    iwait = mt_iwait_new(NULL, 0);
    assert_non_null(iwait);
    assert_int_equal(mt_iwait_next(iwait, tasks, MT_FOREVER), 0);
    mt_iwait_free(iwait);
    mt_iwait_free(NULL);
}

static void test_joinall_some(void **state)
{
    struct mt_task *tasks[3];

    spawn_three(tasks, 200);
    assert_int_equal(mt_joinall_some(tasks, 3, 1, mt_after(MT_MS(1))), -ETIMEDOUT);
    assert_int_equal(mt_joinall_some(tasks, 3, 2, in_time()), 2);
    assert_true(mt_task_ready(tasks[1]));
    assert_true(mt_task_successful(tasks[1]));
    assert_true(mt_task_ready(tasks[2]));
    assert_false(mt_task_successful(tasks[0]));
    assert_int_equal(mt_joinall_some(tasks, 3, 0, in_time()), 3);
    assert_int_equal(mt_joinall_some(tasks, 3, 1, MT_NOWAIT), 3);
    release_all(tasks, 3);
    tasks[0] = mt_task_current();
    assert_int_equal(mt_joinall_some(tasks, 1, 0, MT_FOREVER), -EDEADLK);
}

static void test_joinall_well(void **state)
{
    struct mt_task *tasks[3], *failed = NULL;

    for (int i = 0; i < 2; i++)
        tasks[i] = spawn_kind(i ? MT_COROUTINE : MT_THREAD, sleep_ms, (void *)2);
    assert_int_equal(mt_joinall_well(tasks, 2, &failed, MT_FOREVER), 0);
    assert_null(failed);
    release_all(tasks, 2);
    tasks[0] = spawn_kind(MT_COROUTINE, wait_for_ever, NULL);
    tasks[1] = spawn_kind(MT_THREAD, wait_for_ever, NULL);
    tasks[2] = spawn_kind(MT_COROUTINE, fail_after_ms, (void *)5);
    assert_int_equal(mt_joinall_well(tasks, 3, &failed, in_time()), 1);
    assert_ptr_equal(failed, tasks[2]);
    assert_true(mt_task_is_alive(tasks[0]));
    assert_int_equal(mt_killall(tasks, 3, in_time()), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mt_task_outcome(tasks[i]), -ECANCELED);
    release_all(tasks, 3);
}

static void test_value(void **state)
{
    void *value = NULL;

    for (int kind = MT_THREAD; kind <= MT_COROUTINE; kind += 2) {
        struct mt_task *task = spawn_kind(kind, sleep_ms, (void *)300);
        assert_null(mt_task_value(task));
        assert_int_equal(mt_task_get(task, &value, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_task_get(task, &value, MT_FOREVER), 0);
        assert_ptr_equal(value, (void *)300);
        assert_true(mt_task_spawner(task) == mt_task_id(mt_task_current()));
        mt_task_release(task);
        task = spawn_kind(kind, fail_after_ms, (void *)1);
        assert_int_equal(mt_task_get(task, &value, MT_FOREVER), -EIO);
        mt_task_release(task);
    }
}

/* -- link --------------------------------------------------------------------------------------------------------- */

struct heard {
    struct mt_task *task;
    int times, outcome, in_itself;
};

static void hear(struct mt_task *task, void *arg)
{
    struct heard *heard = arg;

    heard->task = task;
    heard->times++;
    heard->outcome = mt_task_outcome(task);
    heard->in_itself = mt_task_current() == task;
}

static void test_link(void **state)
{
    for (int kind = MT_THREAD; kind <= MT_COROUTINE; kind++) {
        struct mt_task *task = spawn_kind(kind, sleep_ms, (void *)(intptr_t)200);
        struct heard heard = {0}, taken_back = {0};
        assert_int_equal(mt_task_link(task, hear, &taken_back), 0);
        assert_int_equal(mt_task_link(task, hear, &heard), 0);
        assert_int_equal(mt_task_unlink(task, hear, &taken_back), 0);
        assert_int_equal(mt_task_unlink(task, hear, &taken_back), -ESRCH);
        assert_int_equal(heard.times, 0);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(heard.times, 1); /* a join comes after the call */
        assert_ptr_equal(heard.task, task);
        assert_int_equal(heard.outcome, 0);
        assert_int_equal(heard.in_itself, TSAN || kind != MT_PROCESS);
        assert_int_equal(taken_back.times, 0);
        assert_int_equal(mt_task_link(task, hear, &heard), 0); /* at once */
        assert_int_equal(heard.times, 2);
        assert_int_equal(heard.in_itself, 0);
        assert_int_equal(mt_task_unlink(task, hear, &heard), -ESRCH);
        mt_task_release(task);
    }
}

static void hear_slowly(struct mt_task *task, void *arg)
{
    int joined = mt_task_join(task, MT_NOWAIT);

    mt_sleep(MT_MS(30));
    if (!joined || joined == -EDEADLK) /* here it has ended, or is the caller itself */
        hear(task, arg);
}

/* Whoever makes the call, and however long it takes. */
static void test_a_join_comes_after_the_calls(void **state)
{
    for (int kind = MT_THREAD; kind <= MT_COROUTINE; kind++) {
        struct mt_task *task = spawn_kind(kind, sleep_ms, (void *)5);
        struct heard heard = {0};
        assert_int_equal(mt_task_link(task, hear_slowly, &heard), 0);
        while (mt_task_is_alive(task))
            mt_sleep(MT_MS(1));
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(heard.times, 1);
        mt_task_release(task);
    }
}

static void set_event(struct mt_task *task, void *event)
{
    mt_event_set(event);
}

static void test_link_to_a_process_that_nobody_joins(void **state)
{
    struct mt_task *task = spawn_kind(MT_PROCESS, sleep_ms, (void *)5);
    struct mt_event event = MT_EVENT_INIT;

    assert_int_equal(mt_task_link(task, set_event, &event), 0);
    assert_int_equal(mt_event_wait(&event, in_time()), 0);
    mt_task_release(task);
}

static void test_link_to_one_killed_before_its_start(void **state)
{
    struct mt_task *task = mt_coro_spawn_later(MT_SEC(600), sleep_ms, NULL, NULL);
    struct heard heard = {0};

    assert_non_null(task);
    assert_int_equal(mt_task_link(task, hear, &heard), 0);
    assert_int_equal(mt_killall(&task, 1, MT_FOREVER), 0);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.outcome, -ECANCELED);
    mt_task_release(task);
}

static void test_many(void **state)
{
    static struct mt_task *tasks[300];
    struct mt_task *task;
    struct mt_iwait *iwait;
    int seen = 0;

    for (int i = 0; i < 300; i++)
        tasks[i] = spawn_kind(i % 30 ? MT_COROUTINE : MT_THREAD, sleep_ms, (void *)(intptr_t)(i * 7 % 11));
    iwait = mt_iwait_new(tasks, 300);
    assert_non_null(iwait);
    while (mt_iwait_next(iwait, &task, in_time()) == 1)
        seen++;
    assert_int_equal(seen, 300);
    mt_iwait_free(iwait);
    assert_int_equal(mt_joinall(tasks, 300, MT_FOREVER), 0);
    release_all(tasks, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iwait_in_the_order_of_the_end),
        cmocka_unit_test(test_iwait_given_up),
        cmocka_unit_test(test_joinall_some),
        cmocka_unit_test(test_joinall_well),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_a_join_comes_after_the_calls),
        cmocka_unit_test(test_link_to_a_process_that_nobody_joins),
        cmocka_unit_test(test_link_to_one_killed_before_its_start),
        cmocka_unit_test(test_many),
    };

    return RUN(tests);
}
