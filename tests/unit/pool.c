/* SPDX-License-Identifier: MIT */
#include "base/sys.h"
#include "pool-unit.h"

static void results_come_back(void **state)
{
    struct mt_pool *pool = open_pool(2);
    int number = 7;
    size_t size;
    struct mt_outcome outcome;
    struct mt_future *future = mt_pool_apply(pool, square, &number, sizeof number, MT_FOREVER);

    assert_non_null(future);
    assert_int_equal(mt_future_outcome(future), 0);
    assert_int_equal(*(const int *)mt_future_value(future, &size), 49);
    assert_int_equal(size, sizeof number);
    assert_int_equal(mt_future_read(future, &outcome), 0);
    assert_true(outcome.tid > 0 && outcome.tid != getpid() && outcome.worker > 0);
    assert_string_equal(outcome.message, "");
    mt_future_release(future);

    number = -3;
    future = submit(pool, square, &number, sizeof number);
    number = 5; /* the pool has a copy */
    assert_int_equal(mt_future_wait(future, MT_FOREVER), 0);
    assert_int_equal(mt_future_outcome(future), -EDOM);
    assert_string_equal(mt_future_message(future), "-3 is negative");
    assert_null(mt_future_value(future, &size));
    assert_int_equal(size, 0);
    mt_future_release(future);
    assert_int_equal(mt_pool_reply(&number, sizeof number), -EPERM);
    close_and_free(pool);
}

static int reply_much(void *arg)
{
    char bytes[100000];

    memset(bytes, 'x', sizeof bytes);
    mt_pool_reply("first", 5);
    return mt_pool_reply(bytes, sizeof bytes);
}

static void the_last_reply_counts(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *future = mt_pool_apply(pool, reply_much, NULL, 0, MT_FOREVER);
    size_t size;
    const char *bytes = mt_future_value(future, &size);

    assert_int_equal(size, 100000);
    assert_int_equal(bytes[99999], 'x');
    mt_pool_free(pool);
    assert_int_equal(bytes[99999], 'x'); /* a future outlives its pool */
    mt_future_release(future);
}

static void options_are_checked(void **state)
{
    struct mt_pool_options options = {.kind = (enum mt_kind)(MT_COROUTINE + 1)};

    assert_null(mt_pool_open(&options));
    assert_int_equal(errno, EOPNOTSUPP);
    options = (struct mt_pool_options){.stack_size = 1};
    assert_null(mt_pool_open(&options));
    assert_int_equal(errno, EINVAL);
    options = (struct mt_pool_options){.workers = MT_POOL_WORKERS + 1};
    assert_null(mt_pool_open(&options));
    assert_int_equal(errno, EINVAL);
}

static void backlog_makes_submitters_wait(void **state)
{
    struct mt_pool_options options = {.workers = 1, .backlog = 2};
    struct mt_pool *pool = mt_pool_open(&options);
    struct mt_event go = MT_EVENT_INIT;
    struct mt_future *futures[4];
    mt_deadline start;

    futures[0] = submit(pool, wait_for, &go, 0);
    while (!mt_future_is_running(futures[0]))
        usleep(500);
    futures[1] = submit(pool, nothing, NULL, 0);
    futures[2] = submit(pool, nothing, NULL, 0);
    assert_null(mt_pool_apply_async(pool, nothing, NULL, 0, MT_NOWAIT));
    assert_int_equal(errno, EBUSY);
    start = mt_now();
    assert_null(mt_pool_apply_async(pool, nothing, NULL, 0, mt_after(MT_MS(30))));
    assert_int_equal(errno, ETIMEDOUT);
    assert_true(elapsed(start) >= 30);
    mt_event_set(&go);
    futures[3] = submit(pool, nothing, NULL, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(mt_future_wait(futures[i], MT_FOREVER), 0);
        mt_future_release(futures[i]);
    }
    close_and_free(pool);
}

struct family {
    struct mt_pool *pool;
    int depth;
};

