/* SPDX-License-Identifier: MIT
 *
 * Errors that the pages list and that need some arranging: no memory, mostly. The rest are in the tests of their nouns,
 * and -ECANCELED of every wait in place.c.
 */
#include "unit.h"
#include "base/sys.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

static struct mt_lock lock = MT_LOCK_INIT, another = MT_LOCK_INIT;
static struct mt_rlock rlock = MT_RLOCK_INIT;
static struct mt_rwlock rwlock = MT_RWLOCK_INIT, free_rwlock = MT_RWLOCK_INIT;
static struct mt_sem sem = MT_SEM_INIT(0);
static struct mt_event event = MT_EVENT_INIT;
static struct mt_latch latch = MT_LATCH_INIT(1);
static struct mt_once once = MT_ONCE_INIT;
static struct mt_local local = MT_LOCAL_INIT(NULL);
static struct mt_task *other;

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

/* -- In a thread that is new to the library, when there is no memory for its task -----------------------------------
 */

static int current(void)
{
    return mt_task_current() ? 0 : -errno;
}

static int spawned(void)
{
    struct mt_task *task = mt_thread_spawn(succeed, NULL, NULL);

    mt_task_release(task);
    return task ? 0 : -errno;
}

static int acquire_any(void)
{
    struct mt_lock *list[] = {&lock, &another};

    return mt_lock_acquire_any(list, 2, MT_FOREVER);
}

#define NEWCOMERS(X)                                    \
    X(current())                                        \
    X(spawned())                                        \
    X(acquire_any())                                    \
    X(mt_lock_acquire(&lock, MT_FOREVER))               \
    X(mt_rlock_acquire(&rlock, MT_FOREVER))             \
    X(mt_rwlock_acquire_read(&rwlock, MT_FOREVER))      \
    X(mt_rwlock_acquire_write(&free_rwlock, MT_NOWAIT)) \
    X(mt_sem_acquire(&sem, MT_FOREVER))                 \
    X(mt_event_wait(&event, MT_FOREVER))                \
    X(mt_latch_wait(&latch, MT_FOREVER))                \
    X(mt_once(&once, succeed, NULL, MT_FOREVER))        \
    X(mt_task_join(other, MT_FOREVER))                  \
    X(mt_joinall(&other, 1, MT_FOREVER))                \
    X(mt_joinall_threads(MT_FOREVER))                   \
    X(mt_local_set(&local, &local))                     \
    X(mt_sleep(MT_MS(1)))

static int call_number(int number)
{
    int at = 0;

#define CALL(call)      \
    if (at++ == number) \
        return call;
    NEWCOMERS(CALL)
    return 1;
}

static const char *const texts[] = {
#define TEXT(call) #call,
    NEWCOMERS(TEXT)};

struct newcomer {
    int number, result;
};

static void *arrive(void *arg)
{
    struct newcomer *newcomer = arg;

    newcomer->result = call_number(newcomer->number);
    return NULL;
}

static int wait_for_event(void *arg)
{
    return mt_event_wait(arg, MT_FOREVER);
}

static void newcomers_without_memory(void **state)
{
    struct newcomer newcomer = {0, 0};

    other = spawn(wait_for_event, &event);
    until_waiting(other, MT_WAIT_EVENT);
    assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
    assert_int_equal(mt_lock_acquire(&another, MT_FOREVER), 0);
    assert_int_equal(mt_rlock_acquire(&rlock, MT_FOREVER), 0);
    assert_int_equal(mt_rwlock_acquire_write(&rwlock, MT_FOREVER), 0);
    for (; newcomer.number < (int)(sizeof texts / sizeof *texts); newcomer.number++) {
        pthread_t thread;
        mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
        assert_int_equal(pthread_create(&thread, NULL, arrive, &newcomer), 0);
        pthread_join(thread, NULL);
        mt__sys_fail(-1, 0, 0);
        if (newcomer.result != -ENOMEM)
            fail_msg("%s returned %d", texts[newcomer.number], newcomer.result);
    }
    mt_event_set(&event);
    assert_int_equal(finish(other), 0);
    assert_int_equal(mt_lock_release(&lock), 0);
    assert_int_equal(mt_lock_release(&another), 0);
    assert_int_equal(mt_rlock_release(&rlock), 0);
    assert_int_equal(mt_rwlock_release_write(&rwlock), 0);
}

/* -- Tables that cannot be made ----------------------------------------------------------------------------------- */

static void banks_without_memory(void **state)
{
    const uint32_t total[] = {3}, one[] = {1};
    struct mt_banker *banker;
    int sequence[4];

    for (long skip = 0; skip < 2; skip++) {
        mt__sys_fail(MT__SYS_ALLOC, skip, ENOMEM);
        errno = 0;
        assert_null(mt_banker_new(1, total));
        assert_int_equal(errno, ENOMEM);
        mt__sys_fail(-1, 0, 0);
    }
    banker = mt_banker_new(1, total);
    assert_non_null(banker);
    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
    assert_int_equal(mt_banker_join(banker, total), -ENOMEM);
    mt__sys_fail(-1, 0, 0);
    assert_int_equal(mt_banker_join(banker, total), 0);
    for (int i = 0; i < 3; i++) {
        mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
        assert_int_equal(i == 0   ? mt_banker_request(banker, 0, one, MT_FOREVER)
                         : i == 1 ? mt_banker_is_safe(banker, sequence, 4)
                                  : mt_banker_would_be_safe(banker, 0, one),
                         -ENOMEM);
        mt__sys_fail(-1, 0, 0);
    }
    assert_int_equal(mt_banker_request(banker, 0, total, MT_NOWAIT), 0); /* nothing was taken */
    mt_banker_free(banker);
}

