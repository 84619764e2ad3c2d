/* SPDX-License-Identifier: MIT
 *
 * A kill, or a time that has come, at each await of a session, or a failure of each of its system calls of a kind: the
 * first, the second, and so on until the session ends before it. Each time nothing may be lost: of the bytes, messages
 * and items that went in, each has come out or is still there; no descriptor, coroutine or memory stays behind, and no
 * lock is held. tests/loops.t runs this on each loop.
 *
 * What the session is cancel-session.c says. Each await begins with mt__wait_begin, which the linker puts a count
 * around.
 */
#include "cancel-session.h"
#include "base/sys.h"
#include "wait/wait.h"

#include <malloc.h>

/* What is done to the chosen await. */
enum how { KILL_AT_ONCE, KILL_AFTER_A_TURN, TIME_AT_ONCE, TIME_AFTER_A_TURN, CALL_FAILS };

/* Calls that fail instead, and how. */
struct failure {
    long call;
    int error;
};

/* -- The chosen await --------------------------------------------------------------------------------------------- */

static struct mt_task *killer;
static struct mt_event go = MT_EVENT_INIT_NAMED("go");
static enum how how;
static struct failure failure;
static long awaits, chosen;
static struct mt__wait *chosen_wait; /* while it lasts */
static int over;

int __real_mt__wait_begin(struct mt__wait *wait);
int __real_mt__wait_end(struct mt__wait *wait, int result);
int __wrap_mt__wait_begin(struct mt__wait *wait);
int __wrap_mt__wait_end(struct mt__wait *wait, int result);

static int is_party(const struct mt_task *task)
{
    return task && task != killer && mt_task_kind(task) == MT_COROUTINE;
}

int __wrap_mt__wait_begin(struct mt__wait *wait)
{
    int result = __real_mt__wait_begin(wait);

    if (result || !chosen || !is_party(wait->task) || ++awaits != chosen)
        return result;
    chosen_wait = wait;
    if (how == TIME_AT_ONCE)
        wait->task->limit = 1;
    else if (how == TIME_AFTER_A_TURN)
        wait->task->limit = mt_after(1000);
    else
        mt_event_set(&go);
    return 0;
}

int __wrap_mt__wait_end(struct mt__wait *wait, int result)
{
    result = __real_mt__wait_end(wait, result);
    if (wait == chosen_wait) {
        chosen_wait = NULL;
        wait->task->limit = 0;
    }
    return result;
}

static int kill_the_chosen(void *arg)
{
    int result = mt_event_wait(&go, END);

    if (!result && !over && how == KILL_AFTER_A_TURN)
        result = mt_sleep(1);
    if (!result && !over && chosen_wait)
        result = mt_task_kill(chosen_wait->task);
    return result;
}

/* -- One run ------------------------------------------------------------------------------------------------------ */

static int join(struct mt_task *task)
{
    int outcome;

    while ((outcome = mt_task_join(task, END)) != 0) /* it may be this call that fails, once */
        assert_int_not_equal(outcome, -ETIMEDOUT);
    outcome = mt_task_outcome(task);
    mt_task_release(task);
    assert_int_not_equal(outcome, -EPROTO);
    return outcome;
}

/* Whether the chosen await was reached. */
static int run(long nth)
{
    struct session session;
    struct mt_task *tasks[PARTIES];
    int failed = 0, reached;

    session_begin(&session);
    mt_event_clear(&go);
    over = 0;
    awaits = 0;
    killer = spawn_coro(kill_the_chosen, NULL);
    for (int i = 0; i < PARTIES; i++)
        tasks[i] = spawn_coro(session_parties[i], &session);
    if (how == CALL_FAILS)
        mt__sys_fail(failure.call, nth - 1, failure.error);
    else
        chosen = nth;
    for (int i = 0; i < PARTIES; i++)
        failed += join(tasks[i]) != 0;
    if (session.writer)
        failed += join(session.writer) != 0;
    reached = how == CALL_FAILS ? mt__sys_fail(-1, 0, 0) >= nth : awaits >= nth;
    chosen = 0;
    over = 1;
    mt_event_set(&go);
    join(killer);
    killer = NULL;
    session_end(&session);
    if (!reached) { /* nothing was done to it */
        assert_int_equal(failed, 0);
        assert_int_equal(session.back.received, BYTES);
        assert_int_equal(session.taken, BYTES);
    }
    return reached;
}

/* -- All runs ----------------------------------------------------------------------------------------------------- */

/* 0 where that cannot be known. */
static size_t bytes_in_use(void)
{
#if !SANITIZER && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#endif
#endif
    return 0;
}

static void keep_quiet(struct mt_task *task, int outcome, const char *message) {}

/* Returns how many there were. */
static long at_each(enum how what)
{
    mt_failure_fn *told = mt_failure_hook(keep_quiet);
    size_t tasks, bytes = 0;
    long nth = 0;
    int descriptors;

    how = what;
    assert_int_equal(run(1000000), 0); /* what is kept for later is there now */
    tasks = mt_task_count();
    descriptors = open_descriptors();
    do {
        nth++;
        if (nth == 20)
            bytes = bytes_in_use();
        if (nth % 20 == 0)
            assert_int_equal(open_descriptors(), descriptors);
        assert_true(nth < 10000);
    } while (run(nth));
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(mt_task_count(), tasks);
    if (bytes)
        assert_true(bytes_in_use() < bytes + 4096);
    mt_failure_hook(told);
    return nth - 1;
}

static void a_kill_at_each_await(void **state)
{
    assert_true(at_each(KILL_AT_ONCE) > 20);
}

static void a_kill_a_turn_after_each_await_began(void **state)
{
    assert_true(at_each(KILL_AFTER_A_TURN) > 20);
}

static void a_time_that_has_come_at_each_await(void **state)
{
    assert_true(at_each(TIME_AT_ONCE) > 20);
}

static void a_time_that_comes_during_each_await(void **state)
{
    assert_true(at_each(TIME_AFTER_A_TURN) > 20);
}

static void a_failure_of_each_call(void **state)
{
    static const struct failure failures[] = {
        {SYS_io_uring_enter, EINTR},
#ifdef SYS_epoll_pwait2
        {SYS_epoll_pwait2, EINTR},
#endif
        {SYS_epoll_pwait, EINTR},    {SYS_epoll_ctl, ENOMEM},     {SYS_recvfrom, ECONNRESET}, {SYS_sendto, EPIPE},
        {SYS_accept4, EMFILE},       {SYS_connect, ECONNREFUSED}, {MT__SYS_ALLOC, ENOMEM},
    };

    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        failure = failures[i];
        print_message("# call %ld: %ld failures\n", failure.call, at_each(CALL_FAILS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_at_each_await),
        cmocka_unit_test(a_kill_a_turn_after_each_await_began),
        cmocka_unit_test(a_time_that_has_come_at_each_await),
        cmocka_unit_test(a_time_that_comes_during_each_await),
        cmocka_unit_test(a_failure_of_each_call),
    };

    return RUN(tests);
}
