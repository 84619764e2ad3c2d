/* SPDX-License-Identifier: MIT
 *
 * Coroutines by themselves: turns, ends, times, what a switch keeps. tests/loops.t runs this on each loop.
 */
#include "hub.h"
#include "base/sys.h"

#include <fenv.h>

static char trace[256];

/* -- Turns -------------------------------------------------------------------------------------------------------- */

static int tell_twice(void *arg)
{
    for (int i = 0; i < 2; i++) {
        strcat(trace, arg);
        if (mt_coro_yield())
            return -ECANCELED;
    }
    return 0;
}

static void they_take_turns(void **state)
{
    struct mt_task *tasks[3];

    trace[0] = 0;
    tasks[0] = spawn_coro(tell_twice, "a");
    tasks[1] = spawn_coro(tell_twice, "b");
    tasks[2] = spawn_coro(tell_twice, "c");
    assert_string_equal(trace, ""); /* nobody runs before somebody waits */
    assert_int_equal(mt_joinall(tasks, 3, MT_FOREVER), 0);
    assert_string_equal(trace, "abcabc");
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

struct sleeper {
    int milliseconds;
    char letter[2];
};

static mt_deadline latest; /* when the last one to wake was to wake */
static int too_late;       /* how many woke after one that was to wake later */

static int sleep_and_tell(void *arg)
{
    struct sleeper *sleeper = arg;
    mt_deadline until = mt_after(MT_MS(sleeper->milliseconds)); /* not all begin at the same time */
    int result = mt_sleep(MT_MS(sleeper->milliseconds));

    too_late += until < latest;
    latest = until;
    strcat(trace, sleeper->letter);
    return result;
}

static void sleepers_wake_in_order_of_time(void **state)
{
    struct sleeper sleepers[] = {{60, "c"}, {20, "a"}, {40, "b"}, {80, "d"}};
    struct mt_task *tasks[4];
    mt_deadline start = mt_now();

    trace[0] = 0;
    latest = 0;
    too_late = 0;
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn_coro(sleep_and_tell, &sleepers[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(strlen(trace), 4);
    assert_int_equal(too_late, 0);
    assert_between(elapsed(start), 80, 60000); /* side by side */
}

static void one_may_start_later(void **state)
{
    mt_deadline start = mt_now();
    struct sleeper sleeper = {0, "l"};
    struct mt_task *later = mt_coro_spawn_later(MT_MS(30), sleep_and_tell, &sleeper, NULL), *never;

    trace[0] = 0;
    assert_non_null(later);
    assert_int_equal(finish(later), 0);
    assert_between(elapsed(start), 30, 60000);
    assert_string_equal(trace, "l");
    never = mt_coro_spawn_later(MT_SEC(1000), sleep_and_tell, &sleeper, NULL);
    assert_int_equal(mt_task_kill(never), 0);
    assert_int_equal(finish(never), -ECANCELED);
    assert_string_equal(trace, "l");
}

/* -- As a task ---------------------------------------------------------------------------------------------------- */

static int fail_with_words(void *arg)
{
    return mt_fail(-EIO, "disk %s is gone", (const char *)arg);
}

static void outcome_and_message_come_back(void **state)
{
    struct mt_task *task = mt_coro_spawn(fail_with_words, "seven", &(struct mt_coro_options){.name = "reader"});

    assert_int_equal(mt_task_kind(task), MT_COROUTINE);
    assert_string_equal(mt_task_name(task), "reader");
    assert_int_equal(mt_task_tid(task), gettid());
    assert_int_equal(mt_task_state(task), MT_READY);
    assert_int_equal(mt_task_outcome(task), -EINPROGRESS);
    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    assert_int_equal(mt_task_state(task), MT_DEAD);
    assert_int_equal(mt_task_outcome(task), -EIO);
    assert_string_equal(mt_task_message(task), "disk seven is gone");
    assert_int_equal(mt_task_kill(task), -ESRCH);
    mt_task_release(task);
    task = spawn_coro(fail_with_words, "x");
    assert_memory_equal(mt_task_name(task), "coroutine-", 10);
    assert_int_equal(finish(task), -EIO);
}

static int know_yourself(void *arg)
{
    struct mt_task **self = arg;

    return *self == mt_task_current() ? 0 : -ESRCH;
}

static void current_is_the_one_that_runs(void **state)
{
    struct mt_task *task, *main_task = mt_task_current();

    task = spawn_coro(know_yourself, &task);
    assert_int_equal(finish(task), 0);
    assert_ptr_equal(mt_task_current(), main_task);
}

static int join_other(void *arg)
{
    struct mt_task **other = arg;

    return mt_task_join(*other, MT_FOREVER);
}

static void joins(void **state)
{
    struct sleeper sleeper = {20, "s"};
    struct mt_task *slow = spawn_coro(sleep_and_tell, &sleeper), *joiners[3], *thread, *self;

    assert_int_equal(mt_task_join(slow, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_task_join(slow, mt_after(MT_MS(1))), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        joiners[i] = spawn_coro(join_other, &slow);
    thread = spawn(join_other, &slow);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(joiners[i]), 0);
    assert_int_equal(finish(thread), 0);
    assert_int_equal(finish(slow), 0);
    self = spawn_coro(join_other, &self);
    assert_int_equal(finish(self), -EDEADLK);
}

static int nothing(void *arg)
{
    return 0;
}

static void a_handle_may_go_at_any_time(void **state)
{
    for (int i = 0; i < (SANITIZER ? 50 : 1000); i++)
        mt_task_detach(spawn_coro(nothing, NULL));
    assert_int_equal(mt_sleep(MT_MS(1)), 0);
    for (int i = 0; i < (SANITIZER ? 50 : 1000); i++)
        assert_int_equal(finish(spawn_coro(nothing, NULL)), 0);
}

/* -- What a switch keeps ------------------------------------------------------------------------------------------ */

static int keep_errno(void *arg)
{
    for (int i = 0; i < 100; i++) {
        errno = (int)(intptr_t)arg;
        if (mt_coro_yield() || errno != (int)(intptr_t)arg)
            return -EIO;
    }
    return 0;
}

static int keep_rounding(void *arg)
{
    volatile double one = 1, three = 3;
    int mode = (int)(intptr_t)arg;
    double first;

    fesetround(mode);
    first = one / three;
    for (int i = 0; i < 100; i++)
        if (mt_coro_yield() || fegetround() != mode || one / three != first)
            return -EIO;
    return 0;
}

static void a_switch_keeps_errno_and_rounding(void **state)
{
    struct mt_task *tasks[] = {spawn_coro(keep_errno, (void *)3), spawn_coro(keep_errno, (void *)4),
                               spawn_coro(keep_rounding, (void *)FE_UPWARD),
                               spawn_coro(keep_rounding, (void *)FE_DOWNWARD)};

    errno = 9;
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
}

/* -- Failures ----------------------------------------------------------------------------------------------------- */

static int first_in_a_thread(void *arg)
{
    struct mt_task *task = mt_coro_spawn(nothing, NULL, NULL);
    int result = task ? mt_task_join(task, in_time()) : -errno;

    if (task)
        mt_task_release(task);
    return result;
}

static void the_nth_call_fails(long nr, int error)
{
    for (long n = 0, seen = 1; seen > n && n < 20; n++) {
        struct mt_task *thread = spawn(first_in_a_thread, NULL);
        int result;
        mt__sys_fail(nr, n, error);
        result = finish(thread);
        seen = mt__sys_fail(-1, 0, 0);
        assert_true(result == 0 || result == -error || result == -ENOMEM);
    }
}

static void calls_that_fail(void **state)
{
    the_nth_call_fails(SYS_eventfd2, EMFILE);
    the_nth_call_fails(SYS_epoll_create1, EMFILE);
    the_nth_call_fails(SYS_epoll_ctl, ENOSPC);
    the_nth_call_fails(SYS_io_uring_setup, ENOMEM);
    the_nth_call_fails(SYS_io_uring_enter, EINTR);
    the_nth_call_fails(SYS_mmap, ENOMEM);
    assert_int_equal(finish(spawn(first_in_a_thread, NULL)), 0);
}

/* -- Many --------------------------------------------------------------------------------------------------------- */

static int wait_and_count(void *arg)
{
    int result = mt_sleep(MT_MS(50));

    ++*(int *)arg;
    return result;
}

static void many_sleepers(void **state)
{
    enum { COUNT = SANITIZER ? 100 : 20000 }; /* TSan takes long to make a fiber */
    static struct mt_task *tasks[COUNT];
    int count = 0;

    for (int i = 0; i < COUNT; i++)
        tasks[i] = spawn_coro(wait_and_count, &count);
    assert_int_equal(mt_joinall(tasks, COUNT, in_time()), 0);
    assert_int_equal(count, COUNT);
    for (int i = 0; i < COUNT; i++)
        mt_task_release(tasks[i]);
}

static int sleep_long(void *arg)
{
    return mt_sleep(MT_SEC(1000));
}

static void the_hub_can_be_printed(void **state)
{
    char text[1024] = "";
    int pipes[2];
    struct mt_task *task = mt_coro_spawn(sleep_long, NULL, &(struct mt_coro_options){.name = "printed"});

    mt_coro_yield();
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(mt_hub_print(pipes[1]), 0);
    assert_true(read(pipes[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, mt_loop_name()));
    assert_non_null(strstr(text, "printed"));
    assert_non_null(strstr(text, "waiting on sleep"));
    assert_int_equal(mt_hub_print(-1), -EBADF);
    mt_task_kill(task);
    assert_int_equal(finish(task), -ECANCELED);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_take_turns),
        cmocka_unit_test(sleepers_wake_in_order_of_time),
        cmocka_unit_test(one_may_start_later),
        cmocka_unit_test(outcome_and_message_come_back),
        cmocka_unit_test(current_is_the_one_that_runs),
        cmocka_unit_test(joins),
        cmocka_unit_test(a_handle_may_go_at_any_time),
        cmocka_unit_test(a_switch_keeps_errno_and_rounding),
        cmocka_unit_test(calls_that_fail),
        cmocka_unit_test(many_sleepers),
        cmocka_unit_test(the_hub_can_be_printed),
    };

    return RUN(tests);
}
