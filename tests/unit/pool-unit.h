/* SPDX-License-Identifier: MIT
 *
 * What the tests of pools of threads share.
 */
#ifndef TESTS_POOL_UNIT_H
#define TESTS_POOL_UNIT_H

#include "unit.h"

static inline int square(void *arg)
{
    int number = *(int *)arg, result = number * number;

    if (number < 0)
        return mt_fail(-EDOM, "%d is negative", number);
    return mt_pool_reply(&result, sizeof result);
}

static inline int nothing(void *arg)
{
    return 0;
}

static inline int wait_for(void *event)
{
    return mt_event_wait(event, MT_FOREVER);
}

static inline struct mt_pool *open_pool(unsigned workers)
{
    struct mt_pool_options options = {.name = "unit", .workers = workers};
    struct mt_pool *pool = mt_pool_open(&options);

    assert_non_null(pool);
    return pool;
}

static inline void close_and_free(struct mt_pool *pool)
{
    assert_int_equal(mt_pool_close(pool), 0);
    assert_int_equal(mt_pool_join(pool, in_time()), 0);
    mt_pool_free(pool);
}

static inline struct mt_future *submit(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size)
{
    struct mt_future *future = mt_pool_apply_async(pool, fn, arg, size, MT_FOREVER);

    assert_non_null(future);
    return future;
}

#endif
