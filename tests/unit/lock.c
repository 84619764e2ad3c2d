/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <sys/mman.h>
#include <sys/wait.h>

#define WAITERS 0x80000000u
#define STARVED 0x40000000u

static void alone(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT_NAMED("alone");

    assert_int_equal(mt_lock_owner(&lock), 0);
    assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
    assert_int_equal(mt_lock_owner(&lock), gettid());
    assert_int_equal(mt_lock_acquire(&lock, MT_NOWAIT), -EDEADLK);
    assert_int_equal(mt_lock_release(&lock), 0);
    assert_int_equal(lock.word, 0);
    assert_int_equal(mt_lock_release(&lock), -EPERM);
    assert_string_equal(lock.name, "alone");
    assert_non_null(strstr(lock.place, "lock.c:"));
}

static struct mt_event enough = MT_EVENT_INIT_NAMED("enough");

static int hold(void *arg)
{
    struct mt_lock *lock = arg;
    int result = mt_lock_acquire(lock, MT_FOREVER);

    if (!result)
        result = mt_event_wait(&enough, MT_FOREVER);
    return result ? result : mt_lock_release(lock);
}

static void held_by_another(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT;
    struct mt_task *holder = spawn(hold, &lock);
    mt_deadline start;

    until_waiting(holder, MT_WAIT_EVENT);
    assert_int_equal(mt_lock_owner(&lock), mt_task_tid(holder));
    assert_int_equal(mt_lock_acquire(&lock, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_lock_release(&lock), -EPERM);
    start = mt_now();
    assert_int_equal(mt_lock_acquire(&lock, mt_after(MT_MS(20))), -ETIMEDOUT);
    assert_between(elapsed(start), 20, 60000);
    assert_int_equal(mt_lock_acquire(&lock, mt_after(-1)), -ETIMEDOUT);
    mt_event_set(&enough);
    assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
    assert_int_equal(mt_lock_release(&lock), 0);
    assert_int_equal(finish(holder), 0);
    assert_true(lock.word == 0);
}

struct counter {
    struct mt_lock lock;
    long value;
    int rounds;
    mt_deadline timeout; /* 0: none */
    long given_up;
};

static int count(void *arg)
{
    struct counter *counter = arg;

    for (int i = 0; i < counter->rounds; i++) {
        int result = mt_lock_acquire(&counter->lock, counter->timeout ? mt_after(counter->timeout) : MT_FOREVER);
        if (result == -ETIMEDOUT && counter->timeout) {
            __atomic_fetch_add(&counter->given_up, 1, __ATOMIC_RELAXED);
            continue;
        }
        if (result)
            return result;
        counter->value++;
        if (mt_lock_release(&counter->lock))
            return -EPERM;
    }
    return 0;
}

static void excludes(struct counter *counter)
{
    struct mt_task *tasks[8];

    for (int i = 0; i < 8; i++)
        tasks[i] = spawn(count, counter);
    for (int i = 0; i < 8; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(counter->value + counter->given_up, 8L * counter->rounds);
    assert_true((counter->lock.word & ~(WAITERS | STARVED)) == 0);
}

static void many_exclude_each_other(void **state)
{
    struct counter counter = {.lock = MT_LOCK_INIT, .rounds = 40000};

    excludes(&counter);
    assert_int_equal(counter.value, 320000);
}

/* Waiters that give up at every stage of a wait leave no waiter behind: this ends. */
static void many_with_short_deadlines(void **state)
{
    struct counter counter = {.lock = MT_LOCK_INIT, .rounds = 4000, .timeout = MT_US(30)};

    excludes(&counter);
    counter.timeout = 0;
    counter.given_up = counter.value = 0;
    excludes(&counter);
}

struct hog {
    struct mt_lock lock;
    int stop;
};

static int barge(void *arg)
{
    struct hog *hog = arg;

    while (!__atomic_load_n(&hog->stop, __ATOMIC_RELAXED)) {
        if (mt_lock_acquire(&hog->lock, MT_FOREVER))
            return -EIO;
        for (volatile int i = 0; i < 20000; i++)
            ;
        if (mt_lock_release(&hog->lock))
            return -EIO;
    }
    return 0;
}

/* A task that releases and takes again at once cannot keep others out: each of these acquisitions comes. */
static void nobody_starves(void **state)
{
    struct hog hog = {.lock = MT_LOCK_INIT};
    struct mt_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = spawn(barge, &hog);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(mt_lock_acquire(&hog.lock, in_time()), 0);
        assert_int_equal(mt_lock_release(&hog.lock), 0);
    }
    __atomic_store_n(&hog.stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

/* A word that was reserved for a sleeper who never comes: an arrival takes it after a slice. */
static void an_abandoned_reservation_is_taken(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT;

    lock.word = WAITERS | STARVED;
    assert_int_equal(mt_lock_acquire(&lock, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_lock_acquire(&lock, in_time()), 0);
    assert_int_equal(mt_lock_release(&lock), 0);
    assert_int_equal(lock.word & STARVED, 0);
}

static int acquire_only(void *arg)
{
    return mt_lock_acquire((struct mt_lock *)arg, MT_FOREVER);
}

static void a_killed_waiter_leaves(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT;
    struct mt_task *waiter;

    assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
    waiter = spawn(acquire_only, &lock);
    until_waiting(waiter, MT_WAIT_LOCK);
    assert_int_equal(mt_task_kill(waiter), 0);
    assert_int_equal(finish(waiter), -ECANCELED);
    assert_int_equal(mt_lock_release(&lock), 0);
    assert_int_equal(mt_lock_acquire(&lock, MT_NOWAIT), 0);
    assert_int_equal(mt_lock_release(&lock), 0);
}

/* Held across fork by the forking task, it can be released in the child, as atfork handlers do. */
static void goes_along_with_fork(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT;
    int status;
    pid_t child;

    assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
    child = fork();
    if (!child) {
        int bad = mt_lock_release(&lock) || mt_lock_acquire(&lock, MT_NOWAIT) || mt_lock_owner(&lock) != gettid() ||
                  mt_lock_release(&lock);
        _exit(bad);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mt_lock_release(&lock), 0);
}

/* In shared memory it excludes processes. */
static void between_processes(void **state)
{
    struct counter *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[3];
    int status;

    assert_true(counter != MAP_FAILED);
    mt_lock_init(&counter->lock, NULL, MT_SHARED);
    counter->rounds = 30000;
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (!children[i])
            _exit(count(counter) != 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(counter->value, 90000);
    munmap(counter, 4096);
}

static void whichever_is_free_first(void **state)
{
    struct mt_lock locks[3] = {MT_LOCK_INIT, MT_LOCK_INIT, MT_LOCK_INIT}, *list[3] = {&locks[0], &locks[1], &locks[2]};
    struct mt_task *holders[3];

    assert_int_equal(mt_lock_acquire_any(list, 0, MT_FOREVER), -EINVAL);
    assert_int_equal(mt_lock_acquire_any(list, MT_LOCK_ANY_MAX + 1, MT_FOREVER), -EINVAL);
    assert_int_equal(mt_lock_acquire_any(list, 3, MT_FOREVER), 0);
    assert_int_equal(mt_lock_acquire_any(list, 3, MT_FOREVER), -EDEADLK);
    assert_int_equal(mt_lock_acquire_any(list + 1, 2, MT_NOWAIT), 0);
    assert_int_equal(mt_lock_release(&locks[0]), 0);
    assert_int_equal(mt_lock_release(&locks[1]), 0);
    mt_event_clear(&enough);
    for (int i = 0; i < 3; i++) {
        holders[i] = spawn(hold, &locks[i]);
        until_waiting(holders[i], MT_WAIT_EVENT);
    }
    assert_int_equal(mt_lock_acquire_any(list, 3, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_lock_acquire_any(list, 3, mt_after(MT_MS(10))), -ETIMEDOUT);
    assert_int_equal(mt_task_kill(holders[1]), 0); /* ends with its lock held ... */
    assert_int_equal(finish(holders[1]), -ECANCELED);
    locks[1].word = 0; /* ... which is as good as a release that wakes nobody */
    assert_int_equal(mt_lock_acquire_any(list, 3, in_time()), 1);
    assert_int_equal(mt_lock_release(&locks[1]), 0);
    mt_event_set(&enough);
    assert_int_equal(finish(holders[0]), 0);
    assert_int_equal(finish(holders[2]), 0);
}

struct many {
    struct mt_lock locks[3];
    long values[3];
    int rounds;
};

static int count_any(void *arg)
{
    struct many *many = arg;
    struct mt_lock *list[3] = {&many->locks[0], &many->locks[1], &many->locks[2]};

    for (int i = 0; i < many->rounds; i++) {
        int which = mt_lock_acquire_any(list, 3, MT_FOREVER);
        if (which < 0)
            return which;
        many->values[which]++;
        if (mt_lock_release(list[which]))
            return -EPERM;
    }
    return 0;
}

static int count_each(void *arg)
{
    struct many *many = arg;

    for (int i = 0; i < many->rounds; i++) {
        int which = i % 3;
        if (mt_lock_acquire(&many->locks[which], MT_FOREVER))
            return -EIO;
        many->values[which]++;
        if (mt_lock_release(&many->locks[which]))
            return -EPERM;
    }
    return 0;
}

static void any_beside_each(void **state)
{
    struct many many = {{MT_LOCK_INIT, MT_LOCK_INIT, MT_LOCK_INIT}, {0}, 5000};
    struct mt_task *tasks[6];

    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(i % 2 ? count_any : count_each, &many);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(many.values[0] + many.values[1] + many.values[2], 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),
        cmocka_unit_test(held_by_another),
        cmocka_unit_test(many_exclude_each_other),
        cmocka_unit_test(many_with_short_deadlines),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(an_abandoned_reservation_is_taken),
        cmocka_unit_test(a_killed_waiter_leaves),
        cmocka_unit_test(goes_along_with_fork),
        cmocka_unit_test(between_processes),
        cmocka_unit_test(whichever_is_free_first),
        cmocka_unit_test(any_beside_each),
    };
    return RUN(tests);
}
