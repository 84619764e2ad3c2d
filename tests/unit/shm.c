/* SPDX-License-Identifier: MIT
 *
 * Shared segments, values and arrays, and what a holder that is killed leaves behind.
 */
#include "unit.h"

#include "base/sys.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#define SOON in_time()

/* Emulators have none, and an array is not to be had without. */
static int has_robust_lists(void)
{
    void *head = NULL;
    size_t size = 0;

    return syscall(SYS_get_robust_list, 0, &head, &size) == 0 && head;
}

static int write_there(void *arg)
{
    struct mt_shm *shm = mt_shm_attach(mt_process_fd(0));

    if (!shm || mt_shm_size(shm) != 10000)
        return -EIO;
    strcpy(mt_shm_address(shm), "from the child");
    mt_shm_free(shm);
    return 0;
}

static void a_segment_is_shared(void **state)
{
    struct mt_shm *shm = mt_shm_new("letters", 10000);
    int fd;
    struct mt_process_options options = {.start = MT_SPAWN, .fds = &fd, .fd_count = 1};
    struct mt_task *task;

    assert_non_null(shm);
    fd = mt_shm_fd(shm);
    assert_int_equal(ftruncate(fd, 1), -1); /* nobody can make it smaller */
    task = mt_process_spawn(write_there, NULL, 0, &options);
    assert_non_null(task);
    assert_int_equal(finish(task), 0);
    assert_string_equal(mt_shm_address(shm), "from the child");
    mt_shm_free(shm);
    mt_shm_free(NULL);
}

static void what_cannot_be_attached(void **state)
{
    int plain = (int)syscall(SYS_memfd_create, "plain", 0);
    struct mt_shm *shm = mt_shm_new("no array", 4096);

    assert_null(mt_shm_attach(999));
    assert_int_equal(errno, EBADF);
    assert_int_equal(ftruncate(plain, 4096), 0);
    assert_null(mt_shm_attach(plain));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_array_attach(mt_shm_fd(shm)));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_shm_new("nothing", 0));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_array_new("nothing", 0, 1));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_array_new("too much", SIZE_MAX / 8, 9));
    assert_int_equal(errno, EINVAL);
    close(plain);
    mt_shm_free(shm);
}

static int add_hundred(void *arg)
{
    struct mt_array *array = mt_array_attach(mt_process_fd(0));

    if (!array)
        return -errno;
    for (int i = 0; i < 100; i++) {
        int result = mt_array_acquire(array, SOON);
        if (result)
            return result;
        ((long *)mt_array_items(array))[1]++;
        result = mt_array_release(array);
        if (result)
            return result;
    }
    mt_array_free(array);
    return 0;
}

static void an_array_is_counted_in(void **state)
{
    struct mt_array *array = mt_array_new("counters", sizeof(long), 3), *again;
    int fd = mt_array_fd(array);
    struct mt_process_options options = {.start = MT_FORK, .fds = &fd, .fd_count = 1};
    struct mt_task *tasks[4];
    long value = 7;

    if (!has_robust_lists())
        skip();
    assert_int_equal(mt_array_count(array), 3);
    assert_int_equal(mt_array_item_size(array), sizeof(long));
    assert_int_equal((uintptr_t)mt_array_items(array) & 63, 0);
    for (int i = 0; i < 4; i++)
        assert_non_null(tasks[i] = mt_process_spawn(add_hundred, NULL, 0, &options));
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(mt_array_get(array, 1, &value, SOON), 0);
    assert_int_equal(value, 400);
    value = 5;
    assert_int_equal(mt_array_set(array, 2, &value, SOON), 0);
    again = mt_array_attach(fd);
    value = 0;
    assert_int_equal(mt_array_get(again, 2, &value, SOON), 0);
    assert_int_equal(value, 5);
    assert_int_equal(mt_array_get(array, 3, &value, SOON), -ERANGE);
    assert_int_equal(mt_array_set(array, 3, &value, SOON), -ERANGE);
    mt_array_free(again);
    mt_array_free(array);
    mt_array_free(NULL);
}

static void a_value(void **state)
{
    struct mt_array *value = mt_value_new("pi", sizeof(double));
    double in = 3.14, out = 0;

    if (!has_robust_lists())
        skip();
    assert_int_equal(mt_value_get(value, &out, SOON), 0);
    assert_true(out == 0);
    assert_int_equal(mt_value_set(value, &in, SOON), 0);
    assert_int_equal(mt_value_get(value, &out, SOON), 0);
    assert_true(out == in);
    mt_array_free(value);
}

static void holding(void **state)
{
    struct mt_array *array = mt_array_new("held", 1, 1);
    char byte;

    if (!has_robust_lists())
        skip();
    assert_int_equal(mt_array_release(array), -EPERM);
    assert_int_equal(mt_array_consistent(array), -EPERM);
    assert_int_equal(mt_array_acquire(array, SOON), 0);
    assert_int_equal(mt_array_consistent(array), -EINVAL);
    assert_int_equal(mt_array_get(array, 0, &byte, SOON), -EDEADLK);
    assert_int_equal(mt_array_release(array), 0);
    assert_int_equal(mt_array_get(array, 0, &byte, SOON), 0);
    mt_array_free(array);
}