/* Each task waits for one that it submits: with one worker that is a deadlock, unless the waiter runs it itself. */
static int nest(void *arg)
{
    struct family next = *(struct family *)arg;
    struct mt_future *future;
    int code;

    if (!next.depth--)
        return 42;
    future = mt_pool_apply_async(next.pool, nest, &next, sizeof next, MT_NOWAIT);
    if (!future)
        return -errno;
    mt_fail(0, "depth %d", next.depth);
    code = mt_future_wait(future, MT_FOREVER);
    if (!code)
        code = mt_future_outcome(future);
    mt_future_release(future);
    return strcmp(mt_task_message(mt_task_current()), "") ? code : -EBADMSG; /* what a nested task said is its own */
}

static void a_worker_runs_what_it_waits_for(void **state)
{
    struct mt_pool_options options = {.workers = 1, .backlog = 1};
    struct mt_pool *pool = mt_pool_open(&options);
    struct family family = {pool, 20};
    struct mt_future *future = mt_pool_apply(pool, nest, &family, sizeof family, in_time());

    assert_non_null(future);
    assert_int_equal(mt_future_outcome(future), 42);
    mt_future_release(future);
    close_and_free(pool);
}

static void note_call(struct mt_future *future, void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
}

/* -- The end ------------------------------------------------------------------------------------------------------ */

static void close_runs_what_is_queued(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_event go = MT_EVENT_INIT;
    struct mt_future *first = submit(pool, wait_for, &go, 0), *second = submit(pool, nothing, NULL, 0);
    struct mt_pool_counts counts;

    assert_int_equal(mt_pool_join(pool, MT_FOREVER), -EINVAL);
    assert_int_equal(mt_pool_close(pool), 0);
    assert_null(mt_pool_apply_async(pool, nothing, NULL, 0, MT_FOREVER));
    assert_int_equal(errno, EPIPE);
    assert_int_equal(mt_pool_join(pool, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_pool_join(pool, mt_after(MT_MS(20))), -ETIMEDOUT);
    mt_event_set(&go);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    assert_int_equal(mt_future_outcome(first), 0);
    assert_int_equal(mt_future_outcome(second), 0);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.done, 2);
    assert_int_equal(counts.workers, 0);
    mt_future_release(first);
    mt_future_release(second);
    mt_pool_free(pool);
}

static void terminate_cancels_and_kills(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_event never = MT_EVENT_INIT;
    struct mt_future *running = submit(pool, wait_for, &never, 0), *queued = submit(pool, nothing, NULL, 0);
    struct mt_pool_counts counts;

    while (!mt_future_is_running(running))
        usleep(500);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.running, 1);
    assert_int_equal(counts.queued, 1);
    assert_int_equal(mt_pool_terminate(pool), 0);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    assert_int_equal(mt_future_outcome(running), -ECANCELED);
    assert_int_equal(mt_future_state(running), MT_DONE);
    assert_int_equal(mt_future_outcome(queued), -ECANCELED);
    assert_int_equal(mt_future_state(queued), MT_CANCELLED);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.cancelled, 1);
    assert_int_equal(counts.failed, 1);
    mt_future_release(running);
    mt_future_release(queued);
    mt_pool_free(pool);
}

static int join_own_pool(void *pool)
{
    return mt_pool_join(*(struct mt_pool **)pool, MT_FOREVER);
}

static void a_task_cannot_join_its_pool(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *future = mt_pool_apply(pool, join_own_pool, &pool, sizeof pool, MT_FOREVER);

    assert_int_equal(mt_future_outcome(future), -EDEADLK);
    mt_future_release(future);
    close_and_free(pool);
}

static void counts_and_resize(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_event go = MT_EVENT_INIT;
    struct mt_future *futures[4];
    struct mt_pool_counts counts;

    for (int i = 0; i < 4; i++)
        futures[i] = submit(pool, wait_for, &go, 0);
    assert_int_equal(mt_pool_resize(pool, 4), 0);
    for (int i = 0; i < 4; i++)
        while (!mt_future_is_running(futures[i]))
            usleep(500);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.workers, 4);
    assert_int_equal(counts.running, 4);
    assert_int_equal(mt_pool_resize(pool, 2), 0);
    mt_event_set(&go);
    do {
        usleep(1000);
        mt_pool_count(pool, &counts);
    } while (counts.workers != 2 || counts.running);
    assert_int_equal(counts.done, 4);
    for (int i = 0; i < 4; i++)
        mt_future_release(futures[i]);
    assert_int_equal(mt_pool_resize(pool, 3), 0);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.done, 4);
    assert_int_equal(mt_pool_resize(pool, 0), -EINVAL);
    assert_int_equal(mt_pool_resize(pool, MT_POOL_WORKERS + 1), -EINVAL);
    mt_pool_close(pool);
    assert_int_equal(mt_pool_resize(pool, 3), -EPIPE);
    close_and_free(pool);
}

