/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <pthread.h>
#include <sys/wait.h>

static struct mt_event go = MT_EVENT_INIT_NAMED("go");

static int nothing(void *arg)
{
    return 0;
}

static int fail_with_message(void *arg)
{
    return mt_fail(-EIO, "disk %s is gone", (const char *)arg);
}

static int wait_for_go(void *arg)
{
    return mt_event_wait(&go, MT_FOREVER);
}

static int join_it(void *arg)
{
    return mt_task_join(arg, MT_FOREVER);
}

static void outcome_and_message(void **state)
{
    struct mt_task *task = spawn_named(fail_with_message, "sda", "reader");

    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    assert_int_equal(mt_task_join(task, MT_NOWAIT), 0);
    assert_int_equal(mt_task_outcome(task), -EIO);
    assert_string_equal(mt_task_message(task), "disk sda is gone");
    assert_string_equal(mt_task_name(task), "reader");
    assert_int_equal(mt_task_state(task), MT_DEAD);
    assert_int_equal(mt_task_tid(task), 0);
    assert_false(mt_task_is_alive(task));
    assert_int_equal(mt_task_kill(task), -ESRCH);
    mt_task_release(task);
}

static void while_it_runs(void **state)
{
    struct mt_task *task;
    struct mt_task_info info;
    mt_deadline start;

    mt_event_clear(&go);
    task = spawn(wait_for_go, NULL);
    until_waiting(task, MT_WAIT_EVENT);
    mt_task_info(task, &info);
    assert_int_equal(info.kind, MT_THREAD);
    assert_ptr_equal(info.object, &go);
    assert_string_equal(info.object_name, "go");
    assert_int_equal(info.tid, mt_task_tid(task));
    assert_between(elapsed(info.since), 0, 60000);
    assert_int_equal(mt_task_outcome(task), -EINPROGRESS);
    assert_true(mt_task_is_alive(task));
    assert_int_equal(mt_task_join(task, MT_NOWAIT), -EBUSY);
    start = mt_now();
    assert_int_equal(mt_task_join(task, mt_after(MT_MS(20))), -ETIMEDOUT);
    assert_between(elapsed(start), 20, 60000);
    mt_event_set(&go);
    assert_int_equal(finish(task), 0);
}

static void many_join_one(void **state)
{
    struct mt_task *target, *joiners[5];

    for (int round = 0; round < 20; round++) {
        mt_event_clear(&go);
        target = spawn(wait_for_go, NULL);
        for (int i = 0; i < 5; i++)
            joiners[i] = spawn(join_it, target);
        if (round % 2)
            for (int i = 0; i < 5; i++)
                until_waiting(joiners[i], MT_WAIT_JOIN);
        mt_event_set(&go);
        for (int i = 0; i < 5; i++)
            assert_int_equal(finish(joiners[i]), 0);
        assert_int_equal(finish(target), 0);
    }
}

static void a_killed_joiner_leaves(void **state)
{
    struct mt_task *target, *joiner;

    mt_event_clear(&go);
    target = spawn(wait_for_go, NULL);
    joiner = spawn(join_it, target);
    until_waiting(joiner, MT_WAIT_JOIN);
    assert_int_equal(mt_task_kill(joiner), 0);
    assert_int_equal(finish(joiner), -ECANCELED);
    mt_event_set(&go);
    assert_int_equal(finish(target), 0);
}

static void joinall_takes_a_list(void **state)
{
    struct mt_task *tasks[6];

    mt_event_clear(&go);
    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(i % 2 ? nothing : wait_for_go, NULL);
    assert_int_equal(mt_joinall(tasks, 6, mt_after(MT_MS(30))), -ETIMEDOUT);
    mt_event_set(&go);
    assert_int_equal(mt_joinall(tasks, 6, MT_FOREVER), 0);
    assert_int_equal(mt_joinall(tasks, 0, MT_NOWAIT), 0);
    for (int i = 0; i < 6; i++)
        mt_task_release(tasks[i]);
}

static void who_cannot_be_joined(void **state)
{
    assert_int_equal(mt_task_join(mt_task_current(), MT_FOREVER), -EDEADLK);
}

static int join_main(void *arg)
{
    return mt_task_join(arg, MT_FOREVER);
}

static void main_is_no_thread_of_ours(void **state)
{
    assert_int_equal(finish(spawn(join_main, mt_task_current())), -EINVAL);
    assert_string_equal(mt_task_name(mt_task_current()), "main");
    assert_int_equal(mt_task_tid(mt_task_current()), getpid());
    assert_int_equal(mt_task_state(mt_task_current()), MT_RUNNING);
}

