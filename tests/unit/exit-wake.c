/* SPDX-License-Identifier: MIT
 *
 * A process ends in the midst of its hub, by exit(3) or by the end of its function, when a wake has just been spent on
 * a coroutine of it that waits: whoever waits for the same thing in another process has it. tests/loops.t runs this on
 * each loop.
 */
#include "full-ring.h"
#include "hub.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define END in_time()

static struct shared {
    struct mt_sem sem;
    uint32_t armed, released;
} * shared;

static int set_up(void **state)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED || mt_sem_init(&shared->sem, 0, NULL, MT_SHARED);
}

static int tear_down(void **state)
{
    return munmap(shared, sizeof *shared);
}

static int acquire(void *arg)
{
    return mt_sem_acquire(&shared->sem, MT_FOREVER); /* one that is late looks once more, and finds it */
}

/* What the hub does not see: it is not turned. */
static void spin_until(uint32_t *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        sched_yield();
}

/* One coroutine waits, and has been armed, as the hub has slept meanwhile. */
static int wait_in_hub(void)
{
    if (!mt_coro_spawn(acquire, NULL, NULL) || mt_sleep(MT_MS(5)))
        return -EIO;
    __atomic_store_n(&shared->armed, 1, __ATOMIC_RELEASE);
    return 0;
}

static int miss_a_wake(void *arg)
{
    if (wait_in_hub())
        return -EIO;
    spin_until(&shared->released);
    return 0;
}

static int miss_a_wake_and_exit(void *arg)
{
    exit(miss_a_wake(NULL) != 0);
}

/* It is the waiter's of this hub, who does not run any more. */
static int spend_a_wake_and_exit(void *arg)
{
    int error = wait_in_hub();

    spin_until(&shared->released);
    exit(error || mt_sem_release(&shared->sem, 1));
}

static int is_last;

/* After the library's: whatever the ring still knows of goes with the process. */
__attribute__((destructor(101))) static void end_last(void)
{
    if (!is_last)
        return;
    __atomic_store_n(&shared->armed, 1, __ATOMIC_RELEASE);
    spin_until(&shared->released);
}

/* The ring has no room for what would take the wait back. */
static int end_before_the_wake(void *arg)
{
    if (!mt_coro_spawn(acquire, NULL, NULL) || mt_sleep(MT_MS(5)))
        return -EIO;
    drop_cancels(1);
    is_last = 1;
    return 0;
}

static int in_coroutine(mt_fn *fn)
{
    struct mt_task *task = mt_coro_spawn(fn, NULL, NULL);

    return task && !mt_task_join(task, END) ? 0 : 9;
}

static void waiter_has_it(struct mt_task *waiter)
{
    int result = mt_task_join(waiter, END);

    if (result == -ETIMEDOUT)
        mt_sem_release(&shared->sem, 1); /* for the next test's sake */
    else
        mt_task_release(waiter);
    assert_int_equal(result, 0);
}

/* In the child of a fork, which ends. This process waits for the semaphore, too, after it. */
static void exits_in(mt_fn *fn, int coroutine, unsigned releases)
{
    struct mt_task *waiter;
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        exit(coroutine ? in_coroutine(fn) : fn(NULL));
    spin_until(&shared->armed);
    waiter = mt_thread_spawn(acquire, NULL, NULL);
    assert_non_null(waiter);
    until_waiting(waiter, MT_WAIT_SEM);
    if (releases)
        assert_int_equal(mt_sem_release(&shared->sem, releases), 0);
    __atomic_store_n(&shared->released, 1, __ATOMIC_RELEASE);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    waiter_has_it(waiter);
}

static void a_coroutine_exits(void **state)
{
    exits_in(miss_a_wake_and_exit, 1, 1);
}

static void the_thread_of_a_hub_exits(void **state)
{
    exits_in(miss_a_wake, 0, 1);
}

static void a_coroutine_exits_that_has_woken_another(void **state)
{
    exits_in(spend_a_wake_and_exit, 1, 0);
}

static void the_ring_is_full_at_the_end(void **state)
{
    exits_in(end_before_the_wake, 0, 1);
}

static struct mt_task *child;

static int start_child(void *arg)
{
    child = mt_process_spawn(miss_a_wake, NULL, 0, &(struct mt_process_options){.start = MT_FORK});
    return child ? 0 : -errno;
}

/* It goes on in the coroutine that has forked it. */
static void the_child_of_a_coroutine_ends(void **state)
{
    struct mt_task *waiter, *starter = spawn_coro(start_child, NULL);

    assert_int_equal(finish(starter), 0);
    spin_until(&shared->armed);
    waiter = mt_thread_spawn(acquire, NULL, NULL);
    assert_non_null(waiter);
    until_waiting(waiter, MT_WAIT_SEM);
    assert_int_equal(mt_sem_release(&shared->sem, 1), 0);
    __atomic_store_n(&shared->released, 1, __ATOMIC_RELEASE);
    assert_int_equal(finish(child), 0);
    waiter_has_it(waiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_coroutine_exits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_thread_of_a_hub_exits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_coroutine_exits_that_has_woken_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_ring_is_full_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_child_of_a_coroutine_ends, set_up, tear_down),
    };

    return RUN(tests);
}