static void locals_without_memory(void **state)
{
    static struct mt_local mine = MT_LOCAL_INIT(NULL);

    assert_non_null(mt_task_current());
    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
    assert_int_equal(mt_local_set(&mine, &mine), -ENOMEM);
    mt__sys_fail(-1, 0, 0);
    assert_null(mt_local_get(&mine));
}

static void the_order_without_memory(void **state)
{
    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
    mt_lockorder_policy(MT_LOCKORDER_REPORT);
    mt__sys_fail(-1, 0, 0);
    assert_int_equal(mt_lockorder_policy(MT_LOCKORDER_OFF), MT_LOCKORDER_OFF);
}

static void kernel_without_memory(void **state)
{
    struct mt_pilock pilock = {.word = (uint32_t)getppid()};

    if (mt_pilock_acquire(&pilock, MT_NOWAIT) == -ENOTSUP)
        return; /* in an emulator */
    mt__sys_fail(SYS_futex, 0, ENOMEM);
    assert_int_equal(mt_pilock_acquire(&pilock, in_time()), -ENOMEM);
    mt__sys_fail(-1, 0, 0);
}

/* -- Others ------------------------------------------------------------------------------------------------------- */

static void conditions_and_recursive_locks(void **state)
{
    struct mt_rlock again = MT_RLOCK_INIT;
    struct mt_cond cond = MT_COND_INIT;

    assert_int_equal(mt_rlock_acquire(&again, MT_FOREVER), 0);
    assert_int_equal(mt_cond_wait_rlock(&cond, &again, mt_after(MT_MS(2))), -ETIMEDOUT);
    assert_int_equal(again.depth, 1);
    assert_int_equal(mt_task_kill(mt_task_current()), 0);
    assert_int_equal(mt_cond_wait_rlock(&cond, &again, MT_FOREVER), -ECANCELED);
    assert_int_equal(again.depth, 1);
    assert_int_equal(mt_rlock_release(&again), 0);
}

struct pair {
    struct mt_rlock one, other;
    struct mt_event ready;
};

static int the_other_way(void *arg)
{
    struct pair *pair = arg;
    int result = mt_rlock_acquire(&pair->other, MT_FOREVER);

    if (result)
        return result;
    mt_event_set(&pair->ready);
    result = mt_rlock_acquire(&pair->one, in_time());
    mt_rlock_release(&pair->other);
    return result ? result : mt_rlock_release(&pair->one);
}

static void swallow(const char *report)
{
    (void)report;
}

static void recursive_locks_in_a_circle(void **state)
{
    struct pair pair = {MT_RLOCK_INIT, MT_RLOCK_INIT, MT_EVENT_INIT};
    struct mt_task *task;
    int mine;

    mt_deadlock_hook(swallow);
    assert_int_equal(mt_rlock_acquire(&pair.one, MT_FOREVER), 0);
    task = spawn(the_other_way, &pair);
    assert_int_equal(mt_event_wait(&pair.ready, MT_FOREVER), 0);
    mine = mt_rlock_acquire(&pair.other, in_time());
    if (!mine)
        mt_rlock_release(&pair.other);
    assert_int_equal(mt_rlock_release(&pair.one), 0);
    assert_int_equal((mine == -EDEADLK) + (finish(task) == -EDEADLK), 1);
    mt_deadlock_hook(NULL);
}

static void all_threads_in_time(void **state)
{
    struct mt_event enough = MT_EVENT_INIT;
    struct mt_task *task = spawn(wait_for_event, &enough);

    assert_int_equal(mt_joinall_threads(mt_after(MT_MS(2))), -ETIMEDOUT);
    assert_int_equal(mt_joinall_threads(MT_NOWAIT), -EBUSY);
    mt_event_set(&enough);
    assert_int_equal(finish(task), 0);
}

/* In a process of its own, which gives up its privileges. */
static int without_privilege(void)
{
    const struct mt_thread_options hasty = {.nice = -5}, real_time = {.policy = SCHED_FIFO, .priority = 1};

    if (!geteuid() && setuid(65534))
        return 1;
    if (mt_thread_spawn(succeed, NULL, &hasty) || errno != EPERM)
        return 2;
    return mt_thread_spawn(succeed, NULL, &real_time) || errno != EPERM ? 3 : 0;
}

static void settings_that_are_refused(void **state)
{
    const struct mt_thread_options nowhere = {.cpus = (const void *)1, .cpus_size = sizeof(cpu_set_t)};
    int status;
    pid_t child;

    errno = 0;
    assert_null(mt_thread_spawn(succeed, NULL, &nowhere));
    assert_int_equal(errno, EFAULT);
    child = fork();
    if (!child)
        _exit(without_privilege());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newcomers_without_memory),
        cmocka_unit_test(banks_without_memory),
        cmocka_unit_test(locals_without_memory),
        cmocka_unit_test(the_order_without_memory),
        cmocka_unit_test(kernel_without_memory),
        cmocka_unit_test(recursive_locks_in_a_circle),
        cmocka_unit_test(all_threads_in_time),
        cmocka_unit_test(settings_that_are_refused),
        cmocka_unit_test(conditions_and_recursive_locks), /* the last: it is killed */
    };
    return RUN(tests);
}
