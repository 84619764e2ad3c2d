/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <sched.h>

static struct mt_pool *pool; /* of one worker */
static struct mt_event go;

static int nothing(void *arg)
{
    return 0;
}

static int go_wrong(void *arg)
{
    return mt_fail(-EIO, "the disk is gone");
}

static int wait_for_go(void *arg)
{
    return mt_event_wait(&go, MT_FOREVER);
}

static int set_up(void **state)
{
    struct mt_pool_options options = {.name = "unit", .workers = 1};

    mt_event_init(&go, "go", 0);
    pool = mt_pool_open(&options);
    return pool == NULL;
}

static int tear_down(void **state)
{
    mt_event_set(&go);
    mt_pool_free(pool);
    return 0;
}

static struct mt_future *submit(mt_fn *fn)
{
    struct mt_future *future = mt_pool_apply_async(pool, fn, NULL, 0, MT_FOREVER);

    assert_non_null(future);
    return future;
}

/* One that runs, until go is set. */
static struct mt_future *occupy(void)
{
    struct mt_future *future = submit(wait_for_go);

    while (!mt_future_is_running(future))
        usleep(200);
    return future;
}

static void states_and_deadlines(void **state)
{
    struct mt_future *first = occupy(), *second = submit(go_wrong);
    struct mt_outcome outcome = {.code = 99};
    mt_deadline start = mt_now();
    size_t size = 5;

    assert_int_equal(mt_future_state(second), MT_QUEUED);
    assert_int_equal(mt_future_state(first), MT_STARTED);
    assert_false(mt_future_is_done(first));
    assert_int_equal(mt_future_wait(first, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_future_wait(second, mt_after(MT_MS(30))), -ETIMEDOUT);
    assert_true(elapsed(start) >= 30);
    assert_int_equal(mt_future_outcome(first), -EINPROGRESS);
    assert_int_equal(mt_future_read(first, &outcome), -EINPROGRESS);
    assert_int_equal(outcome.code, 99);
    assert_string_equal(mt_future_message(second), "");
    assert_null(mt_future_value(second, &size));
    assert_int_equal(size, 0);
    mt_event_set(&go);
    assert_int_equal(mt_future_wait(second, MT_FOREVER), 0);
    assert_int_equal(mt_future_state(second), MT_DONE);
    assert_int_equal(mt_future_outcome(second), -EIO);
    assert_string_equal(mt_future_message(second), "the disk is gone");
    mt_future_release(first);
    mt_future_release(second);
}

static int wait_for_future(void *future)
{
    return mt_future_wait(future, MT_FOREVER);
}

static void many_wait_and_one_is_killed(void **state)
{
    struct mt_future *future = occupy();
    struct mt_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(wait_for_future, future);
    for (int i = 0; i < 4; i++)
        until_waiting(tasks[i], MT_WAIT_FUTURE);
    mt_task_kill(tasks[2]);
    assert_int_equal(finish(tasks[2]), -ECANCELED);
    mt_event_set(&go);
    for (int i = 0; i < 4; i++)
        if (i != 2)
            assert_int_equal(finish(tasks[i]), 0);
    mt_future_release(future);
}

static void cancel_before_it_runs(void **state)
{
    struct mt_future *first = occupy(), *second = submit(go_wrong);
    struct mt_pool_counts counts;

    assert_int_equal(mt_future_cancel(first), -EBUSY);
    assert_int_equal(mt_future_cancel(second), 0);
    assert_int_equal(mt_future_cancel(second), 0);
    assert_int_equal(mt_future_kill(second), 0);
    assert_int_equal(mt_future_state(second), MT_CANCELLED);
    assert_int_equal(mt_future_wait(second, MT_NOWAIT), 0);
    assert_int_equal(mt_future_outcome(second), -ECANCELED);
    mt_event_set(&go);
    assert_int_equal(mt_future_wait(first, MT_FOREVER), 0);
    assert_int_equal(mt_future_cancel(first), -ESRCH);
    assert_int_equal(mt_future_kill(first), -ESRCH);
    mt_future_release(first);
    mt_future_release(second);
    second = submit(nothing);
    assert_int_equal(mt_future_wait(second, MT_FOREVER), 0);
    mt_future_release(second);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.cancelled, 1);
    assert_int_equal(counts.done, 2);
}

