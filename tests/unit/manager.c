/* SPDX-License-Identifier: MIT
 *
 * Managers: how they start and end, who may come in and who may not, and what they run out of.
 */
#include "manager-unit.h"
#include "base/sys.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

/* -- Start and end ------------------------------------------------------------------------------------------------ */

static void starts_and_ends(void **state)
{
    for (int method = MT_FORK; method <= MT_FORKSERVER; method++) {
        struct mt_manager *manager;
        struct mt_managed_queue *queue;
        struct mt_managed_dict *dict;
        char text[8] = "";
        if (SANITIZER && method != MT_SPAWN)
            continue;
        manager = start_with((struct mt_manager_options){.name = "keeper", .start = (enum mt_start_method)method});
        assert_string_equal(mt_task_name(mt_manager_task(manager)), "keeper");
        assert_int_equal(mt_task_kind(mt_manager_task(manager)), MT_PROCESS);
        assert_null(mt_manager_tcp_address(manager));
        queue = mt_manager_queue(manager, "q", NULL, 0, SOON);
        dict = mt_manager_dict(manager, "d", 0, SOON);
        assert_non_null(queue);
        assert_int_equal(mt_managed_dict_set(dict, "a", "b", 1, SOON), 0);
        assert_int_equal(mt_manager_shutdown(manager, SOON), 0);
        assert_int_equal(mt_task_outcome(mt_manager_task(manager)), 0);
        assert_int_equal(mt_managed_dict_set(dict, "a", "b", 1, SOON), -EPIPE);
        assert_non_null(strstr(mt_manager_message(), "has ended"));
        assert_int_equal(mt_managed_dict_len(dict, SOON), -EPIPE);
        assert_null(mt_manager_lock(manager, "l", 0, SOON));
        assert_int_equal(errno, EPIPE);
        assert_int_equal(mt_managed_queue_put(queue, "still", 6, SOON), 0);
        mt_manager_close(manager);
        assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, SOON), 6);
        assert_string_equal(text, "still");
        assert_int_equal(mt_managed_dict_len(dict, SOON), -EPIPE);
        mt_managed_queue_free(queue);
        mt_managed_dict_free(dict);
    }
}

static int own_one(void *arg)
{
    struct mt_manager *manager = mt_manager_start(NULL, SOON);
    const char *address = manager ? mt_manager_address(manager) : "";
    int fd = mt_process_fd(0);

    if (write(fd, address, strlen(address) + 1) < 0)
        return -errno;
    return mt_sleep(MT_SEC(60));
}

/* However its owner ends. */
static void ends_with_its_owner(void **state)
{
    for (int forcibly = 0; forcibly < 2; forcibly++) {
        int told[2], error = 0;
        char address[200];
        struct mt_process_options options = {.start = MT_SPAWN, .fds = &told[1], .fd_count = 1};
        struct mt_manager *manager;
        struct mt_task *task;
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        task = mt_process_spawn(own_one, NULL, 0, &options);
        assert_non_null(task);
        close(told[1]);
        assert_true(read(told[0], address, sizeof address) > 1);
        close(told[0]);
        manager = mt_manager_connect(address, NULL, 0, SOON);
        assert_non_null(manager);
        assert_null(mt_manager_task(manager));
        assert_int_equal(mt_manager_shutdown(manager, SOON), -EPERM);
        assert_int_equal(mt_process_signal(task, forcibly ? SIGKILL : SIGTERM), 0);
        for (int i = 0; i < 4000 && error != -EPIPE; i++) {
            struct mt_manager_info info;
            error = mt_manager_info(manager, &info, SOON);
            usleep(error ? 0 : 5000);
        }
        assert_int_equal(error, -EPIPE);
        mt_manager_close(manager);
        errno = 0;
        for (int i = 0; i < 4000 && errno != ECONNREFUSED; i++) /* its sockets are closed one after the other */
            assert_null(mt_manager_connect(address, NULL, 0, SOON));
        assert_int_equal(errno, ECONNREFUSED);
        assert_int_equal(mt_task_join(task, SOON), 0);
        mt_task_release(task);
    }
}

