/* SPDX-License-Identifier: MIT
 *
 * Whatever a task waits in, it can be seen where in the program that is.
 */
#include "unit.h"

static struct mt_lock lock = MT_LOCK_INIT, free_lock = MT_LOCK_INIT;
static struct mt_rlock rlock = MT_RLOCK_INIT;
static struct mt_rwlock rwlock = MT_RWLOCK_INIT;
static struct mt_robust robust = MT_ROBUST_INIT;
static struct mt_pilock pilock = MT_PILOCK_INIT;
static struct mt_cond cond = MT_COND_INIT;
static struct mt_sem sem = MT_SEM_INIT(0);
static struct mt_event event = MT_EVENT_INIT, never = MT_EVENT_INIT;
static struct mt_latch latch = MT_LATCH_INIT(1);
static struct mt_barrier barrier;
static struct mt_once once = MT_ONCE_INIT;
static struct mt_banker *banker;
static struct mt_task *other;

static int wait_for_ever(void *arg)
{
    (void)arg;
    return mt_event_wait(&never, MT_FOREVER);
}

static int no(void *arg)
{
    (void)arg;
    return 0;
}

static int customer(void)
{
    const uint32_t one[] = {1};
    int number = mt_banker_join(banker, one);

    return number < 0 ? number : mt_banker_request(banker, number, one, MT_FOREVER);
}

static int wait_changed(void)
{
    int result = mt_lock_acquire(&free_lock, MT_FOREVER);

    return result ? result : mt_cond_wait(&cond, &free_lock, MT_FOREVER);
}

static int wait_for(void)
{
    int result = mt_lock_acquire(&free_lock, MT_FOREVER);

    return result ? result : mt_cond_wait_for(&cond, &free_lock, no, NULL, MT_FOREVER);
}

static int any(void)
{
    struct mt_lock *list[] = {&lock};

    return mt_lock_acquire_any(list, 1, MT_FOREVER);
}

#define WAITS(X)                                                      \
    X(0, MT_WAIT_LOCK, mt_lock_acquire(&lock, MT_FOREVER))            \
    X(1, MT_WAIT_LOCK, mt_rlock_acquire(&rlock, MT_FOREVER))          \
    X(2, MT_WAIT_READ, mt_rwlock_acquire_read(&rwlock, MT_FOREVER))   \
    X(3, MT_WAIT_WRITE, mt_rwlock_acquire_write(&rwlock, MT_FOREVER)) \
    X(4, MT_WAIT_LOCK, mt_robust_acquire(&robust, MT_FOREVER))        \
    X(5, MT_WAIT_LOCK, mt_pilock_acquire(&pilock, MT_FOREVER))        \
    X(6, MT_WAIT_COND, wait_changed())                                \
    X(7, MT_WAIT_COND, wait_for())                                    \
    X(8, MT_WAIT_SEM, mt_sem_acquire(&sem, MT_FOREVER))               \
    X(9, MT_WAIT_EVENT, mt_event_wait(&event, MT_FOREVER))            \
    X(10, MT_WAIT_LATCH, mt_latch_wait(&latch, MT_FOREVER))           \
    X(11, MT_WAIT_BARRIER, mt_barrier_wait(&barrier, MT_FOREVER))     \
    X(12, MT_WAIT_ONCE, mt_once(&once, no, NULL, MT_FOREVER))         \
    X(13, MT_WAIT_JOIN, mt_task_join(other, MT_FOREVER))              \
    X(14, MT_WAIT_JOIN, mt_joinall(&other, 1, MT_FOREVER))            \
    X(15, MT_WAIT_JOIN, mt_joinall_threads(MT_FOREVER))               \
    X(16, MT_WAIT_SLEEP, mt_sleep(MT_SEC(1000)))                      \
    X(17, MT_WAIT_COND, customer())                                   \
    X(18, MT_WAIT_LOCK, any())

static const enum mt_reason reasons[] = {
#define REASON(number, reason, call) reason,
    WAITS(REASON)};

static int wait_in(void *arg)
{
    switch (*(int *)arg) {
#define CASE(number, reason, call) \
    case number:                   \
        return call;
        WAITS(CASE)
    default:
        return -EINVAL;
    }
}

static int at_it(void *arg)
{
    (void)arg;
    return mt_event_wait(&never, MT_FOREVER) ? 1 : 0;
}

static int do_once(void *arg)
{
    return mt_once(&once, at_it, arg, MT_FOREVER) < 0;
}

static void each_wait_has_its_place(void **state)
{
    const uint32_t total[] = {1};
    struct mt_task *doer = spawn(do_once, NULL);
    int no_robust_lists;

    mt_deadlock_policy(MT_DEADLOCK_OFF);
    other = spawn(wait_for_ever, NULL);
    until_waiting(other, MT_WAIT_EVENT);
    until_waiting(doer, MT_WAIT_EVENT);
    banker = mt_banker_new(1, total);
    assert_int_equal(mt_barrier_init(&barrier, 2, NULL, NULL, NULL, 0), 0);
    assert_int_equal(mt_banker_join(banker, total), 0);
    assert_int_equal(mt_banker_request(banker, 0, total, MT_NOWAIT), 0);
    assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
    assert_int_equal(mt_rlock_acquire(&rlock, MT_FOREVER), 0);
    assert_int_equal(mt_rwlock_acquire_write(&rwlock, MT_FOREVER), 0);
    no_robust_lists = mt_robust_acquire(&robust, MT_FOREVER) == -ENOTSUP; /* in an emulator */
    assert_int_equal(mt_pilock_acquire(&pilock, MT_FOREVER), no_robust_lists ? -ENOTSUP : 0);
    for (int i = 0; i < (int)(sizeof reasons / sizeof *reasons); i++) {
        struct mt_task *task;
        struct mt_task_info info;
        if (no_robust_lists && (i == 4 || i == 5))
            continue;
        task = spawn(wait_in, &i);
        until_waiting(task, reasons[i]);
        mt_task_info(task, &info);
        if (!strstr(info.place, "unit/place.c:"))
            fail_msg("wait %d has the place \"%s\"", i, info.place);
        assert_int_equal(mt_task_kill(task), 0);
        assert_int_equal(finish(task), -ECANCELED);
        (void)mt_lock_release(&free_lock);
        free_lock = (struct mt_lock)MT_LOCK_INIT;
    }
    mt_banker_free(banker);
    assert_int_equal(mt_task_kill(other), 0);
    assert_int_equal(finish(other), -ECANCELED);
    assert_int_equal(mt_task_kill(doer), 0);
    assert_int_equal(finish(doer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wait_has_its_place),
    };
    return RUN(tests);
}
