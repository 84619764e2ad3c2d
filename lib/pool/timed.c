/* SPDX-License-Identifier: MIT
 *
 * Timers whose function is run by a pool: the timers' thread only puts it into the queue.
 */
#include "thread/timer.h"
#include "pool/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct due {
    struct mt_pool *pool;
    mt_fn *fn;
    const void *arg;
    size_t size;
    max_align_t copy[];
};

/* The task's own failure goes to the failure hook: nobody has its future. */
static int submit(void *arg)
{
    struct due *due = arg;
    struct mt_future *future = mt_pool_apply_async(due->pool, due->fn, due->arg, due->size, MT_NOWAIT);

    if (!future)
        return mt_fail(-errno, "pool \"%s\" did not take the timer's task", mt_pool_name(due->pool));
    mt_future_release(future);
    return 0;
}

struct mt_timer *mt_pool_timer(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size, mt_deadline first,
                               int64_t period)
{
    struct due *due = size < SIZE_MAX / 2 ? mt__alloc(sizeof *due + size) : NULL;

    if (!due) {
        errno = ENOMEM;
        return NULL;
    }
    due->pool = pool;
    due->fn = fn;
    due->arg = size ? due->copy : arg;
    due->size = size;
    if (size)
        memcpy(due->copy, arg, size);
    return mt__timer_start(submit, due, first, period, free);
}