static void kill_while_it_runs(void **state)
{
    struct mt_future *first = occupy(), *second = submit(nothing);

    assert_int_equal(mt_future_kill(first), 0);
    assert_int_equal(mt_future_wait(first, in_time()), 0);
    assert_int_equal(mt_future_outcome(first), -ECANCELED);
    assert_int_equal(mt_future_wait(second, in_time()), 0);
    assert_int_equal(mt_future_outcome(second), 0); /* the worker is not killed */
    mt_future_release(first);
    mt_future_release(second);
}

static int yield_or_killed(void *arg)
{
    return mt_task_killed() ? -EINTR : 0;
}

static int killer(void *arg)
{
    struct mt_future **slot = arg;
    struct mt_future *future;

    while ((future = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL)) != (void *)1) {
        if (future) {
            mt_future_kill(future);
            mt_future_release(future);
        } else {
            sched_yield(); /* others may have no other processor */
        }
    }
    return 0;
}

/* Kills that come when the task is about to end, or has: the next task must not feel them. */
static void a_kill_reaches_its_task_only(void **state)
{
    struct mt_future *slot = NULL;
    struct mt_task *task = spawn(killer, &slot);
    mt_deadline start = mt_now();
    int hit = 0, round;

    for (round = 0; goes_on(round, often(20000), start); round++) {
        struct mt_future *victim = submit(yield_or_killed), *next;
        __atomic_store_n(&slot, mt_future_retain(victim), __ATOMIC_RELEASE);
        next = submit(yield_or_killed);
        assert_int_equal(mt_future_wait(next, in_time()), 0);
        assert_int_equal(mt_future_outcome(next), 0);
        hit += mt_future_is_done(victim) && mt_future_outcome(victim) != 0;
        mt_future_release(victim);
        mt_future_release(next);
        while (__atomic_load_n(&slot, __ATOMIC_ACQUIRE))
            mt_sleep(0);
    }
    __atomic_store_n(&slot, (void *)1, __ATOMIC_RELEASE);
    assert_int_equal(finish(task), 0);
    print_message("# %d of %d were killed or cancelled\n", hit, round);
}

struct nested {
    struct mt_future *inner, *outer;
    int inner_outcome, event_outcome;
};

static int wait_inside(void *arg)
{
    struct nested *nested = *(struct nested **)arg;
    struct mt_future *own;

    while (!(own = __atomic_load_n(&nested->outer, __ATOMIC_ACQUIRE)))
        mt_sleep(0);
    if (mt_future_wait(own, MT_FOREVER) != -EDEADLK)
        return -EPROTO;
    if (mt_future_wait(nested->inner, MT_FOREVER))
        return -EPROTO;
    nested->inner_outcome = mt_future_outcome(nested->inner);
    nested->event_outcome = mt_sleep(MT_MS(1));
    return 0;
}

static struct nested nested;

static int kill_the_outer_one(void *arg)
{
    if (mt_future_kill(nested.outer))
        return -EPROTO;
    return mt_sleep(MT_MS(10)); /* is not killed itself */
}

/* A task runs another inside; a kill of the outer one takes effect when the inner one has ended. */
static void kills_and_nesting(void **state)
{
    struct nested *where = &nested;
    struct mt_future *outer;

    memset(&nested, 0, sizeof nested);
    outer = mt_pool_apply_async(pool, wait_inside, &where, sizeof where, MT_FOREVER);
    assert_non_null(outer);
    nested.inner = submit(kill_the_outer_one);
    __atomic_store_n(&nested.outer, outer, __ATOMIC_RELEASE);
    assert_int_equal(mt_future_wait(outer, in_time()), 0);
    assert_int_equal(mt_future_outcome(outer), 0);
    assert_int_equal(nested.inner_outcome, 0);
    assert_int_equal(nested.event_outcome, -ECANCELED);
    mt_future_release(outer);
    mt_future_release(nested.inner);
}

struct pair {
    struct mt_future *other;
    uint32_t ready;
};

