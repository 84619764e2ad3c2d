/* SPDX-License-Identifier: MIT
 *
 * For unit tests with coroutines, which tests/loops.t runs once on each loop.
 */
#ifndef TESTS_HUB_H
#define TESTS_HUB_H

#include "unit.h"

static inline struct mt_task *spawn_coro(mt_fn *fn, void *arg)
{
    struct mt_task *task = mt_coro_spawn(fn, arg, NULL);

    assert_non_null(task);
    return task;
}

#endif
