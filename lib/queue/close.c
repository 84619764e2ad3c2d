/* SPDX-License-Identifier: MIT
 *
 * The end of a queue, and of the work on its messages: close, task_done, join. See call.c.
 */
#include "queue/call.h"

#include <errno.h>

int mt_queue_close(struct mt_queue *queue)
{
    struct mt__visit visit = mt__queue_short_visit(queue, MT_WAIT_PUT);
    uint32_t open = 0;
    int result = mt__queue_acquire(queue, &queue->shared->put, &visit);

    if (!result) {
        __atomic_compare_exchange_n(&queue->shared->closed, &open, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
        mt__guard_release(&queue->shared->put, MT__WAKE_ALL);
        result = mt__queue_finish_closing(queue, &visit);
    }
    return mt__visit_end(&visit, result);
}

int mt_queue_task_done(struct mt_queue *queue)
{
    struct mt__segment *shared = queue->shared;
    struct mt__visit visit = mt__queue_short_visit(queue, MT_WAIT_DONE);
    int taken, result = 0;
    uint32_t left;

    if (!mt__self())
        return -ENOMEM;
    taken = mt__guard_acquire(&shared->done, &visit);
    if (taken < 0)
        return mt__visit_end(&visit, taken);
    left = mt__load32(mt__count(&shared->tail)) - mt__load32(&shared->done_count);
    if (!left)
        result = -EINVAL;
    else
        __atomic_store_n(&shared->done_count, mt__load32(&shared->done_count) + 1, __ATOMIC_RELEASE);
    mt__guard_release(&shared->done, left == 1 || taken == 2 ? MT__WAKE_ALL : MT__WAKE_NONE);
    return mt__visit_end(&visit, result);
}

int mt_queue_join(struct mt_queue *queue, mt_deadline deadline)
{
    struct mt__segment *shared = queue->shared;
    struct mt__visit visit = mt__queue_visit(queue, MT_WAIT_DONE, deadline);
    int result = 0;

    while (!result) {
        struct mt__number number = {&shared->done_count, mt__load32(&shared->done_count)};
        if (number.seen == mt__load32(mt__count(&shared->tail)))
            break;
        if (deadline == MT_NOWAIT)
            result = -EBUSY;
        else
            result = mt__guard_sleep(&shared->done, &visit, &number, 1, deadline);
        if (result == 1) {
            result = mt__guard_acquire(&shared->done, &visit);
            if (result > 0) {
                mt__guard_release(&shared->done, MT__WAKE_ALL);
                result = 0;
            }
        }
    }
    return mt__visit_end(&visit, result);
}