static int wait_for_other(void *arg)
{
    struct pair *pair = *(struct pair **)arg;

    while (!__atomic_load_n(&pair->ready, __ATOMIC_ACQUIRE))
        mt_sleep(MT_US(200));
    return mt_future_wait(pair->other, MT_FOREVER);
}

static void quiet(const char *report) {}

/* Two running tasks that wait for each other: one of them is told. */
static void circles_are_found(void **state)
{
    struct mt_pool_options options = {.workers = 2};
    struct mt_pool *two = mt_pool_open(&options);
    struct pair pairs[2] = {{0}}, *args[2] = {&pairs[0], &pairs[1]};
    struct mt_future *futures[2];
    int first, second;

    mt_deadlock_hook(quiet);
    for (int i = 0; i < 2; i++)
        futures[i] = mt_pool_apply_async(two, wait_for_other, &args[i], sizeof args[i], MT_FOREVER);
    for (int i = 0; i < 2; i++)
        while (!mt_future_is_running(futures[i]))
            usleep(200);
    for (int i = 0; i < 2; i++)
        pairs[i].other = futures[!i];
    for (int i = 0; i < 2; i++)
        __atomic_store_n(&pairs[i].ready, 1, __ATOMIC_RELEASE);
    assert_int_equal(mt_futures_wait(futures, 2, MT_UNTIL_ALL, in_time()), 2);
    first = mt_future_outcome(futures[0]);
    second = mt_future_outcome(futures[1]);
    assert_true((first == -EDEADLK && second == 0) || (first == 0 && second == -EDEADLK));
    mt_deadlock_hook(NULL);
    mt_future_release(futures[0]);
    mt_future_release(futures[1]);
    mt_pool_free(two);
}

/* -- Callbacks ---------------------------------------------------------------------------------------------------- */

static struct mt_future *called_for[3];
static uint64_t called_in;
static int calls;

static void note(struct mt_future *future, void *arg)
{
    called_in = mt_task_id(mt_task_current());
    called_for[calls] = future;
    *(int *)arg += 1;
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELEASE);
}

static void callbacks_run_off_the_worker(void **state)
{
    struct mt_future *first = occupy(), *second = submit(nothing);
    struct mt_outcome outcome;
    int number = 0;

    calls = 0;
    assert_int_equal(mt_future_add_done_callback(first, note, &number), 0);
    assert_int_equal(mt_future_add_done_callback(second, note, &number), 0);
    assert_int_equal(mt_future_cancel(second), 0);
    while (__atomic_load_n(&calls, __ATOMIC_ACQUIRE) < 1)
        usleep(200);
    assert_ptr_equal(called_for[0], second); /* cancelled ones have ended too */
    mt_event_set(&go);
    while (__atomic_load_n(&calls, __ATOMIC_ACQUIRE) < 2)
        usleep(200);
    assert_ptr_equal(called_for[1], first);
    assert_int_equal(mt_future_read(first, &outcome), 0);
    assert_true(called_in != outcome.worker && called_in != mt_task_id(mt_task_current()));
    assert_int_equal(mt_future_add_done_callback(first, note, &number), 0); /* at once, here */
    assert_int_equal(calls, 3);
    assert_true(called_in == mt_task_id(mt_task_current()));
    assert_int_equal(number, 3);
    mt_future_release(first);
    mt_future_release(second);
}

static void slow(struct mt_future *future, void *arg)
{
    usleep(30000);
    __atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
}

static void join_waits_for_callbacks(void **state)
{
    struct mt_future *future = occupy();
    int called = 0;

    assert_int_equal(mt_future_add_done_callback(future, slow, &called), 0);
    mt_future_release(future);
    mt_event_set(&go);
    mt_pool_close(pool);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    assert_int_equal(__atomic_load_n(&called, __ATOMIC_ACQUIRE), 1);
}

/* -- Several ------------------------------------------------------------------------------------------------------ */