static void a_server_can_be_terminated(void **state)
{
    struct mt_manager *manager = start_local();

    assert_int_equal(mt_process_signal(mt_manager_task(manager), SIGTERM), 0);
    assert_int_equal(mt_task_join(mt_manager_task(manager), SOON), 0);
    assert_int_equal(mt_task_outcome(mt_manager_task(manager)), 0);
    mt_manager_close(manager);
}

static void until_stopped(int pid)
{
    siginfo_t info = {0};

    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    assert_int_equal(info.si_code, CLD_STOPPED);
}

/* Deadlines hold, also when it does not answer, and closing it does not wait for ever. */
static void a_stopped_server(void **state)
{
    struct mt_manager *manager = start_local();
    struct mt_managed_dict *dict = mt_manager_dict(manager, "d", 0, SOON);
    mt_deadline start;

    assert_int_equal(mt_process_signal(mt_manager_task(manager), SIGSTOP), 0);
    until_stopped(mt_task_tid(mt_manager_task(manager)));
    start = mt_now();
    assert_int_equal(mt_managed_dict_len(dict, mt_after(MT_MS(50))), -ETIMEDOUT);
    assert_between(elapsed(start), 50, 60000);
    assert_non_null(strstr(mt_manager_message(), "not answered"));
    start = mt_now();
    assert_int_equal(mt_managed_dict_len(dict, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_manager_shutdown(manager, mt_after(MT_MS(50))), -ETIMEDOUT);
    mt_manager_close(manager);
    assert_between(elapsed(start), 50, 60000);
    mt_managed_dict_free(dict);
}

/* -- Other programs ----------------------------------------------------------------------------------------------- */

/* The program of another: knows an address, and nothing else. */
static int visit(const char *address, const char *key)
{
    struct mt_manager *manager = mt_manager_connect(address, key, strlen(key), SOON);
    struct mt_managed_queue *queue = manager ? mt_manager_queue(manager, "answers", NULL, MT_MANAGER_OPEN, SOON) : NULL;
    struct mt_managed_dict *dict = manager ? mt_manager_dict(manager, "questions", MT_MANAGER_OPEN, SOON) : NULL;
    struct mt_managed_lock *lock = manager ? mt_manager_lock(manager, "lock", 0, SOON) : NULL;
    char text[32];
    ssize_t size;

    if (!queue || !dict || !lock)
        return 2;
    size = mt_managed_dict_get(dict, "question", text, sizeof text, SOON);
    if (size < 0 || mt_managed_lock_acquire(lock, SOON) || mt_managed_queue_put(queue, text, (size_t)size, SOON) ||
        mt_managed_lock_release(lock))
        return 3;
    mt_managed_queue_free(queue);
    mt_managed_dict_free(dict);
    mt_managed_lock_free(lock);
    mt_manager_close(manager);
    return 0;
}

static int run_visitor(const char *address, const char *key)
{
    char program[] = "/proc/self/exe", word[] = "visit", where[200], secret[32];
    char *const arguments[] = {program, word, where, secret, NULL};
    int status;
    pid_t pid;

    snprintf(where, sizeof where, "%s", address);
    snprintf(secret, sizeof secret, "%s", key);
    assert_int_equal(posix_spawn(&pid, program, NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void unrelated_programs(void **state)
{
    struct mt_manager *manager = start_both((struct mt_manager_options){0});
    struct mt_managed_queue *queue;
    struct mt_managed_dict *dict;
    char text[32] = "";

    if (!manager)
        skip();
    queue = mt_manager_queue(manager, "answers", NULL, MT_MANAGER_CREATE, SOON);
    dict = mt_manager_dict(manager, "questions", MT_MANAGER_CREATE, SOON);
    assert_int_equal(mt_managed_dict_set(dict, "question", "why?", 5, SOON), 0);
    assert_int_equal(run_visitor(mt_manager_address(manager), ""), 0);
    assert_int_equal(run_visitor(mt_manager_tcp_address(manager), KEY), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, MT_NOWAIT), 5);
        assert_string_equal(text, "why?");
    }
    mt_managed_queue_free(queue);
    mt_managed_dict_free(dict);
    mt_manager_close(manager);
}

static void keys(void **state)
{
    struct mt_manager *manager = start_both((struct mt_manager_options){0}), *remote;
    const char *address;

    if (!manager)
        skip();
    address = mt_manager_tcp_address(manager);
    assert_null(mt_manager_connect(address, "open barley", 11, SOON));
    assert_int_equal(errno, EACCES);
    assert_non_null(strstr(mt_manager_message(), "key"));
    assert_null(mt_manager_connect(address, NULL, 0, SOON));
    assert_int_equal(errno, EPROTONOSUPPORT);
    remote = connect_tcp(manager);
    assert_string_equal(mt_manager_address(remote), address);
    mt_manager_close(remote);
    mt_manager_close(manager);
}

static int use_in_child(void *arg)
{
    struct mt_managed_dict *dict = arg;
    char text[8] = "";

    if (mt_managed_dict_get(dict, "who", text, sizeof text, SOON) != 7 || strcmp(text, "parent"))
        return -EIO;
    return mt_managed_dict_set(dict, "who", "child", 6, SOON);
}

/* A fork's child may use its parent's handles, over lines of its own. */
static void handles_of_a_parent(void **state)
{
    struct mt_manager *manager;
    struct mt_managed_dict *dict;
    char text[8] = "";

    if (SANITIZER)
        skip();
    manager = start_local();
    dict = mt_manager_dict(manager, "d", 0, SOON);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mt_managed_dict_set(dict, "who", "parent", 7, SOON), 0);
        assert_int_equal(finish(mt_process_spawn(use_in_child, dict, 0, NULL)), 0);
        assert_int_equal(mt_managed_dict_get(dict, "who", text, sizeof text, SOON), 6);
        assert_string_equal(text, "child");
    }
    mt_managed_dict_free(dict);
    mt_manager_close(manager);
}

