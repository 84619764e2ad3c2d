/* SPDX-License-Identifier: MIT
 *
 * Making threads: options, stacks, joinall, and how threads end. thread-libc.c and thread-system.c have what libc and
 * the kernel do on them. tests/backends.t runs this, like all unit tests, with both backends.
 */
#include "unit.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int nothing(void *arg)
{
    return 0;
}

static void the_backend_can_be_asked(void **state)
{
    const char *forced = getenv("LINUXMT_THREADS");

    assert_true(!strcmp(mt_thread_backend(), "raw") || !strcmp(mt_thread_backend(), "pthread"));
    assert_true(strlen(mt_thread_backend_reason()) > 0);
    if (forced && !strcmp(forced, "pthread"))
        assert_string_equal(mt_thread_backend(), "pthread");
    print_message("# backend %s: %s\n", mt_thread_backend(), mt_thread_backend_reason());
}

static void options_are_checked(void **state)
{
    struct mt_thread_options small = {.stack_size = MT_STACK_MIN - 1}, odd = {.guard_size = 100},
                             huge = {.stack_size = SIZE_MAX};

    assert_null(mt_thread_spawn(nothing, NULL, &small));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_thread_spawn(nothing, NULL, &odd));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_thread_spawn(nothing, NULL, &huge));
    assert_int_equal(errno, EINVAL);
    huge.stack_size = (size_t)1 << 47;
    assert_null(mt_thread_spawn(nothing, NULL, &huge));
    assert_true(errno == ENOMEM || errno == EAGAIN);
}

static int use_stack(void *arg)
{
    volatile char room[900 * 1024];

    for (size_t i = 0; i < sizeof room; i += 1024)
        room[i] = 1;
    return room[1024] != 1;
}

static void stack_size_can_be_set(void **state)
{
    struct mt_thread_options options = {.stack_size = 1024 * 1024, .guard_size = 65536};
    struct mt_task *task = mt_thread_spawn(use_stack, NULL, &options);

    assert_non_null(task);
    assert_int_equal(finish(task), 0);
}

static int overflow(void *arg)
{
    volatile char room[400 * 1024];

    for (size_t i = sizeof room; i > 0; i -= 1024)
        room[i - 1] = 1;
    return room[0];
}

static void an_overflow_hits_the_guard(void **state)
{
    pid_t child;
    int status;

    if (SANITIZER)
        skip(); /* it reports the fault in a way of its own */
    child = fork();

    if (!child) {
        struct rlimit none = {0, 0};
        struct mt_thread_options options = {.guard_size = 1 << 20};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        struct mt_task *task = mt_thread_spawn(overflow, NULL, &options);
        _exit(task && mt_task_join(task, MT_FOREVER) ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
}

struct greeter {
    int greetings;
    struct mt_thread thread;
};

static int greet(struct mt_thread *self)
{
    struct greeter *greeter = mt_container_of(self, struct greeter, thread);

    greeter->greetings++;
    return self->task != mt_task_current() || strcmp(mt_task_name(mt_task_current()), "greeter") != 0;
}

static void a_thread_with_a_run_method(void **state)
{
    struct greeter greeter = {.thread = {.run = greet, .options = {.name = "greeter"}}};

    assert_int_equal(mt_thread_start(&greeter.thread), 0);
    assert_int_equal(mt_thread_start(&greeter.thread), -EALREADY);
    assert_int_equal(finish(greeter.thread.task), 0);
    assert_int_equal(greeter.greetings, 1);
    greeter.thread = (struct mt_thread){.run = greet, .options = {.stack_size = 1}};
    assert_int_equal(mt_thread_start(&greeter.thread), -EINVAL);
    assert_null(greeter.thread.task);
}

static int at_once(void *arg)
{
    return arg != NULL;
}

/* Not only their tasks are done then: the kernel has none of them any more. */
static void joinall_threads_leaves_no_thread(void **state)
{
    struct mt_task *tasks[8];
    int tids[8];

    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 8; i++) {
            tasks[i] = spawn(at_once, NULL);
            tids[i] = mt_task_tid(tasks[i]);
        }
        assert_int_equal(mt_joinall_threads(in_time()), 0);
        for (int i = 0; i < 8; i++) {
            if (tids[i])
                assert_int_equal(syscall(SYS_tgkill, getpid(), tids[i], 0), -1);
            mt_task_release(tasks[i]);
        }
    }
}

static int check_settings(void *arg)
{
    cpu_set_t cpus;

    sched_getaffinity(0, sizeof cpus, &cpus);
    return CPU_COUNT(&cpus) != 1 || getpriority(PRIO_PROCESS, (id_t)gettid()) != *(int *)arg ||
           sched_getscheduler(0) != SCHED_BATCH;
}