static void waits_for_several(void **state)
{
    struct mt_future *futures[4] = {submit(nothing), submit(go_wrong), occupy(), submit(nothing)}, *future;
    struct mt_completed *completed = mt_completed_new(futures, 4);
    int seen = 0;

    assert_true(mt_futures_wait(futures, 4, MT_UNTIL_FIRST, MT_FOREVER) >= 1);
    assert_int_equal(mt_futures_wait(futures, 4, MT_UNTIL_FAILURE, MT_FOREVER), 2);
    assert_int_equal(mt_futures_wait(futures, 4, MT_UNTIL_ALL, mt_after(MT_MS(20))), -ETIMEDOUT);
    assert_int_equal(mt_futures_wait(futures + 2, 2, MT_UNTIL_FIRST, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_futures_wait(futures, 0, MT_UNTIL_ALL, MT_FOREVER), -EINVAL);
    assert_int_equal(mt_completed_next(completed, &future, MT_FOREVER), 1);
    assert_ptr_equal(future, futures[0]);
    assert_int_equal(mt_completed_next(completed, &future, MT_FOREVER), 1);
    assert_ptr_equal(future, futures[1]);
    assert_int_equal(mt_completed_next(completed, &future, MT_NOWAIT), -EBUSY);
    mt_event_set(&go);
    assert_int_equal(mt_futures_wait(futures, 4, MT_UNTIL_ALL, MT_FOREVER), 4);
    while (mt_completed_next(completed, &future, MT_FOREVER) == 1)
        seen += future == futures[2] ? 1 : future == futures[3] ? 10 : 100;
    assert_int_equal(seen, 11);
    assert_int_equal(mt_future_outcome(futures[1]), -EIO);
    mt_completed_free(completed);
    for (int i = 0; i < 4; i++)
        mt_future_release(futures[i]);
}

static int wait_for_all_inside(void *arg)
{
    struct mt_future *futures[3];
    int result;

    for (int i = 0; i < 3; i++)
        futures[i] = mt_pool_apply_async(pool, nothing, NULL, 0, MT_FOREVER);
    result = mt_futures_wait(futures, 3, MT_UNTIL_ALL, MT_FOREVER);
    for (int i = 0; i < 3; i++)
        mt_future_release(futures[i]);
    return result;
}

static void a_worker_waits_for_several(void **state)
{
    struct mt_future *future = submit(wait_for_all_inside);

    assert_int_equal(mt_future_wait(future, in_time()), 0);
    assert_int_equal(mt_future_outcome(future), 3);
    mt_future_release(future);
}

/* -- Failures ----------------------------------------------------------------------------------------------------- */

static int hooked, hooked_code;
static char hooked_message[MT_MESSAGE_MAX], hooked_name[MT_NAME_MAX];

static void hook(struct mt_task *task, int outcome, const char *message)
{
    hooked++;
    hooked_code = outcome;
    strcpy(hooked_message, message);
    strcpy(hooked_name, mt_task_name(task));
}

static void unread_failures_go_to_the_hook(void **state)
{
    struct mt_future *future;

    mt_failure_hook(hook);
    hooked = 0;
    future = submit(go_wrong);
    assert_int_equal(mt_future_wait(future, MT_FOREVER), 0);
    assert_int_equal(mt_future_outcome(future), -EIO);
    mt_future_release(future);
    assert_int_equal(hooked, 0); /* it has been read */
    mt_future_release(submit(go_wrong));
    mt_pool_close(pool);
    assert_int_equal(mt_pool_join(pool, MT_FOREVER), 0);
    mt_failure_hook(NULL);
    assert_int_equal(hooked, 1);
    assert_int_equal(hooked_code, -EIO);
    assert_string_equal(hooked_message, "the disk is gone");
    assert_string_equal(hooked_name, "unit/0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states_and_deadlines), TEST(many_wait_and_one_is_killed),  TEST(cancel_before_it_runs),
        TEST(kill_while_it_runs),   TEST(a_kill_reaches_its_task_only), TEST(kills_and_nesting),
        TEST(circles_are_found),    TEST(callbacks_run_off_the_worker), TEST(join_waits_for_callbacks),
        TEST(waits_for_several),    TEST(a_worker_waits_for_several),   TEST(unread_failures_go_to_the_hook),
    };
    return RUN(tests);
}
