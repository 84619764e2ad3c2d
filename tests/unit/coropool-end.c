/* SPDX-License-Identifier: MIT
 *
 * Pools of coroutines whose tasks are killed, and that end in one way or another. tests/loops.t runs this on each loop.
 */
#include "coropool-unit.h"

/* -- Kills -------------------------------------------------------------------------------------------------------- */

static int sleep_long(void *arg)
{
    return mt_sleep(MT_SEC(1000));
}

static int see_no_kill(void *arg)
{
    int result = mt_sleep(1);

    return mt_task_killed() ? -EPROTO : result;
}

static void a_kill_reaches_one_task_only(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *first = submit(pool, sleep_long, NULL, 0), *second = submit(pool, see_no_kill, NULL, 0),
                     *third = submit(pool, nothing, NULL, 0);

    assert_int_equal(mt_future_kill(third), 0); /* it is queued */
    assert_int_equal(mt_coro_idle(END), 0);
    assert_int_equal(mt_future_state(first), MT_STARTED);
    assert_int_equal(mt_future_cancel(first), -EBUSY);
    assert_int_equal(mt_future_kill(first), 0);
    assert_int_equal(end_of(first), -ECANCELED);
    assert_int_equal(end_of(second), 0);
    assert_int_equal(mt_future_state(third), MT_CANCELLED);
    assert_int_equal(end_of(third), -ECANCELED);
    close_and_free(pool);
}

static int kill_some(void *arg)
{
    struct mt_queue *queue = arg;
    struct mt_future *future;

    for (;;) {
        ssize_t size = mt_queue_get(queue, &future, sizeof future, END);
        if (size < 0)
            return size == -EPIPE ? 0 : (int)size;
        mt_future_kill(future);
        mt_future_release(future);
    }
}

static int doze(void *arg)
{
    return mt_sleep((int64_t)(intptr_t)arg);
}

static void kills_from_another_thread_reach_no_other(void **state)
{
    struct mt_pool *pool = open_pool(2);
    struct mt_queue *queue = mt_queue_new(&(struct mt_queue_options){.message_max = sizeof(void *), .capacity = 8});
    struct mt_task *killer;
    int killed = 0;

    assert_non_null(queue);
    killer = spawn(kill_some, queue);
    for (int i = 0; i < often(300); i++) {
        struct mt_future *victim = submit(pool, doze, (void *)(intptr_t)(i % 50 * 2000), 0),
                         *other = submit(pool, see_no_kill, NULL, 0), *last = submit(pool, see_no_kill, NULL, 0);
        int result;
        mt_future_retain(victim);
        assert_int_equal(mt_queue_put(queue, &victim, sizeof victim, END), 0);
        result = end_of(victim);
        assert_true(result == 0 || result == -ECANCELED);
        killed += result == -ECANCELED;
        assert_int_equal(end_of(other), 0);
        assert_int_equal(end_of(last), 0);
    }
    assert_int_equal(mt_queue_close(queue), 0);
    assert_int_equal(finish(killer), 0);
    print_message("# %d were killed in time\n", killed);
    mt_queue_free(queue);
    close_and_free(pool);
}

/* -- The end ------------------------------------------------------------------------------------------------------ */

static void terminate_kills_what_runs_and_cancels_the_rest(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *runs = submit(pool, sleep_long, NULL, 0), *queued = submit(pool, sleep_long, NULL, 0);

    assert_int_equal(mt_coro_idle(END), 0);
    assert_int_equal(mt_pool_join(pool, END), -EINVAL);
    assert_int_equal(mt_pool_terminate(pool), 0);
    assert_int_equal(mt_pool_join(pool, END), 0);
    assert_int_equal(end_of(runs), -ECANCELED);
    assert_int_equal(mt_future_state(queued), MT_CANCELLED);
    mt_future_release(queued);
    assert_null(mt_pool_apply_async(pool, nothing, NULL, 0, END));
    assert_int_equal(errno, EPIPE);
    mt_pool_free(pool);
    pool = open_pool(3);
    queued = submit(pool, nothing, NULL, 0);
    mt_pool_free(pool); /* terminated before its workers have begun */
    assert_int_equal(mt_future_state(queued), MT_CANCELLED);
    mt_future_release(queued);
}

static int open_and_free(void *arg)
{
    struct mt_pool *pool = mt_pool_open(&(struct mt_pool_options){.kind = MT_COROUTINE, .workers = 2});
    struct mt_future *future = pool ? mt_pool_apply_async(pool, sleep_long, NULL, 0, END) : NULL;
    int result = future ? mt_future_wait(future, END) : -EPROTO;

    mt_pool_free(pool);
    if (future && mt_future_outcome(future) != -ECANCELED)
        result = -EPROTO;
    mt_future_release(future);
    return result;
}

static void who_was_killed_can_free_it(void **state)
{
    struct mt_task *task = spawn_coro(open_and_free, NULL);

    assert_int_equal(mt_coro_idle(END), 0);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
}

struct left {
    struct mt_pool *pool;
    struct mt_future *futures[3];
    int idle;
};

static int leave_a_pool(void *arg)
{
    struct left *left = arg;

    left->pool = mt_pool_open(&(struct mt_pool_options){.kind = MT_COROUTINE, .workers = 1});
    if (!left->pool)
        return -errno;
    for (int i = 0; i < 3; i++) {
        left->futures[i] = mt_pool_apply_async(left->pool, sleep_long, NULL, 0, END);
        if (!left->futures[i] || mt_future_add_done_callback(left->futures[i], tell, "x"))
            return -EIO;
    }
    return left->idle ? mt_coro_idle(END) : 0;
}

static void the_end_of_its_thread_ends_the_pool(void **state)
{
    for (int idle = 0; idle < 2; idle++) {
        struct left left = {.idle = idle};
        trace[0] = 0;
        assert_int_equal(finish(spawn(leave_a_pool, &left)), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(end_of(left.futures[i]), -ECANCELED);
        errno = 0;
        assert_null(mt_pool_apply_async(left.pool, nothing, NULL, 0, END));
        assert_int_equal(errno, ENOTRECOVERABLE);
        assert_string_equal(mt_pool_message(left.pool), "the thread of its coroutines has ended");
        assert_int_equal(mt_pool_resize(left.pool, 5), -ENOTRECOVERABLE);
        mt_pool_free(left.pool);
        assert_int_equal(strlen(trace), 3);
        assert_true(!idle || !strcmp(trace, "xxx"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_reaches_one_task_only),
        cmocka_unit_test(kills_from_another_thread_reach_no_other),
        cmocka_unit_test(terminate_kills_what_runs_and_cancels_the_rest),
        cmocka_unit_test(who_was_killed_can_free_it),
        cmocka_unit_test(the_end_of_its_thread_ends_the_pool),
    };

    return RUN(tests);
}