/* -- No memory, no threads ---------------------------------------------------------------------------------------- */

static int use_everything(void)
{
    struct mt_pool_options options = {.workers = 2};
    struct mt_pool *pool = mt_pool_open(&options);
    int numbers[6] = {1, 2, 3, 4, 5, 6}, results[6], result, called = 0;
    struct mt_future *future;

    if (!pool)
        return -errno;
    future = mt_pool_apply_async(pool, square, numbers, sizeof *numbers, MT_FOREVER);
    result = future ? mt_future_add_done_callback(future, note_call, &called) : -errno;
    if (!result)
        result = mt_future_wait(future, MT_FOREVER);
    if (!result)
        result = mt_future_outcome(future);
    if (!result && mt_futures_wait(&future, 1, MT_UNTIL_ALL, MT_FOREVER) != 1)
        result = -ENOMEM;
    if (future)
        (void)mt_future_outcome(future);
    mt_future_release(future);
    if (!result)
        result = mt_pool_map(pool, square, numbers, sizeof *numbers, 6, results, sizeof *results, NULL, 2, MT_FOREVER);
    if (!result)
        result = mt_pool_resize(pool, 3);
    mt_pool_close(pool);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    mt_pool_free(pool);
    return result;
}

static void quiet_failure(struct mt_task *task, int outcome, const char *message) {}

/* Each allocation, and each thread, fails in turn: an error comes back, and nothing is stuck. */
static void each_allocation_and_thread_fails(void **state)
{
    long calls[] = {MT__SYS_ALLOC, SYS_clone};
    int errors[] = {ENOMEM, EAGAIN};

    assert_int_equal(use_everything(), 0);
    mt_failure_hook(quiet_failure);
    for (int i = 0; i < 2; i++) {
        int failed = 0;
        for (long skip = 0; skip < 200; skip++) {
            mt__sys_fail(calls[i], skip, errors[i]);
            failed += use_everything() != 0;
            if (mt__sys_fail(-1, 0, 0) <= skip)
                break;
        }
        print_message("%d of them were errors\n", failed);
        assert_true(failed >= (i ? 2 : 5));
    }
    mt_failure_hook(NULL);
}

/* -- Many --------------------------------------------------------------------------------------------------------- */

static long sum;

static int add(void *arg)
{
    __atomic_fetch_add(&sum, *(int *)arg, __ATOMIC_RELAXED);
    return 0;
}

static int submit_many(void *arg)
{
    for (int i = 1; i <= 5000; i++) {
        struct mt_future *future = mt_pool_apply_async(arg, add, &i, sizeof i, MT_FOREVER);
        if (!future)
            return -errno;
        mt_future_release(future);
        if (i % 1000 == 0)
            mt_sleep(MT_MS(1)); /* so that workers fall asleep now and then */
    }
    return 0;
}

static void nothing_is_lost(void **state)
{
    struct mt_pool_options options = {.workers = 3, .backlog = 100};
    struct mt_pool *pool = mt_pool_open(&options);
    struct mt_task *submitters[3];
    struct mt_pool_counts counts;

    sum = 0;
    for (int i = 0; i < 3; i++)
        submitters[i] = spawn(submit_many, pool);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(submitters[i]), 0);
    assert_int_equal(mt_pool_close(pool), 0);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    assert_int_equal(sum, 3L * 5000 * 5001 / 2);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.done, 15000);
    mt_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back),
        cmocka_unit_test(the_last_reply_counts),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(backlog_makes_submitters_wait),
        cmocka_unit_test(a_worker_runs_what_it_waits_for),
        cmocka_unit_test(close_runs_what_is_queued),
        cmocka_unit_test(terminate_cancels_and_kills),
        cmocka_unit_test(a_task_cannot_join_its_pool),
        cmocka_unit_test(counts_and_resize),
        cmocka_unit_test(each_allocation_and_thread_fails),
        cmocka_unit_test(nothing_is_lost),
    };
    return RUN(tests);
}
