/* SPDX-License-Identifier: MIT
 *
 * Pools whose workers are coroutines. tests/loops.t runs this on each loop.
 */
#include "coropool-unit.h"
#include "base/sys.h"

/* -- Tasks -------------------------------------------------------------------------------------------------------- */

static int square(void *arg)
{
    int number = *(int *)arg, result = number * number;

    if (number < 0)
        return mt_fail(-EDOM, "%d is negative", number);
    if (number % 3 == 0 && mt_coro_yield())
        return -ECANCELED;
    return mt_pool_reply(&result, sizeof result);
}

static void results_come_back(void **state)
{
    struct mt_pool *pool = open_pool(2);
    int number = 7, result;
    struct mt_outcome outcome;
    struct mt_future *future = mt_pool_apply(pool, square, &number, sizeof number, END);

    assert_non_null(future);
    assert_int_equal(mt_future_get(future, &result, sizeof result, MT_NOWAIT), 0);
    assert_int_equal(result, 49);
    assert_int_equal(mt_future_read(future, &outcome), 0);
    assert_true(outcome.worker > 0);
    mt_future_release(future);
    number = -3;
    future = submit(pool, square, &number, sizeof number);
    assert_int_equal(mt_future_state(future), MT_QUEUED); /* nobody runs before somebody waits */
    assert_int_equal(mt_future_wait(future, END), 0);
    assert_string_equal(mt_future_message(future), "-3 is negative");
    assert_int_equal(end_of(future), -EDOM);
    assert_int_equal(mt_pool_reply(&number, sizeof number), -EPERM);
    close_and_free(pool);
}

struct meeting {
    int inside, most, thread;
    struct mt_event go;
};

static int meet(void *arg)
{
    struct meeting *meeting = arg;

    if (mt_task_kind(mt_task_current()) != MT_COROUTINE || mt_task_tid(mt_task_current()) != meeting->thread)
        return -EXDEV;
    meeting->inside++;
    if (meeting->inside > meeting->most)
        meeting->most = meeting->inside;
    if (mt_event_wait(&meeting->go, END) || mt_coro_yield())
        return -ECANCELED;
    meeting->inside--;
    return 0;
}

static void as_many_run_at_a_time_as_there_are_workers(void **state)
{
    struct meeting meeting = {.thread = gettid(), .go = MT_EVENT_INIT};
    struct mt_pool *pool = open_pool(3);
    struct mt_pool_counts counts;
    struct mt_future *futures[8];

    for (int i = 0; i < 8; i++)
        futures[i] = submit(pool, meet, &meeting, 0);
    assert_int_equal(mt_coro_idle(END), 0);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.workers, 3);
    assert_int_equal(counts.running, 3);
    assert_int_equal(counts.queued, 5);
    mt_event_set(&meeting.go);
    assert_int_equal(mt_futures_wait(futures, 8, MT_UNTIL_ALL, END), 8);
    assert_int_equal(meeting.most, 3);
    for (int i = 0; i < 8; i++)
        assert_int_equal(end_of(futures[i]), 0);
    close_and_free(pool);
    pool = mt_pool_open(&(struct mt_pool_options){.kind = MT_COROUTINE});
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.workers, MT_POOL_COROUTINES);
    mt_pool_free(pool); /* none of them has begun */
}

struct giver {
    struct mt_pool *pool;
    int given;
};

static int give_five(void *arg)
{
    struct giver *giver = arg;

    for (; giver->given < 5; giver->given++) {
        struct mt_future *future = mt_pool_apply_async(giver->pool, nothing, NULL, 0, END);
        if (!future)
            return -errno;
        mt_future_release(future);
    }
    return 0;
}

