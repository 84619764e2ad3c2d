/* SPDX-License-Identifier: MIT
 *
 * Promises: set once by anybody, waited for by many, in threads and coroutines. tests/loops.t runs this on each loop.
 */
#include "hub.h"
#include "base/sys.h"

#define END in_time()

static struct mt_future *promise(void)
{
    struct mt_future *made = mt_promise_new("answer");

    assert_non_null(made);
    return made;
}

/* -- Set, fail, cancel -------------------------------------------------------------------------------------------- */

static void a_value_is_copied_and_stays(void **state)
{
    struct mt_future *small = promise(), *large = promise(), *empty = promise();
    char bytes[100] = "beginning", copy[100];
    int number = 7;
    size_t size;

    assert_int_equal(mt_future_state(small), MT_QUEUED);
    assert_int_equal(mt_future_outcome(small), -EINPROGRESS);
    assert_false(mt_future_is_done(small) || mt_future_successful(small));
    assert_int_equal(mt_future_wait(small, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_future_get(small, &number, sizeof number, mt_after(MT_MS(1))), -ETIMEDOUT);
    assert_int_equal(mt_promise_set(small, &number, sizeof number), 0);
    assert_int_equal(mt_promise_set(large, bytes, sizeof bytes), 0);
    assert_int_equal(mt_promise_set(empty, NULL, 0), 0);
    number = 8;
    strcpy(bytes, "changed");
    assert_int_equal(mt_future_get(small, &number, sizeof number, MT_NOWAIT), 0);
    assert_int_equal(number, 7);
    assert_int_equal(mt_future_get(large, copy, sizeof copy, MT_NOWAIT), 0);
    assert_string_equal(copy, "beginning");
    assert_int_equal(mt_future_get(large, copy, 99, MT_NOWAIT), -EMSGSIZE);
    assert_int_equal(mt_future_get(empty, NULL, 0, MT_NOWAIT), 0);
    assert_null(mt_future_value(empty, &size));
    assert_int_equal(size, 0);
    assert_true(mt_future_is_done(small) && mt_future_successful(small));
    mt_future_release(small);
    mt_future_release(large);
    mt_future_release(empty);
}

static void only_the_first_sets_it(void **state)
{
    struct mt_future *set = promise(), *failed = promise(), *cancelled = promise();
    struct mt_outcome outcome;
    int number = 1;

    assert_int_equal(mt_promise_set(set, &number, sizeof number), 0);
    number = 2;
    assert_int_equal(mt_promise_set(set, &number, sizeof number), -EALREADY);
    assert_int_equal(mt_promise_fail(set, -EIO, "too late"), -EALREADY);
    assert_int_equal(mt_future_cancel(set), -ESRCH);
    assert_int_equal(mt_future_get(set, &number, sizeof number, END), 0);
    assert_int_equal(number, 1);

    assert_int_equal(mt_promise_fail(failed, 0, "no failure"), -EINVAL);
    assert_int_equal(mt_promise_fail(failed, -EIO, "disk %d is gone", 3), 0);
    assert_int_equal(mt_promise_set(failed, &number, sizeof number), -EALREADY);
    assert_int_equal(mt_future_get(failed, &number, sizeof number, END), -EIO);
    assert_string_equal(mt_future_message(failed), "disk 3 is gone");
    assert_false(mt_future_successful(failed));
    assert_int_equal(mt_future_read(failed, &outcome), 0);
    assert_int_equal(outcome.code, -EIO);
    assert_string_equal(outcome.message, "disk 3 is gone");
    assert_int_equal(outcome.tid, 0);

    assert_int_equal(mt_future_cancel(cancelled), 0);
    assert_int_equal(mt_promise_set(cancelled, &number, sizeof number), -ECANCELED);
    assert_int_equal(mt_promise_set(cancelled, &outcome, sizeof outcome), -ECANCELED);
    assert_int_equal(mt_promise_fail(cancelled, -EIO, "nobody listens"), -ECANCELED);
    assert_int_equal(mt_future_get(cancelled, NULL, 0, END), -ECANCELED);
    mt_future_release(set);
    mt_future_release(failed);
    mt_future_release(cancelled);
}

static int give_back_nothing(void *arg)
{
    return 0;
}

static void a_pools_future_is_not_to_be_set(void **state)
{
    struct mt_pool *pool = mt_pool_open(&(struct mt_pool_options){.workers = 1});
    struct mt_future *future = mt_pool_apply(pool, give_back_nothing, NULL, 0, END);

    assert_int_equal(mt_promise_set(future, NULL, 0), -EPERM);
    assert_int_equal(mt_promise_fail(future, -EIO, "x"), -EPERM);
    assert_int_equal(mt_promise_follow(future, mt_task_current()), -EPERM);
    mt_future_release(future);
    mt_pool_free(pool);
}

static int told_code;
static char told_message[64];

static void note_failure(struct mt_task *task, int outcome, const char *message)
{
    told_code = outcome;
    snprintf(told_message, sizeof told_message, "%s", message);
}

static void a_failure_that_nobody_reads_is_told(void **state)
{
    mt_failure_fn *before = mt_failure_hook(note_failure);
    struct mt_future *unread = promise(), *read = promise();

    assert_int_equal(mt_promise_fail(read, -EPIPE, "read"), 0);
    assert_int_equal(mt_future_outcome(read), -EPIPE);
    mt_future_release(read);
    assert_int_equal(told_code, 0);
    assert_int_equal(mt_promise_fail(unread, -EIO, "unread"), 0);
    mt_future_release(unread);
    assert_int_equal(told_code, -EIO);
    assert_string_equal(told_message, "unread");
    mt_failure_hook(before);
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

static int get_number(void *arg)
{
    int number, result = mt_future_get(arg, &number, sizeof number, END);

    return result ? result : number;
}

static int set_number(void *arg)
{
    int number = 11, result = mt_sleep(MT_MS(2));

    return result ? result : mt_promise_set(arg, &number, sizeof number);
}

static void threads_and_coroutines_wait_for_one(void **state)
{
    for (int by_thread = 0; by_thread < 2; by_thread++) {
        struct mt_future *one = promise();
        struct mt_task *waiters[6], *setter;
        for (int i = 0; i < 6; i++)
            waiters[i] = i % 2 ? spawn(get_number, one) : spawn_coro(get_number, one);
        for (int i = 1; i < 6; i += 2)
            until_waiting(waiters[i], MT_WAIT_FUTURE);
        setter = by_thread ? spawn(set_number, one) : spawn_coro(set_number, one);
        for (int i = 0; i < 6; i++) {
            assert_int_equal(mt_task_join(waiters[i], END), 0);
            assert_int_equal(mt_task_outcome(waiters[i]), 11);
            mt_task_release(waiters[i]);
        }
        assert_int_equal(finish(setter), 0);
        mt_future_release(one);
    }
}

static void who_waits_can_be_killed_and_has_a_deadline(void **state)
{
    struct mt_future *never = promise();
    struct mt_task *coro = spawn_coro(get_number, never), *thread = spawn(get_number, never);
    struct mt_task_info info;

    until_waiting(thread, MT_WAIT_FUTURE);
    assert_int_equal(mt_coro_yield(), 0);
    mt_task_info(coro, &info);
    assert_int_equal(info.reason, MT_WAIT_FUTURE);
    assert_string_equal(info.object_name, "answer");
    assert_int_equal(mt_task_kill(coro), 0);
    assert_int_equal(mt_task_kill(thread), 0);
    assert_int_equal(finish(coro), -ECANCELED);
    assert_int_equal(finish(thread), -ECANCELED);
    assert_int_equal(mt_future_wait(never, mt_after(MT_MS(1))), -ETIMEDOUT);
    mt_future_release(never);
}

static int set_the_third(void *arg)
{
    struct mt_future **some = arg;

    return mt_promise_set(some[2], NULL, 0);
}

static void many_are_waited_for_at_once(void **state)
{
    struct mt_future *some[4], *first;
    struct mt_completed *completed;
    struct mt_task *setter;

    for (int i = 0; i < 4; i++)
        some[i] = promise();
    setter = spawn_coro(set_the_third, some);
    assert_int_equal(mt_futures_wait(some, 4, MT_UNTIL_FIRST, END), 1);
    assert_int_equal(finish(setter), 0);
    completed = mt_completed_new(some, 4);
    assert_int_equal(mt_completed_next(completed, &first, END), 1);
    assert_ptr_equal(first, some[2]);
    assert_int_equal(mt_completed_next(completed, &first, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_promise_fail(some[0], -EIO, "x"), 0);
    assert_int_equal(mt_completed_next(completed, &first, END), 1);
    assert_ptr_equal(first, some[0]);
    mt_completed_free(completed);
    assert_int_equal(mt_futures_wait(some, 4, MT_UNTIL_FAILURE, END), 2);
    assert_int_equal(mt_futures_wait(some, 4, MT_UNTIL_ALL, mt_after(MT_MS(1))), -ETIMEDOUT);
    assert_int_equal(mt_future_cancel(some[1]), 0);
    assert_int_equal(mt_promise_set(some[3], NULL, 0), 0);
    assert_int_equal(mt_futures_wait(some, 4, MT_UNTIL_ALL, END), 4);
    assert_int_equal(mt_future_outcome(some[0]), -EIO);
    for (int i = 0; i < 4; i++)
        mt_future_release(some[i]);
}

/* -- Calls -------------------------------------------------------------------------------------------------------- */

static char trace[16];

static void tell(struct mt_future *future, void *arg)
{
    strcat(trace, mt_future_is_done(future) ? arg : "?");
}

static void calls_come_in_order_from_who_sets_it(void **state)
{
    struct mt_future *one = promise();

    trace[0] = 0;
    assert_int_equal(mt_future_add_done_callback(one, tell, "a"), 0);
    assert_int_equal(mt_future_add_done_callback(one, tell, "b"), 0);
    assert_int_equal(mt_future_add_done_callback(one, tell, "c"), 0);
    assert_int_equal(mt_future_remove_done_callback(one, tell, "b"), 0);
    assert_int_equal(mt_future_remove_done_callback(one, tell, "b"), -ESRCH);
    assert_int_equal(mt_future_add_done_callback(one, tell, "d"), 0);
    assert_string_equal(trace, "");
    assert_int_equal(mt_promise_set(one, NULL, 0), 0);
    assert_string_equal(trace, "acd");
    assert_int_equal(mt_future_add_done_callback(one, tell, "e"), 0);
    assert_string_equal(trace, "acde");
    assert_int_equal(mt_future_remove_done_callback(one, tell, "a"), -ESRCH);
    mt_future_release(one);
    one = promise();
    trace[0] = 0;
    assert_int_equal(mt_future_add_done_callback(one, tell, "x"), 0);
    assert_int_equal(mt_future_cancel(one), 0);
    assert_string_equal(trace, "x");
    mt_future_release(one);
}

static int wait_for_event(void *arg)
{
    return mt_event_wait(arg, END);
}

static void a_pools_callback_can_be_taken_back(void **state)
{
    struct mt_event go = MT_EVENT_INIT, *address = &go;
    struct mt_pool *pool = mt_pool_open(&(struct mt_pool_options){.workers = 1});
    struct mt_future *future = mt_pool_apply_async(pool, wait_for_event, address, 0, END);

    trace[0] = 0;
    assert_int_equal(mt_future_add_done_callback(future, tell, "a"), 0);
    assert_int_equal(mt_future_add_done_callback(future, tell, "b"), 0);
    assert_int_equal(mt_future_remove_done_callback(future, tell, "a"), 0);
    mt_event_set(&go);
    assert_int_equal(mt_future_get(future, NULL, 0, END), 0);
    mt_future_release(future);
    assert_int_equal(mt_pool_close(pool), 0);
    assert_int_equal(mt_pool_join(pool, END), 0);
    assert_string_equal(trace, "b");
    mt_pool_free(pool);
}

/* -- Following a task --------------------------------------------------------------------------------------------- */

static int leave_itself(void *arg)
{
    return mt_task_set_value(arg);
}

static int fail_with_words(void *arg)
{
    return mt_fail(-EIO, "%s", "no luck");
}

static void it_becomes_what_a_task_becomes(void **state)
{
    struct mt_future *well = promise(), *badly = promise(), *late = promise();
    struct mt_task *tasks[] = {spawn_coro(leave_itself, trace), spawn(fail_with_words, NULL)};
    void *value = NULL;

    assert_int_equal(mt_promise_follow(well, tasks[0]), 0);
    assert_int_equal(mt_promise_follow(badly, tasks[1]), 0);
    assert_int_equal(mt_future_get(well, &value, sizeof value, END), 0);
    assert_ptr_equal(value, trace);
    assert_int_equal(mt_future_get(badly, &value, sizeof value, END), -EIO);
    assert_string_equal(mt_future_message(badly), "no luck");
    assert_int_equal(finish(tasks[0]), 0);
    assert_int_equal(mt_promise_follow(late, tasks[1]), 0);
    assert_int_equal(mt_future_get(late, &value, sizeof value, MT_NOWAIT), -EIO);
    assert_int_equal(finish(tasks[1]), -EIO);
    mt_future_release(well);
    mt_future_release(badly);
    mt_future_release(late);
}

/* -- Many at once ------------------------------------------------------------------------------------------------- */

struct race {
    struct mt_future *one;
    struct mt_barrier *start;
    int sets;
};

static void count_call(struct mt_future *future, void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

static int run_race(void *arg)
{
    struct race *race = arg;
    int mine = mt_task_tid(mt_task_current()), calls = 0, got, result;

    result = mt_barrier_wait(race->start, END);
    if (result < 0)
        return result;
    result = mt_future_add_done_callback(race->one, count_call, &calls);
    if (!result && mt_promise_set(race->one, &mine, sizeof mine) == 0)
        __atomic_fetch_add(&race->sets, 1, __ATOMIC_RELAXED);
    if (!result)
        result = mt_future_get(race->one, &got, sizeof got, END);
    while (!result && !__atomic_load_n(&calls, __ATOMIC_RELAXED)) /* who set it may still be at it */
        result = mt_sleep(0);
    return result;
}

static void of_many_exactly_one_sets_it(void **state)
{
    for (int i = 0; i < often(200); i++) {
        struct mt_barrier start;
        struct race race = {.one = promise(), .start = &start};
        assert_int_equal(mt_barrier_init(&start, 4, NULL, NULL, "start", 0), 0);
        run_many(run_race, &race, 4);
        assert_int_equal(race.sets, 1);
        mt_future_release(race.one);
    }
}

/* -- Failures ----------------------------------------------------------------------------------------------------- */

static void without_memory_it_is_not_set(void **state)
{
    struct mt_future *one = promise();
    char bytes[64] = {1}, copy[64];

    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
    assert_int_equal(mt_promise_set(one, bytes, sizeof bytes), -ENOMEM);
    mt__sys_fail(-1, 0, 0);
    assert_int_equal(mt_future_state(one), MT_QUEUED);
    assert_int_equal(mt_promise_set(one, bytes, sizeof bytes), 0);
    assert_int_equal(mt_future_get(one, copy, sizeof copy, END), 0);
    assert_memory_equal(copy, bytes, sizeof bytes);
    mt_future_release(one);
    errno = 0;
    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
    assert_null(mt_promise_new(NULL));
    mt__sys_fail(-1, 0, 0);
    assert_int_equal(errno, ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_copied_and_stays),
        cmocka_unit_test(only_the_first_sets_it),
        cmocka_unit_test(a_pools_future_is_not_to_be_set),
        cmocka_unit_test(a_failure_that_nobody_reads_is_told),
        cmocka_unit_test(threads_and_coroutines_wait_for_one),
        cmocka_unit_test(who_waits_can_be_killed_and_has_a_deadline),
        cmocka_unit_test(many_are_waited_for_at_once),
        cmocka_unit_test(calls_come_in_order_from_who_sets_it),
        cmocka_unit_test(a_pools_callback_can_be_taken_back),
        cmocka_unit_test(it_becomes_what_a_task_becomes),
        cmocka_unit_test(of_many_exactly_one_sets_it),
        cmocka_unit_test(without_memory_it_is_not_set),
    };

    return RUN(tests);
}
