/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <pthread.h>
#include <sys/wait.h>

static int calls;
static struct mt_event go = MT_EVENT_INIT;

static int count(void *arg)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void calls_are(int number)
{
    __atomic_store_n(&calls, number, __ATOMIC_SEQ_CST);
}

static int calls_now(void)
{
    return __atomic_load_n(&calls, __ATOMIC_SEQ_CST);
}

static struct mt_timer *start(mt_fn *fn, void *arg, int64_t first, int64_t period)
{
    struct mt_timer *timer = mt_timer_start(fn, arg, mt_after(first), period);

    assert_non_null(timer);
    return timer;
}

static void once(void **state)
{
    mt_deadline begun = mt_now();
    struct mt_timer *timer;

    calls_are(0);
    timer = start(count, NULL, MT_MS(300), 0);
    assert_int_equal(mt_timer_outcome(timer), -EINPROGRESS);
    assert_int_equal(mt_timer_join(timer, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_timer_join(timer, mt_after(MT_MS(1))), -ETIMEDOUT);
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    assert_true(elapsed(begun) >= 300);
    assert_int_equal(calls_now(), 1);
    assert_int_equal(mt_timer_runs(timer), 1);
    assert_int_equal(mt_timer_outcome(timer), 0);
    assert_int_equal(mt_timer_cancel(timer), -ESRCH);
    assert_int_equal(mt_timer_restart(timer, mt_after(MT_MS(1)), 0), 0);
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    assert_int_equal(calls_now(), 2);
    mt_timer_free(timer);
    assert_null(mt_timer_start(count, NULL, MT_NOWAIT, -1));
    assert_int_equal(errno, EINVAL);
}

static void cancelled_before(void **state)
{
    struct mt_timer *timer;

    calls_are(0);
    timer = start(count, NULL, MT_MS(300), 0);
    assert_int_equal(mt_timer_cancel(timer), 0);
    assert_int_equal(mt_timer_cancel(timer), -ESRCH);
    assert_int_equal(mt_timer_outcome(timer), -ECANCELED);
    assert_int_equal(mt_timer_join(timer, MT_NOWAIT), 0);
    usleep(350000);
    assert_int_equal(calls_now(), 0);
    mt_timer_free(timer);
}

static int wait_for_go(void *arg)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    return mt_event_wait(&go, MT_FOREVER);
}

static int set_go_later(void *arg)
{
    usleep(20000);
    mt_event_set(&go);
    return 0;
}

static void cancelled_during(void **state)
{
    struct mt_timer *timer;
    struct mt_task *task;

    calls_are(0);
    mt_event_clear(&go);
    timer = start(wait_for_go, NULL, 0, MT_MS(1));
    while (!calls_now())
        usleep(200);
    assert_int_equal(mt_timer_cancel(timer), -EBUSY);
    assert_int_equal(mt_timer_cancel_wait(timer, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_timer_cancel_wait(timer, mt_after(MT_MS(5))), -ETIMEDOUT);
    task = spawn(set_go_later, NULL);
    assert_int_equal(mt_timer_cancel_wait(timer, MT_FOREVER), 0);
    assert_true(mt_event_is_set(&go));
    assert_int_equal(finish(task), 0);
    assert_int_equal(calls_now(), 1);
    assert_int_equal(mt_timer_outcome(timer), 0);
    mt_timer_free(timer);
}

static int three_times(void *arg)
{
    return __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == 3 ? mt_fail(-ENODATA, "three times is enough") : 0;
}

static void periodic_until_it_fails(void **state)
{
    mt_deadline begun = mt_now();
    struct mt_timer *timer;

    calls_are(0);
    timer = start(three_times, NULL, MT_MS(10), MT_MS(10));
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    assert_true(elapsed(begun) >= 30);
    assert_int_equal(mt_timer_runs(timer), 3);
    assert_int_equal(mt_timer_outcome(timer), -ENODATA);
    assert_string_equal(mt_timer_message(timer), "three times is enough");
    mt_timer_free(timer);
}

static int be_slow(void *arg)
{
    usleep(25000);
    return __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) < 3 ? 0 : -ENODATA;
}

