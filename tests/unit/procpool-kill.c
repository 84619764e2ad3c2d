/* SPDX-License-Identifier: MIT
 *
 * Pools of processes: what becomes of a task whose process dies under it, that runs for too long, or is killed; and of
 * those that wait behind it in its process's window.
 */
#include "procpool-unit.h"

#include "base/sys.h"

#include <signal.h>
#include <sys/resource.h>

/* As many tiny tasks as it takes for windows to be wide. */
static void warm(struct mt_pool *pool)
{
    struct mt_future *futures[500];

    for (long i = 0; i < 500; i++)
        futures[i] = mt_pool_apply_async(pool, square, &i, sizeof i, SOON);
    for (long i = 0; i < 500; i++) {
        assert_int_equal(mt_future_wait(futures[i], SOON), 0);
        assert_int_equal(mt_future_outcome(futures[i]), 0);
        mt_future_release(futures[i]);
    }
}

/* -- Death -------------------------------------------------------------------------------------------------------- */

static int die(void *arg)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    if (*(int *)arg < 0)
        _exit(-*(int *)arg - 1);
    signal(*(int *)arg, SIG_DFL);
    raise(*(int *)arg);
    return 0;
}

static void crash(struct mt_pool *pool)
{
    struct mt_future *hit = mt_pool_apply(pool, die, &(int){SIGKILL}, sizeof(int), SOON);

    assert_non_null(hit);
    assert_int_equal(mt_future_outcome(hit), -ECHILD);
    mt_future_release(hit);
}

static void works(struct mt_pool *pool)
{
    struct mt_future *next = mt_pool_apply(pool, square, &(long){3}, sizeof(long), SOON);

    assert_non_null(next);
    assert_int_equal(mt_future_outcome(next), 0);
    mt_future_release(next);
}

/* Three in all, and never two in a row. */
static void starts_that_fail_now_and_then_do_not_end_it(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});

    for (int i = 0; i < 4; i++) {
        works(pool);
        mt__sys_fail(SYS_eventfd2, 0, EPERM);
        crash(pool);
        works(pool);
        mt__sys_fail(-1, 0, 0);
    }
    end(pool);
}

static void a_want_of_descriptors_is_waited_out(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});
    struct mt_future *waits;
    struct rlimit before, none;

    works(pool);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    crash(pool);
    waits = mt_pool_apply_async(pool, square, &(long){4}, sizeof(long), SOON);
    usleep(20000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(waits);
    assert_int_equal(mt_future_wait(waits, SOON), 0);
    assert_int_equal(mt_future_outcome(waits), 0);
    mt_future_release(waits);
    end(pool);
}

static void a_crash_fails_the_task_that_it_hit(void **state)
{
    const struct {
        int how;
        const char *message;
    } cases[] = {{SIGKILL, "killed by signal 9"},
                 {SIGABRT, "killed by signal 6"},
                 {-4, "exited with status 3"},
                 {-1, "ended by itself"}};
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});
    struct mt_future *before[10], *after[10], *bad;

    for (int c = 0; c < 4; c++) {
        for (long i = 0; i < 10; i++)
            before[i] = mt_pool_apply_async(pool, square, &i, sizeof i, SOON);
        bad = mt_pool_apply_async(pool, die, &cases[c].how, sizeof(int), SOON);
        for (long i = 0; i < 10; i++)
            after[i] = mt_pool_apply_async(pool, square, &i, sizeof i, SOON);
        for (long i = 0; i < 10; i++) {
            assert_int_equal(mt_future_wait(before[i], SOON), 0);
            assert_int_equal(mt_future_wait(after[i], SOON), 0);
            assert_int_equal(mt_future_outcome(before[i]), 0);
            assert_int_equal(mt_future_outcome(after[i]), 0);
            mt_future_release(before[i]);
            mt_future_release(after[i]);
        }
        assert_int_equal(mt_future_outcome(bad), -ECHILD);
        assert_non_null(strstr(mt_future_message(bad), cases[c].message));
        mt_future_release(bad);
    }
    end(pool);
}