static void a_full_backlog_holds_up_who_gives(void **state)
{
    struct meeting meeting = {.thread = gettid(), .go = MT_EVENT_INIT};
    struct mt_pool *pool = mt_pool_open(&(struct mt_pool_options){.kind = MT_COROUTINE, .workers = 1, .backlog = 2});
    struct giver giver = {pool, 0};
    struct mt_future *first = submit(pool, meet, &meeting, 0);
    struct mt_task *task;

    assert_int_equal(mt_coro_idle(END), 0);
    task = spawn_coro(give_five, &giver);
    assert_int_equal(mt_coro_idle(END), 0);
    assert_int_equal(giver.given, 2);
    errno = 0;
    assert_null(mt_pool_apply_async(pool, nothing, NULL, 0, MT_NOWAIT));
    assert_int_equal(errno, EBUSY);
    assert_null(mt_pool_apply_async(pool, nothing, NULL, 0, mt_after(MT_MS(1))));
    assert_int_equal(errno, ETIMEDOUT);
    mt_event_set(&meeting.go);
    assert_int_equal(finish(task), 0);
    assert_int_equal(end_of(first), 0);
    close_and_free(pool);
}

static int count_down(void *arg)
{
    struct mt_pool *pool = *(struct mt_pool **)arg;
    int depth = *(int *)((char *)arg + sizeof pool);
    char next[sizeof pool + sizeof depth];
    struct mt_future *future;

    if (!depth--)
        return 0;
    memcpy(next, &pool, sizeof pool);
    memcpy(next + sizeof pool, &depth, sizeof depth);
    future = mt_pool_apply(pool, count_down, next, sizeof next, END);
    if (!future)
        return -errno;
    depth = mt_future_outcome(future);
    mt_future_release(future);
    return depth;
}

static void a_task_may_wait_for_others_of_its_pool(void **state)
{
    struct mt_pool *pool = open_pool(1);
    char arg[sizeof pool + sizeof(int)];
    int depth = 5;

    memcpy(arg, &pool, sizeof pool);
    memcpy(arg + sizeof pool, &depth, sizeof depth);
    assert_int_equal(end_of(submit(pool, count_down, arg, sizeof arg)), 0);
    close_and_free(pool);
}

static int submit_from_afar(void *arg)
{
    for (int number = 0; number < 50; number++) {
        int result = 0;
        struct mt_future *future = mt_pool_apply(arg, square, &number, sizeof number, END);
        if (!future)
            return -errno;
        if (mt_future_get(future, &result, sizeof result, MT_NOWAIT) || result != number * number)
            return -EIO;
        mt_future_release(future);
    }
    return mt_pool_resize(arg, 100) == -EXDEV ? 0 : -EPROTO;
}

static void other_threads_give_tasks_too(void **state)
{
    struct mt_pool *pool = open_pool(4);

    run_many(submit_from_afar, pool, 3);
    close_and_free(pool);
}

/* -- map ---------------------------------------------------------------------------------------------------------- */

