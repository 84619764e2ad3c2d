/* SPDX-License-Identifier: MIT
 *
 * What takes a process of its own to look at: a hub that is stuck, a stack that overflows, forks. tests/loops.t runs
 * this on each loop.
 */
#include "hub.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int nothing(void *arg)
{
    return 0;
}

static int sleep_long(void *arg)
{
    return mt_sleep(MT_SEC(1000));
}

/* In a process of its own, whose standard error comes back in `said`. */
static int in_child(int (*body)(void), char *said, size_t size)
{
    int pipes[2], status;
    size_t at = 0;
    ssize_t count;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        alarm(30);
        _exit(body());
    }
    close(pipes[1]);
    while ((count = read(pipes[0], said + at, size - 1 - at)) > 0)
        at += (size_t)count;
    said[at] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* -- Stuck -------------------------------------------------------------------------------------------------------- */

static struct mt_event never = MT_EVENT_INIT_NAMED("never");

static int wait_for_ever(void *arg)
{
    return mt_event_wait(&never, MT_FOREVER);
}

static int get_stuck(void)
{
    struct mt_task *task = mt_coro_spawn(wait_for_ever, NULL, &(struct mt_coro_options){.name = "lonely"});

    return task && mt_task_join(task, MT_FOREVER) == -EDEADLK ? 3 : 4;
}

static void a_hub_that_nothing_can_wake_says_so(void **state)
{
    char said[2048];
    int status;

    if (SANITIZER)
        skip(); /* its threads count as others */
    status = in_child(get_stuck, said, sizeof said);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_non_null(strstr(said, "nothing can wake this hub"));
    assert_non_null(strstr(said, "lonely"));
    assert_non_null(strstr(said, "event \"never\""));
}

/* -- The process's first thread ------------------------------------------------------------------------------------ */

static struct mt_event before = MT_EVENT_INIT;

static int wait_before(void *arg)
{
    return mt_event_wait(&before, MT_FOREVER);
}

static int set_before(void *arg)
{
    mt_event_set(&before);
    return 0;
}

/* The kernel makes the process a table of its own for who waits, when the first thread comes. */
static int wait_and_make_first_thread(void)
{
    struct mt_task *waiter = mt_coro_spawn(wait_before, NULL, NULL), *thread;

    if (!waiter || mt_sleep(MT_MS(2)) || !(thread = mt_thread_spawn(set_before, NULL, NULL)))
        return 2;
    return mt_task_join(waiter, mt_after(MT_SEC(20))) || finish(thread);
}