/* -- Options and limits ------------------------------------------------------------------------------------------- */

static void bad_options(void **state)
{
    const struct mt_manager_options bad[] = {
        {.address = "tcp:127.0.0.1:0"},
        {.address = "/tmp/x"},
        {.tcp = "tcp:127.0.0.1:0"},
        {.tcp = "unix:@x", .key = "k", .key_size = 1},
        {.tcp = "tcp:127.0.0.1:0", .key = "k"},
        {.key_size = 3},
        {.message_max = 64u << 20},
        {.connections = 100000},
        {.objects = 2u << 20},
        {.address = "unix:"},
        {.start = (enum mt_start_method)9},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(mt_manager_start(&bad[i], SOON));
        assert_int_equal(errno, EINVAL);
        assert_true(mt_manager_message()[0] != 0);
    }
    assert_null(mt_manager_connect(NULL, NULL, 0, SOON));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_manager_connect("nowhere", NULL, 0, SOON));
    assert_int_equal(errno, EINVAL);
}

static void addresses(void **state)
{
    char path[100];
    struct mt_manager_options options = {.address = path, .start = SANITIZER ? MT_SPAWN : MT_FORK};
    struct mt_manager *manager;
    struct stat status;

    snprintf(path, sizeof path, "unix:/tmp/manager-test.%d", (int)getpid());
    manager = start_with(options);
    assert_string_equal(mt_manager_address(manager), path);
    assert_int_equal(stat(path + 5, &status), 0);
    assert_null(mt_manager_start(&options, SOON));
    assert_int_equal(errno, EADDRINUSE);
    assert_non_null(strstr(mt_manager_message(), path));
    mt_manager_close(manager);
    assert_int_equal(stat(path + 5, &status), -1);
    assert_null(mt_manager_connect(path, NULL, 0, SOON));
    assert_int_equal(errno, ENOENT);
}

