/* SPDX-License-Identifier: MIT
 *
 * The monitor of hubs. What blocks goes on until it has been told, so nothing depends on how quick that is.
 */
#include "hub.h"
#include "base/sys.h"
#include "base/task.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define THRESHOLD MT_MS(20)
#define PATIENCE  300 /* seconds */

/* What was told last. The monitor tells more while it is looked at. */
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint32_t count;
    char name[MT_NAME_MAX], call[32], text[4096];
    void *frames[32];
    size_t depth;
    int64_t nanoseconds;
    int tid;
} told;

static void note(const struct mt_blocked *blocked, void *arg)
{
    pthread_mutex_lock(&telling);
    snprintf(told.name, sizeof told.name, "%s", blocked->name);
    snprintf(told.call, sizeof told.call, "%s", blocked->call);
    snprintf(told.text, sizeof told.text, "%s", blocked->text);
    told.depth = blocked->depth;
    memcpy(told.frames, blocked->frames, blocked->depth * sizeof *told.frames);
    told.nanoseconds = blocked->nanoseconds;
    told.tid = blocked->tid;
    pthread_mutex_unlock(&telling);
    __atomic_fetch_add((uint32_t *)arg, 1, __ATOMIC_RELEASE);
}

static uint32_t count(void)
{
    return __atomic_load_n(&told.count, __ATOMIC_ACQUIRE);
}

static int is_over(time_t since)
{
    return time(NULL) - since > PATIENCE;
}

/* Whether /proc tells what a thread does, in the numbers of this program, and memory can be read by process_vm_readv:
 * not under an emulator. */
