/* SPDX-License-Identifier: MIT
 *
 * How processes end, who hears of it, and what others do to them.
 */
#include "process-unit.h"

#include <sched.h>
#include <sys/utsname.h>

static void until_state(struct mt_task *task, enum mt_state wanted)
{
    for (int i = 0; i < 20000 && mt_task_state(task) != wanted; i++)
        usleep(500);
    assert_int_equal(mt_task_state(task), wanted);
}

static void join_has_a_deadline(void **state)
{
    struct mt_task *task = sleeper(MT_FORK, tell_and_sleep);
    struct mt_exit ended;
    mt_deadline begin = mt_now();

    assert_int_equal(mt_task_join(task, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_task_join(task, mt_after(MT_MS(50))), -ETIMEDOUT);
    assert_true(elapsed(begin) >= 50);
    assert_int_equal(mt_task_outcome(task), -EINPROGRESS);
    assert_int_equal(mt_process_exit(task, &ended), -EINPROGRESS);
    until_state(task, MT_WAITING);
    assert_int_equal(mt_process_signal(task, SIGKILL), 0);
    assert_int_equal(mt_task_join(task, in_time()), 0);
    assert_int_equal(mt_process_exit(task, &ended), 0);
    assert_int_equal(ended.signal, SIGKILL);
    assert_int_equal(mt_process_signal(task, SIGKILL), -ESRCH);
    assert_int_equal(mt_task_kill(task), -ESRCH);
    mt_task_release(task);
}

static void killing_lets_it_clean_up(void **state)
{
    EACH(method)
    {
        struct mt_task *task = sleeper(method, tell_and_sleep);
        usleep(20000);
        assert_int_equal(mt_task_kill(task), 0);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_task_outcome(task), -ECANCELED);
        assert_string_equal(mt_task_message(task), "cleaned up");
        mt_task_release(task);
    }
}

static int tell_and_compute(void *arg)
{
    if (write(mt_process_fd(0), "", 1) != 1)
        return -EIO;
    for (volatile unsigned i = 0;; i++)
        continue;
}

/* However early: on one processor, where the child has hardly begun when its parent goes on. It comes first, so that
 * the fork server is on that one too. */
