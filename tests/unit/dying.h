/* SPDX-License-Identifier: MIT
 *
 * What the robust lock and the priority inheritance lock promise alike: exclusion, and that the lock of a dead owner is
 * handed on. The including test says which it is: NOUN(verb) names the call, TYPE the struct.
 */
#ifndef TESTS_DYING_H
#define TESTS_DYING_H

#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KILLS 1000

struct dying {
    TYPE lock;
    TYPE second;
    struct mt_event ready, go;
    volatile long one, other; /* alike, but inside the lock */
    volatile long done[2];
    int result;
};

/* Emulators keep no robust lists: then there is nothing to test, and the program says so. */
static int cannot_be_tested(void)
{
    TYPE lock;
    int result;

    NOUN(init)(&lock, "probe", 0);
    result = NOUN(acquire)(&lock, MT_NOWAIT);
    if (result == -ENOTSUP)
        puts("1..0 # SKIP no robust list to be had here");
    else
        NOUN(release)(&lock);
    return result == -ENOTSUP;
}

/* Mends if that is needed. */
static int acquire_and_mend(struct dying *d, mt_deadline deadline)
{
    int result = NOUN(acquire)(&d->lock, deadline);

    if (result != -EOWNERDEAD)
        return result;
    d->other = d->one;
    return NOUN(consistent)(&d->lock);
}

static void alone(void **state)
{
    TYPE lock;

    NOUN(init)(&lock, "alone", 0);
    assert_int_equal(NOUN(release)(&lock), -EPERM);
    assert_int_equal(NOUN(consistent)(&lock), -EPERM);
    assert_int_equal(NOUN(owner)(&lock), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(NOUN(acquire)(&lock, i == 1 ? MT_NOWAIT : MT_FOREVER), 0);
        assert_int_equal(NOUN(owner)(&lock), gettid());
        assert_int_equal(NOUN(acquire)(&lock, MT_FOREVER), -EDEADLK);
        assert_int_equal(NOUN(acquire)(&lock, MT_NOWAIT), -EDEADLK);
        assert_int_equal(NOUN(consistent)(&lock), -EINVAL);
        assert_int_equal(NOUN(release)(&lock), 0);
    }
    assert_int_equal(lock.word, 0);
}

static int try_it(void *arg)
{
    struct dying *d = arg;
    int busy = NOUN(acquire)(&d->lock, MT_NOWAIT), late = NOUN(acquire)(&d->lock, mt_after(MT_MS(3))),
        later = NOUN(acquire)(&d->lock, mt_after(MT_MS(120)));

    if (NOUN(release)(&d->lock) != -EPERM || NOUN(consistent)(&d->lock) != -EPERM)
        return -EPERM;
    return busy != -EBUSY ? busy : late != -ETIMEDOUT ? late : later != -ETIMEDOUT ? later : 0;
}

static void held_by_another(void **state)
{
    struct dying d = {0};

    assert_int_equal(NOUN(acquire)(&d.lock, MT_FOREVER), 0);
    mt_deadlock_policy(MT_DEADLOCK_OFF); /* joining one that waits for what the joiner holds is a circle */
    assert_int_equal(finish(spawn(try_it, &d)), 0);
    mt_deadlock_policy(MT_DEADLOCK_FAIL);
    assert_int_equal(NOUN(release)(&d.lock), 0);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_NOWAIT), 0);
    assert_int_equal(NOUN(release)(&d.lock), 0);
}

static int count(void *arg)
{
    struct dying *d = arg;

    for (int i = 0; i < 4000; i++) {
        int result = NOUN(acquire)(&d->lock, MT_FOREVER);
        if (result)
            return result;
        d->one++;
        if (NOUN(release)(&d->lock))
            return -EPERM;
    }
    return 0;
}