static int after_kill(void *arg)
{
    struct mt_lock lock = MT_LOCK_INIT;
    struct mt_sem sem = MT_SEM_INIT(0);
    int first = mt_event_wait(&go, MT_FOREVER);

    if (first != -ECANCELED || !mt_task_killed())
        return 1;
    if (mt_event_wait(&go, MT_FOREVER) != -ECANCELED || mt_sleep(MT_SEC(9)) != -ECANCELED || mt_sleep(0) != -ECANCELED)
        return 2;
    if (mt_sem_acquire(&sem, MT_FOREVER) != -ECANCELED)
        return 3;
    if (mt_lock_acquire(&lock, MT_FOREVER) || mt_lock_release(&lock))
        return 4; /* it does not block, so cleanup can take a free lock */
    return 0;
}

static void a_kill_lasts(void **state)
{
    struct mt_task *task;

    mt_event_clear(&go);
    task = spawn(after_kill, NULL);
    until_waiting(task, MT_WAIT_EVENT);
    assert_int_equal(mt_task_kill(task), 0);
    mt_task_kill(task);
    assert_int_equal(finish(task), 0);
}

static int sleep_long(void *arg)
{
    return mt_sleep(MT_SEC(60));
}

/* A kill at any moment around the beginning of the wait is noticed: none of these sleeps 60 s. */
static void no_kill_is_missed(void **state)
{
    for (int i = 0; i < 300; i++) {
        struct mt_task *task = spawn(sleep_long, NULL);
        for (volatile int spin = 0; spin < i * 40; spin++)
            ;
        mt_task_kill(task);
        assert_int_equal(finish(task), -ECANCELED);
    }
}

static int detached_ends;
static int count_end(void *arg)
{
    __atomic_fetch_add(&detached_ends, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void detached_tasks_end_alone(void **state)
{
    struct mt_task_info info[64];

    detached_ends = 0;
    for (int i = 0; i < 200; i++)
        mt_task_detach(spawn(count_end, NULL));
    for (int i = 0; i < 5000 && mt_task_enumerate(info, 64) > 1; i++)
        usleep(1000);
    assert_int_equal(detached_ends, 200);
    assert_int_equal(mt_task_enumerate(info, 64), 1);
}

static void enumerate_sees_all(void **state)
{
    struct mt_task *tasks[5];
    struct mt_task_info info[3], all[16];
    int seen = 0;

    mt_event_clear(&go);
    for (int i = 0; i < 5; i++)
        tasks[i] = spawn_named(wait_for_go, NULL, "one of five");
    assert_int_equal(mt_task_enumerate(info, 3), 6);
    assert_int_equal(mt_task_enumerate(NULL, 0), 6);
    assert_int_equal(mt_task_enumerate(all, 16), 6);
    for (int i = 0; i < 6; i++)
        seen += !strcmp(all[i].name, "one of five");
    assert_int_equal(seen, 5);
    mt_event_set(&go);
    for (int i = 0; i < 5; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

static int main_from_here(void *arg)
{
    struct mt_task *first = mt_task_main();
    int result = first != arg;

    mt_task_release(first);
    return result;
}

static void handles_of_all(void **state)
{
    struct mt_task *tasks[3], *all[8], *first = mt_task_main();
    int seen = 0;

    assert_ptr_equal(first, mt_task_current());
    mt_task_release(first);
    mt_event_clear(&go);
    for (int i = 0; i < 3; i++)
        tasks[i] = spawn(wait_for_go, NULL);
    assert_int_equal(mt_task_count(), 4);
    assert_int_equal(mt_task_list(NULL, 0), 4);
    assert_int_equal(mt_task_list(all, 8), 4);
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 3; k++)
            seen += all[i] == tasks[k];
        seen += all[i] == mt_task_current();
    }
    assert_int_equal(seen, 4);
    mt_event_set(&go);
    for (int i = 0; i < 3; i++)
        mt_task_release(tasks[i]);
    for (int i = 0; i < 4; i++) { /* a handle from the list is as good as any */
        if (all[i] != mt_task_current())
            assert_int_equal(mt_task_join(all[i], in_time()), 0);
        mt_task_release(all[i]);
    }
    assert_int_equal(finish(spawn(main_from_here, mt_task_current())), 0);
    assert_int_equal(mt_task_count(), 1);
}

static void *without_main(void *arg)
{
    struct mt_task *first = mt_task_main();
    int *result = arg;

    *result = first ? 0 : errno;
    mt_task_release(first);
    return NULL;
}

/* In a process whose first thread has never called the library. */
static void main_that_is_unknown(void **state)
{
    int status;
    pid_t child = fork();

    if (!child) {
        setenv("UNIT_TASK_UNKNOWN_MAIN", "1", 1);
        execl("/proc/self/exe", "task", NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), ESRCH);
}

static int unknown_main(void)
{
    pthread_t thread;
    int result = 0;

    if (pthread_create(&thread, NULL, without_main, &result))
        return 126;
    pthread_join(thread, NULL);
    return result;
}

static void names(void **state)
{
    char comm[32] = "", path[64];
    struct mt_task *task;
    FILE *file;

    mt_event_clear(&go);
    task = spawn_named(wait_for_go, NULL, "a name that is longer than thirty-one bytes");
    until_waiting(task, MT_WAIT_EVENT);
    assert_string_equal(mt_task_name(task), "a name that is longer than thir");
    mt_task_set_name(task, "short");
    assert_string_equal(mt_task_name(task), "short");
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", mt_task_tid(task));
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(comm, sizeof comm, file));
    fclose(file);
    assert_string_equal(comm, "short\n");
    mt_event_set(&go);
    assert_int_equal(finish(task), 0);
    assert_string_equal(mt_state_name(MT_WAITING), "waiting");
    assert_string_equal(mt_reason_name(MT_WAIT_JOIN), "join");
    assert_string_equal(mt_reason_name((enum mt_reason)99), "unknown");
}

static void handles_are_counted(void **state)
{
    struct mt_task *task = spawn(fail_with_message, "sdb");

    assert_ptr_equal(mt_task_retain(task), task);
    mt_task_release(task);
    assert_int_equal(finish(task), -EIO);
    mt_task_release(NULL);
}

static int hook_outcome;
static char hook_message[MT_MESSAGE_MAX], hook_name[MT_NAME_MAX];
static void remember(struct mt_task *task, int outcome, const char *message)
{
    hook_outcome = outcome;
    snprintf(hook_message, sizeof hook_message, "%s", message);
    snprintf(hook_name, sizeof hook_name, "%s", mt_task_name(task));
}

static void the_hook_hears_of_failures(void **state)
{
    assert_null(mt_failure_hook(remember));
    assert_int_equal(finish(spawn_named(fail_with_message, "sdc", "worker")), -EIO);
    assert_int_equal(hook_outcome, -EIO);
    assert_string_equal(hook_message, "disk sdc is gone");
    assert_string_equal(hook_name, "worker");
    hook_outcome = 0;
    assert_int_equal(finish(spawn(nothing, NULL)), 0);
    assert_int_equal(hook_outcome, 0);
    assert_ptr_equal(mt_failure_hook(NULL), remember);
}

/* What a failure that nobody has read prints to standard error. */
static void an_unread_failure_is_printed(void **state)
{
    char line[512] = "";
    int ends[2], saved = dup(2);

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], 2);
    struct mt_task *task = spawn_named(fail_with_message, "sdd", "forgotten");
    int joined = mt_task_join(task, MT_FOREVER);
    mt_task_release(task);
    dup2(saved, 2);
    close(saved);
    close(ends[1]);
    assert_int_equal(joined, 0);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    assert_string_equal(line, "linuxmt: task \"forgotten\" failed: disk sdd is gone: Input/output error\n");
}

