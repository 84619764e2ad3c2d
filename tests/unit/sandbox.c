/* SPDX-License-Identifier: MIT
 *
 * Sandboxes: what each lets through, what each refuses, and that the outcome names it.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#if defined(__SANITIZE_THREAD__)
#define SANITIZER_CALLS 1 /* its runtime makes system calls of its own */
#else
#define SANITIZER_CALLS SANITIZER
#endif

static struct mt_task *confine(mt_fn *fn, unsigned sandbox, int fd, enum mt_start_method method)
{
    struct mt_process_options options = {.sandbox = sandbox, .start = method, .fds = &fd, .fd_count = fd >= 0};
    struct mt_task *task = mt_process_spawn(fn, NULL, 0, &options);

    if (!task && errno == ENOTSUP)
        skip();
    assert_non_null(task);
    return task;
}

/* The outcome names the call. */
static void refused(mt_fn *fn, unsigned sandbox, const char *call)
{
    for (enum mt_start_method method = MT_FORK; method <= MT_FORKSERVER; method++) {
        struct mt_task *task = confine(fn, sandbox, -1, method);
        char expected[128];
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_string_equal(mt_sandbox_refused(task), call);
        assert_int_equal(mt_task_outcome(task), -EPERM);
        snprintf(expected, sizeof expected, "the sandbox refused the system call %s", call);
        assert_string_equal(mt_task_message(task), expected);
        mt_task_release(task);
    }
}

static struct mt_lock lock = MT_LOCK_INIT;

static int in_thread(void *arg)
{
    int result = mt_lock_acquire(&lock, MT_FOREVER);

    if (result)
        return result;
    free(malloc(3 << 20));
    mt_lock_release(&lock);
    return mt_sleep(MT_MS(1));
}

static int yields(struct mt_generator *self, void *arg)
{
    return mt_yield(self, &(int){1}, NULL);
}

/* So many that their stacks are made several at a time. */
static int generate(void)
{
    struct mt_generator *generators[100];
    int item, error = 0;

    for (int i = 0; i < 100; i++)
        if (!(generators[i] = mt_generator_new(yields, NULL, sizeof item, NULL)))
            return -errno;
    for (int i = 0; i < 100 && !error; i++)
        error = mt_generator_next(generators[i], &item);
    for (int i = 0; i < 100; i++)
        mt_generator_free(generators[i]);
    return error;
}

/* Memory, time, waiting, threads, the descriptor that was handed over: what a computation is made of. */
static int compute(void *arg)
{
    struct mt_task *threads[4];
    double sum = 0;
    char *block = malloc(5 << 20);

    memset(block, 1, 5 << 20);
    for (int i = 1; i < 1000; i++)
        sum += 1.0 / i;
    for (int i = 0; i < 4; i++)
        if (!(threads[i] = mt_thread_spawn(in_thread, NULL, NULL)))
            return mt_fail(-errno, "no thread");
    if (mt_joinall(threads, 4, in_time()))
        return mt_fail(-1, "no join");
    for (int i = 0; i < 4; i++) {
        if (mt_task_outcome(threads[i]))
            return mt_task_outcome(threads[i]);
        mt_task_release(threads[i]);
    }
    free(block);
    if (generate())
        return mt_fail(-1, "no generators");
    return write(mt_process_fd(0), "result", 6) == 6 && sum > 7 ? 0 : -EIO;
}

static void computing_is_let_through(void **state)
{
    for (enum mt_start_method method = MT_FORK; method <= MT_FORKSERVER; method++) {
        int ends[2];
        char text[16];
        struct mt_task *task;
        if (SANITIZER_CALLS)
            skip();
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        task = confine(compute, MT_SANDBOX_COMPUTE, ends[1], method);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_string_equal(mt_sandbox_refused(task), "");
        assert_string_equal(mt_task_message(task), "");
        assert_int_equal(mt_task_outcome(task), 0);
        assert_int_equal(read(ends[0], text, sizeof text), 6);
        mt_task_release(task);
        close(ends[0]);
        close(ends[1]);
    }
}

static int open_a_file(void *arg)
{
    return open("/etc/passwd", O_RDONLY) < 0 ? -errno : 0;
}

