/* SPDX-License-Identifier: MIT
 *
 * Starting a process where something fails: each system call, the fork server, another thread's handles. And that
 * nothing is left behind, of those that fail nor of those that do not.
 */
#include "process-unit.h"

static void each_system_call_may_fail(void **state)
{
    const struct {
        long nr;
        int error;
    } calls[] = {{SYS_mmap, ENOMEM},       {SYS_memfd_create, EMFILE}, {SYS_ftruncate, ENOSPC}, {SYS_clone, EAGAIN},
                 {SYS_pidfd_open, EMFILE}, {MT__SYS_ALLOC, ENOMEM},    {SYS_fcntl, EPERM}};
    size_t before;

    EACH(method) /* whatever stays open stays from the first time */
    assert_int_equal(finish(start(nap, NULL, 0, method)), 0);
    before = open_descriptors();
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        EACH(method)
        {
            struct mt_process_options options = {.start = (enum mt_start_method)method};
            for (long skip = 0;; skip++) {
                struct mt_task *task;
                long seen;
                int error;
                mt__sys_fail(calls[c].nr, skip, calls[c].error);
                task = mt_process_spawn(nap, NULL, 0, &options);
                error = errno;
                seen = mt__sys_fail(-1, 0, 0);
                if (task)
                    assert_int_equal(finish(task), 0);
                else
                    assert_int_equal(error, calls[c].error);
                if (seen <= skip)
                    break;
            }
        }
    }
    assert_int_equal(open_descriptors(), before);
}

static void a_killed_server_is_replaced(void **state)
{
    struct mt_task_info infos[64];
    size_t count = mt_task_enumerate(infos, 64);
    int killed = 0;

    for (size_t i = 0; i < count && i < 64; i++)
        if (!strcmp(infos[i].name, "forkserver"))
            killed = kill(infos[i].tid, SIGKILL) == 0;
    assert_true(killed);
    usleep(20000);
    assert_int_equal(finish(start(nap, NULL, 0, MT_FORKSERVER)), 0);
}

static void nothing_is_left_after_many(void **state)
{
    size_t before = open_descriptors();

    for (int i = 0; i < often(300); i++)
        assert_int_equal(finish(start(nap, NULL, 0, i % 10 ? MT_FORK : methods[i / 10 % 3])), 0);
    assert_int_equal(open_descriptors(), before);
}

static uint32_t enough;

static int start_and_forget(void *arg)
{
    while (!__atomic_load_n(&enough, __ATOMIC_ACQUIRE)) {
        struct mt_task *task = mt_process_spawn(nap, NULL, 0, NULL);
        if (!task)
            return -errno;
        if (mt_task_join(task, in_time()))
            return -EIO;
        mt_task_release(task);
        task = mt_process_spawn(nap, NULL, 0, NULL);
        if (!task)
            return -errno;
        mt_task_detach(task);
    }
    return 0;
}

/* Each fork may fall into another thread's last act on a handle. */
static void forks_beside_handles_that_go(void **state)
{
    struct mt_task *others[2];

    if (SANITIZER)
        skip(); /* a child of ASan's may find its allocator locked */
    for (int i = 0; i < 2; i++)
        others[i] = spawn(start_and_forget, NULL);
    for (int i = 0; i < often(500); i++)
        assert_int_equal(finish(start(nap, NULL, 0, MT_FORK)), 0);
    __atomic_store_n(&enough, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(others[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_system_call_may_fail),
        cmocka_unit_test(a_killed_server_is_replaced),
        cmocka_unit_test(nothing_is_left_after_many),
        cmocka_unit_test(forks_beside_handles_that_go),
    };

    mt_process_init();
    return RUN(tests);
}
