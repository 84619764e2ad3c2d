/* SPDX-License-Identifier: MIT
 *
 * Conditions, barriers and read-write locks of a manager, each in all ways in which it can be used, by two of these at
 * once, and with users that are killed.
 */
#include "managed-unit.h"
#include "manager/page.h"

#include <signal.h>
#include <sys/wait.h>

/* A child that does that and is killed; what it is to use it opens itself. */
static void die_in(void (*body)(struct mt_manager *manager), int way)
{
    char address[256];
    int status;
    pid_t pid;

    snprintf(address, sizeof address, "%s", mt_manager_address(owner));
    pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        struct mt_manager *manager = mt_manager_connect(address, NULL, 0, SOON);
        if (!manager)
            _exit(1);
        body(manager);
        kill(getpid(), SIGKILL);
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static unsigned childs_flags;

/* -- Conditions --------------------------------------------------------------------------------------------------- */

static struct mt_managed_cond *cond_of_other;
static int there; /* atomic: by requests, the sanitizer cannot see who holds the lock */

static int give(void *arg)
{
    int result = mt_managed_cond_acquire(cond_of_other, SOON);

    if (result)
        return result;
    __atomic_store_n(&there, 1, __ATOMIC_RELAXED);
    result = mt_managed_cond_notify(cond_of_other, 1, SOON);
    return result ? result : mt_managed_cond_release(cond_of_other);
}

static int wait_until_there(struct mt_managed_cond *cond)
{
    int result = 0;

    while (!result && !__atomic_load_n(&there, __ATOMIC_RELAXED))
        result = mt_managed_cond_wait(cond, SOON);
    return result;
}

static void conditions(void **state)
{
    EACH_WAY(way)
    EACH_WAY(other)
    {
        struct mt_managed_cond *cond = OPEN(cond, way, "c");
        struct mt_task *task;
        cond_of_other = OPEN(cond, other, "c");
        assert_non_null(cond);
        assert_non_null(cond_of_other);
        __atomic_store_n(&there, 0, __ATOMIC_RELAXED);
        assert_int_equal(mt_managed_cond_wait(cond, SOON), -EPERM);
        assert_int_equal(mt_managed_cond_release(cond), -EPERM);
        assert_int_equal(mt_managed_cond_acquire(cond, SOON), 0);
        assert_int_equal(mt_managed_cond_acquire(cond, SOON), -EDEADLK);
        assert_int_equal(mt_managed_cond_wait(cond, mt_after(MT_MS(20))), -ETIMEDOUT);
        assert_int_equal(mt_managed_cond_wait(cond, MT_NOWAIT), -ETIMEDOUT);
        task = spawn(give, NULL);
        assert_int_equal(wait_until_there(cond), 0);
        assert_int_equal(mt_managed_cond_release(cond), 0);
        assert_int_equal(outcome_of(task), 0);
        assert_int_equal(mt_managed_cond_notify_all(cond, SOON), 0);
        mt_managed_cond_free(cond);
        mt_managed_cond_free(cond_of_other);
        take_away("c");
    }
}

static void hold_the_condition(struct mt_manager *manager)
{
    struct mt_managed_cond *cond = mt_manager_cond(manager, "d", MT_MANAGER_OPEN | childs_flags, SOON);

    if (!cond || mt_managed_cond_acquire(cond, SOON))
        _exit(1);
}

static void conditions_whose_holder_dies(void **state)
{
    if (!owner)
        skip();
    for (int way = 0; way < 2; way++) {
        struct mt_managed_cond *cond = OPEN(cond, way, "d");
        int result;
        childs_flags = flags_of(1 - way);
        die_in(hold_the_condition, way);
        result = mt_managed_cond_acquire(cond, SOON);
        if (result == -ENOTSUP)
            skip(); /* no robust locks here */
        assert_int_equal(result, -EOWNERDEAD);
        assert_int_equal(mt_managed_cond_wait(cond, SOON), -EINVAL);
        assert_int_equal(mt_managed_cond_consistent(cond), 0);
        assert_int_equal(mt_managed_cond_wait(cond, MT_NOWAIT), -ETIMEDOUT);
        assert_int_equal(mt_managed_cond_release(cond), 0);
        mt_managed_cond_free(cond);
        take_away("d");
    }
}

/* -- Barriers ----------------------------------------------------------------------------------------------------- */

static int pass(void *barrier)
{
    return mt_managed_barrier_wait(barrier, SOON);
}

static void until_waits(struct mt_managed_barrier *barrier, int count)
{
    while (mt_managed_barrier_waiting(barrier, SOON) != count)
        usleep(1000);
}

static void barriers(void **state)
{
    EACH_WAY(way)
    EACH_WAY(other)
    {
        struct mt_managed_barrier *barrier = OPEN(barrier, way, "b", 2), *same = OPEN(barrier, other, "b", 2);
        struct mt_task *task;
        assert_non_null(barrier);
        assert_non_null(same);
        assert_int_equal(mt_managed_barrier_parties(barrier, SOON), 2);
        for (int round = 0; round < 3; round++) {
            task = spawn(pass, same);
            until_waits(barrier, 1);
            assert_int_equal(mt_managed_barrier_wait(barrier, SOON), 1);
            assert_int_equal(outcome_of(task), 0);
            assert_int_equal(mt_managed_barrier_waiting(barrier, SOON), 0);
        }
        task = spawn(pass, same);
        until_waits(barrier, 1);
        assert_int_equal(mt_managed_barrier_abort(barrier, SOON), 0);
        assert_int_equal(outcome_of(task), -ENOTRECOVERABLE);
        assert_int_equal(mt_managed_barrier_wait(barrier, SOON), -ENOTRECOVERABLE);
        assert_int_equal(mt_managed_barrier_is_broken(same, SOON), 1);
        assert_int_equal(mt_managed_barrier_reset(same, SOON), 0);
        assert_int_equal(mt_managed_barrier_is_broken(barrier, SOON), 0);
        assert_int_equal(mt_managed_barrier_wait(barrier, mt_after(MT_MS(20))), -ETIMEDOUT);
        assert_int_equal(mt_managed_barrier_is_broken(barrier, SOON), 1);
        assert_int_equal(mt_managed_barrier_reset(barrier, SOON), 0);
        task = spawn(pass, same);
        until_waits(barrier, 1);
        assert_int_equal(mt_managed_barrier_reset(barrier, SOON), 0);
        assert_int_equal(outcome_of(task), -ENOTRECOVERABLE);
        assert_int_equal(mt_managed_barrier_is_broken(barrier, SOON), 0);
        mt_managed_barrier_free(barrier);
        mt_managed_barrier_free(same);
        take_away("b");
    }
    assert_null(OPEN(barrier, 0, "none", 0));
    assert_int_equal(errno, EINVAL);
}

/* -- Read-write locks --------------------------------------------------------------------------------------------- */

static int read_it(void *rwlock)
{
    int result = mt_managed_rwlock_acquire_read(rwlock, SOON);

    return result ? result : mt_managed_rwlock_release_read(rwlock);
}

static int read_at_once(void *rwlock)
{
    int result = mt_managed_rwlock_acquire_read(rwlock, MT_NOWAIT);

    return result ? result : mt_managed_rwlock_release_read(rwlock);
}

static int write_it(void *rwlock)
{
    int result = mt_managed_rwlock_acquire_write(rwlock, SOON);

    return result ? result : mt_managed_rwlock_release_write(rwlock);
}

static int write_at_once(void *rwlock)
{
    int result = mt_managed_rwlock_acquire_write(rwlock, MT_NOWAIT);

    return result ? result : mt_managed_rwlock_release_write(rwlock);
}

static void rwlocks(void **state)
{
    EACH_WAY(way)
    EACH_WAY(other)
    {
        struct mt_managed_rwlock *rwlock = OPEN(rwlock, way, "rw"), *same = OPEN(rwlock, other, "rw");
        struct mt_task *task;
        assert_non_null(rwlock);
        assert_non_null(same);
        assert_int_equal(mt_managed_rwlock_release_read(rwlock), -EPERM);
        assert_int_equal(mt_managed_rwlock_release_write(rwlock), -EPERM);
        assert_int_equal(mt_managed_rwlock_consistent(rwlock), -EPERM);
        assert_int_equal(mt_managed_rwlock_acquire_read(rwlock, SOON), 0);
        assert_int_equal(outcome_of(spawn(read_it, same)), 0);
        assert_int_equal(outcome_of(spawn(read_it, rwlock)), 0);
        assert_int_equal(outcome_of(spawn(write_at_once, same)), -EBUSY);
        assert_int_equal(mt_managed_rwlock_release_write(rwlock), -EPERM);
        task = spawn(write_it, same);
        usleep(2000);
        assert_int_equal(mt_managed_rwlock_release_read(rwlock), 0);
        assert_int_equal(outcome_of(task), 0);
        assert_int_equal(mt_managed_rwlock_acquire_write(rwlock, SOON), 0);
        assert_int_equal(outcome_of(spawn(read_at_once, same)), -EBUSY);
        assert_int_equal(outcome_of(spawn(write_at_once, same)), -EBUSY);
        assert_int_equal(mt_managed_rwlock_consistent(rwlock), -EINVAL);
        task = spawn(read_it, same);
        usleep(2000);
        assert_int_equal(mt_managed_rwlock_release_write(rwlock), 0);
        assert_int_equal(outcome_of(task), 0);
        mt_managed_rwlock_free(rwlock);
        mt_managed_rwlock_free(same);
        take_away("rw");
    }
}

static void read_for_good(struct mt_manager *manager)
{
    struct mt_managed_rwlock *rwlock = mt_manager_rwlock(manager, "rd", MT_MANAGER_OPEN | childs_flags, SOON);

    if (!rwlock || mt_managed_rwlock_acquire_read(rwlock, SOON))
        _exit(1);
}

static void write_for_good(struct mt_manager *manager)
{
    struct mt_managed_rwlock *rwlock = mt_manager_rwlock(manager, "rd", MT_MANAGER_OPEN | childs_flags, SOON);

    if (!rwlock || mt_managed_rwlock_acquire_write(rwlock, SOON))
        _exit(1);
}

static void rwlocks_whose_users_die(void **state)
{
    for (int way = 0; way < 2; way++) {
        struct mt_managed_rwlock *rwlock = OPEN(rwlock, way, "rd");
        int result = mt_managed_rwlock_acquire_read(rwlock, SOON);
        if (result == -ENOTSUP)
            skip(); /* no robust locks here */
        assert_int_equal(result, 0);
        assert_int_equal(mt_managed_rwlock_release_read(rwlock), 0);
        childs_flags = flags_of(1 - way);
        die_in(read_for_good, way);
        assert_int_equal(mt_managed_rwlock_acquire_write(rwlock, SOON), 0); /* a reader has torn nothing */
        assert_int_equal(mt_managed_rwlock_release_write(rwlock), 0);
        die_in(write_for_good, way);
        assert_int_equal(mt_managed_rwlock_acquire_read(rwlock, SOON), -EOWNERDEAD);
        assert_int_equal(mt_managed_rwlock_release_read(rwlock), 0);
        assert_int_equal(mt_managed_rwlock_acquire_write(rwlock, SOON), -EOWNERDEAD);
        assert_int_equal(mt_managed_rwlock_consistent(rwlock), 0);
        assert_int_equal(mt_managed_rwlock_release_write(rwlock), 0);
        assert_int_equal(mt_managed_rwlock_acquire_read(rwlock, SOON), 0);
        assert_int_equal(mt_managed_rwlock_release_read(rwlock), 0);
        mt_managed_rwlock_free(rwlock);
        take_away("rd");
    }
}

/* -- Near the limits ---------------------------------------------------------------------------------------------- */

static struct mt_managed_rwlock *crowded;
static struct mt_latch reading;
static struct mt_event may_go;

static int read_until_told(void *arg)
{
    int result = mt_managed_rwlock_acquire_read(crowded, SOON);

    mt_latch_count_down(&reading, 1);
    if (result)
        return result;
    result = mt_event_wait(&may_go, SOON);
    return result ? result : mt_managed_rwlock_release_read(crowded);
}

/* As many as have a slot; one more is kept out, and so is who writes, until they have gone. */
static void rwlocks_with_all_slots_taken(void **state)
{
    EACH_WAY(way)
    {
        struct mt_task *tasks[MT__RW_SLOTS];
        crowded = OPEN(rwlock, way, "crowd");
        assert_non_null(crowded);
        mt_latch_init(&reading, MT__RW_SLOTS, NULL, 0);
        mt_event_init(&may_go, NULL, 0);
        for (int i = 0; i < MT__RW_SLOTS; i++)
            tasks[i] = spawn(read_until_told, NULL);
        assert_int_equal(mt_latch_wait(&reading, SOON), 0);
        assert_int_equal(mt_managed_rwlock_acquire_read(crowded, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_managed_rwlock_acquire_read(crowded, mt_after(MT_MS(10))), -ETIMEDOUT);
        assert_int_equal(mt_managed_rwlock_acquire_write(crowded, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_managed_rwlock_acquire_write(crowded, mt_after(MT_MS(10))), -ETIMEDOUT);
        mt_event_set(&may_go);
        assert_int_equal(mt_managed_rwlock_acquire_write(crowded, SOON), 0);
        assert_int_equal(mt_managed_rwlock_release_write(crowded), 0);
        for (int i = 0; i < MT__RW_SLOTS; i++)
            assert_int_equal(outcome_of(tasks[i]), 0);
        mt_managed_rwlock_free(crowded);
        take_away("crowd");
    }
}

/* More rounds than are remembered one by one; a barrier of one, and one that nobody can ever fill. */
static void barriers_of_few_and_many(void **state)
{
    EACH_WAY(way)
    {
        struct mt_managed_barrier *one = OPEN(barrier, way, "one", 1), *many = OPEN(barrier, way, "many", INT32_MAX);
        assert_true(one && many);
        for (int round = 0; round < 130; round++)
            assert_int_equal(mt_managed_barrier_wait(one, MT_NOWAIT), 0);
        assert_int_equal(mt_managed_barrier_parties(many, SOON), INT32_MAX);
        assert_int_equal(mt_managed_barrier_wait(many, mt_after(MT_MS(10))), -ETIMEDOUT);
        assert_int_equal(mt_managed_barrier_is_broken(many, SOON), 1);
        mt_managed_barrier_free(many);
        take_away("many");
        assert_null(OPEN(barrier, way, "more", INT32_MAX + 1u));
        assert_int_equal(errno, EINVAL);
        mt_managed_barrier_free(one);
        take_away("one");
    }
}

/* The manager's own: so many objects, of so many bytes. What was refused has left nothing behind. */
static void as_many_as_the_manager_takes(void **state)
{
    struct mt_manager *small = start_with((struct mt_manager_options){.objects = 3});
    struct mt_managed_cond *cond = mt_manager_cond(small, "c", 0, SOON);
    struct mt_managed_barrier *barrier = mt_manager_barrier(small, "b", 2, 0, SOON);
    struct mt_managed_rwlock *rwlock = mt_manager_rwlock(small, "rw", 0, SOON), *same;
    struct mt_manager_info before, after;

    assert_true(cond && barrier && rwlock);
    assert_int_equal(mt_manager_info(small, &before, SOON), 0);
    assert_null(mt_manager_cond(small, "c2", 0, SOON));
    assert_int_equal(errno, ENOSPC);
    assert_null(mt_manager_barrier(small, "b2", 2, 0, SOON));
    assert_int_equal(errno, ENOSPC);
    assert_null(mt_manager_rwlock(small, "rw2", 0, SOON));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(mt_manager_info(small, &after, SOON), 0);
    assert_int_equal(after.objects, 3);
    assert_int_equal(after.memory, before.memory);
    same = mt_manager_rwlock(small, "rw", MT_MANAGER_OPEN, SOON); /* those that are there can still be had */
    assert_non_null(same);
    mt_managed_rwlock_free(same);
    assert_int_equal(mt_manager_remove(small, "b", SOON), 0);
    same = mt_manager_rwlock(small, "rw2", 0, SOON);
    assert_non_null(same);
    mt_managed_rwlock_free(same);
    mt_managed_cond_free(cond);
    mt_managed_barrier_free(barrier);
    mt_managed_rwlock_free(rwlock);
    mt_manager_close(small);

    small = start_with((struct mt_manager_options){.memory = 1000}); /* less than one of them has */
    assert_null(mt_manager_cond(small, "c", 0, SOON));
    assert_int_equal(errno, ENOSPC);
    assert_null(mt_manager_barrier(small, "b", 2, 0, SOON));
    assert_int_equal(errno, ENOSPC);
    assert_null(mt_manager_rwlock(small, "rw", 0, SOON));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(mt_manager_info(small, &after, SOON), 0);
    assert_int_equal(after.objects, 0);
    assert_int_equal(after.memory, 0);
    mt_manager_close(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions),
        cmocka_unit_test(conditions_whose_holder_dies),
        cmocka_unit_test(barriers),
        cmocka_unit_test(rwlocks),
        cmocka_unit_test(rwlocks_whose_users_die),
        cmocka_unit_test(rwlocks_with_all_slots_taken),
        cmocka_unit_test(barriers_of_few_and_many),
        cmocka_unit_test(as_many_as_the_manager_takes),
    };

    mt_process_init();
    return cmocka_run_group_tests_name(__BASE_FILE__, tests, set_up, tear_down);
}