static void a_kill_at_once_is_not_lost(void **state)
{
    cpu_set_t before, one;

    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    EACH(method)
    {
        for (int i = often(30); i > 0; i--) {
            struct mt_task *task = start(sleep_long, NULL, 0, method);
            assert_int_equal(mt_task_kill(task), 0);
            assert_int_equal(mt_task_join(task, in_time()), 0);
            assert_int_equal(mt_task_outcome(task), -ECANCELED);
            mt_task_release(task);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static void a_second_kill_ends_it(void **state)
{
    struct mt_task *task = sleeper(MT_FORK, tell_and_compute);
    struct mt_exit ended;

    until_state(task, MT_RUNNING);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(mt_task_join(task, mt_after(MT_MS(100))), -ETIMEDOUT);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(mt_task_join(task, in_time()), 0);
    assert_int_equal(mt_process_exit(task, &ended), 0);
    assert_int_equal(ended.signal, SIGTERM);
    mt_task_release(task);
}

static struct mt_task *joined;

static int join_it(void *arg)
{
    return mt_task_join(joined, MT_FOREVER);
}

static void a_joiner_can_be_killed(void **state)
{
    struct mt_task *joiner;

    joined = sleeper(MT_FORK, tell_and_sleep);
    joiner = spawn(join_it, NULL);
    until_waiting(joiner, MT_WAIT_JOIN);
    assert_int_equal(mt_task_kill(joiner), 0);
    assert_int_equal(finish(joiner), -ECANCELED);
    assert_int_equal(mt_process_signal(joined, SIGKILL), 0);
    assert_int_equal(finish(joined), -ECHILD);
}

static void many_join_one(void **state)
{
    struct mt_task *joiners[8];

    joined = sleeper(MT_FORK, tell_and_sleep);
    for (int i = 0; i < 8; i++)
        joiners[i] = spawn(join_it, NULL);
    for (int i = 0; i < 8; i++)
        until_waiting(joiners[i], MT_WAIT_JOIN);
    assert_int_equal(mt_process_signal(joined, SIGKILL), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(finish(joiners[i]), 0);
    assert_int_equal(finish(joined), -ECHILD);
}

static void joinall_takes_a_mixture(void **state)
{
    struct mt_task *tasks[6];

    for (int i = 0; i < 3; i++) {
        tasks[2 * i] = start(nap, NULL, 0, methods[i]);
        tasks[2 * i + 1] = spawn(nap, NULL);
    }
    assert_int_equal(mt_joinall(tasks, 6, in_time()), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(mt_task_outcome(tasks[i]), 0);
        mt_task_release(tasks[i]);
    }
}

static void the_pidfd_says_when(void **state)
{
    struct mt_task *task = sleeper(MT_FORK, tell_and_sleep);
    struct pollfd end = {.fd = mt_process_pidfd(task), .events = POLLIN};

    assert_int_equal(poll(&end, 1, 10), 0);
    assert_int_equal(mt_process_signal(task, SIGKILL), 0);
    assert_int_equal(poll(&end, 1, 30000), 1);
    assert_false(mt_task_is_alive(task));
    assert_int_equal(finish(task), -ECHILD);
}

/* -- What others do to us ----------------------------------------------------------------------------------------- */

static int kernel_is(int major, int minor)
{
    struct utsname name;
    int has_major = 0, has_minor = 0;

    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &has_major, &has_minor) == 2 &&
           (has_major > major || (has_major == major && has_minor >= minor));
}

/* A wait for any child by somebody else takes the status: what the child reported is still there, and newer kernels
 * tell the rest. */
static void a_stolen_status(void **state)
{
    int code = -EXDEV, status = 7;
    struct mt_exit ended;
    struct mt_task *task = start(return_it, &code, sizeof code, MT_FORK);

    assert_int_equal(waitpid(mt_task_tid(task), NULL, 0), mt_task_tid(task));
    assert_int_equal(mt_task_join(task, in_time()), 0);
    assert_int_equal(mt_task_outcome(task), -EXDEV);
    mt_task_release(task);

    task = start(leave, &status, sizeof status, MT_FORK); /* one that reports nothing */
    assert_int_equal(waitpid(mt_task_tid(task), NULL, 0), mt_task_tid(task));
    assert_int_equal(mt_task_join(task, in_time()), 0);
    assert_int_equal(mt_task_outcome(task), -ECHILD);
    assert_int_equal(mt_process_exit(task, &ended), 0);
    if (kernel_is(6, 15)) {
        assert_int_equal(ended.code, 7);
        assert_int_equal(ended.signal, 0);
    } else {
        assert_non_null(strstr(mt_task_message(task), "how is not known"));
    }
    mt_task_release(task);
}

static void ignored_sigchld(void **state)
{
    int code = -EXDEV;

    signal(SIGCHLD, SIG_IGN);
    EACH(method)
    {
        struct mt_task *task = start(return_it, &code, sizeof code, method);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_task_outcome(task), -EXDEV);
        mt_task_release(task);
    }
    signal(SIGCHLD, SIG_DFL);
}

static int failures;
static char failure[MT_MESSAGE_MAX];

static void hear(struct mt_task *task, int outcome, const char *message)
{
    snprintf(failure, sizeof failure, "%s", message);
    __atomic_add_fetch(&failures, 1, __ATOMIC_RELEASE);
}

static void a_detached_failure_is_heard_of(void **state)
{
    mt_failure_fn *old = mt_failure_hook(hear);
    int pid;
    struct mt_task *task = sleeper(MT_FORK, tell_and_sleep);

    failures = 0;
    pid = mt_task_tid(task);
    mt_task_detach(task);
    kill(pid, SIGKILL);
    for (int i = 0; i < 20000 && !__atomic_load_n(&failures, __ATOMIC_ACQUIRE); i++)
        usleep(500);
    assert_int_equal(failures, 1);
    assert_non_null(strstr(failure, "signal 9"));
    for (int i = 0; i < 20000 && kill(pid, 0) == 0; i++)
        usleep(500);
    assert_int_equal(kill(pid, 0), -1); /* and no zombie stays */
    mt_failure_hook(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_at_once_is_not_lost),
        cmocka_unit_test(join_has_a_deadline),
        cmocka_unit_test(killing_lets_it_clean_up),
        cmocka_unit_test(a_second_kill_ends_it),
        cmocka_unit_test(a_joiner_can_be_killed),
        cmocka_unit_test(many_join_one),
        cmocka_unit_test(joinall_takes_a_mixture),
        cmocka_unit_test(the_pidfd_says_when),
        cmocka_unit_test(a_stolen_status),
        cmocka_unit_test(ignored_sigchld),
        cmocka_unit_test(a_detached_failure_is_heard_of),
    };

    mt_process_init();
    return RUN(tests);
}
