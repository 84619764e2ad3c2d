/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <pthread.h>

static int destroyed, again;
static void destroy(void *value)
{
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
    free(value);
}

static struct mt_local plain = MT_LOCAL_INIT(NULL), owned = MT_LOCAL_INIT(destroy);

static void set_again(void *value);
static struct mt_local stubborn = MT_LOCAL_INIT(set_again);
static void set_again(void *value)
{
    again++;
    mt_local_set(&stubborn, value);
}

static int use(void *arg)
{
    if (mt_local_get(&plain) || mt_local_get(&owned))
        return 1;
    if (mt_local_set(&plain, arg) || mt_local_set(&owned, malloc(10)) || mt_local_get(&plain) != arg)
        return 2;
    free(mt_local_get(&owned));
    return mt_local_set(&owned, malloc(20)) || !mt_local_get(&owned);
}

static void each_task_has_its_own(void **state)
{
    struct mt_task *tasks[5];
    int values[5];

    assert_null(mt_local_get(&plain));
    assert_int_equal(mt_local_set(&plain, &values), 0);
    destroyed = 0;
    for (int i = 0; i < 5; i++)
        tasks[i] = spawn(use, &values[i]);
    for (int i = 0; i < 5; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(destroyed, 5);
    assert_ptr_equal(mt_local_get(&plain), &values);
    assert_int_equal(mt_local_set(&plain, NULL), 0);
}

static int use_stubborn(void *arg)
{
    return mt_local_set(&stubborn, arg);
}

static void rounds_are_bounded(void **state)
{
    again = 0;
    assert_int_equal(finish(spawn(use_stubborn, &again)), 0);
    assert_int_equal(again, 4);
}

static void *as_pthread(void *arg)
{
    return (void *)(intptr_t)use(arg);
}

static void threads_of_pthread_have_them_too(void **state)
{
    pthread_t thread;
    void *result;

    destroyed = 0;
    assert_int_equal(pthread_create(&thread, NULL, as_pthread, &destroyed), 0);
    pthread_join(thread, &result);
    assert_null(result);
    assert_int_equal(destroyed, 1);
}

static void there_are_only_so_many(void **state)
{
    static struct mt_local many[MT_LOCAL_MAX + 1];
    int set = 0, refused = 0;

    for (int i = 0; i <= MT_LOCAL_MAX; i++) {
        int result = mt_local_set(&many[i], &many[i]);
        set += result == 0;
        refused += result == -EAGAIN;
    }
    assert_true(refused >= 1);
    assert_int_equal(set + refused, MT_LOCAL_MAX + 1);
    for (int i = 0; i < set; i++)
        assert_ptr_equal(mt_local_get(&many[i]), &many[i]);
    assert_null(mt_local_get(&many[MT_LOCAL_MAX]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_has_its_own),
        cmocka_unit_test(rounds_are_bounded),
        cmocka_unit_test(threads_of_pthread_have_them_too),
        cmocka_unit_test(there_are_only_so_many),
    };
    return RUN(tests);
}