static int die_the_first_times(void *arg)
{
    const char *path = arg;
    FILE *file = fopen(path, "a+");
    long count = (fseek(file, 0, SEEK_END), ftell(file));

    fputc('x', file);
    fclose(file);
    if (count < 2)
        raise(SIGKILL);
    return mt_pool_reply(&count, sizeof count);
}

static void a_crash_can_be_tried_again(void **state)
{
    char path[] = "procpool-test.XXXXXX";
    int fd = mkstemp(path);
    struct mt_pool *pool = open_pool((struct mt_pool_options){.retries = 2});
    struct mt_future *future = mt_pool_apply(pool, die_the_first_times, path, sizeof path, SOON);

    assert_int_equal(mt_future_outcome(future), 0);
    assert_int_equal(*(const long *)mt_future_value(future, NULL), 2);
    mt_future_release(future);
    assert_int_equal(ftruncate(fd, 0), 0);
    end(pool);
    pool = open_pool((struct mt_pool_options){.retries = 1});
    future = mt_pool_apply(pool, die_the_first_times, path, sizeof path, SOON);
    assert_int_equal(mt_future_outcome(future), -ECHILD);
    mt_future_release(future);
    end(pool);
    close(fd);
    unlink(path);
}

/* -- Limits and kills --------------------------------------------------------------------------------------------- */

static int sleep_long(void *arg)
{
    int result = mt_sleep(MT_SEC(60));

    return result == -ECANCELED ? mt_fail(-ECANCELED, "cleaned up") : result;
}

static int never_end(void *arg)
{
    for (volatile unsigned i = 0;; i++)
        continue;
    return 0;
}

static void soft_and_hard_limits(void **state)
{
    struct mt_pool *pool =
        open_pool((struct mt_pool_options){.workers = 1, .soft_limit = MT_MS(100), .hard_limit = MT_MS(400)});
    long number = 3;
    struct mt_future *polite = mt_pool_apply_async(pool, sleep_long, NULL, 0, SOON),
                     *rude = mt_pool_apply_async(pool, never_end, NULL, 0, SOON),
                     *quick = mt_pool_apply_async(pool, square, &number, sizeof number, SOON);

    assert_int_equal(mt_future_wait(quick, SOON), 0);
    assert_int_equal(mt_future_outcome(polite), -ECANCELED);
    assert_string_equal(mt_future_message(polite), "cleaned up");
    assert_int_equal(mt_future_outcome(rude), -ETIMEDOUT);
    assert_non_null(strstr(mt_future_message(rude), "400 ms"));
    assert_int_equal(mt_future_outcome(quick), 0);
    mt_future_release(polite);
    mt_future_release(rude);
    mt_future_release(quick);
    end(pool);
}

static void until_running(struct mt_future *future)
{
    struct mt_outcome outcome;

    for (int i = 0; i < 20000 && !mt_future_is_running(future); i++)
        usleep(500);
    assert_true(mt_future_is_running(future));
    (void)outcome;
    usleep(50000);
}

static void a_kill_reaches_one_task(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});
    long number = 4;
    struct mt_future *victim = mt_pool_apply_async(pool, sleep_long, NULL, 0, SOON),
                     *next = mt_pool_apply_async(pool, square, &number, sizeof number, SOON);

    until_running(victim);
    assert_int_equal(mt_future_kill(victim), 0);
    assert_int_equal(mt_future_wait(next, SOON), 0);
    assert_int_equal(mt_future_outcome(victim), -ECANCELED);
    assert_string_equal(mt_future_message(victim), "cleaned up");
    assert_int_equal(mt_future_outcome(next), 0);
    mt_future_release(victim);
    mt_future_release(next);
    end(pool);
}

