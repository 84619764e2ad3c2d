/* SPDX-License-Identifier: MIT
 *
 * How workers begin, and what harms them.
 */
#include "pool-unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* -- Initializers ------------------------------------------------------------------------------------------------- */

static __thread int initialized;
static int initializers;

static int initialize(void *arg)
{
    __atomic_fetch_add(&initializers, 1, __ATOMIC_SEQ_CST);
    initialized = *(int *)arg;
    return initialized < 0 ? mt_fail(initialized, "no licence") : 0;
}

static int was_initialized(void *arg)
{
    return initialized;
}

static void initializer_runs_in_each_worker(void **state)
{
    int argument = 17;
    struct mt_pool_options options = {
        .workers = 3, .initializer = initialize, .argument = &argument, .argument_size = sizeof argument};
    struct mt_pool *pool;
    struct mt_future *future;

    initializers = 0;
    pool = mt_pool_open(&options);
    argument = 0; /* the pool has a copy */
    future = mt_pool_apply(pool, was_initialized, NULL, 0, MT_FOREVER);
    assert_int_equal(mt_future_outcome(future), 17);
    mt_future_release(future);
    close_and_free(pool);
    assert_int_equal(initializers, 3);
}

static void an_initializer_that_fails_ends_the_pool(void **state)
{
    int argument = -EACCES;
    struct mt_pool_options options = {
        .workers = 1, .initializer = initialize, .argument = &argument, .argument_size = sizeof argument, .tries = 4};
    struct mt_pool *pool;
    struct mt_future *future;

    initializers = 0;
    pool = mt_pool_open(&options);
    future = mt_pool_apply_async(pool, nothing, NULL, 0, MT_FOREVER);
    if (future) { /* it was put in before the end */
        assert_int_equal(mt_future_wait(future, in_time()), 0);
        assert_int_equal(mt_future_outcome(future), -EACCES);
        assert_string_equal(mt_future_message(future), "the pool's initializer failed 4 times: no licence");
        mt_future_release(future);
    }
    while (!mt_pool_message(pool)[0])
        usleep(500);
    assert_null(mt_pool_apply_async(pool, nothing, NULL, 0, MT_FOREVER));
    assert_int_equal(errno, ENOTRECOVERABLE);
    assert_int_equal(mt_pool_resize(pool, 2), -ENOTRECOVERABLE);
    assert_string_equal(mt_pool_message(pool), "the pool's initializer failed 4 times: no licence");
    assert_int_equal(initializers, 4);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    mt_pool_free(pool);
}

/* -- Workers that are harmed -------------------------------------------------------------------------------------- */

static int leave_thread(void *arg)
{
    pthread_exit(NULL);
}

static int kill_own_worker(void *arg)
{
    mt_task_kill(mt_task_current());
    return mt_sleep(MT_SEC(60));
}

static int nap(void *arg)
{
    return mt_sleep(MT_MS(100));
}

static int end_by_system_call(void *arg)
{
    return (int)syscall(SYS_exit, 0);
}

/* It is not called for ever. */
static void initializers_that_end_their_thread(void **state)
{
    mt_fn *enders[] = {leave_thread, end_by_system_call};
    const char *why[] = {"ended by pthread_exit", "ended by a system call"};

    for (int i = 0; i < (TSAN ? 1 : 2); i++) {
        struct mt_pool_options options = {.workers = 1, .initializer = enders[i], .tries = 3};
        struct mt_pool *pool = mt_pool_open(&options);
        struct mt_future *future;

        assert_non_null(pool);
        future = mt_pool_apply_async(pool, nothing, NULL, 0, MT_NOWAIT); /* unless it has ended already */
        mt_pool_close(pool);
        assert_int_equal(mt_pool_join(pool, in_time()), 0);
        assert_true(!future || mt_future_outcome(future) == -ECANCELED);
        assert_true(!future || strstr(mt_future_message(future), "initializer failed 3 times"));
        if (future)
            assert_non_null(strstr(mt_pool_message(pool), why[i]));
        mt_future_release(future);
        mt_pool_free(pool);
    }
}

static void a_worker_that_is_lost_is_found_by_a_join(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *future, *queued;

    if (TSAN) /* it does not survive such a thread */
        skip();
    future = mt_pool_apply_async(pool, end_by_system_call, NULL, 0, in_time());
    queued = mt_pool_apply_async(pool, nothing, NULL, 0, in_time());
    assert_non_null(future);
    assert_non_null(queued);
    assert_int_equal(mt_future_wait(future, mt_after(MT_MS(50))), -ETIMEDOUT);
    assert_int_equal(mt_pool_close(pool), 0);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    assert_int_equal(mt_future_wait(future, MT_NOWAIT), 0);
    assert_int_equal(mt_future_outcome(future), -ECANCELED);
    assert_string_equal(mt_future_message(future), "its worker was ended by a system call");
    assert_int_equal(mt_future_outcome(queued), 0);
    mt_future_release(future);
    mt_future_release(queued);
    mt_pool_free(pool);
}

