/* SPDX-License-Identifier: MIT
 *
 * Queues of a manager: in memory, or by requests.
 */
#include "manager/client.h"

#include <errno.h>
#include <stdlib.h>

struct mt_queue *mt_managed_queue_local(const struct mt_managed_queue *queue)
{
    return queue->of.queue;
}

static int64_t ask(struct mt_managed_queue *queue, enum mt__op op, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    mt__request(&pack, op, 0, queue->of.id);
    return mt__call_plain(queue->of.manager, &pack, deadline);
}

int mt_managed_queue_put(struct mt_managed_queue *queue, const void *data, size_t size, mt_deadline deadline)
{
    return mt_managed_queue_put_priority(queue, data, size, 0, deadline);
}

int mt_managed_queue_put_priority(struct mt_managed_queue *queue, const void *data, size_t size, int32_t priority,
                                  mt_deadline deadline)
{
    struct mt__pack pack = {0};

    if (queue->of.queue)
        return mt_queue_put_priority(queue->of.queue, data, size, priority, deadline);
    if (size > mt__message_max(queue->of.manager))
        return -EMSGSIZE;
    mt__request(&pack, MT__OP_PUT, 0, queue->of.id);
    mt__pack_u32(&pack, (uint32_t)priority);
    mt__pack_value(&pack, data, size);
    return (int)mt__call_plain(queue->of.manager, &pack, deadline);
}

ssize_t mt_managed_queue_get(struct mt_managed_queue *queue, void *data, size_t size, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply;
    static char nowhere;
    int64_t result;

    if (queue->of.queue)
        return mt_queue_get(queue->of.queue, data, size, deadline);
    mt__request(&pack, MT__OP_GET, 0, queue->of.id);
    mt__pack_u64(&pack, size);
    result = mt__call_taking(queue->of.manager, &pack, &reply, deadline);
    return mt__reply_value(&reply, result, data ? data : &nowhere, size);
}

int mt_managed_queue_close(struct mt_managed_queue *queue, mt_deadline deadline)
{
    return queue->of.queue ? mt_queue_close(queue->of.queue) : (int)ask(queue, MT__OP_CLOSE, deadline);
}

int mt_managed_queue_task_done(struct mt_managed_queue *queue, mt_deadline deadline)
{
    return queue->of.queue ? mt_queue_task_done(queue->of.queue) : (int)ask(queue, MT__OP_DONE, deadline);
}

int mt_managed_queue_join(struct mt_managed_queue *queue, mt_deadline deadline)
{
    return queue->of.queue ? mt_queue_join(queue->of.queue, deadline) : (int)ask(queue, MT__OP_JOIN, deadline);
}

ssize_t mt_managed_queue_size(struct mt_managed_queue *queue, mt_deadline deadline)
{
    return queue->of.queue ? (ssize_t)mt_queue_size(queue->of.queue) : (ssize_t)ask(queue, MT__OP_SIZE, deadline);
}
