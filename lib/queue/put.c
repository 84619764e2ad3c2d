/* SPDX-License-Identifier: MIT
 *
 * Putting messages. See call.c for how a put that finds no room waits.
 */
#include "queue/call.h"

#include <errno.h>

static int try_to_put(struct mt_queue *queue, const struct iovec *messages, size_t count, int32_t priority,
                      struct mt__visit *visit)
{
    int result = mt__queue_acquire(queue, &queue->shared->put, visit);

    if (result)
        return result;
    if (__builtin_expect(mt__load32(&queue->shared->closed), 0))
        result = -EPIPE;
    else
        result = queue->store->put(queue, messages, count, priority);
    mt__queue_release(queue, &queue->shared->put);
    return result;
}

/* Nobody is in the way, and nobody sleeps. 0: it is not so simple, or full. */
static int put_at_once(struct mt_queue *queue, const struct iovec *messages, size_t count, int32_t priority)
{
    struct mt__guard *guard = &queue->shared->put;
    int result = 0;

    if (!mt__guard_enter(guard))
        return 0;
    if (!mt__load32(&queue->shared->closed))
        result = queue->store->put(queue, messages, count, priority);
    if (!mt__guard_leave(guard))
        mt__queue_release(queue, guard);
    return result;
}

static int put(struct mt_queue *queue, const struct iovec *messages, size_t count, int32_t priority,
               mt_deadline deadline)
{
    struct mt__visit visit;
    int result;

    for (size_t i = 0; i < count; i++)
        if (messages[i].iov_len > queue->message_max)
            return -EMSGSIZE;
    result = put_at_once(queue, messages, count, priority);
    if (result)
        return mt__queue_has_put(queue, result);
    visit = mt__queue_visit(queue, MT_WAIT_PUT, deadline);
    do {
        struct mt__number numbers[] = {{mt__count(&queue->shared->freed), 0}, {&queue->shared->closed, 0}};
        numbers[0].seen = mt__load32(numbers[0].at);
        if (!visit.slept || queue->store->has_room(queue, (uint32_t)messages->iov_len) || mt__load32(numbers[1].at))
            result = try_to_put(queue, messages, count, priority, &visit);
        else
            result = 0; /* woken, and somebody else was faster */
        if (!result)
            result = mt__queue_wait(queue, mt__get_guard(queue), &visit, numbers, 2, deadline);
        else if (result > 0)
            break;
    } while (!result);
    if (result == -EPIPE)
        mt__queue_closed(queue, &visit);
    return mt__queue_has_put(queue, mt__visit_end(&visit, result));
}

int mt_queue_put_many(struct mt_queue *queue, const struct iovec *messages, size_t count, mt_deadline deadline)
{
    if (!count)
        return 0;
    return put(queue, messages, count > queue->capacity ? queue->capacity : count, 0, deadline);
}

int mt_queue_put_priority(struct mt_queue *queue, const void *data, size_t size, int32_t priority, mt_deadline deadline)
{
    struct iovec message = {(void *)(uintptr_t)data, size};
    int result;

    if (priority && queue->order != MT_QUEUE_PRIORITY)
        return -EINVAL;
    result = put(queue, &message, 1, priority, deadline);
    return result < 0 ? result : 0;
}

int mt_queue_put(struct mt_queue *queue, const void *data, size_t size, mt_deadline deadline)
{
    return mt_queue_put_priority(queue, data, size, 0, deadline);
}