static void workers_survive(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *future = mt_pool_apply(pool, leave_thread, NULL, 0, in_time());
    struct mt_pool_counts counts;

    assert_non_null(future);
    assert_int_equal(mt_future_outcome(future), -ECANCELED);
    assert_string_equal(mt_future_message(future), "its worker was ended by pthread_exit or pthread_cancel");
    mt_future_release(future);
    future = mt_pool_apply(pool, kill_own_worker, NULL, 0, in_time());
    assert_non_null(future);
    assert_int_equal(mt_future_outcome(future), -ECANCELED);
    mt_future_release(future);
    future = mt_pool_apply(pool, nothing, NULL, 0, in_time());
    assert_non_null(future);
    assert_int_equal(mt_future_outcome(future), 0);
    mt_future_release(future);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.workers, 1);
    close_and_free(pool);
}

/* Forks; in the child it returns, or ends the thread, 1 in; the parent hands the child's pid on. */
static int fork_and_return(void *arg)
{
    pid_t child = fork();

    if (!child && arg)
        pthread_exit(NULL);
    return child > 0 ? mt_pool_reply(&child, sizeof child) : child ? -errno : 0;
}

static int fork_inside(void *pool)
{
    struct mt_future *inner = mt_pool_apply(pool, fork_and_return, NULL, 0, in_time());
    const pid_t *child = inner ? mt_future_value(inner, NULL) : NULL;
    int error = child ? mt_pool_reply(child, sizeof *child) : -ENODATA;

    mt_future_release(inner);
    return error;
}

/* The status that the child ended with; -1: it has not. */
static int status_of(pid_t child)
{
    int status = -1;

    for (int i = 0; i < 2000; i++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return status;
        usleep(10000);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static void forked_fine(struct mt_future *future)
{
    const pid_t *child;

    assert_non_null(future);
    assert_int_equal(mt_future_wait(future, in_time()), 0);
    assert_int_equal(mt_future_outcome(future), 0);
    child = mt_future_value(future, NULL);
    assert_non_null(child);
    assert_int_equal(status_of(*child), 0);
    mt_future_release(future);
}

static pid_t callback_child;

static void fork_in_callback(struct mt_future *future, void *arg)
{
    __atomic_store_n(&callback_child, fork(), __ATOMIC_SEQ_CST);
}

static void a_child_that_returns_from_the_body_exits(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *future;
    pid_t child;

    if (SANITIZER)
        skip(); /* LeakSanitizer judges what a child that exits has of its parent */
    forked_fine(mt_pool_apply(pool, fork_and_return, NULL, 0, in_time()));
    forked_fine(mt_pool_apply(pool, fork_and_return, pool, 0, in_time()));
    forked_fine(mt_pool_apply(pool, fork_inside, pool, 0, in_time()));
    future = mt_pool_apply_async(pool, nap, NULL, 0, in_time());
    assert_non_null(future);
    assert_int_equal(mt_future_add_done_callback(future, fork_in_callback, NULL), 0);
    while (!(child = __atomic_load_n(&callback_child, __ATOMIC_SEQ_CST)))
        usleep(500);
    assert_int_equal(status_of(child), 0);
    mt_future_release(future);
    close_and_free(pool);
}

static void a_forked_child_is_told(void **state)
{
    struct mt_event go = MT_EVENT_INIT;
    struct mt_pool *pool;
    struct mt_future *future;
    int status;
    pid_t child;

    if (TSAN) { /* it does not allow it */
        skip();
        return;
    }
    pool = open_pool(1);
    future = submit(pool, wait_for, &go, 0);
    while (!mt_future_is_running(future))
        usleep(500);
    child = fork();
    if (!child) {
        struct mt_pool_counts counts;
        int good = !mt_pool_apply_async(pool, nothing, NULL, 0, MT_FOREVER) && errno == ESRCH;
        good = good && mt_pool_close(pool) == -ESRCH && mt_pool_join(pool, MT_FOREVER) == -ESRCH;
        good = good && mt_pool_terminate(pool) == -ESRCH && mt_pool_resize(pool, 2) == -ESRCH;
        good = good && mt_future_wait(future, MT_FOREVER) == -ESRCH && mt_future_kill(future) == -ESRCH;
        good = good && mt_futures_wait(&future, 1, MT_UNTIL_ALL, MT_FOREVER) == -ESRCH;
        good = good && mt_future_add_done_callback(future, NULL, NULL) == -ESRCH;
        mt_pool_count(pool, &counts);
        mt_pool_free(pool);
        pool = mt_pool_open(NULL);
        future = pool ? mt_pool_apply(pool, nothing, NULL, 0, in_time()) : NULL;
        _exit(!(good && future));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    mt_event_set(&go);
    assert_int_equal(mt_future_wait(future, MT_FOREVER), 0);
    mt_future_release(future);
    close_and_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initializer_runs_in_each_worker),
        cmocka_unit_test(an_initializer_that_fails_ends_the_pool),
        cmocka_unit_test(workers_survive),
        cmocka_unit_test(initializers_that_end_their_thread),
        cmocka_unit_test(a_worker_that_is_lost_is_found_by_a_join),
        cmocka_unit_test(a_child_that_returns_from_the_body_exits),
        cmocka_unit_test(a_forked_child_is_told),
    };
    return RUN(tests);
}
