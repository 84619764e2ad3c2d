/* SPDX-License-Identifier: MIT */
#include "unit.h"

static void as_often_as_acquired(void **state)
{
    struct mt_rlock rlock = MT_RLOCK_INIT_NAMED("again");

    assert_int_equal(mt_rlock_release(&rlock), -EPERM);
    for (int i = 0; i < 5; i++)
        assert_int_equal(mt_rlock_acquire(&rlock, i % 2 ? MT_NOWAIT : MT_FOREVER), 0);
    assert_int_equal(rlock.depth, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mt_lock_owner(&rlock.lock), gettid());
        assert_int_equal(mt_rlock_release(&rlock), 0);
    }
    assert_int_equal(rlock.lock.word, 0);
    assert_int_equal(mt_rlock_release(&rlock), -EPERM);
    rlock.depth = UINT32_MAX;
    rlock.lock.word = (uint32_t)gettid();
    assert_int_equal(mt_rlock_acquire(&rlock, MT_NOWAIT), -EOVERFLOW);
}

struct counter {
    struct mt_rlock rlock;
    long value;
};

static int count(void *arg)
{
    struct counter *counter = arg;

    for (int i = 0; i < 20000; i++) {
        int depth = i % 3 + 1;
        for (int k = 0; k < depth; k++)
            if (mt_rlock_acquire(&counter->rlock, MT_FOREVER))
                return -EIO;
        counter->value++;
        for (int k = 0; k < depth; k++)
            if (mt_rlock_release(&counter->rlock))
                return -EPERM;
    }
    return 0;
}

static void excludes_others(void **state)
{
    struct counter counter = {.rlock = MT_RLOCK_INIT};
    struct mt_task *tasks[6];

    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(count, &counter);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(counter.value, 120000);
}

static int try(void *arg)
{
    int busy = mt_rlock_acquire((struct mt_rlock *)arg, MT_NOWAIT),
        late = mt_rlock_acquire((struct mt_rlock *)arg, mt_after(MT_MS(5)));

    return busy != -EBUSY || late != -ETIMEDOUT || mt_rlock_release(arg) != -EPERM;
}

static void others_are_kept_out(void **state)
{
    struct mt_rlock rlock;

    mt_deadlock_policy(MT_DEADLOCK_OFF); /* joining one that waits for a lock which the joiner holds is a circle, but
                                            for the deadline */
    mt_rlock_init(&rlock, "mine", 0);
    assert_int_equal(mt_rlock_acquire(&rlock, MT_FOREVER), 0);
    assert_int_equal(mt_rlock_acquire(&rlock, MT_FOREVER), 0);
    assert_int_equal(finish(spawn(try, &rlock)), 0);
    assert_int_equal(mt_rlock_release(&rlock), 0);
    assert_int_equal(finish(spawn(try, &rlock)), 0);
    assert_int_equal(mt_rlock_release(&rlock), 0);
}

struct box {
    struct mt_rlock rlock;
    struct mt_cond cond;
    int ready;
};

static int make_ready(void *arg)
{
    struct box *box = arg;

    if (mt_rlock_acquire(&box->rlock, MT_FOREVER))
        return -EIO;
    box->ready = 1;
    mt_cond_notify(&box->cond, 1);
    return mt_rlock_release(&box->rlock);
}

static void a_condition_releases_it_wholly(void **state)
{
    struct box box = {MT_RLOCK_INIT, MT_COND_INIT, 0};
    struct mt_task *task;

    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_rlock_acquire(&box.rlock, MT_FOREVER), 0);
    task = spawn(make_ready, &box);
    while (!box.ready)
        assert_int_equal(mt_cond_wait_rlock(&box.cond, &box.rlock, in_time()), 0);
    assert_int_equal(box.rlock.depth, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_rlock_release(&box.rlock), 0);
    assert_int_equal(mt_cond_wait_rlock(&box.cond, &box.rlock, MT_NOWAIT), -EPERM);
    assert_int_equal(finish(task), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_often_as_acquired),
        cmocka_unit_test(excludes_others),
        cmocka_unit_test(others_are_kept_out),
        cmocka_unit_test(a_condition_releases_it_wholly),
    };
    return RUN(tests);
}
