/* SPDX-License-Identifier: MIT
 *
 * Pools whose processes are no copies of this one: they run the program anew, or are forked by the fork server.
 */
#include "procpool-unit.h"

#include <signal.h>

static struct mt_pool *open_with(enum mt_start_method start, struct mt_pool_options options)
{
    struct mt_process_options process = {.start = start};

    options.process = &process;
    return open_pool(options); /* which keeps a copy */
}

static int global;

static int set_global(void *arg)
{
    global = arg ? *(int *)arg : -1;
    return global == 13 ? mt_fail(-EACCES, "no licence") : 0;
}

static int tell_global(void *arg)
{
    return mt_pool_reply(&global, sizeof global);
}

static int reverse(void *arg)
{
    char *text = arg;
    size_t size = strlen(text);

    for (size_t i = 0; i < size / 2; i++) {
        char c = text[i];
        text[i] = text[size - 1 - i];
        text[size - 1 - i] = c;
    }
    return mt_pool_reply(text, size + 1);
}

static int die(void *arg)
{
    return raise(SIGKILL);
}

static void run_all(enum mt_start_method start)
{
    int wanted = 42;
    struct mt_pool *pool = open_with(
        start, (struct mt_pool_options){
                   .workers = 2, .initializer = set_global, .argument = &wanted, .argument_size = sizeof wanted});
    static char text[100000];
    long items[500], values[500];
    struct mt_future *future, *futures[500];

    global = 7; /* the others do not see this */
    for (long i = 0; i < 500; i++) {
        items[i] = i;
        futures[i] = i % 2 ? mt_pool_apply_async(pool, tell_global, NULL, 0, SOON)
                           : mt_pool_apply_async(pool, square, &i, sizeof i, SOON);
        assert_non_null(futures[i]);
    }
    for (long i = 0; i < 500; i++) {
        assert_int_equal(mt_future_wait(futures[i], SOON), 0);
        assert_int_equal(mt_future_outcome(futures[i]), 0);
        if (i % 2)
            assert_int_equal(*(const int *)mt_future_value(futures[i], NULL), 42);
        else
            assert_int_equal(*(const long *)mt_future_value(futures[i], NULL), i * i);
        mt_future_release(futures[i]);
    }
    assert_int_equal(mt_pool_map(pool, square, items, sizeof *items, 500, values, sizeof *values, NULL, 7, SOON), 0);
    for (long i = 0; i < 500; i++)
        assert_int_equal(values[i], i * i);
    memset(text, 'a', sizeof text - 1);
    text[0] = 'b';
    future = mt_pool_apply(pool, reverse, text, sizeof text, SOON);
    assert_int_equal(mt_future_outcome(future), 0);
    assert_int_equal(((const char *)mt_future_value(future, NULL))[sizeof text - 2], 'b');
    mt_future_release(future);
    future = mt_pool_apply(pool, die, NULL, 0, SOON);
    assert_int_equal(mt_future_outcome(future), -ECHILD);
    mt_future_release(future);
    future = mt_pool_apply(pool, tell_global, NULL, 0, SOON);
    assert_int_equal(*(const int *)mt_future_value(future, NULL), 42);
    mt_future_release(future);
    end(pool);
}

static void spawned(void **state)
{
    run_all(MT_SPAWN);
}

static void by_the_fork_server(void **state)
{
    run_all(MT_FORKSERVER);
}

static void initializers_fail(void **state)
{
    int bad = 13;
    struct mt_pool *pool = open_with(
        MT_SPAWN,
        (struct mt_pool_options){
            .workers = 1, .tries = 2, .initializer = set_global, .argument = &bad, .argument_size = sizeof bad});

    for (int i = 0; i < 20000 && !mt_pool_message(pool)[0]; i++)
        usleep(500);
    assert_non_null(strstr(mt_pool_message(pool), "no licence"));
    mt_pool_free(pool);
}

static void functions_that_are_in_no_file(void **state)
{
    static char no_code[64];
    struct mt_pool *pool = open_with(MT_SPAWN, (struct mt_pool_options){.workers = 1});
    struct mt_future *future = mt_pool_apply(pool, (mt_fn *)(uintptr_t)no_code, NULL, 0, SOON);
    long number = 3;

    assert_int_equal(mt_future_outcome(future), -ENOEXEC);
    assert_non_null(strstr(mt_future_message(future), "no file"));
    mt_future_release(future);
    future = mt_pool_apply(pool, square, &number, sizeof number, SOON);
    assert_int_equal(mt_future_outcome(future), 0);
    mt_future_release(future);
    end(pool);
}

static void addresses_are_refused(void **state)
{
    struct mt_process_options process = {.start = MT_SPAWN};
    struct mt_pool_options options = {
        .kind = MT_PROCESS, .process = &process, .initializer = set_global, .argument = &global};

    assert_null(mt_pool_open(&options));
    assert_int_equal(errno, EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawned),
        cmocka_unit_test(by_the_fork_server),
        cmocka_unit_test(initializers_fail),
        cmocka_unit_test(functions_that_are_in_no_file),
        cmocka_unit_test(addresses_are_refused),
    };

    mt_process_init();
    return RUN(tests);
}
