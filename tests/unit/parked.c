/* SPDX-License-Identifier: MIT
 *
 * What is seen of coroutines that wait, and what is made lazily or by a shorter way for them: places, circles, locks of
 * the kernel's, joins in their own hub, hand-overs, and spare ones that come back. tests/loops.t runs this on each
 * loop.
 */
#include "coro/hub.h"
#include "hub.h"

static mt_deadline soon(void)
{
    return in_time();
}

/* -- What is seen ------------------------------------------------------------------------------------------------- */

static struct mt_lock held = MT_LOCK_INIT_NAMED("held");
static struct mt_event first = MT_EVENT_INIT_NAMED("first"), second = MT_EVENT_INIT_NAMED("second");

static int line_of_lock, line_of_first, line_of_second;

static int waits_thrice(void *arg)
{
    int result;

    line_of_lock = __LINE__ + 1;
    result = mt_lock_acquire(&held, soon());
    if (!result)
        result = mt_lock_release(&held);
    for (int i = 0; i < 2 && !result; i++) {
        line_of_first = __LINE__ + 1;
        result = mt_event_wait(&first, soon());
        line_of_second = __LINE__ + 2;
        if (!result)
            result = mt_event_wait(&second, soon());
    }
    return result;
}

static void assert_waits(struct mt_task *task, enum mt_reason reason, const void *object, const char *name, int line)
{
    struct mt_task_info info;
    char place[64];

    snprintf(place, sizeof place, "parked.c:%d", line);
    mt_task_info(task, &info);
    assert_int_equal(info.state, MT_WAITING);
    assert_int_equal(info.reason, reason);
    assert_ptr_equal(info.object, object);
    assert_string_equal(info.object_name, name);
    assert_non_null(strstr(info.place, place));
    assert_string_equal(strstr(info.place, place), place);
}

/* Without a turn of the hub in between: the record says so as soon as it waits. */
static void a_wait_is_seen_at_once(void **state)
{
    struct mt_task_info info;
    mt_deadline before;
    struct mt_task *task;

    assert_int_equal(mt_lock_acquire(&held, MT_NOWAIT), 0);
    task = spawn_coro(waits_thrice, NULL);
    before = mt_now();
    mt_coro_yield();
    assert_waits(task, MT_WAIT_LOCK, &held, "held", line_of_lock);
    mt_task_info(task, &info);
    assert_true(info.since > before - MT_MS(100) && info.since <= mt_now()); /* a tick early at the most */
    assert_int_equal(mt_lock_release(&held), 0);
    for (int i = 0; i < 2; i++) {
        mt_coro_yield();
        assert_waits(task, MT_WAIT_EVENT, &first, "first", line_of_first);
        mt_event_set(&first);
        mt_coro_yield();
        mt_event_clear(&first);
        assert_waits(task, MT_WAIT_EVENT, &second, "second", line_of_second);
        mt_event_set(&second);
        mt_coro_yield();
        mt_event_clear(&second);
    }
    assert_int_equal(finish(task), 0);
}

/* -- Circles ------------------------------------------------------------------------------------------------------ */

static struct mt_lock left = MT_LOCK_INIT_NAMED("left"), right = MT_LOCK_INIT_NAMED("right");
static struct mt_latch both_hold;
static int reports;

static void keep_report(const char *text)
{
    mt_coro_yield(); /* it may wait: it is told in the task whose wait closes the circle */
    if (strstr(text, "\"left\"") && strstr(text, "\"right\""))
        __atomic_fetch_add(&reports, 1, __ATOMIC_SEQ_CST);
}

static int take_both(struct mt_lock *one, struct mt_lock *other)
{
    int result = mt_lock_acquire(one, MT_FOREVER);

    if (result)
        return result;
    mt_latch_count_down(&both_hold, 1);
    result = mt_latch_wait(&both_hold, soon());
    if (!result)
        result = mt_lock_acquire(other, soon());
    if (!result)
        mt_lock_release(other);
    mt_lock_release(one);
    return result;
}

static int left_first(void *arg)
{
    return take_both(&left, &right);
}

static int right_first(void *arg)
{
    return take_both(&right, &left);
}

static int outcome_of(struct mt_task *task)
{
    int outcome;

    assert_int_equal(mt_task_join(task, soon()), 0);
    outcome = mt_task_outcome(task);
    mt_task_release(task);
    return outcome;
}

static void circle(struct mt_task *(*other)(mt_fn *fn, void *arg))
{
    struct mt_task *one, *two;
    int sum;

    reports = 0;
    mt_latch_init(&both_hold, 2, NULL, 0);
    one = spawn_coro(left_first, NULL);
    two = other(right_first, NULL);
    sum = outcome_of(one) + outcome_of(two);
    assert_int_equal(sum, -EDEADLK); /* one of them, and the other got what it waited for */
    assert_int_equal(reports, 1);
}

