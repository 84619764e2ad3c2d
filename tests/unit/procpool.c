/* SPDX-License-Identifier: MIT
 *
 * Pools of processes: what pools of threads do, and what only they can.
 */
#include "procpool-unit.h"

#include <fcntl.h>
#include <sys/wait.h>

static void tasks_run_elsewhere(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){0});
    struct mt_outcome outcome;

    for (long i = -2; i < 20; i++) {
        struct mt_future *future = mt_pool_apply(pool, square, &i, sizeof i, SOON);
        assert_non_null(future);
        assert_int_equal(mt_future_read(future, &outcome), 0);
        assert_int_equal(outcome.code, i < 0 ? -EDOM : 0);
        assert_int_equal(outcome.size, sizeof(long));
        assert_int_equal(*(const long *)mt_future_value(future, NULL), i * i);
        if (i < 0)
            assert_non_null(strstr(outcome.message, "below zero"));
        else
            assert_string_equal(outcome.message, "");
        assert_int_not_equal(outcome.tid, getpid());
        assert_true(outcome.tid > 0);
        mt_future_release(future);
    }
    end(pool);
}

static int global = 1;

static int change(void *arg)
{
    int seen = ++global;

    return mt_pool_reply(&seen, sizeof seen);
}

static void nothing_is_shared(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});

    for (int i = 2; i < 5; i++) {
        struct mt_future *future = mt_pool_apply(pool, change, NULL, 0, SOON);
        assert_int_equal(*(const int *)mt_future_value(future, NULL), i);
        mt_future_release(future);
    }
    assert_int_equal(global, 1);
    end(pool);
}

static int repeat(void *arg)
{
    size_t size = *(size_t *)arg;
    char *bytes = malloc(size + 1);
    int result;

    memset(bytes, 'x', size);
    result = mt_pool_reply(bytes, size);
    free(bytes);
    return result;
}

static void values_of_all_sizes(void **state)
{
    const size_t sizes[] = {0, 1, 16, 17, 1000, 5000, 3 << 20};
    struct mt_pool *pool = open_pool((struct mt_pool_options){0});

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t got, wrong = 0;
        struct mt_future *future = mt_pool_apply(pool, repeat, &sizes[i], sizeof sizes[i], SOON);
        const char *value = mt_future_value(future, &got);
        assert_int_equal(got, sizes[i]);
        for (size_t b = 0; b < got; b++)
            wrong += value[b] != 'x';
        assert_int_equal(wrong, 0);
        mt_future_release(future);
    }
    end(pool);
}

static int sum(void *arg)
{
    const size_t *numbers = arg;
    size_t total = 0;

    for (size_t i = 1; i <= numbers[0]; i++)
        total += numbers[i];
    return mt_pool_reply(&total, sizeof total);
}

static void arguments_of_all_sizes(void **state)
{
    const size_t counts[] = {0, 1, 56, 57, 58, 1000, 1 << 20};
    struct mt_pool *pool = open_pool((struct mt_pool_options){0});
    size_t *numbers = malloc((counts[6] + 1) * sizeof *numbers);

    assert_non_null(numbers);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            struct mt_future *future;
            numbers[0] = counts[i];
            for (size_t n = 1; n <= counts[i]; n++)
                numbers[n] = n;
            future = mt_pool_apply(pool, sum, numbers, (counts[i] + 1) * sizeof *numbers, SOON);
            if (!future)
                print_message("# %zu numbers: %s\n", counts[i], strerror(errno));
            assert_non_null(future);
            assert_int_equal(mt_future_outcome(future), 0);
            assert_int_equal(*(const size_t *)mt_future_value(future, NULL), counts[i] * (counts[i] + 1) / 2);
            mt_future_release(future);
        }
    free(numbers);
    end(pool);
}

static void maps(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){0});
    long items[100], values[100];
    struct mt_outcome outcomes[100];
    struct mt_source source = {.items = items, .item_size = sizeof *items, .count = 100};
    struct mt_imap *imap;
    struct mt_item item;
    size_t next = 0;

    for (long i = 0; i < 100; i++)
        items[i] = i == 50 ? -1 : i;
    assert_int_equal(mt_pool_map(pool, square, items, sizeof *items, 100, values, sizeof *values, outcomes, 7, SOON),
                     1);
    for (long i = 0; i < 100; i++) {
        if (i != 50)
            assert_int_equal(values[i], i * i);
        assert_int_equal(outcomes[i].code, i == 50 ? -EDOM : 0);
    }
    imap = mt_pool_imap(pool, square, &source, NULL);
    assert_non_null(imap);
    while (mt_imap_next(imap, &item, SOON) == 1)
        assert_int_equal(item.index, next++);
    assert_int_equal(next, 100);
    mt_imap_free(imap);
    end(pool);
}