static void many_exclude_each_other(void **state)
{
    struct dying d = {0};
    struct mt_task *tasks[5];

    for (int i = 0; i < 5; i++)
        tasks[i] = spawn(count, &d);
    for (int i = 0; i < 5; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(d.one, 20000);
}

static int wait_for_it(void *arg)
{
    struct dying *d = arg;
    int result = NOUN(acquire)(&d->lock, in_time());

    return result ? result : NOUN(release)(&d->lock);
}

static void a_killed_waiter_leaves(void **state)
{
    struct dying d = {0};
    struct mt_task *waiter;

    assert_int_equal(NOUN(acquire)(&d.lock, MT_FOREVER), 0);
    waiter = spawn(wait_for_it, &d);
    until_waiting(waiter, MT_WAIT_LOCK);
    assert_int_equal(mt_task_kill(waiter), 0);
    assert_int_equal(finish(waiter), -ECANCELED);
    assert_int_equal(NOUN(release)(&d.lock), 0);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_NOWAIT), 0);
    assert_int_equal(NOUN(release)(&d.lock), 0);
}

/* -- Owners that end ---------------------------------------------------------------------------------------------- */

static int ends_holding(void *arg)
{
    struct dying *d = arg;
    int result = NOUN(acquire)(&d->lock, MT_FOREVER);

    if (result)
        return result;
    mt_event_set(&d->ready);
    return mt_event_wait(&d->go, in_time());
}

static void a_thread_that_ended_holding(void **state)
{
    struct dying d = {0};

    mt_event_set(&d.go);
    assert_int_equal(finish(spawn(ends_holding, &d)), 0);
    assert_int_equal(NOUN(owner)(&d.lock), 0);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_NOWAIT), -EOWNERDEAD);
    assert_int_equal(NOUN(owner)(&d.lock), gettid());
    assert_int_equal(NOUN(consistent)(&d.lock), 0);
    assert_int_equal(NOUN(consistent)(&d.lock), -EINVAL);
    assert_int_equal(NOUN(release)(&d.lock), 0);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_FOREVER), 0);
    assert_int_equal(NOUN(release)(&d.lock), 0);
}

static int inherit(void *arg)
{
    struct dying *d = arg;
    int result = NOUN(acquire)(&d->lock, in_time());

    if (result == -EOWNERDEAD && !NOUN(consistent)(&d->lock))
        d->one++;
    return NOUN(release)(&d->lock);
}

static void those_who_wait_inherit(void **state)
{
    struct dying d = {0};
    struct mt_task *owner = spawn(ends_holding, &d), *heirs[3];

    assert_int_equal(mt_event_wait(&d.ready, in_time()), 0);
    for (int i = 0; i < 3; i++) {
        heirs[i] = spawn(inherit, &d);
        until_waiting(heirs[i], MT_WAIT_LOCK);
    }
    mt_event_set(&d.go);
    assert_int_equal(finish(owner), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(heirs[i]), 0);
    assert_int_equal(d.one, 1);
}

static void never_mended(void **state)
{
    struct dying d = {0};
    struct mt_task *owner = spawn(ends_holding, &d), *waiters[3];

    mt_event_set(&d.go);
    assert_int_equal(finish(owner), 0);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_FOREVER), -EOWNERDEAD);
    for (int i = 0; i < 3; i++) {
        waiters[i] = spawn(wait_for_it, &d);
        until_waiting(waiters[i], MT_WAIT_LOCK);
    }
    assert_int_equal(NOUN(release)(&d.lock), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(waiters[i]), -ENOTRECOVERABLE);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_FOREVER), -ENOTRECOVERABLE);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_NOWAIT), -ENOTRECOVERABLE);
    assert_int_equal(NOUN(owner)(&d.lock), 0);
    NOUN(init)(&d.lock, NULL, 0);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_NOWAIT), 0);
    assert_int_equal(NOUN(release)(&d.lock), 0);
}