static void who_waits_when_the_first_thread_comes_is_woken(void **state)
{
    char said[1024];
    int status = in_child(wait_and_make_first_thread, said, sizeof said);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* -- Stacks ------------------------------------------------------------------------------------------------------- */

static int deep(int depth)
{
    volatile char room[1024];

    room[0] = (char)depth;
    return depth ? deep(depth - 1) + room[0] : 0;
}

static int recurse(void *arg)
{
    deep((int)(intptr_t)arg);
    return 0;
}

/* What this program does when it is called with an argument. */
static int overflow(void)
{
    struct mt_task *task = mt_coro_spawn(recurse, (void *)100000, &(struct mt_coro_options){.name = "deep one"});

    return task ? mt_task_join(task, MT_FOREVER) : 9;
}

static int overflow_without_cmocka(void)
{
    execl("/proc/self/exe", "coro-fork", "overflow", NULL); /* CMocka has a handler of its own for the fault */
    return 9;
}

static void an_overflow_names_the_coroutine(void **state)
{
    char said[1024];
    int status;

    if (SANITIZER)
        skip(); /* they have messages of their own */
    status = in_child(overflow_without_cmocka, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_non_null(strstr(said, "the stack of deep one has overflowed"));
}

static void stacks_have_the_size_asked_for(void **state)
{
    struct mt_task *task = mt_coro_spawn(recurse, (void *)500, &(struct mt_coro_options){.stack_size = 1 << 20});

    if (SANITIZER)
        skip(); /* their frames are larger */
    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    assert_between((long)mt_coro_stack_used(task) / 1024, 500, 1024);
    mt_task_release(task);
    task = spawn_coro(nothing, NULL);
    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    assert_between((long)mt_coro_stack_used(task) / 1024, 4, 64);
    mt_task_release(task);
    errno = 0;
    assert_null(mt_coro_spawn(nothing, NULL, &(struct mt_coro_options){.stack_size = (size_t)1 << 40}));
    assert_int_equal(errno, EINVAL);
}

/* -- Fork --------------------------------------------------------------------------------------------------------- */

static int child_has_a_hub_of_its_own(void)
{
    struct mt_task *tasks[10];

    if (mt_sleep(MT_MS(5)))
        return 1;
    for (int i = 0; i < 10; i++)
        if (!(tasks[i] = mt_coro_spawn(nothing, NULL, NULL)))
            return 2;
    return mt_joinall(tasks, 10, mt_after(MT_SEC(10))) ? 3 : 0;
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

/* What this program does with the argument "loop": it chooses one while there are no descriptors. */
static int choose_without_descriptors(void)
{
    const struct rlimit none = {0, 0};

    _exit(setrlimit(RLIMIT_NOFILE, &none) || /* sanitizers would need one at the end */
          fprintf(stderr, "%s\n", mt_loop_name()) < 0);
}

static int choose_anew(void)
{
    execl("/proc/self/exe", "coro-fork", "loop", NULL); /* it is decided once a process */
    return 9;
}

static void the_choice_of_a_loop_needs_no_descriptor(void **state)
{
    char said[1024];

    assert_int_equal(in_child(choose_anew, said, sizeof said), 0);
    said[strcspn(said, "\n")] = 0;
    assert_string_equal(said, mt_loop_name());
}

/* -- Memory ------------------------------------------------------------------------------------------------------- */

static int ends[2];

static int read_a_byte(void *arg)
{
    char byte;

    return (int)mt_read(ends[0], &byte, 1, MT_FOREVER);
}

/* Whether there is none left, but what is there already. */
static int use_memory_up(void)
{
    const struct rlimit none = {1, RLIM_INFINITY};
    int tries = 20000;

    if (setrlimit(RLIMIT_AS, &none))
        return 0;
    for (size_t size = 1 << 20; size >= 16 && tries; tries--)
        if (!malloc(size))
            size /= 2;
    return tries != 0;
}

/* As many timers as there was room for at first; then to give a read up takes one more. */
static int kill_without_memory(void)
{
    struct mt_task *reader = mt_coro_spawn(read_a_byte, NULL, NULL);

    if (pipe(ends) || !reader)
        return 1;
    for (int i = 0; i < 64; i++)
        if (!mt_coro_spawn(sleep_long, NULL, NULL))
            return 2;
    mt_coro_yield();
    mt_coro_yield();
    if (use_memory_up() && (mt_task_kill(reader) || mt_task_join(reader, MT_FOREVER)))
        return 3;
    _exit(0);
}

static void a_kill_needs_no_memory(void **state)
{
    char said[1024];

    if (SANITIZER)
        skip(); /* they have an address space of their own kind */
    assert_int_equal(in_child(kill_without_memory, said, sizeof said), 0);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_when_the_first_thread_comes_is_woken),
        cmocka_unit_test(a_hub_that_nothing_can_wake_says_so),
        cmocka_unit_test(an_overflow_names_the_coroutine),
        cmocka_unit_test(stacks_have_the_size_asked_for),
        cmocka_unit_test(a_forks_child_can_use_its_hub),
        cmocka_unit_test(a_forks_child_has_none_of_the_others),
        cmocka_unit_test(a_forks_child_waits_without_a_loop_too),
        cmocka_unit_test(a_forks_child_can_release_what_had_ended),
        cmocka_unit_test(a_fork_may_come_while_others_take_stacks),
        cmocka_unit_test(the_choice_of_a_loop_needs_no_descriptor),
        cmocka_unit_test(a_kill_needs_no_memory),
    };

    if (argc > 1)
        return strcmp(argv[1], "loop") ? overflow() : choose_without_descriptors();
    return RUN(tests);
}
