/* SPDX-License-Identifier: MIT
 *
 * The Nth system call, or allocation, made to fail in each call of the library that makes one.
 */
#include "unit.h"
#include "base/sys.h"
#include <sys/wait.h>

static int nothing(void *arg)
{
    return 0;
}

static int is_raw(void)
{
    return !strcmp(mt_thread_backend(), "raw");
}

/* Spawns and joins a thread with the failure armed: it works, or it fails with that error and leaves nothing behind.
 * Returns whether it failed. */
static int spawn_with_failure(long nr, long skip, int error, size_t stack_size)
{
    struct mt_thread_options options = {.stack_size = stack_size};
    size_t before = mt_task_enumerate(NULL, 0);
    struct mt_task *task;

    mt__sys_fail(nr, skip, error);
    task = mt_thread_spawn(nothing, NULL, &options);
    if (!task)
        assert_int_equal(errno, error);
    mt__sys_fail(-1, 0, 0);
    if (task)
        assert_int_equal(finish(task), 0);
    assert_int_equal(mt_task_enumerate(NULL, 0), before);
    return !task;
}

/* Fresh slots each time: the sizes do not fit each other. */
static size_t new_size(void)
{
    static size_t size = 1024 * 1024;

    return size = size * 9 / 4;
}

static void spawn_without_memory(void **state)
{
    int failed = 0;

    for (long skip = 0; skip < 4; skip++)
        failed += spawn_with_failure(MT__SYS_ALLOC, skip, ENOMEM, 0);
    assert_true(failed >= 1);
}

static void spawn_without_mappings(void **state)
{
    if (!is_raw())
        skip();
    assert_true(spawn_with_failure(SYS_mmap, 0, ENOMEM, new_size()));
    assert_false(spawn_with_failure(SYS_mmap, 1, ENOMEM, new_size()));
    assert_true(spawn_with_failure(SYS_mprotect, 0, ENOMEM, new_size()));
}

static void spawn_without_threads(void **state)
{
    for (int i = 0; i < 100; i++) {
        assert_true(spawn_with_failure(SYS_clone, 0, EAGAIN, 0));
        assert_false(spawn_with_failure(SYS_clone, 1, EAGAIN, 0));
    }
    assert_true(spawn_with_failure(SYS_clone, 0, EPERM, 0));
}

/* What a thread does first can be refused by old kernels or sandboxes: it starts all the same. */
static void threads_start_without(void **state)
{
    static const long calls[] = {SYS_rseq, SYS_set_robust_list, SYS_gettid};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        assert_false(spawn_with_failure(calls[i], 0, ENOSYS, 0));
}

static int wait_with_failure(long nr, long skip, int error)
{
    struct mt_event event = MT_EVENT_INIT;
    int result;

    mt__sys_fail(nr, skip, error);
    result = mt_event_wait(&event, mt_after(MT_MS(20)));
    mt__sys_fail(-1, 0, 0);
    return result;
}

/* A futex call that is interrupted, that lacks memory or that is not there ends in the same result. */
static void waits_survive(void **state)
{
    static const int errors[] = {EINTR, EAGAIN, ENOMEM};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        for (long skip = 0; skip < 3; skip++) {
            assert_int_equal(wait_with_failure(449, skip, errors[i]), -ETIMEDOUT);
            assert_int_equal(wait_with_failure(SYS_futex, skip, errors[i]), -ETIMEDOUT);
        }
}

static int contend(void *arg)
{
    struct mt_lock *lock = arg;
    int result = mt_lock_acquire(lock, in_time());

    return result ? result : mt_lock_release(lock);
}

/* Looking for a circle reads memory by a system call that sandboxes refuse: then none is found, and the wait goes on.
 */
static void a_circle_is_not_looked_for(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT;
    struct mt_task *waiter;

    assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
    mt__sys_fail(SYS_process_vm_readv, 0, EPERM);
    waiter = spawn(contend, &lock);
    until_waiting(waiter, MT_WAIT_LOCK);
    usleep(300000); /* it looks after a millisecond, on a machine that may be busy */
    assert_true(mt__sys_fail(-1, 0, 0) >= 1);
    assert_int_equal(mt_lock_release(&lock), 0);
    assert_int_equal(finish(waiter), 0);
}

static void without_a_memfd(void **state)
{
    pid_t child = fork();
    int status;

    if (!child) {
        /* The child's own table: refused in each of its steps, tasks go on, and the parent's records are left alone. */
        static const long calls[] = {SYS_memfd_create, SYS_ftruncate, SYS_mmap};
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
            pid_t grandchild;
            mt__sys_fail(calls[i], 0, EMFILE);
            grandchild = fork();
            if (!grandchild) {
                mt__sys_fail(-1, 0, 0);
                mt_task_set_name(mt_task_current(), "grandchild");
                _exit(mt_task_tid(mt_task_current()) != getpid());
            }
            mt__sys_fail(-1, 0, 0);
            if (waitpid(grandchild, &status, 0) != grandchild || status)
                _exit(1);
            if (!strcmp(mt_task_name(mt_task_current()), "grandchild"))
                _exit(2);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawn_without_memory),  cmocka_unit_test(spawn_without_mappings),
        cmocka_unit_test(spawn_without_threads), cmocka_unit_test(threads_start_without),
        cmocka_unit_test(waits_survive),         cmocka_unit_test(a_circle_is_not_looked_for),
        cmocka_unit_test(without_a_memfd),
    };
    return RUN(tests);
}