/* -- Replacing ---------------------------------------------------------------------------------------------------- */

static int who(void *arg)
{
    pid_t pid = getpid();

    return mt_pool_reply(&pid, sizeof pid);
}

static int runs_of(struct mt_pool *pool, int tasks)
{
    int last = 0, changes = 0;

    for (int i = 0; i < tasks; i++) {
        struct mt_future *future = mt_pool_apply(pool, who, NULL, 0, SOON);
        int pid = *(const int *)mt_future_value(future, NULL);
        changes += pid != last;
        last = pid;
        mt_future_release(future);
    }
    return changes;
}

static int grow(void *arg)
{
    size_t size = 64 << 20;
    volatile char *bytes = malloc(size); /* and never frees it */

    for (size_t i = 0; i < size; i += 512)
        bytes[i] = 1;
    return who(NULL);
}

static void processes_are_replaced(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1, .tasks_per_worker = 3});
    struct mt_future *first, *second;

    assert_int_equal(runs_of(pool, 9), 3);
    end(pool);
    pool = open_pool((struct mt_pool_options){.workers = 1});
    assert_int_equal(runs_of(pool, 9), 1);
    end(pool);
    if (SANITIZER)
        return;
    pool = open_pool((struct mt_pool_options){.workers = 1, .memory_max = 48 << 20});
    assert_int_equal(runs_of(pool, 5), 1);
    first = mt_pool_apply(pool, grow, NULL, 0, SOON);
    second = mt_pool_apply(pool, grow, NULL, 0, SOON);
    assert_int_not_equal(*(const int *)mt_future_value(first, NULL), *(const int *)mt_future_value(second, NULL));
    mt_future_release(first);
    mt_future_release(second);
    end(pool);
}

static int initialized;

static int initialize(void *arg)
{
    initialized = *(int *)arg;
    return initialized < 0 ? mt_fail(initialized, "no licence") : 0;
}

static int is_initialized(void *arg)
{
    return initialized == 42 ? 0 : -EINVAL;
}

static void initializers(void **state)
{
    int good = 42, bad = -EACCES;
    struct mt_pool *pool = open_pool((struct mt_pool_options){
        .initializer = initialize, .argument = &good, .argument_size = sizeof good, .tasks_per_worker = 1});
    struct mt_future *future;

    for (int i = 0; i < 6; i++) {
        future = mt_pool_apply(pool, is_initialized, NULL, 0, SOON);
        assert_int_equal(mt_future_outcome(future), 0);
        mt_future_release(future);
    }
    end(pool);
    pool = open_pool(
        (struct mt_pool_options){.initializer = initialize, .argument = &bad, .argument_size = sizeof bad, .tries = 2});
    future = mt_pool_apply(pool, is_initialized, NULL, 0, SOON);
    if (future) {
        assert_int_equal(mt_future_outcome(future), -EACCES);
        mt_future_release(future);
    }
    for (int i = 0; i < 20000 && !mt_pool_message(pool)[0]; i++)
        usleep(500);
    assert_non_null(strstr(mt_pool_message(pool), "no licence"));
    assert_null(mt_pool_apply_async(pool, who, NULL, 0, SOON));
    assert_int_equal(errno, ENOTRECOVERABLE);
    mt_pool_free(pool);
}

static int run_a_program(void *arg)
{
    execl("/bin/true", "true", (char *)NULL);
    return -errno;
}