static void missed_periods_are_counted(void **state)
{
    struct mt_timer *timer;

    calls_are(0);
    timer = start(be_slow, NULL, 0, MT_MS(5));
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    assert_int_equal(mt_timer_outcome(timer), -ENODATA);
    assert_true(mt_timer_missed(timer) >= 6); /* four in each of two calls, and some for waking late */
    mt_timer_free(timer);
}

static struct mt_timer *own;
static int seen_inside;

static int look_inside(void *arg)
{
    struct mt_timer *timer;

    while (!(timer = __atomic_load_n(&own, __ATOMIC_ACQUIRE)))
        usleep(100);
    seen_inside = mt_timer_join(timer, MT_FOREVER) == -EDEADLK && mt_timer_cancel_wait(timer, MT_FOREVER) == -EDEADLK &&
                  mt_timer_cancel(timer) == -EBUSY;
    mt_timer_free(timer);
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void freed_by_its_own_function(void **state)
{
    calls_are(0);
    own = NULL;
    __atomic_store_n(&own, start(look_inside, NULL, 0, MT_MS(1)), __ATOMIC_RELEASE);
    while (!calls_now())
        usleep(200);
    usleep(5000);
    assert_int_equal(calls_now(), 1);
    assert_true(seen_inside);
}

struct order {
    int64_t last;
    int wrong, count;
};

struct entry {
    struct order *order;
    mt_deadline due;
    struct mt_timer *timer;
};

static int check_order(void *arg)
{
    struct entry *entry = arg;

    if (entry->due < entry->order->last || mt_now() < entry->due)
        entry->order->wrong++;
    entry->order->last = entry->due;
    entry->order->count++;
    return 0;
}

/* The timers' thread is held up until all are there and due. */
static void many_in_order(void **state)
{
    enum { MANY = 3000 };
    struct entry *entries = calloc(MANY, sizeof *entries);
    struct order order = {0};
    mt_deadline base = mt_now();
    struct mt_timer *first;
    unsigned seed = 1;
    int cancelled = 0;

    calls_are(0);
    mt_event_clear(&go);
    first = start(wait_for_go, NULL, 0, 0);
    while (!calls_now())
        usleep(200);
    for (int i = 0; i < MANY; i++) {
        entries[i].order = &order;
        entries[i].due = base + rand_r(&seed) % MT_MS(50);
        entries[i].timer = mt_timer_start(check_order, &entries[i], entries[i].due, 0);
        assert_non_null(entries[i].timer);
    }
    for (int i = 0; i < MANY; i += 3)
        cancelled += mt_timer_cancel(entries[i].timer) == 0;
    assert_int_equal(cancelled, MANY / 3);
    usleep(60000);
    mt_event_set(&go);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(mt_timer_join(entries[i].timer, in_time()), 0);
    assert_int_equal(order.wrong, 0);
    assert_int_equal(order.count, MANY - cancelled);
    for (int i = 0; i < MANY; i++)
        mt_timer_free(entries[i].timer);
    mt_timer_free(first);
    free(entries);
}

static int hooked;

static void hook(struct mt_task *task, int outcome, const char *message)
{
    if (outcome == -ENODATA && !strcmp(message, "three times is enough"))
        __atomic_add_fetch(&hooked, 1, __ATOMIC_RELEASE);
}

static void an_unread_failure_goes_to_the_hook(void **state)
{
    struct mt_timer *timer;

    mt_failure_hook(hook);
    calls_are(2);
    timer = start(three_times, NULL, 0, 0);
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    mt_timer_free(timer);
    for (int i = 0; i < 20000 && !__atomic_load_n(&hooked, __ATOMIC_ACQUIRE); i++)
        usleep(500); /* the timers' thread may be the last to let go of it */
    mt_failure_hook(NULL);
    assert_int_equal(hooked, 1);
}

static int end_the_thread(void *arg)
{
    count(arg);
    pthread_exit(NULL);
}

static void one_that_ends_the_thread_fails_alone(void **state)
{
    struct mt_timer *ticking, *ending;

    calls_are(0);
    ticking = start(count, NULL, MT_MS(500), MT_MS(10));
    for (int i = 0; i < 3; i++) {
        ending = start(end_the_thread, NULL, MT_MS(5), i ? MT_MS(5) : 0);
        assert_int_equal(mt_timer_join(ending, in_time()), 0);
        assert_int_equal(mt_timer_outcome(ending), -ECANCELED);
        assert_string_equal(mt_timer_message(ending), "its thread was ended by pthread_exit or pthread_cancel");
        assert_int_equal(mt_timer_runs(ending), 1);
        if (i == 1) {
            assert_int_equal(mt_timer_restart(ending, MT_NOWAIT, 0), 0);
            assert_int_equal(mt_timer_join(ending, in_time()), 0);
            assert_int_equal(mt_timer_runs(ending), 2);
        }
        mt_timer_free(ending);
    }
    for (int i = 0; i < 2000 && mt_timer_runs(ticking) < 5; i++)
        usleep(10000);
    assert_true(mt_timer_runs(ticking) >= 5);
    assert_int_equal(mt_timer_cancel_wait(ticking, in_time()), 0);
    mt_timer_free(ticking);
}

static void hear_of_the_thread(struct mt_task *task, int outcome, const char *message)
{
    if (outcome == -ECANCELED && !strcmp(message, "its thread was ended by pthread_exit or pthread_cancel"))
        __atomic_fetch_add(&calls, 100, __ATOMIC_SEQ_CST);
}

static void one_that_ends_the_thread_is_told(void **state)
{
    struct mt_timer *timer;

    calls_are(0);
    mt_failure_hook(hear_of_the_thread);
    timer = start(end_the_thread, NULL, 0, 0);
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    mt_timer_free(timer);
    for (int i = 0; i < 2000 && calls_now() < 100; i++)
        usleep(10000);
    assert_int_equal(calls_now(), 101);
    mt_failure_hook(NULL);
}

static void a_forked_child_has_timers_of_its_own(void **state)
{
    struct mt_timer *timer;
    int status;
    pid_t child;

    if (TSAN) { /* it does not allow it */
        skip();
        return;
    }
    calls_are(0);
    timer = start(count, NULL, MT_MS(50), 0);
    child = fork();
    if (!child) {
        int good;
        usleep(80000);
        good = !calls_now() && mt_timer_outcome(timer) == -ECANCELED;
        good = good && mt_timer_restart(timer, mt_after(MT_MS(1)), 0) == 0;
        good = good && mt_timer_join(timer, in_time()) == 0 && calls_now() == 1;
        mt_timer_free(timer);
        _exit(!good);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    assert_int_equal(calls_now(), 1);
    mt_timer_free(timer);
}

static void on_a_pool(void **state)
{
    struct mt_pool_options options = {.workers = 1};
    struct mt_pool *pool = mt_pool_open(&options);
    struct mt_timer *timer;

    calls_are(0);
    timer = mt_pool_timer(pool, count, NULL, 0, mt_after(MT_MS(1)), MT_MS(2));
    assert_non_null(timer);
    while (calls_now() < 3)
        usleep(200);
    assert_int_equal(mt_timer_cancel_wait(timer, MT_FOREVER), 0);
    mt_pool_close(pool);
    assert_int_equal(mt_pool_join(pool, MT_FOREVER), 0);
    assert_int_equal(mt_timer_restart(timer, MT_NOWAIT, 0), 0);
    assert_int_equal(mt_timer_join(timer, in_time()), 0);
    assert_int_equal(mt_timer_outcome(timer), -EPIPE);
    mt_timer_free(timer);
    mt_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once),
        cmocka_unit_test(cancelled_before),
        cmocka_unit_test(cancelled_during),
        cmocka_unit_test(periodic_until_it_fails),
        cmocka_unit_test(missed_periods_are_counted),
        cmocka_unit_test(freed_by_its_own_function),
        cmocka_unit_test(many_in_order),
        cmocka_unit_test(an_unread_failure_goes_to_the_hook),
        cmocka_unit_test(one_that_ends_the_thread_fails_alone),
        cmocka_unit_test(one_that_ends_the_thread_is_told),
        cmocka_unit_test(a_forked_child_has_timers_of_its_own),
        cmocka_unit_test(on_a_pool),
    };
    return RUN(tests);
}
