/* SPDX-License-Identifier: MIT
 *
 * All that is acquired and awaited in memory, by a crowd of coroutines of two hubs and of threads without one at once:
 * nothing is held by two, and all come through. tests/loops.t runs this on each loop.
 */
#include "unit.h"

#define CROWD 10 /* coroutines in each of two hubs */

static mt_deadline soon(void)
{
    return in_time();
}

/* Runs body in CROWD coroutines of this thread, as many of another one, and two threads without a hub. */
struct crowd {
    mt_fn *body;
    void *arg;
};

static int run_crowd(void *arg)
{
    struct crowd *crowd = arg;
    struct mt_task *tasks[CROWD];
    int result = 0;

    for (int i = 0; i < CROWD; i++)
        if (!(tasks[i] = mt_coro_spawn(crowd->body, crowd->arg, NULL)))
            return -errno;
    for (int i = 0; i < CROWD; i++) {
        if (mt_task_join(tasks[i], soon()))
            result = -ETIMEDOUT;
        else if (mt_task_outcome(tasks[i]))
            result = mt_task_outcome(tasks[i]);
        mt_task_release(tasks[i]);
    }
    return result;
}

static void all_together(mt_fn *body, void *arg)
{
    struct crowd crowd = {body, arg};
    struct mt_task *others[] = {spawn(run_crowd, &crowd), spawn(body, arg), spawn(body, arg)};

    assert_int_equal(run_crowd(&crowd), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(others[i]), 0);
}

#define BODIES (2 * CROWD + 2)

/* -- Locks -------------------------------------------------------------------------------------------------------- */

struct shared {
    struct mt_lock lock;
    struct mt_rlock rlock;
    struct mt_robust robust;
    struct mt_pilock pilock;
    struct mt_rwlock rwlock;
    struct mt_sem sem;
    struct mt_cond cond;
    struct mt_event event;
    struct mt_barrier barrier;
    long count;
    int turn;
};

enum { ROUNDS = SANITIZER ? 100 : 500 };

static void change_it(struct shared *shared, int round)
{
    long count = shared->count;

    if (round % 7 == 0)
        mt_coro_yield(); /* holding it: the others have to wait */
    shared->count = count + 1;
}

static int by_lock(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        int result = mt_lock_acquire(&shared->lock, soon());
        if (result)
            return result;
        change_it(shared, i);
        if (mt_lock_release(&shared->lock))
            return -EPERM;
    }
    return 0;
}

static int by_rlock(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (mt_rlock_acquire(&shared->rlock, soon()) || mt_rlock_acquire(&shared->rlock, soon()))
            return -EIO;
        change_it(shared, i);
        if (mt_rlock_release(&shared->rlock) || mt_rlock_release(&shared->rlock))
            return -EPERM;
    }
    return 0;
}

static int by_robust(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < 20; i++) {
        int result = mt_robust_acquire(&shared->robust, soon());
        if (result)
            return result;
        change_it(shared, i);
        if (mt_robust_release(&shared->robust))
            return -EPERM;
    }
    return 0;
}

static int by_pilock(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < 20; i++) {
        int result = mt_pilock_acquire(&shared->pilock, soon());
        if (result)
            return result;
        change_it(shared, i);
        if (mt_pilock_release(&shared->pilock))
            return -EPERM;
    }
    return 0;
}

static int by_rwlock(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (mt_rwlock_acquire_read(&shared->rwlock, soon()))
            return -EIO;
        if (i % 7 == 0)
            mt_coro_yield();
        if (mt_rwlock_release_read(&shared->rwlock) || mt_rwlock_acquire_write(&shared->rwlock, soon()))
            return -EIO;
        change_it(shared, i);
        if (mt_rwlock_release_write(&shared->rwlock))
            return -EIO;
    }
    return 0;
}

static int by_sem(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (mt_sem_acquire(&shared->sem, soon()))
            return -EIO;
        change_it(shared, i);
        if (mt_sem_release(&shared->sem, 1))
            return -EIO;
    }
    return 0;
}

static void locks(void **state)
{
    static struct shared shared = {.lock = MT_LOCK_INIT,
                                   .rlock = MT_RLOCK_INIT,
                                   .rwlock = MT_RWLOCK_INIT,
                                   .sem = MT_SEM_INIT(1),
                                   .robust = MT_ROBUST_INIT,
                                   .pilock = MT_PILOCK_INIT};
    struct {
        mt_fn *body;
        int rounds;
    } kinds[] = {{by_lock, ROUNDS}, {by_rlock, ROUNDS}, {by_rwlock, ROUNDS},
                 {by_sem, ROUNDS},  {by_robust, 20},    {by_pilock, 20}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        shared.count = 0;
        all_together(kinds[i].body, &shared);
        assert_int_equal(shared.count, BODIES * kinds[i].rounds);
    }
}

static int take_turns(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < 50; i++) {
        int mine, result = mt_lock_acquire(&shared->lock, soon());
        if (result)
            return result;
        mine = shared->turn + 1 + i % 3;
        while (shared->turn < mine && shared->count < BODIES * 40 && !result)
            result = mt_cond_wait(&shared->cond, &shared->lock, mt_after(MT_MS(2)));
        shared->turn++;
        shared->count++;
        mt_cond_notify_all(&shared->cond);
        if (mt_lock_release(&shared->lock))
            return -EPERM;
        if (result && result != -ETIMEDOUT)
            return result;
    }
    return 0;
}

static int meet(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < 30; i++) {
        int result = mt_barrier_wait(&shared->barrier, soon());
        if (result < 0)
            return result;
    }
    return 0;
}

static void conditions_and_barriers(void **state)
{
    static struct shared shared = {.lock = MT_LOCK_INIT, .cond = MT_COND_INIT};

    all_together(take_turns, &shared);
    assert_int_equal(shared.count, BODIES * 50);
    assert_int_equal(mt_barrier_init(&shared.barrier, BODIES, NULL, NULL, NULL, 0), 0);
    all_together(meet, &shared);
}

static int any_of_two(void *arg)
{
    struct mt_lock **locks = arg;
    int which = mt_lock_acquire_any(locks, 2, soon());

    return which < 0 ? which : mt_lock_release(locks[which]) ? -EPERM : which;
}

static void any_of_several_locks(void **state)
{
    struct mt_lock locks[2] = {MT_LOCK_INIT, MT_LOCK_INIT}, *pointers[2] = {&locks[0], &locks[1]};
    struct mt_task *task;

    assert_int_equal(mt_lock_acquire(&locks[0], MT_FOREVER), 0);
    assert_int_equal(mt_lock_acquire(&locks[1], MT_FOREVER), 0);
    task = mt_coro_spawn(any_of_two, pointers, NULL);
    mt_coro_yield();
    assert_int_equal(mt_task_state(task), MT_WAITING);
    assert_int_equal(mt_lock_release(&locks[1]), 0);
    assert_int_equal(mt_task_join(task, soon()), 0);
    assert_int_equal(mt_task_outcome(task), 1);
    mt_task_release(task);
    assert_int_equal(mt_lock_release(&locks[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks),
        cmocka_unit_test(conditions_and_barriers),
        cmocka_unit_test(any_of_several_locks),
    };

    mt_process_init();
    return RUN(tests);
}