static void workers_in_a_sandbox(void **state)
{
    struct mt_process_options process = {.sandbox = MT_SANDBOX_NO_EXEC};
    struct mt_pool_options options = {.kind = MT_PROCESS, .workers = 1, .process = &process};
    struct mt_pool *pool = mt_pool_open(&options);
    long number = 5;
    struct mt_future *fine, *refused, *after;

    assert_non_null(pool);
    fine = mt_pool_apply(pool, square, &number, sizeof number, SOON);
    if (!fine || mt_future_outcome(fine) == -ENOTSUP) {
        mt_future_release(fine);
        mt_pool_free(pool);
        skip();
    }
    assert_int_equal(mt_future_outcome(fine), 0);
    refused = mt_pool_apply(pool, run_a_program, NULL, 0, SOON);
    assert_int_equal(mt_future_outcome(refused), -EPERM);
    assert_non_null(strstr(mt_future_message(refused), "the sandbox refused the system call execve"));
    after = mt_pool_apply(pool, square, &number, sizeof number, SOON);
    assert_int_equal(mt_future_outcome(after), 0);
    mt_future_release(fine);
    mt_future_release(refused);
    mt_future_release(after);
    end(pool);
}

static int open_a_file(void *arg)
{
    int fd = open("/dev/null", O_RDONLY);

    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : -errno;
}

/* No system call is needed to answer, and writing only for what does not fit. */
static void a_sandbox_for_computing(void **state)
{
    struct mt_process_options process = {.sandbox = MT_SANDBOX_COMPUTE};
    struct mt_pool_options options = {.kind = MT_PROCESS, .workers = 1, .process = &process};
    struct mt_pool *pool = mt_pool_open(&options);
    size_t large = 1 << 20;
    long number = 5;
    struct mt_future *fine, *refused, *after;

    assert_non_null(pool);
    fine = mt_pool_apply(pool, square, &number, sizeof number, SOON);
    if (SANITIZER || !fine || mt_future_outcome(fine) == -ENOTSUP) {
        mt_future_release(fine);
        mt_pool_free(pool);
        skip();
    }
    assert_int_equal(mt_future_outcome(fine), 0);
    refused = mt_pool_apply(pool, open_a_file, NULL, 0, SOON);
    assert_int_equal(mt_future_outcome(refused), -EPERM);
    assert_non_null(strstr(mt_future_message(refused), "the sandbox refused the system call open"));
    after = mt_pool_apply(pool, repeat, &large, sizeof large, SOON);
    assert_int_equal(mt_future_outcome(after), 0);
    mt_future_release(fine);
    mt_future_release(refused);
    mt_future_release(after);
    end(pool);
}

static void options_are_checked(void **state)
{
    struct mt_process_options spawn_method = {.start = MT_SPAWN};
    struct mt_pool_options threads = {.retries = 1}, method = {.kind = MT_PROCESS, .process = &spawn_method},
                           negative = {.kind = MT_PROCESS, .soft_limit = -1}, kind = {.kind = (enum mt_kind)99};
    struct mt_pool *pool;

    assert_null(mt_pool_open(&threads));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_pool_open(&method));
    assert_int_equal(errno, ENOTSUP); /* this program does not call mt_process_init */
    assert_null(mt_pool_open(&negative));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_pool_open(&kind));
    assert_int_equal(errno, EOPNOTSUPP);
    pool = open_pool((struct mt_pool_options){0});
    assert_null(mt_pool_apply_async(pool, who, &pool, 0, SOON));
    assert_int_equal(errno, EINVAL);
    end(pool);
}

/* The process's child returns from the body too: it must not answer for its parent. */
static int fork_and_return(void *arg)
{
    pid_t child = fork();
    int status = -1;

    if (!child)
        return mt_fail(-EXDEV, "the child has answered");
    return child > 0 && waitpid(child, &status, 0) == child ? status : -errno;
}

static void a_child_of_a_task_does_not_answer(void **state)
{
    struct mt_pool *pool = open_pool((struct mt_pool_options){.workers = 1});

    if (SANITIZER)
        skip(); /* LeakSanitizer judges what a child that exits has of its parent */
    for (int i = 0; i < 3; i++) {
        struct mt_future *future = mt_pool_apply(pool, fork_and_return, NULL, 0, SOON);
        assert_non_null(future);
        assert_int_equal(mt_future_outcome(future), 0);
        mt_future_release(future);
    }
    end(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_elsewhere),
        cmocka_unit_test(nothing_is_shared),
        cmocka_unit_test(values_of_all_sizes),
        cmocka_unit_test(arguments_of_all_sizes),
        cmocka_unit_test(maps),
        cmocka_unit_test(processes_are_replaced),
        cmocka_unit_test(initializers),
        cmocka_unit_test(workers_in_a_sandbox),
        cmocka_unit_test(a_sandbox_for_computing),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_child_of_a_task_does_not_answer),
    };

    return RUN_FORKS(tests);
}