static void cpus_policy_and_nice(void **state)
{
    cpu_set_t allowed, one, none;
    struct mt_thread_options options = {.cpus = &one, .cpus_size = sizeof one, .policy = SCHED_BATCH, .nice = 5};
    struct mt_task *task;
    int nice = getpriority(PRIO_PROCESS, 0) + options.nice;
    size_t before = mt_task_enumerate(NULL, 0);

    nice = nice > 19 ? 19 : nice;
    sched_getaffinity(0, sizeof allowed, &allowed);
    CPU_ZERO(&one);
    CPU_ZERO(&none);
    for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++)
        if (CPU_ISSET(cpu, &allowed))
            CPU_SET(cpu, &one);
    task = mt_thread_spawn(check_settings, &nice, &options);
    assert_non_null(task);
    assert_int_equal(finish(task), 0);
    options.cpus = &none;
    assert_null(mt_thread_spawn(check_settings, NULL, &options));
    assert_int_equal(errno, EINVAL);
    options = (struct mt_thread_options){.policy = SCHED_FIFO, .priority = 1000};
    assert_null(mt_thread_spawn(check_settings, NULL, &options));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mt_task_enumerate(NULL, 0), before);
}

static int sleep_a_little(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
    return mt_sleep(MT_MS(30));
}

static int sleep_on(void *arg)
{
    return mt_sleep(MT_SEC(60)) == -ECANCELED ? 0 : -EIO;
}

static void joinall_threads_leaves_daemons(void **state)
{
    struct mt_thread_options daemon = {.daemon = 1};
    struct mt_task *demon = mt_thread_spawn(sleep_on, NULL, &daemon);
    int started = 0;

    assert_non_null(demon);
    for (int i = 0; i < 5; i++)
        mt_task_detach(spawn(sleep_a_little, &started));
    assert_int_equal(mt_joinall_threads(MT_FOREVER), 0);
    assert_int_equal(started, 5);
    assert_int_equal(mt_joinall_threads(MT_NOWAIT), 0);
    assert_true(mt_task_is_alive(demon));
    assert_int_equal(mt_task_kill(demon), 0);
    assert_int_equal(finish(demon), 0);
}

/* -- Life and death ----------------------------------------------------------------------------------------------- */

static long resident_pages(void)
{
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages;
}

static int allocate_a_little(void *arg)
{
    for (int i = 1; i < 20; i++) {
        void *volatile block = malloc((size_t)i * 24);
        free(block);
    }
    return 0;
}

static void no_growth(void **state)
{
    long before;

    if (SANITIZER)
        skip(); /* ASan keeps what is freed in quarantine, TSan each thread's history */
    for (int i = 0; i < 100; i++)
        assert_int_equal(finish(spawn(allocate_a_little, NULL)), 0);
    before = resident_pages();
    for (int i = 0; i < often(100000); i++)
        assert_int_equal(finish(spawn(allocate_a_little, NULL)), 0);
    assert_true(resident_pages() - before < 256);
}

static int outlive_main(void *arg)
{
    usleep(100000);
    _exit(7);
}

static void a_thread_outlives_mains_pthread_exit(void **state)
{
    int status;
    pid_t child;

    if (SANITIZER)
        skip(); /* a child of TSan's cannot start threads */
    child = fork();
    if (!child) {
        mt_task_detach(mt_thread_spawn(outlive_main, NULL, NULL));
        pthread_exit(NULL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static int mix(void *arg)
{
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, (void *(*)(void *))(uintptr_t)(void *)allocate_a_little, NULL) ||
            pthread_join(thread, NULL))
            return 1;
    }
    return 0;
}

static void beside_pthread_create(void **state)
{
    run_many(mix, NULL, 4);
}

static int end_by_system_call(void *arg)
{
    mt_event_set(arg);
    return (int)syscall(SYS_exit, 0);
}

static int join_it(void *task)
{
    return mt_task_join(task, in_time());
}

static void a_thread_that_is_lost_is_joined(void **state)
{
    struct mt_event there = MT_EVENT_INIT;

    if (TSAN) /* it does not survive such a thread */
        skip();
    for (int i = 0; i < 3; i++) {
        struct mt_task *task, *other;
        mt_event_clear(&there);
        task = spawn(end_by_system_call, &there);
        other = spawn(join_it, task);
        assert_int_equal(mt_event_wait(&there, in_time()), 0);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_task_outcome(task), -ECANCELED);
        assert_string_equal(mt_task_message(task),
                            "its thread was ended by a system call, and nothing of it was cleaned up");
        assert_false(mt_task_is_alive(task));
        assert_int_equal(mt_task_state(task), MT_DEAD);
        assert_int_equal(finish(other), 0);
        assert_int_equal(mt_task_join(task, MT_NOWAIT), 0);
        mt_task_release(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_backend_can_be_asked),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(stack_size_can_be_set),
        cmocka_unit_test(an_overflow_hits_the_guard),
        cmocka_unit_test(a_thread_with_a_run_method),
        cmocka_unit_test(joinall_threads_leaves_no_thread),
        cmocka_unit_test(cpus_policy_and_nice),
        cmocka_unit_test(joinall_threads_leaves_daemons),
        cmocka_unit_test(no_growth),
        cmocka_unit_test(a_thread_outlives_mains_pthread_exit),
        cmocka_unit_test(beside_pthread_create),
        cmocka_unit_test(a_thread_that_is_lost_is_joined),
    };
    return RUN(tests);
}
