/* SPDX-License-Identifier: MIT
 *
 * Conditions with robust locks, between processes that are killed with SIGKILL: at each arranged place where something
 * is lost with them, and at random ones. See lib/sync/robust-cond.c.
 */
#include "unit.h"

#include <assert.h>
#include <linuxmt/robust.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define LONG in_time()

enum { TAKERS = 3, ROUNDS = 60 };

static struct shared {
    struct mt_robust lock;
    struct mt_cond changed;
    struct mt_event ready;
    volatile int there;        /* what is waited for */
    volatile int given, taken; /* ... how many ever were */
    volatile int half;         /* 1: somebody is between two stores that belong together */
    volatile int deaths_in_lock;
    volatile int stop;
} * s;

static void clear(void)
{
    memset(s, 0, sizeof *s);
    mt_robust_init(&s->lock, "lock", MT_SHARED);
    mt_cond_init(&s->changed, "changed", MT_SHARED);
    mt_event_init(&s->ready, "ready", MT_SHARED);
}

static int is_there(void *arg)
{
    assert(!s->half);
    return s->there > 0;
}

/* -- Who dies ----------------------------------------------------------------------------------------------------- */

static void die(void)
{
    kill(getpid(), SIGKILL);
}

static void acquire(void)
{
    if (mt_robust_acquire(&s->lock, LONG))
        _exit(1);
}

/* The waiter waits as soon as the lock can be had. */
static void give_in_halves_and_die(void)
{
    acquire();
    s->half = 1;
    s->there = 1;
    die();
}

static void give_and_die_before_notifying(void)
{
    acquire();
    s->there = 1;
    (void)mt_robust_release(&s->lock);
    die();
}

static void give_and_notify(void)
{
    acquire();
    s->there = 1;
    mt_cond_notify(&s->changed, 1);
    (void)mt_robust_release(&s->lock);
    _exit(0);
}

static void only_notify(void)
{
    acquire();
    mt_cond_notify(&s->changed, 1);
    (void)mt_robust_release(&s->lock);
    _exit(0);
}

static void break_it(void)
{
    acquire();
    die();
}

static pid_t begin(void (*body)(void))
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        body();
        _exit(2);
    }
    return pid;
}

/* 0, or minus the signal. */
static int end(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return -WTERMSIG(status);
    return WEXITSTATUS(status);
}

/* -- One after the other ------------------------------------------------------------------------------------------ */

static void what_it_refuses(void **state)
{
    clear();
    assert_int_equal(mt_cond_wait_robust(&s->changed, &s->lock, LONG), -EPERM);
    assert_int_equal(mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, LONG), -EPERM);
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), 0);
    assert_int_equal(mt_cond_wait_robust(&s->changed, &s->lock, MT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, mt_after(MT_MS(5))), -ETIMEDOUT);
    assert_int_equal(mt_robust_owner(&s->lock), gettid());
    assert_int_equal(mt_robust_release(&s->lock), 0);
    assert_int_equal(end(begin(break_it)), -SIGKILL);
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), -EOWNERDEAD);
    assert_int_equal(mt_cond_wait_robust(&s->changed, &s->lock, LONG), -EINVAL);
    assert_int_equal(mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, LONG), -EINVAL);
    assert_int_equal(mt_robust_consistent(&s->lock), 0);
    assert_int_equal(mt_robust_release(&s->lock), 0);
}

static void a_notification_comes_from_another_process(void **state)
{
    pid_t pid;

    clear();
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), 0);
    pid = begin(give_and_notify);
    assert_int_equal(mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, LONG), 0);
    assert_int_equal(mt_robust_release(&s->lock), 0);
    assert_int_equal(end(pid), 0);
    assert_int_equal(s->changed.waiters, 0);
}

static void the_lock_of_a_dead_notifier_comes_to_the_waiter(void **state)
{
    pid_t pid;

    clear();
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), 0);
    pid = begin(give_in_halves_and_die);
    assert_int_equal(mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, LONG), -EOWNERDEAD);
    assert_int_equal(s->half, 1);
    s->half = 0;
    assert_int_equal(mt_robust_consistent(&s->lock), 0);
    assert_int_equal(mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, LONG), 0);
    assert_int_equal(mt_robust_release(&s->lock), 0);
    assert_int_equal(end(pid), -SIGKILL);
}

static void a_notification_that_was_owed_is_made_good(void **state)
{
    pid_t pid;

    clear();
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), 0);
    pid = begin(give_and_die_before_notifying);
    assert_int_equal(mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, LONG), 0);
    assert_int_equal(mt_robust_release(&s->lock), 0);
    assert_int_equal(end(pid), -SIGKILL);
}

static int wait_and_break(void *arg)
{
    int result = mt_robust_acquire(&s->lock, LONG);

    if (result)
        return result;
    mt_event_set(&s->ready);
    return mt_cond_wait_for_robust(&s->changed, &s->lock, is_there, NULL, LONG);
}

