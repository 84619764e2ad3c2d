/* SPDX-License-Identifier: MIT */
#include "hub.h"

/* Each scene runs in a thread, and then in a coroutine. It returns 0 or the line that was not as it should be. */
#define CHECK(condition)     \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)

static void run_scene(mt_fn *scene, void *arg)
{
    struct mt_task *other = spawn_coro(scene, arg); /* so that the thread has a hub */

    assert_int_equal(finish(other), 0);
    assert_int_equal(scene(arg), 0);
    assert_int_equal(finish(spawn(scene, arg)), 0);
}

static struct mt_lock held = MT_LOCK_INIT;

static int each_wait(void *arg)
{
    struct mt_event event = MT_EVENT_INIT;
    struct mt_sem sem = MT_SEM_INIT(0);
    struct mt_cond cond = MT_COND_INIT;
    struct mt_lock lock = MT_LOCK_INIT;
    struct mt_channel channel = MT_CHANNEL_INIT(0);
    struct mt_lock *any[] = {&held};
    struct mt_timeout timeout;
    mt_deadline start = mt_now();
    int pipes[2];
    char byte;

    CHECK(pipe(pipes) == 0);
    CHECK(mt_timeout_start(&timeout, MT_MS(20)) == 0);
    CHECK(!mt_timeout_expired(&timeout));
    CHECK(mt_event_wait(&event, MT_FOREVER) == -ETIMEDOUT);
    CHECK(elapsed(start) >= 20);
    CHECK(mt_timeout_expired(&timeout));
    CHECK(mt_event_wait(&event, mt_after(MT_SEC(600))) == -ETIMEDOUT); /* and so for all that follow */
    CHECK(mt_event_wait(&event, MT_NOWAIT) == -EBUSY);
    CHECK(mt_sleep(MT_SEC(600)) == -ETIMEDOUT);
    CHECK(mt_sem_acquire(&sem, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_lock_acquire(&held, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_lock_acquire_any(any, 1, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_channel_get(&channel, NULL, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_read(pipes[0], &byte, 1, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_task_join(arg, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_lock_acquire(&lock, MT_FOREVER) == 0); /* what can be had at once still is */
    CHECK(mt_cond_wait(&cond, &lock, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_lock_release(&lock) == 0);
    CHECK(mt_timeout_cancel(&timeout) == 1);
    start = mt_now();
    CHECK(mt_event_wait(&event, mt_after(MT_MS(10))) == -ETIMEDOUT);
    CHECK(elapsed(start) >= 10);
    CHECK(mt_sleep(MT_MS(1)) == 0);
    close(pipes[0]);
    close(pipes[1]);
    return 0;
}

static int hold_until_killed(void *arg)
{
    int result = mt_lock_acquire(&held, MT_FOREVER);

    mt_event_set(arg);
    while (!result)
        result = mt_sleep(MT_SEC(600));
    (void)mt_lock_release(&held);
    return 0;
}

static void test_ends_each_wait(void **state)
{
    struct mt_event event = MT_EVENT_INIT;
    struct mt_task *holder = spawn(hold_until_killed, &event);

    assert_int_equal(mt_event_wait(&event, in_time()), 0);
    run_scene(each_wait, holder);
    mt_task_kill(holder);
    assert_int_equal(finish(holder), 0);
}

static int nested(void *arg)
{
    struct mt_timeout outer, inner;
    mt_deadline start = mt_now();

    CHECK(mt_timeout_start(&outer, MT_SEC(600)) == 0);
    CHECK(mt_timeout_start(&inner, MT_MS(10)) == 0);
    CHECK(mt_sleep(MT_SEC(600)) == -ETIMEDOUT);
    CHECK(mt_timeout_expired(&inner) && !mt_timeout_expired(&outer));
    CHECK(mt_timeout_cancel(&inner) == 1);
    CHECK(mt_sleep(MT_MS(2)) == 0);
    CHECK(mt_timeout_cancel(&outer) == 0);

    CHECK(mt_timeout_start(&outer, MT_MS(10)) == 0);
    CHECK(mt_timeout_start(&inner, MT_SEC(600)) == 0);
    CHECK(mt_sleep(MT_SEC(600)) == -ETIMEDOUT);
    CHECK(!mt_timeout_expired(&inner) && mt_timeout_expired(&outer));
    CHECK(mt_timeout_cancel(&outer) == 1); /* both */
    CHECK(mt_sleep(MT_MS(2)) == 0);
    CHECK(elapsed(start) < 60000);
    return 0;
}

static void test_nests(void **state)
{
    run_scene(nested, NULL);
}

static int shorter_deadline(void *arg)
{
    struct mt_event event = MT_EVENT_INIT;
    struct mt_timeout timeout;

    CHECK(mt_timeout_start(&timeout, MT_SEC(600)) == 0);
    CHECK(mt_event_wait(&event, mt_after(MT_MS(5))) == -ETIMEDOUT);
    CHECK(!mt_timeout_expired(&timeout)); /* the call's own deadline */
    CHECK(mt_timeout_cancel(&timeout) == 0);
    CHECK(mt_timeout_start(&timeout, -1) == 0);
    CHECK(mt_event_wait(&event, MT_FOREVER) == -ETIMEDOUT);
    CHECK(mt_timeout_cancel(&timeout) == 1);
    CHECK(mt_timeout_start(&timeout, INT64_MAX) == 0);
    CHECK(mt_sleep(MT_MS(1)) == 0);
    CHECK(mt_timeout_cancel(&timeout) == 0);
    return 0;
}

static void test_the_earlier_counts(void **state)
{
    run_scene(shorter_deadline, NULL);
}

static int killed(void *arg)
{
    struct mt_timeout timeout;

    CHECK(mt_timeout_start(&timeout, MT_SEC(600)) == 0);
    mt_event_set(arg);
    CHECK(mt_sleep(MT_SEC(600)) == -ECANCELED);
    CHECK(mt_timeout_cancel(&timeout) == 0);
    return 0;
}

static void test_a_kill_is_a_kill(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct mt_event event = MT_EVENT_INIT;
        struct mt_task *task = i ? spawn_coro(killed, &event) : spawn(killed, &event);
        assert_int_equal(mt_event_wait(&event, in_time()), 0);
        mt_task_kill(task);
        assert_int_equal(finish(task), 0);
    }
}

static int sleep_ns(void *arg)
{
    return mt_sleep((intptr_t)arg);
}

static void test_with_timeout(void **state)
{
    assert_int_equal(mt_with_timeout(MT_MS(5), sleep_ns, (void *)(intptr_t)MT_SEC(600)), -ETIMEDOUT);
    assert_int_equal(mt_with_timeout(MT_SEC(600), sleep_ns, (void *)(intptr_t)MT_MS(1)), 0);
    assert_int_equal(mt_sleep(MT_MS(1)), 0);
}

static int scope_alone(void *arg)
{
    struct mt_timeout timeout;

    CHECK(mt_timeout_start(&timeout, MT_MS(5)) == 0);
    CHECK(mt_sleep(MT_SEC(600)) == -ETIMEDOUT);
    CHECK(mt_timeout_cancel(&timeout) == 1);
    return 0;
}

static void test_is_the_tasks_own(void **state)
{
    struct mt_task *task = spawn_coro(scope_alone, NULL);

    assert_int_equal(mt_sleep(MT_MS(30)), 0); /* the other's does not end it */
    assert_int_equal(finish(task), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_each_wait),     cmocka_unit_test(test_nests),
        cmocka_unit_test(test_the_earlier_counts), cmocka_unit_test(test_a_kill_is_a_kill),
        cmocka_unit_test(test_with_timeout),       cmocka_unit_test(test_is_the_tasks_own),
    };

    return RUN(tests);
}