/* An heir that dies before it has mended leaves the same to the next. */
static void heirs_that_die(void **state)
{
    struct dying d = {0};

    mt_event_set(&d.go);
    assert_int_equal(finish(spawn(ends_holding, &d)), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(finish(spawn(ends_holding, &d)), -EOWNERDEAD);
    assert_int_equal(acquire_and_mend(&d, MT_NOWAIT), 0);
    assert_int_equal(NOUN(release)(&d.lock), 0);
}

/* -- On libc's list ----------------------------------------------------------------------------------------------- */

struct mixed {
    TYPE ours[3];
    pthread_mutex_t theirs[3];
};

/* Takes all six, theirs and ours in turn, releases some from the middle and the ends, and ends with one of each. */
static int mixes(void *arg)
{
    struct mixed *m = arg;

    for (int i = 0; i < 3; i++)
        if (NOUN(acquire)(&m->ours[i], MT_FOREVER) || pthread_mutex_lock(&m->theirs[i]))
            return -EIO;
    if (pthread_mutex_unlock(&m->theirs[2]) || NOUN(release)(&m->ours[1]) || pthread_mutex_unlock(&m->theirs[0]) ||
        NOUN(release)(&m->ours[0]) || NOUN(acquire)(&m->ours[0], MT_FOREVER) || NOUN(release)(&m->ours[2]))
        return -EPERM;
    return 0; /* with ours[0] and theirs[1] */
}

static void beside_those_of_libc(void **state)
{
    struct mixed m;
    pthread_mutexattr_t robust;

    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    for (int kind = 0; kind < 2; kind++) {
        pthread_mutexattr_setprotocol(&robust, kind ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
        for (int i = 0; i < 3; i++) {
            NOUN(init)(&m.ours[i], "ours", 0);
            pthread_mutex_init(&m.theirs[i], &robust);
        }
        assert_int_equal(finish(spawn(mixes, &m)), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(pthread_mutex_lock(&m.theirs[i]), i == 1 ? EOWNERDEAD : 0);
            assert_int_equal(NOUN(acquire)(&m.ours[i], MT_NOWAIT), i == 0 ? -EOWNERDEAD : 0);
        }
        assert_int_equal(pthread_mutex_consistent(&m.theirs[1]), 0);
        assert_int_equal(NOUN(consistent)(&m.ours[0]), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(NOUN(release)(&m.ours[i]), 0);
            assert_int_equal(pthread_mutex_unlock(&m.theirs[i]), 0);
        }
    }
}

/* A libc that has registered no list for the thread. */
static void *without_a_list(void *arg)
{
    struct dying *d = arg;

    syscall(SYS_set_robust_list, NULL, 3 * sizeof(void *));
    d->result = NOUN(acquire)(&d->lock, MT_NOWAIT) || NOUN(acquire)(&d->second, MT_NOWAIT) ||
                NOUN(release)(&d->second) || NOUN(acquire)(&d->second, MT_NOWAIT);
    return NULL;
}

static void with_a_list_of_its_own(void **state)
{
    struct dying d = {0};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, without_a_list, &d), 0);
    pthread_join(thread, NULL);
    assert_int_equal(d.result, 0);
    assert_int_equal(NOUN(acquire)(&d.lock, MT_NOWAIT), -EOWNERDEAD);
    assert_int_equal(NOUN(acquire)(&d.second, MT_NOWAIT), -EOWNERDEAD);
    assert_int_equal(NOUN(release)(&d.lock), 0);
    assert_int_equal(NOUN(release)(&d.second), 0);
}

/* -- Errors of the surroundings ----------------------------------------------------------------------------------- */

static void *arrive(void *arg)
{
    struct dying *d = arg;

    d->result = NOUN(acquire)(&d->lock, MT_NOWAIT);
    return NULL;
}

static int arrive_with_failing(long nr, int error)
{
    struct dying d = {0};
    pthread_t thread;

    mt__sys_fail(nr, 0, error);
    assert_int_equal(pthread_create(&thread, NULL, arrive, &d), 0);
    pthread_join(thread, NULL);
    mt__sys_fail(-1, 0, 0);
    return d.result;
}

static void what_can_be_missing(void **state)
{
    assert_int_equal(arrive_with_failing(SYS_get_robust_list, ENOSYS), -ENOTSUP);
    assert_int_equal(arrive_with_failing(MT__SYS_ALLOC, ENOMEM), -ENOMEM);
}