static void nobody_gets_a_lock_that_is_broken(void **state)
{
    struct mt_task *waiter;
    int outcome;

    clear();
    waiter = spawn(wait_and_break, NULL);
    assert_int_equal(mt_event_wait(&s->ready, LONG), 0);
    assert_int_equal(end(begin(break_it)), -SIGKILL);
    /* from the child; or from the waiter, which was first, and has ended with it */
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), -EOWNERDEAD);
    assert_int_equal(mt_robust_release(&s->lock), 0);
    outcome = finish(waiter);
    assert_true(outcome == -ENOTRECOVERABLE || outcome == -EOWNERDEAD);
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), -ENOTRECOVERABLE);
}

static void a_killed_task_has_the_lock_afterwards(void **state)
{
    struct mt_task *waiter;

    clear();
    waiter = spawn(wait_and_break, NULL);
    until_waiting(waiter, MT_WAIT_COND);
    assert_int_equal(mt_task_kill(waiter), 0);
    assert_int_equal(finish(waiter), -ECANCELED);
    assert_int_equal(mt_robust_acquire(&s->lock, LONG), -EOWNERDEAD); /* it ended holding it */
    assert_int_equal(mt_robust_consistent(&s->lock), 0);
    assert_int_equal(mt_robust_release(&s->lock), 0);
    assert_int_equal(end(begin(only_notify)), 0);
}

/* -- At any moment ------------------------------------------------------------------------------------------------ */

static int mend(int result)
{
    if (result != -EOWNERDEAD)
        return result;
    s->deaths_in_lock++;
    s->taken = s->given - s->there; /* given and there are changed first */
    s->half = 0;
    return mt_robust_consistent(&s->lock);
}

static void take_for_ever(void)
{
    for (;;) {
        int result = mend(mt_robust_acquire(&s->lock, LONG));
        while (!result && !s->there && !s->stop)
            result = mend(mt_cond_wait_robust(&s->changed, &s->lock, LONG));
        if (result || s->half)
            _exit(3);
        if (!s->there)
            break;
        s->half = 1;
        if (s->given % 3 == 0)
            usleep(100); /* so that the killer comes by */
        s->there--;
        s->taken++;
        s->half = 0;
        if (mt_robust_release(&s->lock))
            _exit(4);
    }
    (void)mt_robust_release(&s->lock);
    _exit(0);
}

/* Gives one, tells one of them, and kills another; then what was given must be taken by those who live. */
static void takers_die_at_any_moment(void **state)
{
    pid_t pids[TAKERS];
    int killed = 0;
    mt_deadline end_of_all = LONG;

    clear();
    for (int i = 0; i < TAKERS; i++)
        pids[i] = begin(take_for_ever);
    for (int round = 0; round < ROUNDS; round++) {
        int victim = round % TAKERS, status;
        assert_int_equal(mend(mt_robust_acquire(&s->lock, LONG)), 0);
        s->given++;
        s->there++;
        mt_cond_notify(&s->changed, 1);
        assert_int_equal(mt_robust_release(&s->lock), 0);
        if (round % 4)
            usleep((useconds_t)(round * 37 % 150));
        kill(pids[victim], SIGKILL);
        status = end(pids[victim]);
        assert_int_equal(status, -SIGKILL);
        killed++;
        pids[victim] = begin(take_for_ever);
    }
    while (s->there && mt_now() < end_of_all)
        usleep(1000);
    assert_int_equal(mend(mt_robust_acquire(&s->lock, LONG)), 0);
    s->stop = 1;
    mt_cond_notify_all(&s->changed);
    assert_int_equal(mt_robust_release(&s->lock), 0);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(end(pids[i]), 0);
    print_message("%d killed, %d of them with the lock: given %d = taken %d + left %d\n", killed, s->deaths_in_lock,
                  s->given, s->taken, s->there);
    assert_int_equal(s->there, 0);
    assert_int_equal(s->given, s->taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_refuses),
        cmocka_unit_test(a_notification_comes_from_another_process),
        cmocka_unit_test(the_lock_of_a_dead_notifier_comes_to_the_waiter),
        cmocka_unit_test(a_notification_that_was_owed_is_made_good),
        cmocka_unit_test(nobody_gets_a_lock_that_is_broken),
        cmocka_unit_test(a_killed_task_has_the_lock_afterwards),
        cmocka_unit_test(takers_die_at_any_moment),
    };
    struct mt_robust probe;

    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return 1;
    mt_robust_init(&probe, "probe", 0);
    if (mt_robust_acquire(&probe, MT_NOWAIT) == -ENOTSUP) {
        puts("1..0 # SKIP no robust list to be had here");
        return 0;
    }
    (void)mt_robust_release(&probe);
    return RUN(tests);
}