static void terminating_ends_the_stubborn(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 2});
    struct mt_future *polite = mt_pool_apply_async(pool, sleep_long, NULL, 0, SOON),
                     *rude = mt_pool_apply_async(pool, never_end, NULL, 0, SOON),
                     *late = mt_pool_apply_async(pool, sleep_long, NULL, 0, SOON);

    until_running(polite);
    until_running(rude);
    assert_int_equal(mt_pool_terminate(pool), 0);
    assert_int_equal(mt_pool_join(pool, SOON), 0);
    assert_int_equal(mt_future_outcome(polite), -ECANCELED);
    assert_string_equal(mt_future_message(polite), "cleaned up");
    assert_int_equal(mt_future_outcome(rude), -ECANCELED);
    assert_int_equal(mt_future_state(late), MT_CANCELLED);
    mt_future_release(polite);
    mt_future_release(rude);
    mt_future_release(late);
    mt_pool_free(pool);
}

/* -- In a window -------------------------------------------------------------------------------------------------- */

struct gate {
    uint32_t open, entered;
    uint32_t runs[100];
};

struct pass {
    struct gate *gate;
    int number;
};

static int wait_at_gate(void *arg)
{
    struct gate *gate = *(struct gate **)arg;

    __atomic_store_n(&gate->entered, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&gate->open, __ATOMIC_ACQUIRE))
        usleep(1000);
    return 0;
}

static int count_run(void *arg)
{
    struct pass *pass = arg;

    __atomic_fetch_add(&pass->gate->runs[pass->number], 1, __ATOMIC_RELAXED);
    return 0;
}

static struct mt_future *block(struct mt_pool *pool, struct gate *gate)
{
    return mt_pool_apply_async(pool, wait_at_gate, &gate, sizeof gate, SOON);
}

static void until_entered(struct gate *gate)
{
    for (int i = 0; i < 20000 && !__atomic_load_n(&gate->entered, __ATOMIC_ACQUIRE); i++)
        usleep(500);
    assert_true(gate->entered);
}

static void submit_passes(struct mt_pool *pool, struct gate *gate, struct mt_future **futures)
{
    for (int i = 0; i < 100; i++) {
        struct pass pass = {gate, i};
        futures[i] = mt_pool_apply_async(pool, count_run, &pass, sizeof pass, SOON);
        assert_non_null(futures[i]);
    }
}

/* One worker, so that they stay in its window. */
static void what_has_not_begun_can_be_cancelled(void **state)
{
    struct gate *gate = shared_memory(sizeof *gate);
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});
    struct mt_future *blocked, *futures[100];

    warm(pool);
    blocked = block(pool, gate);
    submit_passes(pool, gate, futures);
    until_entered(gate);
    usleep(5000);
    assert_int_equal(mt_future_cancel(blocked), -EBUSY);
    for (int i = 0; i < 100; i += 2)
        assert_int_equal(mt_future_cancel(futures[i]), 0);
    for (int i = 0; i < 100; i += 2) {
        assert_int_equal(mt_future_state(futures[i]), MT_CANCELLED);
        assert_int_equal(mt_future_cancel(futures[i]), 0);
    }
    __atomic_store_n(&gate->open, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mt_future_wait(futures[i], SOON), 0);
        assert_int_equal(mt_future_outcome(futures[i]), i % 2 ? 0 : -ECANCELED);
        mt_future_release(futures[i]);
    }
    assert_int_equal(mt_future_wait(blocked, SOON), 0);
    assert_int_equal(mt_future_outcome(blocked), 0);
    mt_future_release(blocked);
    end(pool);
    for (int i = 0; i < 100; i++)
        assert_int_equal(gate->runs[i], i % 2);
    munmap(gate, sizeof *gate);
}

static void a_long_task_keeps_nobody_waiting(void **state)
{
    struct gate *gate = shared_memory(sizeof *gate);
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 2});
    struct mt_future *blocked, *futures[100];

    warm(pool);
    for (int round = 0; round < 20; round++) {
        blocked = block(pool, gate);
        submit_passes(pool, gate, futures);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(mt_future_wait(futures[i], SOON), 0);
            assert_int_equal(mt_future_outcome(futures[i]), 0);
            mt_future_release(futures[i]);
        }
        assert_int_equal(mt_future_is_done(blocked), 0);
        until_entered(gate);
        for (int i = 0; i < 1000 && !mt_future_is_running(blocked); i++)
            usleep(1000);
        assert_true(mt_future_is_running(blocked));
        __atomic_store_n(&gate->open, 1, __ATOMIC_RELEASE);
        assert_int_equal(mt_future_wait(blocked, SOON), 0);
        mt_future_release(blocked);
        gate->open = gate->entered = 0;
    }
    end(pool);
    for (int i = 0; i < 100; i++)
        assert_int_equal(gate->runs[i], 20);
    munmap(gate, sizeof *gate);
}

