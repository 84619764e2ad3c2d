/* SPDX-License-Identifier: MIT
 *
 * Forks, in the midst of hubs and coroutines. tests/loops.t runs this on each loop.
 */
#include "coro-child.h"

static int child_has_a_hub_of_its_own(void)
{
    struct mt_task *tasks[10];

    if (mt_sleep(MT_MS(5)))
        return 1;
    for (int i = 0; i < 10; i++)
        if (!(tasks[i] = mt_coro_spawn(nothing, NULL, NULL)))
            return 2;
    return mt_joinall(tasks, 10, in_time()) ? 3 : 0;
}

static int fork_within(void *arg)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(child_has_a_hub_of_its_own());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static void a_forks_child_can_use_its_hub(void **state)
{
    struct mt_task *other;

    if (forks_child_has_no_hub())
        skip();
    other = spawn_coro(sleep_long, NULL);
    mt_coro_yield();
    assert_int_equal(fork_within(NULL), 0);
    assert_int_equal(finish(spawn_coro(fork_within, NULL)), 0);
    assert_int_equal(mt_task_kill(other), 0);
    assert_int_equal(finish(other), -ECANCELED);
}

static struct mt_channel gifts;
static int fork_outcome;

static int take_a_gift(void *arg)
{
    int gift, result = mt_channel_get(&gifts, &gift, MT_FOREVER);

    if (getpid() != *(pid_t *)arg)
        _exit(99); /* it is the parent's */
    return result;
}

/* Who joins it, and who waits for it at a channel, the hub knows otherwise than others. */
static int fork_and_meet(void *arg)
{
    int gift = 1, status;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(60);
        if (arg && mt_channel_put(&gifts, &gift, mt_after(MT_MS(1))) == -ECANCELED)
            _exit(98);
        if (mt_sleep(MT_MS(1)))
            _exit(97);
        if (SANITIZER)
            _exit(fork_outcome); /* at an exit they would count what the test's first stack holds as lost */
        return fork_outcome;
    }
    if (mt_channel_put(&gifts, &gift, MT_FOREVER) || waitpid(pid, &status, 0) != pid)
        return -EIO;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static int fork_and_join(void *arg)
{
    return finish(mt_coro_spawn(fork_and_meet, arg, NULL));
}

/* And its process ends when it returns, as with the return of a process's last thread. */
static void a_forks_child_has_none_of_the_others(void **state)
{
    pid_t self = getpid();
    struct mt_task *taker;

    if (forks_child_has_no_hub())
        skip();
    mt_channel_init(&gifts, sizeof(int), "gifts");
    for (int i = 0; i < 4; i++) {
        fork_outcome = i / 2;
        taker = spawn_coro(take_a_gift, &self);
        mt_coro_yield();
        assert_int_equal(finish(spawn_coro(fork_and_join, i % 2 ? &gifts : NULL)), fork_outcome);
        assert_int_equal(finish(taker), 0);
    }
}

/* What it has of coroutines that had ended before. */
static int child_releases(struct mt_task *ended)
{
    struct mt_task *task;

    mt_task_release(ended);
    task = mt_coro_spawn(nothing, NULL, NULL);
    return !task || mt_task_join(task, MT_FOREVER) || mt_task_outcome(task);
}

static void a_forks_child_can_release_what_had_ended(void **state)
{
    struct mt_task *task = spawn_coro(nothing, NULL);
    int status;
    pid_t pid;

    if (forks_child_has_no_hub())
        skip();
    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    pid = fork();
    if (pid == 0)
        _exit(child_releases(task));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    mt_task_release(task);
}

#define FEW 32

static const struct mt_coro_options half = {.stack_size = MT_CORO_STACK / 2}; /* so that each goes through the pool */
static uint32_t over;

static int make_stacks(void *arg)
{
    struct mt_task *tasks[FEW];
    int result = 0;

    while (!result && !__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        for (int i = 0; i < FEW; i++)
            tasks[i] = mt_coro_spawn(nothing, NULL, &half);
        for (int i = 0; i < FEW && !result; i++)
            result = tasks[i] ? mt_task_join(tasks[i], MT_FOREVER) : -ENOMEM;
        for (int i = 0; i < FEW; i++)
            mt_task_release(tasks[i]);
    }
    return result;
}

static int child_makes_a_stack(void)
{
    struct mt_task *task;

    alarm(60);
    task = mt_coro_spawn(nothing, NULL, &half);
    return !task || mt_task_join(task, MT_FOREVER);
}

/* Some of the forks meet a thread that is just taking one. */
static void a_fork_may_come_while_others_take_stacks(void **state)
{
    struct mt_task *threads[3];
    int status = 0;
    pid_t pid;

    if (TSAN)
        skip(); /* the child of a process with threads is not supported by it */
    over = 0;
    for (int i = 0; i < 3; i++)
        assert_non_null(threads[i] = mt_thread_spawn(make_stacks, NULL, NULL));
    for (int i = 0; i < often(60) && !status; i++) {
        pid = fork();
        if (pid == 0)
            _exit(child_makes_a_stack());
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(threads[i]), 0);
    assert_int_equal(status, 0);
}

/* In a process of its own: its limit is not to be seen by others. */
static int fork_without_descriptors(void *arg)
{
    const struct rlimit none = {0, 0};
    int status;
    pid_t pid;

    if (setrlimit(RLIMIT_NOFILE, &none))
        return -errno;
    pid = fork();
    if (pid == 0)
        _exit(mt_sleep(MT_MS(5)) ? 1 : 0);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static int fork_from_the_root(void)
{
    return fork_without_descriptors(NULL) != 0;
}

static int fork_from_a_coroutine(void)
{
    struct mt_task *task = mt_coro_spawn(fork_without_descriptors, NULL, NULL);

    return !task || mt_task_join(task, MT_FOREVER) || mt_task_outcome(task);
}

static void a_forks_child_waits_without_a_loop_too(void **state)
{
    char said[256];

    assert_int_equal(finish(spawn_coro(nothing, NULL)), 0); /* there is a hub */
    assert_int_equal(in_child(fork_from_the_root, said, sizeof said), 0);
    assert_int_equal(in_child(fork_from_a_coroutine, said, sizeof said), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forks_child_can_use_its_hub),
        cmocka_unit_test(a_forks_child_has_none_of_the_others),
        cmocka_unit_test(a_forks_child_waits_without_a_loop_too),
        cmocka_unit_test(a_forks_child_can_release_what_had_ended),
        cmocka_unit_test(a_fork_may_come_while_others_take_stacks),
    };

    return RUN(tests);
}
