/* SPDX-License-Identifier: MIT
 *
 * Processes: each start method, what goes over and what comes back. process-end.c has how they end, process-options.c
 * what they can be told, process-failure.c what may go wrong.
 */
#include "process-unit.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void the_outcome_comes_back(void **state)
{
    EACH(method)
    {
        int code = -EXDEV, fine = 0;
        struct mt_exit ended;
        struct mt_task *task = start(return_it, &code, sizeof code, method);
        assert_int_equal(mt_task_kind(task), MT_PROCESS);
        assert_int_not_equal(mt_task_tid(task), getpid());
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_task_outcome(task), -EXDEV);
        assert_int_equal(mt_process_exit(task, &ended), 0);
        assert_int_equal(ended.code, 1);
        assert_int_equal(ended.signal, 0);
        assert_int_equal(mt_task_state(task), MT_DEAD);
        mt_task_release(task);
        assert_int_equal(finish(start(return_it, &fine, sizeof fine, method)), 0);
    }
}

static int fail_with_message(void *arg)
{
    return mt_fail(-EIO, "disk %s is gone", (const char *)arg);
}

static void the_message_comes_back(void **state)
{
    EACH(method)
    {
        struct mt_task *task = start(fail_with_message, "sdb", 4, method);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_task_outcome(task), -EIO);
        assert_string_equal(mt_task_message(task), "disk sdb is gone");
        mt_task_release(task);
    }
}

static int die(void *arg)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    signal(*(int *)arg, SIG_DFL);
    raise(*(int *)arg);
    return 0;
}

static void a_signal_comes_back(void **state)
{
    EACH(method)
    {
        int number = SIGSEGV;
        struct mt_exit ended;
        struct mt_task *task = start(die, &number, sizeof number, method);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_process_exit(task, &ended), 0);
        if (!SANITIZER) {
            assert_int_equal(ended.signal, SIGSEGV);
            assert_int_equal(ended.code, -1);
            assert_int_equal(ended.core, 0);
            assert_non_null(strstr(mt_task_message(task), "signal 11"));
        }
        assert_int_equal(mt_task_outcome(task), -ECHILD);
        mt_task_release(task);
    }
}

static void exit_comes_back(void **state)
{
    EACH(method)
    {
        int code = 7, none = 0;
        struct mt_exit ended;
        struct mt_task *task = start(leave, &code, sizeof code, method);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_process_exit(task, &ended), 0);
        assert_int_equal(ended.code, 7);
        assert_int_equal(mt_task_outcome(task), -ECHILD);
        assert_string_equal(mt_task_message(task), "exited with status 7");
        mt_task_release(task);
        assert_int_equal(finish(start(leave, &none, sizeof none, method)), 0);
    }
}

/* -- Memory ------------------------------------------------------------------------------------------------------- */

static int global = 1;

static int change_global(void *arg)
{
    int before = global;

    global = 99;
    return before;
}

static void globals_are_not_shared(void **state)
{
    global = 5;
    assert_int_equal(finish(start(change_global, NULL, 0, MT_FORK)), 5);
    assert_int_equal(global, 5);
    assert_int_equal(finish(start(change_global, NULL, 0, MT_SPAWN)), 1); /* the program anew */
    assert_int_equal(finish(start(change_global, NULL, 0, MT_FORKSERVER)), 1);
    assert_int_equal(global, 5);
}

static int add_up(void *arg)
{
    const unsigned char *bytes = arg;
    unsigned sum = 0;

    for (int i = 0; i < 100000; i++)
        sum += bytes[i];
    return ((uintptr_t)arg & 15) || sum != 100000 / 2 ? -EBADMSG : 0;
}

static void arguments_are_copied(void **state)
{
    char *bytes = malloc(100000);

    EACH(method)
    {
        struct mt_task *task;
        for (int i = 0; i < 100000; i++)
            bytes[i] = (char)(i & 1);
        task = start(add_up, bytes, 100000, method);
        memset(bytes, 0xff, 100000);
        assert_int_equal(finish(task), 0);
    }
    free(bytes);
}

static int same_address(void *arg)
{
    return arg == &global && global == 17 ? 0 : -EFAULT;
}

static void a_fork_gets_the_address_itself(void **state)
{
    struct mt_process_options options = {.start = MT_SPAWN};

    global = 17;
    assert_int_equal(finish(start(same_address, &global, 0, MT_FORK)), 0);
    assert_null(mt_process_spawn(same_address, &global, 0, &options));
    assert_int_equal(errno, EINVAL);
}

static int read_fd(void *arg)
{
    char text[16];
    int fd = mt_process_fd(0);
    ssize_t got = read(fd, text, sizeof text);

    if (mt_process_fd(1) < 0 || mt_process_fd(2) != -EBADF)
        return -EBADF;
    if (got != 5 || memcmp(text, "hello", 5))
        return -EBADMSG;
    return write(mt_process_fd(1), "there", 5) == 5 ? 0 : -EIO;
}

static void descriptors_are_handed_over(void **state)
{
    EACH(method)
    {
        int to[2], from[2], fds[2];
        char text[16];
        struct mt_process_options options = {.start = (enum mt_start_method)method, .fds = fds, .fd_count = 2};
        struct mt_task *task;
        assert_int_equal(pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0);
        fds[0] = to[0];
        fds[1] = from[1];
        task = mt_process_spawn(read_fd, NULL, 0, &options);
        assert_non_null(task);
        close(to[0]);
        close(from[1]);
        assert_int_equal(write(to[1], "hello", 5), 5);
        assert_int_equal(read(from[0], text, sizeof text), 5);
        assert_int_equal(finish(task), 0);
        assert_int_equal(read(from[0], text, sizeof text), 0); /* nobody else holds the other end */
        close(to[1]);
        close(from[0]);
    }
}

static int spawn_again(void *arg)
{
    struct mt_process_options options = {.start = *(enum mt_start_method *)arg};
    int code = -EXDEV;
    struct mt_task *task = mt_process_spawn(return_it, &code, sizeof code, &options);
    int outcome;

    if (!task || mt_task_join(task, in_time()))
        return -errno;
    outcome = mt_task_outcome(task);
    mt_task_release(task);
    return outcome;
}

static void children_have_children(void **state)
{
    EACH(outer)
    {
        EACH(inner)
        {
            enum mt_start_method method = (enum mt_start_method)inner;
            assert_int_equal(finish(start(spawn_again, &method, sizeof method, outer)), -EXDEV);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outcome_comes_back),
        cmocka_unit_test(the_message_comes_back),
        cmocka_unit_test(a_signal_comes_back),
        cmocka_unit_test(exit_comes_back),
        cmocka_unit_test(globals_are_not_shared),
        cmocka_unit_test(arguments_are_copied),
        cmocka_unit_test(a_fork_gets_the_address_itself),
        cmocka_unit_test(descriptors_are_handed_over),
        cmocka_unit_test(children_have_children),
    };

    mt_process_init();
    return RUN(tests);
}