static int write_elsewhere(void *arg)
{
    return write(STDERR_FILENO, "not to be seen\n", 15) == 15 ? 0 : -errno;
}

static int make_code(void *arg)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -errno
               : 0;
}

static int make_a_process(void *arg)
{
    return fork() < 0 ? -errno : 0;
}

static int kill_another(void *arg)
{
    return kill(getppid(), 0) ? -errno : 0;
}

static void computing_is_all(void **state)
{
    if (SANITIZER_CALLS)
        skip();
    refused(open_a_file, MT_SANDBOX_COMPUTE, "openat");
    refused(write_elsewhere, MT_SANDBOX_COMPUTE, "write");
    refused(make_code, MT_SANDBOX_COMPUTE, "mmap");
    refused(make_a_process, MT_SANDBOX_COMPUTE, "clone");
    refused(kill_another, MT_SANDBOX_COMPUTE, "kill");
}

static int go_to_the_network(void *arg)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? -errno : 0;
}

static int go_next_door(void *arg)
{
    int ends[2];

    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || open_a_file(NULL) ? -errno : 0;
}

static int nap(void *arg)
{
    return mt_sleep(MT_MS(1));
}

/* io_uring would be a way round the filter, so the hub has to do without. */
static int wait_in_coroutines(void *arg)
{
    struct mt_task *tasks[2] = {mt_coro_spawn(nap, NULL, NULL), mt_coro_spawn(nap, NULL, NULL)};

    if (!tasks[0] || !tasks[1])
        return mt_fail(-errno, "no coroutine");
    return mt_joinall(tasks, 2, in_time());
}

static int run_a_program(void *arg)
{
    execl("/bin/true", "true", (char *)NULL);
    return -errno;
}

static int thread_runs_a_program(void *arg)
{
    struct mt_task *task = mt_thread_spawn(run_a_program, NULL, NULL);

    return task && mt_task_join(task, MT_FOREVER) == 0 ? mt_task_outcome(task) : -errno;
}

static void no_network_and_no_exec(void **state)
{
    struct mt_task *task;

    refused(go_to_the_network, MT_SANDBOX_NO_NETWORK, "socket");
    refused(run_a_program, MT_SANDBOX_NO_EXEC, "execve");
    refused(run_a_program, MT_SANDBOX_NO_EXEC | MT_SANDBOX_NO_NETWORK, "execve");
    if (!SANITIZER)
        refused(thread_runs_a_program, MT_SANDBOX_NO_EXEC, "execve");
    task = confine(go_next_door, MT_SANDBOX_NO_NETWORK | MT_SANDBOX_NO_EXEC, -1, MT_FORK);
    assert_int_equal(finish(task), 0);
    task = confine(go_to_the_network, MT_SANDBOX_NO_EXEC, -1, MT_FORK);
    assert_int_equal(finish(task), 0);
    for (enum mt_start_method method = MT_FORK; method <= MT_FORKSERVER; method++) {
        task = confine(wait_in_coroutines, MT_SANDBOX_NO_NETWORK, -1, method);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_string_equal(mt_task_message(task), "");
        assert_int_equal(finish(task), 0);
    }
}

static int change_files(void *arg)
{
    int fd = open("/etc/passwd", O_RDONLY);

    if (fd < 0)
        return mt_fail(-errno, "cannot read");
    if (open("sandbox-test.file", O_WRONLY) >= 0 || errno != EACCES)
        return mt_fail(-1, "could write");
    if (truncate("sandbox-test.file", 0) == 0 || errno != EACCES)
        return mt_fail(-1, "could truncate");
    if (open("sandbox-test.new", O_WRONLY | O_CREAT, 0600) >= 0 || errno != EACCES)
        return mt_fail(-1, "could create");
    if (unlink("sandbox-test.file") == 0 || errno != EACCES)
        return mt_fail(-1, "could unlink");
    if (rename("sandbox-test.file", "sandbox-test.other") == 0)
        return mt_fail(-1, "could rename");
    if (mkdir("sandbox-test.folder", 0700) == 0 || errno != EACCES)
        return mt_fail(-1, "could make a folder");
    return write(mt_process_fd(0), "x", 1) == 1 ? 0 : -errno; /* what was open before stays open */
}