static void circles_are_found(void **state)
{
    mt_deadlock_hook(keep_report);
    assert_int_equal(mt_deadlock_policy(MT_DEADLOCK_FAIL), MT_DEADLOCK_FAIL);
    circle(spawn_coro);
    circle(spawn);
    mt_deadlock_hook(NULL);
}

static int take_right(void *arg)
{
    int result = mt_lock_acquire(&right, soon());

    return result ? result : mt_lock_release(&right);
}

/* Many wait for one that does not: no alarm, and no wait that ends by it. */
static void no_false_alarm(void **state)
{
    struct mt_task *tasks[50];

    reports = 0;
    mt_deadlock_hook(keep_report);
    assert_int_equal(mt_lock_acquire(&right, MT_NOWAIT), 0);
    for (int i = 0; i < 50; i++)
        tasks[i] = spawn_coro(take_right, NULL);
    assert_int_equal(mt_sleep(MT_MS(15)), 0); /* longer than one starves in a hub */
    assert_int_equal(mt_lock_release(&right), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(reports, 0);
    mt_deadlock_hook(NULL);
}

/* -- Locks that the kernel takes part in -------------------------------------------------------------------------- */

static struct mt_robust robust = MT_ROBUST_INIT;
static struct mt_pilock pilock = MT_PILOCK_INIT;
static uint32_t thread_has_it, thread_may_go, has_it;

static int hold_robust(void *arg)
{
    int result = mt_robust_acquire(&robust, MT_NOWAIT);

    __atomic_store_n(&thread_has_it, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&thread_may_go, __ATOMIC_ACQUIRE))
        usleep(500);
    return result || arg ? result : mt_robust_release(&robust); /* else it ends, and holds it */
}

static int take_robust(void *arg)
{
    int result = mt_robust_acquire(&robust, soon());

    if (result && result != -EOWNERDEAD)
        return result;
    has_it = 1;
    if (result)
        mt_robust_consistent(&robust);
    mt_robust_release(&robust);
    return result;
}

static int take_pilock(void *arg)
{
    int result = mt_pilock_acquire(&pilock, soon());

    if (result)
        return result;
    has_it = 1;
    return mt_pilock_release(&pilock);
}

/* An emulator has no robust lists. */
static int robust_is_had(void)
{
    struct mt_robust other = MT_ROBUST_INIT;
    int result = mt_robust_acquire(&other, MT_NOWAIT);

    return result != -ENOTSUP && mt_robust_release(&other) == 0;
}

/* The hub sleeps until it is released, or its owner is dead. */
static void a_robust_lock_is_not_polled(void **state)
{
    if (!robust_is_had())
        skip();
    for (uintptr_t dies = 0; dies < 2; dies++) {
        struct mt_task *thread, *task;
        uint64_t sleeps;
        thread_has_it = thread_may_go = has_it = 0;
        thread = spawn(hold_robust, (void *)dies);
        while (!__atomic_load_n(&thread_has_it, __ATOMIC_ACQUIRE))
            usleep(500);
        task = spawn_coro(take_robust, NULL);
        mt_coro_yield();
        sleeps = mt__hub->sleeps;
        assert_int_equal(mt_sleep(MT_MS(60)), 0);
        assert_true(mt__hub->sleeps - sleeps < 20);
        assert_int_equal(has_it, 0);
        __atomic_store_n(&thread_may_go, 1, __ATOMIC_RELEASE);
        assert_int_equal(mt_task_join(task, soon()), 0);
        assert_int_equal(mt_task_outcome(task), dies ? -EOWNERDEAD : 0);
        mt_task_release(task);
        assert_int_equal(finish(thread), 0);
    }
}

/* Who waits for it in the hub of who releases it has it as soon as it is his turn, however long he has waited. */
static void they_are_handed_over_in_a_hub(void **state)
{
    struct mt_task *task;

    if (!robust_is_had())
        skip();
    has_it = 0;
    assert_int_equal(mt_robust_acquire(&robust, MT_NOWAIT), 0);
    task = spawn_coro(take_robust, NULL);
    assert_int_equal(mt_sleep(MT_MS(40)), 0);
    assert_int_equal(mt_robust_release(&robust), 0);
    mt_coro_yield();
    assert_int_equal(has_it, 1);
    assert_int_equal(finish(task), 0);

    has_it = 0;
    assert_int_equal(mt_pilock_acquire(&pilock, MT_NOWAIT), 0);
    task = spawn_coro(take_pilock, NULL);
    assert_int_equal(mt_sleep(MT_MS(40)), 0);
    assert_int_equal(mt_pilock_release(&pilock), 0);
    mt_coro_yield();
    assert_int_equal(has_it, 1);
    assert_int_equal(finish(task), 0);
}

/* -- Joins -------------------------------------------------------------------------------------------------------- */

static int join_it(void *arg)
{
    return mt_task_join(arg, soon());
}

