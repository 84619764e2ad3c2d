/* SPDX-License-Identifier: MIT
 *
 * For tests of calls on descriptors, in coroutines and in plain threads.
 */
#ifndef TESTS_IO_UNIT_H
#define TESTS_IO_UNIT_H

#include "unit.h"

static inline mt_deadline soon(void)
{
    return in_time();
}

/* Each test runs as a coroutine and as a thread of its own. What they find goes back as an outcome, with a message. */
#define CHECK(condition)                                                                \
    do {                                                                                \
        if (!(condition))                                                               \
            return mt_fail(-EIO, "line %d: %s, errno %d", __LINE__, #condition, errno); \
    } while (0)

static inline void both_ways(mt_fn *body)
{
    struct mt_task *task = mt_coro_spawn(body, NULL, NULL);

    assert_non_null(task);
    assert_int_equal(finish(task), 0);
    assert_int_equal(finish(spawn(body, NULL)), 0);
}

#endif