static void too_many_connections(void **state)
{
    struct mt_manager *manager = start_with((struct mt_manager_options){.connections = 3}), *more[2], *another = NULL;
    const char *address = mt_manager_address(manager);

    for (int i = 0; i < 2; i++)
        assert_non_null(more[i] = mt_manager_connect(address, NULL, 0, SOON));
    for (int i = 0; i < 40; i++) {
        assert_null(mt_manager_connect(address, NULL, 0, SOON));
        assert_true(errno == EUSERS || (i > 10 && errno == ECONNRESET));
        if (!i)
            assert_non_null(strstr(mt_manager_message(), "all the 3 connections"));
    }
    mt_manager_close(more[0]);
    for (int i = 0; i < 2000 && !another; i++) {
        another = mt_manager_connect(address, NULL, 0, SOON);
        usleep(1000);
    }
    assert_non_null(another);
    mt_manager_close(another);
    mt_manager_close(more[1]);
    mt_manager_close(manager);
}

static void limits(void **state)
{
    struct mt_manager *manager =
        start_with((struct mt_manager_options){.objects = 3, .message_max = 1000, .memory = 100000});
    const struct mt_queue_options large = {.message_max = 1001}, many = {.message_max = 1000, .capacity = 1000};
    struct mt_managed_dict *dict = mt_manager_dict(manager, "d", 0, SOON);
    struct mt_managed_list *list = mt_manager_list(manager, "l", 0, SOON);
    struct mt_managed_event *event = mt_manager_event(manager, "e", 0, SOON);
    struct mt_manager_info before, info;
    char value[1001] = "", key[16];
    struct iovec two[] = {{value, 500}, {value, 497}};
    int result = 0, count = 0;

    assert_int_equal(mt_manager_info(manager, &before, SOON), 0);
    assert_int_equal(before.objects, 3);
    assert_int_equal(before.connections, 1);
    assert_null(mt_manager_lock(manager, "one too many", 0, SOON));
    assert_int_equal(errno, ENOSPC);
    mt_managed_event_free(event);
    assert_int_equal(mt_manager_remove(manager, "e", SOON), 0);
    assert_null(mt_manager_queue(manager, "q", &large, 0, SOON));
    assert_int_equal(errno, EMSGSIZE);
    assert_null(mt_manager_queue(manager, "q", &many, 0, SOON));
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(mt_manager_message(), "memory"));

    assert_int_equal(mt_managed_dict_set(dict, "k", value, 1001, SOON), -EMSGSIZE);
    assert_int_equal(mt_managed_list_append(list, value, 1001, SOON), -EMSGSIZE);
    assert_int_equal(mt_managed_list_extend(list, two, 2, SOON), -EMSGSIZE);
    two[1].iov_len = 496;
    assert_int_equal(mt_managed_list_extend(list, two, 2, SOON), 0);
    while (!(result = mt_managed_list_append(list, value, 1000, SOON)))
        count++;
    assert_int_equal(result, -ENOSPC);
    assert_between(count, 50, 99);
    assert_int_equal(mt_managed_dict_set(dict, "k", value, 1000, SOON), -ENOSPC);
    assert_int_equal(mt_managed_list_clear(list, SOON), 0);
    for (int i = 0; i < 90; i++) {
        snprintf(key, sizeof key, "%d", i % 30);
        assert_int_equal(mt_managed_dict_set(dict, key, value, 1000, SOON), 0);
    }
    assert_int_equal(mt_managed_dict_clear(dict, SOON), 0);
    mt_managed_dict_free(dict);
    mt_managed_list_free(list);
    assert_int_equal(mt_manager_remove(manager, "d", SOON), 0);
    assert_int_equal(mt_manager_remove(manager, "l", SOON), 0);
    assert_int_equal(mt_manager_info(manager, &info, SOON), 0);
    assert_int_equal(info.objects, 0);
    assert_int_equal(info.memory, 0);
    mt_manager_close(manager);
}