static int kernel_tells(void)
{
    char text[64] = "", own, there = 1;
    int fd = open("/proc/thread-self/syscall", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

    if (fd >= 0)
        close(fd);
    return got > 0 && atol(text) == SYS_read && text[0] != 'r' &&
           process_vm_readv(getpid(), &(struct iovec){&own, sizeof own}, 1, &(struct iovec){&there, sizeof there}, 1,
                            0) == sizeof there;
}

static int has_frame_in(const void *function, size_t size)
{
    for (size_t i = 0; i < told.depth; i++)
        if ((uintptr_t)told.frames[i] - (uintptr_t)function < size)
            return 1;
    return 0;
}

static int sleeps_too_short;

static int is_told(int (*good)(void))
{
    int is;

    pthread_mutex_lock(&telling);
    is = good();
    pthread_mutex_unlock(&telling);
    return is;
}

static int a_call_is_named(void)
{
    return told.call[0] != 0;
}

/* Keeps its hub, without a turn in between, until it is told. Not static: so its name is in the symbols. */
int sleep_until_told(uint32_t before);
int spin_until_told(uint32_t before);

__attribute__((noinline)) int sleep_until_told(uint32_t before)
{
    const struct timespec while_ = {0, 150000000};
    time_t since = time(NULL);
    int cut = 0;

    while (count() == before && !is_over(since))
        cut |= nanosleep(&while_, NULL) != 0;
    sleeps_too_short += cut && is_told(a_call_is_named); /* what is told as computing has been sent a signal */
    return 0;
}

__attribute__((noinline)) int spin_until_told(uint32_t before)
{
    time_t since = time(NULL);
    volatile unsigned turns = 0;

    while (count() == before && (++turns & 0xfffff || !is_over(since)))
        continue;
    return 0;
}

static int sleeper(void *unused)
{
    sleep_until_told(count());
    return 0;
}

static int spinner(void *unused)
{
    spin_until_told(count());
    return 0;
}

static int be_there(void *unused)
{
    return mt_sleep(MT_SEC(600));
}

/* Runs it as a coroutine until what is told of it is told while it was in there: the load of the machine may have the
 * monitor look at another moment. */
static void run_until(mt_fn *body, int (*good)(void))
{
    time_t since = time(NULL);

    assert_int_equal(mt_monitor(THRESHOLD), 0);
    do {
        struct mt_task *task = mt_coro_spawn(body, NULL, &(struct mt_coro_options){.name = "hog"});
        assert_non_null(task);
        assert_int_equal(finish(task), 0);
    } while (!is_told(good) && !is_over(since));
    assert_int_equal(mt_monitor(0), 0);
    if (!good())
        print_message("# %s", told.text);
    assert_true(good());
}

static int is_told_in_sleep(void)
{
    return !kernel_tells() ||
           (!strcmp(told.name, "hog") && strstr(told.call, "nanosleep") && has_frame_in(sleep_until_told, 400));
}

static void a_call_that_blocks_is_told_with_its_stack(void **state)
{
    uint64_t before = mt_monitor_count();

    mt_monitor_hook(note, &told.count);
    run_until(sleeper, is_told_in_sleep);
    assert_true(mt_monitor_count() > before);
    assert_int_equal(told.tid, gettid());
    assert_true(told.nanoseconds >= THRESHOLD);
    assert_int_equal(sleeps_too_short, 0);
    assert_non_null(strstr(told.text, told.name));
}

static int is_told_in_spin(void)
{
    return !kernel_tells() || (!strcmp(told.name, "hog") && (SANITIZER || has_frame_in(spin_until_told, 400)));
}

static void a_computation_that_never_yields_is_told(void **state)
{
    mt_monitor_hook(note, &told.count);
    run_until(spinner, is_told_in_spin);
}

/* It is the thread itself that keeps its coroutine waiting. */
static void the_thread_itself_is_told(void **state)
{
    struct mt_task *task = spawn_coro(be_there, NULL);
    uint32_t before;

    mt_monitor_hook(note, &told.count);
    assert_int_equal(mt_coro_yield(), 0);
    assert_int_equal(mt_monitor(THRESHOLD), 0);
    before = count();
    sleep_until_told(before);
    assert_true(count() > before);
    assert_int_equal(mt_monitor(0), 0);
    if (kernel_tells())
        assert_string_equal(told.name, mt_task_name(mt_task_current()));
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
}

static void blocked_hubs_are_counted_in_the_record(void **state)
{
    const struct mt__record *record = mt_task_current()->record;
    uint32_t before = __atomic_load_n(&record->blocked, __ATOMIC_ACQUIRE);
    time_t since = time(NULL);
    struct mt_task *task;

    mt_monitor_hook(note, &told.count);
    assert_int_equal(mt_monitor(THRESHOLD), 0);
    task = mt_coro_spawn(sleeper, NULL, &(struct mt_coro_options){.name = "hog"});
    assert_int_equal(finish(task), 0);
    while (__atomic_load_n(&record->blocked, __ATOMIC_ACQUIRE) == before && !is_over(since))
        mt_sleep(MT_MS(1));
    assert_true(record->blocked > before);
    assert_true(record->blocked_most >= THRESHOLD);
    assert_int_equal(mt_monitor(0), 0);
}

/* A thread without coroutines keeps nobody waiting. */
static void who_is_alone_blocks_nobody(void **state)
{
    const struct timespec while_ = {0, 6 * THRESHOLD};
    uint32_t before = count();

    mt_monitor_hook(note, &told.count);
    assert_int_equal(mt_monitor(THRESHOLD), 0);
    nanosleep(&while_, NULL);
    assert_int_equal(mt_monitor(0), 0);
    assert_int_equal(count(), before);
}

static int own_hub(void *unused)
{
    struct mt_task *task = mt_coro_spawn(be_there, NULL, NULL);
    int result;

    if (!task)
        return -errno;
    mt_sleep(MT_MS(1));
    mt_task_kill(task);
    result = mt_task_join(task, in_time());
    (void)mt_task_outcome(task);
    mt_task_release(task);
    return result;
}

static void hubs_come_and_go_meanwhile(void **state)
{
    mt_monitor_hook(note, &told.count);
    assert_int_equal(mt_monitor(MT_MS(1)), 0);
    for (int i = 0; i < often(50); i++)
        run_many(own_hub, NULL, 4);
    assert_int_equal(mt_monitor(0), 0);
}

static struct {
    int tid;
    uint32_t begun, over;
} slow;

/* It takes longer than the hub that it is about has still to do. */
static void note_slowly(const struct mt_blocked *blocked, void *unused)
{
    if (blocked->tid != __atomic_load_n(&slow.tid, __ATOMIC_ACQUIRE) || slow.over)
        return;
    __atomic_store_n(&slow.begun, 1, __ATOMIC_RELEASE);
    usleep(100000);
    __atomic_store_n(&slow.over, 1, __ATOMIC_RELEASE);
}

static int leave_while_looked_at(void *unused)
{
    struct mt_task *task = mt_coro_spawn(be_there, NULL, NULL);
    time_t since = time(NULL);
    int result;

    if (!task)
        return -errno;
    mt_coro_yield();
    __atomic_store_n(&slow.tid, gettid(), __ATOMIC_RELEASE);
    while (!__atomic_load_n(&slow.begun, __ATOMIC_ACQUIRE) && !is_over(since))
        usleep(1000);
    mt_task_kill(task);
    result = mt_task_join(task, in_time());
    (void)mt_task_outcome(task);
    mt_task_release(task);
    return result;
}

static void a_hub_stays_while_it_is_looked_at(void **state)
{
    mt_monitor_hook(note_slowly, NULL);
    assert_int_equal(mt_monitor(THRESHOLD), 0);
    assert_int_equal(finish(spawn(leave_while_looked_at, NULL)), 0);
    assert_int_equal(slow.begun, 1);
    assert_int_equal(slow.over, 1);
    assert_int_equal(mt_monitor(0), 0);
}

static void it_is_turned_on_and_off(void **state)
{
    assert_int_equal(mt_monitor(-1), -EINVAL);
    assert_int_equal(mt_monitor(0), 0);
    assert_int_equal(mt_monitor(MT_SEC(1)), 0);
    assert_int_equal(mt_monitor(MT_SEC(2)), 0);
    assert_int_equal(mt_monitor(0), 0);
    assert_int_equal(mt_monitor(0), 0);
}

static void without_memory_there_is_none(void **state)
{
    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
    assert_int_equal(mt_monitor(MT_SEC(1)), -ENOMEM);
    mt__sys_fail(-1, 0, 0);
    assert_int_equal(mt_monitor(MT_SEC(1)), 0);
    assert_int_equal(mt_monitor(0), 0);
}

static void a_forks_child_can_have_its_own(void **state)
{
    int status = -1;
    pid_t child;

    if (TSAN) /* it lets no child of a program with threads make threads */
        skip();
    assert_int_equal(mt_monitor(MT_SEC(1)), 0);
    child = fork();
    if (!child) {
        int failed = mt_monitor(MT_SEC(1)) || mt_monitor(0);
        _exit(failed);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mt_monitor(0), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_alone_blocks_nobody),
        cmocka_unit_test(a_call_that_blocks_is_told_with_its_stack),
        cmocka_unit_test(a_computation_that_never_yields_is_told),
        cmocka_unit_test(the_thread_itself_is_told),
        cmocka_unit_test(blocked_hubs_are_counted_in_the_record),
        cmocka_unit_test(hubs_come_and_go_meanwhile),
        cmocka_unit_test(a_hub_stays_while_it_is_looked_at),
        cmocka_unit_test(it_is_turned_on_and_off),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(a_forks_child_can_have_its_own),
    };

    return RUN(tests);
}