static void map_and_imap(void **state)
{
    enum { COUNT = 40 };
    struct mt_pool *pool = open_pool(4);
    int items[COUNT], values[COUNT];
    struct mt_source source = {.items = items, .item_size = sizeof *items, .count = COUNT};

    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    assert_int_equal(mt_pool_map(pool, square, items, sizeof *items, COUNT, values, sizeof *values, NULL, 3, END), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(values[i], i * i);
    for (int ordered = 0; ordered < 2; ordered++) {
        struct mt_imap *imap =
            ordered ? mt_pool_imap(pool, square, &source, NULL) : mt_pool_imap_unordered(pool, square, &source, NULL);
        struct mt_item item;
        char seen[COUNT] = "";
        int count = 0;
        assert_non_null(imap);
        for (; mt_imap_next(imap, &item, END) == 1; count++) {
            assert_true(!ordered || item.index == (size_t)count);
            assert_int_equal(*(const int *)item.value, items[item.index] * items[item.index]);
            assert_int_equal(seen[item.index]++, 0);
        }
        assert_int_equal(count, COUNT);
        mt_imap_free(imap);
    }
    close_and_free(pool);
}

/* -- Callbacks ---------------------------------------------------------------------------------------------------- */

static int wait_for(void *arg)
{
    return mt_event_wait(arg, END);
}

static void callbacks_are_made_by_a_coroutine_too(void **state)
{
    struct mt_pool *pool = open_pool(2);
    struct mt_event go = MT_EVENT_INIT;
    struct mt_future *future = submit(pool, wait_for, &go, 0);

    trace[0] = 0;
    assert_int_equal(mt_future_add_done_callback(future, tell, "a"), 0);
    assert_int_equal(mt_future_add_done_callback(future, tell, "b"), 0);
    assert_int_equal(mt_future_add_done_callback(future, tell, "c"), 0);
    assert_int_equal(mt_future_remove_done_callback(future, tell, "b"), 0);
    mt_event_set(&go);
    assert_int_equal(end_of(future), 0);
    close_and_free(pool);
    assert_string_equal(trace, "ac");
}

/* -- Workers ------------------------------------------------------------------------------------------------------ */

static void it_can_be_made_larger_and_smaller(void **state)
{
    struct meeting meeting = {.thread = gettid(), .go = MT_EVENT_INIT};
    struct mt_pool *pool = open_pool(1);
    struct mt_future *futures[4];
    struct mt_pool_counts counts;

    for (int i = 0; i < 4; i++)
        futures[i] = submit(pool, meet, &meeting, 0);
    assert_int_equal(mt_pool_resize(pool, 3), 0);
    assert_int_equal(mt_coro_idle(END), 0);
    assert_int_equal(meeting.inside, 3);
    assert_int_equal(mt_pool_resize(pool, 1), 0);
    mt_event_set(&meeting.go);
    for (int i = 0; i < 4; i++)
        assert_int_equal(end_of(futures[i]), 0);
    assert_int_equal(mt_coro_idle(END), 0);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.workers, 1);
    assert_int_equal(counts.done, 4);
    close_and_free(pool);
}

static int has_begun;

static int begin(void *arg)
{
    has_begun++;
    return has_begun < *(int *)arg ? mt_fail(-EAGAIN, "not yet") : 0;
}

static void initializers_run_in_each(void **state)
{
    int wanted = 2;
    struct mt_pool_options options = {
        .kind = MT_COROUTINE, .workers = 2, .initializer = begin, .argument = &wanted, .argument_size = sizeof wanted};
    struct mt_pool *pool = mt_pool_open(&options);

    assert_non_null(pool);
    assert_int_equal(end_of(submit(pool, nothing, NULL, 0)), 0);
    assert_int_equal(mt_coro_idle(END), 0);
    assert_int_equal(has_begun, 3);
    close_and_free(pool);
    wanted = 1000;
    has_begun = 0;
    options.tries = 2;
    pool = mt_pool_open(&options);
    assert_int_equal(end_of(submit(pool, nothing, NULL, 0)), -EAGAIN);
    assert_non_null(strstr(mt_pool_message(pool), "not yet"));
    mt_pool_free(pool);
}

/* -- Failures ----------------------------------------------------------------------------------------------------- */

static void without_memory_it_is_not_opened(void **state)
{
    long seen = 1;

    for (long n = 0; seen > n; n++) {
        struct mt_pool *pool;
        mt__sys_fail(MT__SYS_ALLOC, n, ENOMEM);
        errno = 0;
        pool = mt_pool_open(&(struct mt_pool_options){.kind = MT_COROUTINE, .workers = 2});
        seen = mt__sys_fail(-1, 0, 0);
        assert_true(pool || errno == ENOMEM);
        if (pool)
            assert_int_equal(end_of(submit(pool, nothing, NULL, 0)), 0);
        mt_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back),
        cmocka_unit_test(as_many_run_at_a_time_as_there_are_workers),
        cmocka_unit_test(a_full_backlog_holds_up_who_gives),
        cmocka_unit_test(a_task_may_wait_for_others_of_its_pool),
        cmocka_unit_test(other_threads_give_tasks_too),
        cmocka_unit_test(map_and_imap),
        cmocka_unit_test(callbacks_are_made_by_a_coroutine_too),
        cmocka_unit_test(it_can_be_made_larger_and_smaller),
        cmocka_unit_test(initializers_run_in_each),
        cmocka_unit_test(without_memory_it_is_not_opened),
    };

    return RUN(tests);
}