/* Of a wide window: 64 tasks, of which one crashes, runs for too long, or is killed. */
static void the_others_of_a_window_are_not_harmed(void **state)
{
    struct gate *gate = shared_memory(sizeof *gate);
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1, .hard_limit = MT_MS(300)});
    int how = SIGKILL;
    mt_fn *bad[] = {die, never_end, sleep_long};
    const int codes[] = {-ECHILD, -ETIMEDOUT, -ECANCELED};

    for (int c = 0; c < 3; c++) {
        struct mt_future *futures[100], *victim, *after[100];
        warm(pool);
        submit_passes(pool, gate, futures);
        victim = mt_pool_apply_async(pool, bad[c], &how, sizeof how, SOON);
        submit_passes(pool, gate, after);
        if (c == 2) {
            for (int i = 0; i < 20000 && !mt_future_is_running(victim); i++)
                usleep(100);
            assert_int_equal(mt_future_kill(victim), 0);
        }
        for (int i = 0; i < 100; i++) {
            assert_int_equal(mt_future_wait(futures[i], SOON), 0);
            assert_int_equal(mt_future_wait(after[i], SOON), 0);
            assert_int_equal(mt_future_outcome(futures[i]), 0);
            assert_int_equal(mt_future_outcome(after[i]), 0);
            mt_future_release(futures[i]);
            mt_future_release(after[i]);
        }
        assert_int_equal(mt_future_outcome(victim), codes[c]);
        mt_future_release(victim);
    }
    end(pool);
    for (int i = 0; i < 100; i++)
        assert_int_equal(gate->runs[i], 6);
    munmap(gate, sizeof *gate);
}

static void terminating_cancels_what_waits_in_a_window(void **state)
{
    struct gate *gate = shared_memory(sizeof *gate);
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});
    struct mt_future *sleeper, *futures[100];
    struct mt_pool_counts counts;

    warm(pool);
    sleeper = mt_pool_apply_async(pool, sleep_long, NULL, 0, SOON);
    submit_passes(pool, gate, futures);
    until_running(sleeper);
    assert_int_equal(mt_pool_terminate(pool), 0);
    assert_int_equal(mt_pool_join(pool, SOON), 0);
    mt_pool_count(pool, &counts);
    assert_int_equal(counts.cancelled, 100);
    assert_int_equal(mt_future_outcome(sleeper), -ECANCELED);
    assert_string_equal(mt_future_message(sleeper), "cleaned up");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mt_future_state(futures[i]), MT_CANCELLED);
        assert_int_equal(gate->runs[i], 0);
        mt_future_release(futures[i]);
    }
    mt_future_release(sleeper);
    mt_pool_free(pool);
    munmap(gate, sizeof *gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_that_fail_now_and_then_do_not_end_it),
        cmocka_unit_test(a_want_of_descriptors_is_waited_out),
        cmocka_unit_test(a_crash_fails_the_task_that_it_hit),
        cmocka_unit_test(a_crash_can_be_tried_again),
        cmocka_unit_test(soft_and_hard_limits),
        cmocka_unit_test(a_kill_reaches_one_task),
        cmocka_unit_test(terminating_ends_the_stubborn),
        cmocka_unit_test(what_has_not_begun_can_be_cancelled),
        cmocka_unit_test(a_long_task_keeps_nobody_waiting),
        cmocka_unit_test(the_others_of_a_window_are_not_harmed),
        cmocka_unit_test(terminating_cancels_what_waits_in_a_window),
    };

    return RUN_FORKS(tests);
}
