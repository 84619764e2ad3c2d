/* SPDX-License-Identifier: MIT */
#include "unit.h"

struct box {
    struct mt_lock lock;
    struct mt_cond filled, emptied;
    int full, rounds;
    long sum;
    mt_deadline timeout;
};

static mt_deadline limit(const struct box *box)
{
    return box->timeout ? mt_after(box->timeout) : MT_FOREVER;
}

static int wait_until(struct box *box, struct mt_cond *cond, int full)
{
    while (box->full != full) {
        int result = mt_cond_wait(cond, &box->lock, limit(box));
        if (result && result != -ETIMEDOUT)
            return result;
    }
    return 0;
}

static int put(void *arg)
{
    struct box *box = arg;

    for (int i = 0; i < box->rounds; i++) {
        if (mt_lock_acquire(&box->lock, MT_FOREVER) || wait_until(box, &box->emptied, 0))
            return -EIO;
        box->full = 1;
        mt_cond_notify(&box->filled, 1);
        if (mt_lock_release(&box->lock))
            return -EPERM;
    }
    return 0;
}

static int get(void *arg)
{
    struct box *box = arg;

    for (int i = 0; i < box->rounds; i++) {
        if (mt_lock_acquire(&box->lock, MT_FOREVER) || wait_until(box, &box->filled, 1))
            return -EIO;
        box->full = 0;
        box->sum++;
        mt_cond_notify(&box->emptied, 1);
        if (mt_lock_release(&box->lock))
            return -EPERM;
    }
    return 0;
}

static void exchange(int rounds, mt_deadline timeout)
{
    struct box box = {MT_LOCK_INIT, MT_COND_INIT, MT_COND_INIT, 0, rounds, 0, timeout};
    struct mt_task *tasks[6];

    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(i % 2 ? put : get, &box);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(box.sum, 3L * rounds);
    assert_int_equal(box.filled.waiters, 0);
    assert_int_equal(box.emptied.waiters, 0);
}

static void producers_and_consumers(void **state)
{
    exchange(5000, 0);
}

/* The same with waits that end at any moment: a lost notification would hang or time out visibly. */
static void with_deadlines_in_between(void **state)
{
    exchange(2000, MT_US(50));
}

static void times_out_with_the_lock(void **state)
{
    struct box box = {.lock = MT_LOCK_INIT, .filled = MT_COND_INIT_NAMED("filled")};
    mt_deadline start = mt_now();

    assert_int_equal(mt_cond_wait(&box.filled, &box.lock, MT_FOREVER), -EPERM);
    assert_int_equal(mt_lock_acquire(&box.lock, MT_FOREVER), 0);
    assert_int_equal(mt_cond_wait(&box.filled, &box.lock, mt_after(MT_MS(30))), -ETIMEDOUT);
    assert_between(elapsed(start), 30, 60000);
    assert_int_equal(mt_lock_owner(&box.lock), gettid());
    assert_int_equal(mt_cond_wait(&box.filled, &box.lock, MT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(mt_lock_release(&box.lock), 0);
    mt_cond_notify(&box.filled, 1);
    assert_int_equal(box.filled.sequence, 0);
}

static int wait_once(void *arg)
{
    struct box *box = arg;
    int result = mt_lock_acquire(&box->lock, MT_FOREVER);

    if (!result)
        result = mt_cond_wait(&box->filled, &box->lock, MT_FOREVER);
    if (mt_lock_owner(&box->lock) != gettid())
        return -EPERM;
    return mt_lock_release(&box->lock) ? -EPERM : result;
}

static void a_killed_waiter_gets_the_lock_back(void **state)
{
    struct box box = {.lock = MT_LOCK_INIT, .filled = MT_COND_INIT};
    struct mt_task *waiter = spawn(wait_once, &box);

    until_waiting(waiter, MT_WAIT_COND);
    assert_int_equal(mt_task_kill(waiter), 0);
    assert_int_equal(finish(waiter), -ECANCELED);
    assert_int_equal(box.lock.word, 0);
}

static void notify_all_wakes_all(void **state)
{
    struct box box = {.lock = MT_LOCK_INIT, .filled = MT_COND_INIT};
    struct mt_task *waiters[10];

    for (int i = 0; i < 10; i++)
        waiters[i] = spawn(wait_once, &box);
    for (int i = 0; i < 10; i++)
        until_waiting(waiters[i], MT_WAIT_COND);
    assert_int_equal(mt_lock_acquire(&box.lock, MT_FOREVER), 0);
    mt_cond_notify_all(&box.filled);
    assert_int_equal(mt_lock_release(&box.lock), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(finish(waiters[i]), 0);
}

static void notify_wakes_no_more_than_asked(void **state)
{
    struct box box = {.lock = MT_LOCK_INIT, .filled = MT_COND_INIT};
    struct mt_task *waiters[4];
    int alive = 4;

    for (int i = 0; i < 4; i++)
        waiters[i] = spawn(wait_once, &box);
    for (int i = 0; i < 4; i++)
        until_waiting(waiters[i], MT_WAIT_COND);
    assert_int_equal(mt_lock_acquire(&box.lock, MT_FOREVER), 0);
    mt_cond_notify(&box.filled, 2);
    assert_int_equal(mt_lock_release(&box.lock), 0);
    for (int i = 0; i < 400 && alive > 2; i++) {
        usleep(1000);
        alive = 0;
        for (int k = 0; k < 4; k++)
            alive += mt_task_is_alive(waiters[k]);
    }
    assert_int_equal(alive, 2);
    mt_cond_notify_all(&box.filled);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(waiters[i]), 0);
}

static int is_full(void *arg)
{
    return ((struct box *)arg)->full;
}

static int fill(void *arg)
{
    struct box *box = arg;

    if (mt_lock_acquire(&box->lock, MT_FOREVER))
        return -EIO;
    mt_cond_notify(&box->filled, 1); /* nothing has changed: the waiter goes on waiting */
    box->full = 1;
    mt_cond_notify(&box->filled, 1);
    return mt_lock_release(&box->lock);
}

static void wait_for_tests_the_predicate(void **state)
{
    struct box box = {.lock = MT_LOCK_INIT, .filled = MT_COND_INIT};
    struct mt_task *task;

    assert_int_equal(mt_cond_wait_for(&box.filled, &box.lock, is_full, &box, MT_FOREVER), -EPERM);
    assert_int_equal(mt_lock_acquire(&box.lock, MT_FOREVER), 0);
    assert_int_equal(mt_cond_wait_for(&box.filled, &box.lock, is_full, &box, mt_after(MT_MS(10))), -ETIMEDOUT);
    task = spawn(fill, &box);
    assert_int_equal(mt_cond_wait_for(&box.filled, &box.lock, is_full, &box, MT_FOREVER), 0);
    assert_int_equal(box.full, 1);
    assert_int_equal(mt_cond_wait_for(&box.filled, &box.lock, is_full, &box, MT_NOWAIT), 0);
    assert_int_equal(mt_lock_release(&box.lock), 0);
    assert_int_equal(finish(task), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producers_and_consumers),      cmocka_unit_test(with_deadlines_in_between),
        cmocka_unit_test(times_out_with_the_lock),      cmocka_unit_test(a_killed_waiter_gets_the_lock_back),
        cmocka_unit_test(notify_all_wakes_all),         cmocka_unit_test(notify_wakes_no_more_than_asked),
        cmocka_unit_test(wait_for_tests_the_predicate),
    };
    return RUN(tests);
}