/* -- Between processes -------------------------------------------------------------------------------------------- */

static struct dying *shared_memory(void)
{
    struct dying *d = mmap(NULL, sizeof *d, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(d != MAP_FAILED);
    NOUN(init)(&d->lock, "shared", MT_SHARED);
    mt_event_init(&d->ready, "ready", MT_SHARED);
    return d;
}

static void a_fork_holds_nothing(void **state)
{
    struct dying *d = shared_memory();
    int status;
    pid_t child;

    assert_int_equal(NOUN(acquire)(&d->lock, MT_FOREVER), 0);
    child = fork();
    if (!child)
        _exit(NOUN(release)(&d->lock) != -EPERM || NOUN(acquire)(&d->lock, MT_NOWAIT) != -EBUSY ||
              NOUN(acquire)(&d->second, MT_NOWAIT) || NOUN(release)(&d->second));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(NOUN(release)(&d->lock), 0);
    munmap(d, sizeof *d);
}

static void work_until_killed(struct dying *d, int number)
{
    for (;;) {
        if (acquire_and_mend(d, MT_FOREVER) || d->one != d->other)
            _exit(1);
        d->one++;
        for (volatile int i = 0; i < 200; i++)
            ;
        d->other++;
        if (NOUN(release)(&d->lock))
            _exit(2);
        d->done[number]++;
    }
}

static pid_t start_worker(struct dying *d, int number)
{
    pid_t child = fork();

    if (!child)
        work_until_killed(d, number);
    assert_true(child > 0);
    return child;
}

static void until_it_goes_on(struct dying *d, int number)
{
    long before = d->done[number];
    mt_deadline start = mt_now();

    while (d->done[number] <= before + 1) {
        assert_true(elapsed(start) < 60000);
        usleep(100);
    }
}

static void kill_and_reap(pid_t child)
{
    int status;

    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* and has not ended because something was wrong */
}

/* Two processes at work; one after the other is killed at some moment and replaced. The survivor goes on, and so can
 * we. */
static void killed_owners(void **state)
{
    struct dying *d = shared_memory();
    pid_t workers[2];
    int inherited = 0;
    unsigned seed = (unsigned)getpid();
    int all = often(KILLS);

    for (int i = 0; i < 2; i++)
        workers[i] = start_worker(d, i);
    until_it_goes_on(d, 0);
    for (int kills = 0; kills < all; kills++) {
        int victim = kills % 2, result;
        usleep(rand_r(&seed) % 300);
        kill_and_reap(workers[victim]);
        result = NOUN(acquire)(&d->lock, in_time());
        if (result == -EOWNERDEAD) {
            inherited++;
            d->other = d->one;
            assert_int_equal(NOUN(consistent)(&d->lock), 0);
        } else {
            assert_int_equal(result, 0);
        }
        assert_int_equal(d->one, d->other);
        assert_int_equal(NOUN(release)(&d->lock), 0);
        until_it_goes_on(d, !victim);
        workers[victim] = start_worker(d, victim);
    }
    for (int i = 0; i < 2; i++)
        kill_and_reap(workers[i]);
    print_message("# %d killed, and we inherited %d times\n", all, inherited);
    assert_int_equal(acquire_and_mend(d, in_time()), 0);
    assert_int_equal(NOUN(release)(&d->lock), 0);
    munmap(d, sizeof *d);
}

#define DYING_TESTS                                                                                                 \
    cmocka_unit_test(alone), cmocka_unit_test(held_by_another), cmocka_unit_test(many_exclude_each_other),          \
        cmocka_unit_test(a_killed_waiter_leaves), cmocka_unit_test(a_thread_that_ended_holding),                    \
        cmocka_unit_test(those_who_wait_inherit), cmocka_unit_test(never_mended), cmocka_unit_test(heirs_that_die), \
        cmocka_unit_test(beside_those_of_libc), cmocka_unit_test(with_a_list_of_its_own),                           \
        cmocka_unit_test(what_can_be_missing), cmocka_unit_test(a_fork_holds_nothing), cmocka_unit_test(killed_owners)

#endif
