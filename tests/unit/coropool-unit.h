/* SPDX-License-Identifier: MIT
 *
 * What the tests of pools of coroutines share.
 */
#ifndef TESTS_COROPOOL_UNIT_H
#define TESTS_COROPOOL_UNIT_H

#include "hub.h"

#define END in_time()

static inline struct mt_pool *open_pool(unsigned workers)
{
    struct mt_pool *pool =
        mt_pool_open(&(struct mt_pool_options){.name = "unit", .kind = MT_COROUTINE, .workers = workers});

    assert_non_null(pool);
    return pool;
}

static inline void close_and_free(struct mt_pool *pool)
{
    assert_int_equal(mt_pool_close(pool), 0);
    assert_int_equal(mt_pool_join(pool, END), 0);
    mt_pool_free(pool);
}

static inline struct mt_future *submit(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size)
{
    struct mt_future *future = mt_pool_apply_async(pool, fn, arg, size, END);

    assert_non_null(future);
    return future;
}

static inline int end_of(struct mt_future *future)
{
    int result = mt_future_get(future, NULL, 0, END);

    mt_future_release(future);
    return result;
}

static inline int nothing(void *arg)
{
    return 0;
}

static char trace[16];

static inline void tell(struct mt_future *future, void *arg)
{
    strcat(trace, mt_task_kind(mt_task_current()) == MT_COROUTINE ? arg : "?");
}

#endif