static int join_in_vain(void *arg)
{
    return mt_task_join(arg, mt_after(MT_MS(1))) == -ETIMEDOUT ? 0 : -1;
}

static int wait_for_first(void *arg)
{
    return mt_event_wait(&first, soon());
}

/* Several here, one of which gives up, and one in another thread. */
static void several_join_one(void **state)
{
    for (int round = 0; round < 20; round++) {
        struct mt_task *one = spawn_coro(wait_for_first, NULL);
        struct mt_task *joiners[] = {spawn_coro(join_in_vain, one), spawn_coro(join_it, one), spawn_coro(join_it, one),
                                     spawn(join_it, one)};
        assert_int_equal(finish(joiners[0]), 0);
        mt_event_set(&first);
        for (int i = 1; i < 4; i++)
            assert_int_equal(finish(joiners[i]), 0);
        assert_int_equal(finish(one), 0);
        mt_event_clear(&first);
    }
}

/* -- Hand-overs --------------------------------------------------------------------------------------------------- */

static struct mt_channel channel = MT_CHANNEL_INIT(sizeof(int));
static int given, taken;

static int give_often(void *arg)
{
    for (int i = 0; i < often(4000); i++) {
        int result = mt_channel_put(&channel, &i, mt_after(i % 50 * 1000));
        if (!result)
            __atomic_fetch_add(&given, i, __ATOMIC_RELAXED);
        else if (result != -ETIMEDOUT)
            return result;
    }
    return 0;
}

static int take_often(void *arg)
{
    for (;;) {
        int item, result = mt_channel_get(&channel, &item, mt_after(20000));
        if (!result)
            __atomic_fetch_add(&taken, item, __ATOMIC_RELAXED);
        else if (result != -ETIMEDOUT)
            return result == -EPIPE ? 0 : result;
    }
}

/* Both sides give up all the time, here and in another thread: what was given is taken, and nothing else. */
static void givers_up_lose_nothing(void **state)
{
    struct mt_task *takers[] = {spawn(take_often, NULL), spawn_coro(take_often, NULL)};
    struct mt_task *givers[] = {spawn(give_often, NULL), spawn_coro(give_often, NULL), spawn_coro(give_often, NULL)};

    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(givers[i]), 0);
    mt_channel_close(&channel);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(takers[i]), 0);
    assert_int_equal(given, taken);
}

/* -- Spare ones --------------------------------------------------------------------------------------------------- */

static int over;

static int fail_named(void *arg)
{
    return arg ? mt_fail(-EIO, "on purpose") : 0;
}

static int look_at_all(void *arg)
{
    static struct mt_task_info infos[400];
    static struct mt_task *tasks[400];

    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        size_t count = mt_task_enumerate(infos, 400);
        for (size_t i = 0; i < count && i < 400; i++)
            if (infos[i].kind == MT_COROUTINE && strcmp(infos[i].name, "one of many"))
                return -1;
        count = mt_task_list(tasks, 400);
        for (size_t i = 0; i < count && i < 400; i++) {
            mt_task_is_alive(tasks[i]);
            mt_task_release(tasks[i]);
        }
    }
    return 0;
}

/* They come and go, by the dozen and with outcomes of their own, while another thread looks at all tasks. */
static void spare_ones_come_back_as_new(void **state)
{
    struct mt_coro_options options = {.name = "one of many"};
    struct mt_task *looker = spawn(look_at_all, NULL), *tasks[300];
    uint64_t last_id = 0;

    for (int round = 0; round < often(200); round++) {
        int count = round % 10 ? round % 10 : 300; /* more than are kept, at times */
        for (int i = 0; i < count; i++) {
            tasks[i] = mt_coro_spawn(fail_named, i % 3 ? NULL : tasks, &options);
            assert_non_null(tasks[i]);
            assert_true(mt_task_id(tasks[i]) > last_id);
            last_id = mt_task_id(tasks[i]);
            assert_int_equal(mt_task_outcome(tasks[i]), -EINPROGRESS);
        }
        for (int i = 0; i < count; i++) {
            assert_int_equal(mt_task_join(tasks[i], soon()), 0);
            assert_int_equal(mt_task_outcome(tasks[i]), i % 3 ? 0 : -EIO);
            assert_string_equal(mt_task_message(tasks[i]), i % 3 ? "" : "on purpose");
            mt_task_release(tasks[i]);
        }
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    assert_int_equal(finish(looker), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_is_seen_at_once),
        cmocka_unit_test(circles_are_found),
        cmocka_unit_test(no_false_alarm),
        cmocka_unit_test(several_join_one),
        cmocka_unit_test(a_robust_lock_is_not_polled),
        cmocka_unit_test(they_are_handed_over_in_a_hub),
        cmocka_unit_test(givers_up_lose_nothing),
        cmocka_unit_test(spare_ones_come_back_as_new),
    };
    return RUN(tests);
}