static void read_only_files(void **state)
{
    int fd = open("sandbox-test.file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct mt_task *task;

    assert_true(fd >= 0);
    task = confine(change_files, MT_SANDBOX_READ_ONLY, fd, MT_FORK);
    assert_int_equal(mt_task_join(task, in_time()), 0);
    assert_string_equal(mt_task_message(task), "");
    assert_int_equal(mt_task_outcome(task), 0);
    mt_task_release(task);
    close(fd);
    assert_int_equal(unlink("sandbox-test.file"), 0);
}

static int do_much(void *arg)
{
    struct mt_task *task = mt_thread_spawn(run_a_program, NULL, NULL);
    int fd;

    if (open_a_file(NULL) || (fd = socket(AF_INET, SOCK_STREAM, 0)) < 0)
        return -errno;
    (void)task;
    return write(STDERR_FILENO, "", 0) == 0 ? 0 : -errno;
}

static int open_and_connect(void *arg)
{
    int fd = open_a_file(NULL);

    return fd ? fd : socket(AF_INET, SOCK_STREAM, 0) < 0 ? -errno : 0;
}

static int has(const char **names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return 1;
    return 0;
}

static void logging_lets_everything_through(void **state)
{
    const char *names[64];
    struct mt_task *task;
    int count;

    if (SANITIZER)
        skip(); /* a child of TSan's cannot start threads */
    task = confine(open_and_connect, MT_SANDBOX_COMPUTE | MT_SANDBOX_LOG, -1, MT_FORK);
    assert_int_equal(mt_task_join(task, in_time()), 0);
    assert_int_equal(mt_task_outcome(task), 0);
    assert_string_equal(mt_sandbox_refused(task), "");
    count = mt_sandbox_noted(task, names, 64);
    assert_true(count >= 2 && count < 64);
    assert_true(has(names, count, "openat") && has(names, count, "socket"));
    assert_false(has(names, count, "execve"));
    assert_int_equal(mt_sandbox_noted(task, NULL, 0), count);
    mt_task_release(task);

    task = confine(do_much, MT_SANDBOX_NO_NETWORK | MT_SANDBOX_NO_EXEC | MT_SANDBOX_LOG, -1, MT_SPAWN);
    assert_int_equal(mt_task_join(task, in_time()), 0);
    count = mt_sandbox_noted(task, names, 64);
    assert_true(has(names, count, "execve") || has(names, count, "socket"));
    assert_false(has(names, count, "openat"));
    mt_task_release(task);
}

static int wait_for_kill(void *arg)
{
    char byte = 0;

    if (write(mt_process_fd(0), &byte, 1) != 1)
        return -EIO;
    return mt_sleep(MT_SEC(60));
}

static void killing_works_inside(void **state)
{
    int ends[2];
    char byte;
    struct mt_task *task;

    if (SANITIZER_CALLS)
        skip();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    task = confine(wait_for_kill, MT_SANDBOX_COMPUTE, ends[1], MT_FORK);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
    close(ends[0]);
    close(ends[1]);
}

static int nothing(void *arg)
{
    return 0;
}

static void combinations_are_checked(void **state)
{
    struct mt_process_options unknown = {.sandbox = 64}, log_alone = {.sandbox = MT_SANDBOX_LOG};
    const char *names[1];
    struct mt_task *task;

    assert_null(mt_process_spawn(nothing, NULL, 0, &unknown));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_process_spawn(nothing, NULL, 0, &log_alone));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_sandbox_refused(mt_task_current()));
    assert_int_equal(mt_sandbox_noted(mt_task_current(), names, 1), -EINVAL);
    task = mt_process_spawn(nothing, NULL, 0, NULL);
    assert_non_null(task);
    assert_int_equal(mt_task_join(task, in_time()), 0);
    assert_string_equal(mt_sandbox_refused(task), "");
    mt_task_release(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computing_is_let_through),        cmocka_unit_test(computing_is_all),
        cmocka_unit_test(no_network_and_no_exec),          cmocka_unit_test(read_only_files),
        cmocka_unit_test(logging_lets_everything_through), cmocka_unit_test(killing_works_inside),
        cmocka_unit_test(combinations_are_checked),
    };

    mt_process_init();
    return RUN(tests);
}
