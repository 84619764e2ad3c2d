/* SPDX-License-Identifier: MIT
 *
 * What a process can be told before it starts: limits, niceness, a control group, and to end with its parent.
 */
#include "process-unit.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int check_settings(void *arg)
{
    struct rlimit limit;

    errno = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur != 33)
        return -ERANGE;
    return getpriority(PRIO_PROCESS, 0) == *(int *)arg ? 0 : -EDOM;
}

static void limits_and_nice(void **state)
{
    int nice = getpriority(PRIO_PROCESS, 0) + 2;

    nice = nice > 19 ? 19 : nice;
    EACH(method)
    {
        struct mt_process_limit limit = {RLIMIT_NOFILE, 33, 33};
        struct mt_process_options options = {
            .start = (enum mt_start_method)method, .limits = &limit, .limit_count = 1, .nice = 2};
        struct mt_task *task = mt_process_spawn(check_settings, &nice, sizeof nice, &options);
        assert_non_null(task);
        assert_int_equal(finish(task), 0);
    }
}

static void settings_that_fail_are_told(void **state)
{
    EACH(method)
    {
        struct mt_process_options options = {.start = (enum mt_start_method)method, .cgroup = "/nonexistent/cgroup"};
        assert_null(mt_process_spawn(nap, NULL, 0, &options));
        assert_int_equal(errno, ENOENT);
    }
}

static int in_the_group(void *arg)
{
    char text[4096] = "";
    FILE *file = fopen("/proc/self/cgroup", "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;

    if (file)
        fclose(file);
    text[size] = 0;
    return strstr(text, arg) ? 0 : -ENOENT;
}

/* A hierarchy of the second version, mounted for the purpose. */
static void a_control_group(void **state)
{
    char folder[] = "cgroup-test.XXXXXX", line[32], group[64];
    int outcomes[3] = {-1, -1, -1};

    assert_non_null(mkdtemp(folder));
    snprintf(line, sizeof line, "0::/linuxmt-%d\n", getpid());
    snprintf(group, sizeof group, "%s/linuxmt-%d", folder, getpid());
    if (mount("none", folder, "cgroup2", 0, NULL)) {
        rmdir(folder);
        skip(); /* that needs privilege */
    }
    if (mkdir(group, 0700) == 0) {
        for (int m = 0; m < 3; m++) {
            struct mt_process_options options = {.start = methods[m], .cgroup = group};
            struct mt_task *task = mt_process_spawn(in_the_group, line, strlen(line) + 1, &options);
            outcomes[m] = task ? finish(task) : -errno;
        }
        rmdir(group);
    }
    umount2(folder, MNT_DETACH);
    rmdir(folder);
    for (int m = 0; m < 3; m++)
        assert_int_equal(outcomes[m], 0);
}

static void options_are_checked(void **state)
{
    struct mt_process_limit crossed = {RLIMIT_NOFILE, 34, 33}, unknown = {999, 0, 0};
    struct mt_process_options many_fds = {.fd_count = MT_PROCESS_FDS_MAX + 1},
                              bad = {.limits = &crossed, .limit_count = 1},
                              worse = {.limits = &unknown, .limit_count = 1},
                              method = {.start = (enum mt_start_method)7};
    char path[1000];
    struct mt_process_options cgroup = {.cgroup = path};
    struct mt_process_options closed = {.fds = (int[]){999}, .fd_count = 1};
    struct mt_exit ended;

    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_null(mt_process_spawn(nap, NULL, 0, &many_fds));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_process_spawn(nap, NULL, 0, &bad));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_process_spawn(nap, NULL, 0, &worse));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_process_spawn(nap, NULL, 0, &method));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_process_spawn(nap, NULL, 0, &closed));
    assert_int_equal(errno, EBADF);
    assert_null(mt_process_spawn(NULL, NULL, 0, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_process_spawn(nap, NULL, 0, &cgroup));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(mt_process_exit(mt_task_current(), &ended), -EINVAL);
    assert_int_equal(mt_process_signal(mt_task_current(), 0), -EINVAL);
    assert_int_equal(mt_process_pidfd(mt_task_current()), -EINVAL);
    assert_int_equal(mt_process_fd(0), -EBADF);
}

static int tell_both_and_sleep(void *arg)
{
    if (write(mt_process_fd(0), "", 1) != 1 || write(mt_process_fd(1), "", 1) != 1)
        return -EIO;
    return sleep_long(NULL);
}

static int spawn_a_daemon_and_leave(void *arg)
{
    int ready[2];
    char byte;
    struct mt_process_options options = {.daemon = 1, .fd_count = 2};

    if (pipe2(ready, O_CLOEXEC))
        return -errno;
    options.fds = (int[]){mt_process_fd(0), ready[1]};
    if (!mt_process_spawn(tell_both_and_sleep, NULL, 0, &options))
        return -errno;
    return read(ready[0], &byte, 1) == 1 ? 0 : -EIO;
}

static int in_a_thread(void *arg)
{
    return spawn_a_daemon_and_leave(arg);
}

static int from_a_thread(void *arg)
{
    struct mt_task *thread = mt_thread_spawn(in_a_thread, NULL, NULL);
    int outcome;

    if (!thread || mt_task_join(thread, MT_FOREVER))
        return -errno;
    outcome = mt_task_outcome(thread);
    mt_task_release(thread);
    usleep(100000); /* the thread is gone, the daemon must not be */
    return outcome;
}

/* The pipe's other end is the daemon's alone once its parent is gone: it closes when the daemon dies. */
static void daemons_die_with_their_parent(void **state)
{
    mt_fn *const parents[] = {spawn_a_daemon_and_leave, from_a_thread};

    if (SANITIZER)
        skip(); /* a child of TSan's cannot start threads */
    for (int i = 0; i < 2; i++) {
        int told[2];
        char byte;
        struct mt_process_options options = {.fds = &told[1], .fd_count = 1};
        struct mt_task *parent;
        struct pollfd end;
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        parent = mt_process_spawn(parents[i], NULL, 0, &options);
        assert_non_null(parent);
        close(told[1]);
        assert_int_equal(read(told[0], &byte, 1), 1);
        assert_int_equal(finish(parent), 0);
        end = (struct pollfd){.fd = told[0], .events = POLLIN};
        assert_int_equal(poll(&end, 1, 20000), 1);
        assert_int_equal(read(told[0], &byte, 1), 0);
        close(told[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_and_nice),
        cmocka_unit_test(settings_that_fail_are_told),
        cmocka_unit_test(a_control_group),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(daemons_die_with_their_parent),
    };

    mt_process_init();
    return RUN(tests);
}
