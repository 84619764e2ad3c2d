/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <sched.h>

static void counts(void **state)
{
    struct mt_sem sem = MT_SEM_INIT(2);
    mt_deadline start;

    assert_int_equal(mt_sem_value(&sem), 2);
    assert_int_equal(mt_sem_acquire(&sem, MT_NOWAIT), 0);
    assert_int_equal(mt_sem_acquire(&sem, MT_FOREVER), 0);
    assert_int_equal(mt_sem_acquire(&sem, MT_NOWAIT), -EBUSY);
    start = mt_now();
    assert_int_equal(mt_sem_acquire(&sem, mt_after(MT_MS(25))), -ETIMEDOUT);
    assert_between(elapsed(start), 25, 60000);
    assert_true(sem.state == 0);
    assert_int_equal(mt_sem_release(&sem, 3), 0);
    assert_int_equal(mt_sem_value(&sem), 3);
    assert_int_equal(mt_sem_release(&sem, 0), 0);
}

static void refuses_what_it_cannot_hold(void **state)
{
    struct mt_sem sem;

    assert_int_equal(mt_sem_init(&sem, (uint32_t)MT_SEM_MAX + 1, NULL, 0), -EINVAL);
    assert_int_equal(mt_sem_init(&sem, MT_SEM_MAX, "full", 0), 0);
    assert_int_equal(mt_sem_release(&sem, 1), -EOVERFLOW);
    assert_int_equal(mt_sem_release(&sem, UINT32_MAX), -EOVERFLOW);
    assert_int_equal(mt_sem_value(&sem), MT_SEM_MAX);
}

static void a_bounded_one_is_not_overfilled(void **state)
{
    struct mt_sem sem = MT_SEM_INIT_BOUNDED_NAMED(2, "two");

    assert_int_equal(mt_sem_release(&sem, 1), -EOVERFLOW);
    assert_int_equal(mt_sem_init_bounded(&sem, 0, NULL, 0), -EINVAL);
    assert_int_equal(mt_sem_init_bounded(&sem, 2, "two", 0), 0);
    assert_int_equal(mt_sem_acquire(&sem, MT_NOWAIT), 0);
    assert_int_equal(mt_sem_release(&sem, 2), -EOVERFLOW);
    assert_int_equal(mt_sem_value(&sem), 1);
    assert_int_equal(mt_sem_release(&sem, 1), 0);
    assert_int_equal(mt_sem_value(&sem), 2);
}

struct gate {
    struct mt_sem sem;
    int inside, most, rounds;
    mt_deadline timeout;
};

static int pass(void *arg)
{
    struct gate *gate = arg;

    for (int done = 0; done < gate->rounds;) {
        int result = mt_sem_acquire(&gate->sem, gate->timeout ? mt_after(gate->timeout) : MT_FOREVER);
        int inside;
        if (result == -ETIMEDOUT)
            continue;
        if (result)
            return result;
        inside = __atomic_add_fetch(&gate->inside, 1, __ATOMIC_SEQ_CST);
        if (inside > __atomic_load_n(&gate->most, __ATOMIC_RELAXED))
            __atomic_store_n(&gate->most, inside, __ATOMIC_RELAXED);
        if (done % 64 == 0)
            sched_yield();
        __atomic_sub_fetch(&gate->inside, 1, __ATOMIC_SEQ_CST);
        if (mt_sem_release(&gate->sem, 1))
            return -EIO;
        done++;
    }
    return 0;
}

static void lets_no_more_in(int rounds, mt_deadline timeout)
{
    struct gate gate = {.sem = MT_SEM_INIT(3), .rounds = rounds, .timeout = timeout};
    struct mt_task *tasks[8];

    for (int i = 0; i < 8; i++)
        tasks[i] = spawn(pass, &gate);
    for (int i = 0; i < 8; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_true(gate.most <= 3);
    assert_true(gate.sem.state == 3);
}

static void many(void **state)
{
    lets_no_more_in(20000, 0);
}

static void many_with_deadlines(void **state)
{
    lets_no_more_in(2000, MT_US(20));
}

static int take(void *arg)
{
    return mt_sem_acquire(arg, MT_FOREVER);
}

static void a_killed_waiter_leaves_its_count(void **state)
{
    struct mt_sem sem = MT_SEM_INIT_NAMED(0, "empty");
    struct mt_task *waiter = spawn(take, &sem);

    until_waiting(waiter, MT_WAIT_SEM);
    assert_int_equal(mt_task_kill(waiter), 0);
    assert_int_equal(finish(waiter), -ECANCELED);
    assert_true(sem.state == 0);
    assert_int_equal(mt_sem_release(&sem, 1), 0);
    assert_int_equal(mt_sem_acquire(&sem, MT_NOWAIT), 0);
}

/* A release of n wakes n, and whoever is let through may free the semaphore: the releaser does not touch it again. */
static int take_and_free(void *arg)
{
    struct mt_sem *sem = arg;
    int result = mt_sem_acquire(sem, MT_FOREVER);

    memset(sem, 0xff, sizeof *sem);
    free(sem);
    return result;
}

static void may_be_freed_by_whom_it_lets_through(void **state)
{
    for (int i = 0; i < 300; i++) {
        struct mt_sem *sem = malloc(sizeof *sem);
        struct mt_task *task;
        assert_int_equal(mt_sem_init(sem, 0, NULL, 0), 0);
        task = spawn(take_and_free, sem);
        if (i % 2)
            usleep(50);
        assert_int_equal(mt_sem_release(sem, 1), 0);
        assert_int_equal(finish(task), 0);
    }
}

static void release_wakes_that_many(void **state)
{
    struct mt_sem sem = MT_SEM_INIT(0);
    struct mt_task *tasks[5];

    for (int i = 0; i < 5; i++)
        tasks[i] = spawn(take, &sem);
    for (int i = 0; i < 5; i++)
        until_waiting(tasks[i], MT_WAIT_SEM);
    assert_int_equal(mt_sem_release(&sem, 5), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_true(sem.state == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(refuses_what_it_cannot_hold),
        cmocka_unit_test(a_bounded_one_is_not_overfilled),
        cmocka_unit_test(many),
        cmocka_unit_test(many_with_deadlines),
        cmocka_unit_test(a_killed_waiter_leaves_its_count),
        cmocka_unit_test(may_be_freed_by_whom_it_lets_through),
        cmocka_unit_test(release_wakes_that_many),
    };
    return RUN(tests);
}