/* -- Failures ----------------------------------------------------------------------------------------------------- */

static int use_all(void)
{
    struct mt_manager_options options = {.start = SANITIZER ? MT_SPAWN : MT_FORK};
    struct mt_manager *manager = mt_manager_start(&options, in_time());
    struct mt_managed_queue *queue = NULL;
    struct mt_managed_lock *lock = NULL;
    int error = manager ? 0 : -errno;

    if (manager && !(queue = mt_manager_queue(manager, "q", NULL, 0, SOON)))
        error = -errno;
    if (queue && !(lock = mt_manager_lock(manager, "l", MT_MANAGER_REQUESTS, SOON)))
        error = -errno;
    if (lock && !(error = mt_managed_lock_acquire(lock, SOON)))
        error = mt_managed_lock_release(lock);
    mt_managed_queue_free(queue);
    mt_managed_lock_free(lock);
    mt_manager_close(manager);
    return error;
}

/* In the client and, where that is a fork, in the server too. */
static void each_system_call_may_fail(void **state)
{
    const struct {
        long nr;
        int error;
    } calls[] = {{SYS_mmap, ENOMEM},       {SYS_memfd_create, EMFILE},  {SYS_ftruncate, ENOSPC},
                 {SYS_pidfd_open, EMFILE}, {MT__SYS_ALLOC, ENOMEM},     {SYS_clone, EAGAIN},
                 {SYS_eventfd2, EMFILE},   {SYS_epoll_create1, EMFILE}, {SYS_epoll_ctl, ENOSPC}};
    size_t before;

    assert_int_equal(use_all(), 0);
    before = open_descriptors();
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        int failures = 0, passed = 0;
        for (long skip = 0; passed < 4; skip++) { /* the server's calls are not seen here */
            int error;
            mt__sys_fail(calls[c].nr, skip, calls[c].error);
            error = use_all();
            mt__sys_fail(-1, 0, 0);
            failures += error != 0;
            passed = error ? 0 : passed + 1;
            /* the server's failure is told, or it has broken off */
            if (error && error != -calls[c].error && error != -EPIPE && error != -ECONNRESET)
                fail_msg("call %ld, %ld: %d", calls[c].nr, skip, error);
        }
        assert_true(failures > 0 || SANITIZER);
    }
    assert_int_equal(use_all(), 0);
    assert_int_equal(open_descriptors(), before);
}

/* An object's descriptor for which there is no room. */
static void too_many_open_files(void **state)
{
    struct mt_manager *manager = start_local();
    struct mt_managed_queue *queue;
    struct rlimit before, none;
    int highest = dup(0);

    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)highest; /* the lowest that is free */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    queue = mt_manager_queue(manager, "q", NULL, 0, SOON);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(queue);
    assert_int_equal(errno, EMFILE);
    assert_non_null(queue = mt_manager_queue(manager, "q", NULL, 0, SOON));
    mt_managed_queue_free(queue);
    mt_manager_close(manager);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(ends_with_its_owner),
        cmocka_unit_test(a_server_can_be_terminated),
        cmocka_unit_test(a_stopped_server),
        cmocka_unit_test(unrelated_programs),
        cmocka_unit_test(keys),
        cmocka_unit_test(handles_of_a_parent),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(addresses),
        cmocka_unit_test(too_many_connections),
        cmocka_unit_test(limits),
        cmocka_unit_test(each_system_call_may_fail),
        cmocka_unit_test(too_many_open_files),
    };

    mt_process_init();
    if (argc == 4 && !strcmp(argv[1], "visit"))
        return visit(argv[2], argv[3]);
    return RUN(tests);
}