/* -- Death -------------------------------------------------------------------------------------------------------- */

static struct mt_array *shared;

static int die_holding(void *arg)
{
    if (mt_array_acquire(shared, SOON))
        return -EIO;
    strcpy(mt_array_items(shared), "hal");
    raise(SIGKILL);
    return 0;
}

static void a_holder_that_died_in_place_is_told(void **state)
{
    char item[16];
    struct mt_task *task;

    if (!has_robust_lists())
        skip();
    shared = mt_array_new("torn", 16, 1);
    task = mt_process_spawn(die_holding, NULL, 0, NULL);
    assert_int_equal(finish(task), -ECHILD);
    assert_int_equal(mt_array_get(shared, 0, item, SOON), -EOWNERDEAD);
    assert_int_equal(mt_array_set(shared, 0, item, SOON), -EOWNERDEAD);
    assert_int_equal(mt_array_acquire(shared, SOON), -EOWNERDEAD);
    strcpy(mt_array_items(shared), "half mended");
    assert_int_equal(mt_array_release(shared), 0);
    assert_int_equal(mt_array_acquire(shared, SOON), -EOWNERDEAD); /* until somebody says that it is in order */
    strcpy(mt_array_items(shared), "whole");
    assert_int_equal(mt_array_consistent(shared), 0);
    assert_int_equal(mt_array_release(shared), 0);
    assert_int_equal(mt_array_get(shared, 0, item, SOON), 0);
    assert_string_equal(item, "whole");
    mt_array_free(shared);
}

#define ITEM 4096

static int set_for_ever(void *arg)
{
    static char item[ITEM];

    for (int round = *(int *)arg;; round++) {
        memset(item, round, sizeof item);
        if (mt_array_set(shared, (size_t)round % 4, item, SOON))
            return -EIO;
    }
    return 0;
}

/* Killed anywhere while it sets items: each item is whole, the old one or the new one. */
static void items_stay_whole(void **state)
{
    int rounds = SANITIZER ? 20 : 300, torn = 0;

    if (!has_robust_lists())
        skip();
    shared = mt_array_new("items", ITEM, 4);
    for (int round = 0; round < rounds; round++) {
        struct mt_task *task = mt_process_spawn(set_for_ever, &round, sizeof round, NULL);
        char item[ITEM];
        usleep((useconds_t)(500 + round * 37 % 1500));
        assert_int_equal(mt_process_signal(task, SIGKILL), 0);
        assert_int_equal(finish(task), -ECHILD);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(mt_array_get(shared, i, item, SOON), 0);
            for (size_t b = 1; b < ITEM; b++)
                torn += item[b] != item[0];
        }
    }
    assert_int_equal(torn, 0);
    mt_array_free(shared);
}

/* -- Failures and enemies ----------------------------------------------------------------------------------------- */

static void each_call_may_fail(void **state)
{
    const struct {
        long nr;
        int error;
    } calls[] = {{SYS_memfd_create, EMFILE},
                 {SYS_ftruncate, ENOSPC},
                 {SYS_fcntl, EPERM},
                 {SYS_mmap, ENOMEM},
                 {MT__SYS_ALLOC, ENOMEM}};
    int before = dup(0);

    close(before);
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        for (long skip = 0;; skip++) {
            struct mt_array *array;
            long seen;
            int error, after;
            mt__sys_fail(calls[c].nr, skip, calls[c].error);
            array = mt_array_new("failing", 8, 8);
            error = errno;
            seen = mt__sys_fail(-1, 0, 0);
            if (!array)
                assert_int_equal(error, calls[c].error);
            mt_array_free(array);
            after = dup(0);
            close(after);
            assert_int_equal(after, before);
            if (seen <= skip)
                break;
        }
    }
}

static void a_head_that_lies(void **state)
{
    struct mt_array *array = mt_array_new("lies", 8, 8);
    uint64_t *head = (uint64_t *)((uintptr_t)mt_array_items(array) & ~(uintptr_t)4095), item = 1;

    if (!has_robust_lists())
        skip();
    head[1] = 1 << 20; /* item_size, after attaching: not looked at */
    assert_int_equal(mt_array_set(array, 7, &item, SOON), 0);
    assert_null(mt_array_attach(mt_array_fd(array)));
    assert_int_equal(errno, EINVAL);
    mt_array_free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_shared),
        cmocka_unit_test(what_cannot_be_attached),
        cmocka_unit_test(an_array_is_counted_in),
        cmocka_unit_test(a_value),
        cmocka_unit_test(holding),
        cmocka_unit_test(a_holder_that_died_in_place_is_told),
        cmocka_unit_test(items_stay_whole),
        cmocka_unit_test(each_call_may_fail),
        cmocka_unit_test(a_head_that_lies),
    };

    mt_process_init();
    return RUN(tests);
}