static void after_fork(void **state)
{
    struct mt_task *task;
    pid_t child;
    int status;

    if (SANITIZER)
        skip(); /* a child of TSan's cannot start threads */
    mt_event_clear(&go);
    task = spawn(wait_for_go, NULL);
    until_waiting(task, MT_WAIT_EVENT);
    child = fork();
    if (!child) {
        struct mt_task_info info[4];
        if (mt_task_join(task, MT_NOWAIT) || mt_task_outcome(task) != -ESRCH)
            _exit(1);
        if (mt_task_enumerate(info, 4) != 1 || info[0].tid != getpid())
            _exit(2);
        mt_task_release(task);
        task = mt_thread_spawn(nothing, NULL, NULL);
        _exit(!task || mt_task_join(task, MT_FOREVER) || mt_task_outcome(task));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mt_task_state(task), MT_WAITING);
    mt_event_set(&go);
    assert_int_equal(finish(task), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcome_and_message),
        cmocka_unit_test(while_it_runs),
        cmocka_unit_test(many_join_one),
        cmocka_unit_test(a_killed_joiner_leaves),
        cmocka_unit_test(joinall_takes_a_list),
        cmocka_unit_test(who_cannot_be_joined),
        cmocka_unit_test(main_is_no_thread_of_ours),
        cmocka_unit_test(a_kill_lasts),
        cmocka_unit_test(no_kill_is_missed),
        cmocka_unit_test(detached_tasks_end_alone),
        cmocka_unit_test(enumerate_sees_all),
        cmocka_unit_test(handles_of_all),
        cmocka_unit_test(main_that_is_unknown),
        cmocka_unit_test(names),
        cmocka_unit_test(handles_are_counted),
        cmocka_unit_test(the_hook_hears_of_failures),
        cmocka_unit_test(an_unread_failure_is_printed),
        cmocka_unit_test(after_fork),
    };
    if (getenv("UNIT_TASK_UNKNOWN_MAIN"))
        return unknown_main();
    return RUN(tests);
}
