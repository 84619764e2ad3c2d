/* SPDX-License-Identifier: MIT
 *
 * What the tests of queues share: queues of each order, and messages that are numbers.
 */
#ifndef TESTS_QUEUE_UNIT_H
#define TESTS_QUEUE_UNIT_H

#include "queue/segment.h"
#include "unit.h"

#include <linux/futex.h>

static const enum mt_queue_order orders[] = {MT_QUEUE_FIFO, MT_QUEUE_LIFO, MT_QUEUE_PRIORITY};
#define EACH_ORDER(i) for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)

static inline struct mt_queue *make(enum mt_queue_order order, uint32_t capacity, uint32_t message_max)
{
    struct mt_queue_options options = {"test", order, capacity, message_max, 0};
    struct mt_queue *queue = mt_queue_new(&options);

    assert_non_null(queue);
    return queue;
}

static inline int put_int(struct mt_queue *queue, int value, mt_deadline deadline)
{
    return mt_queue_put(queue, &value, sizeof value, deadline);
}

/* The message, or an error: values are not negative. */
static inline int get_int(struct mt_queue *queue, mt_deadline deadline)
{
    int value = -EIO;
    ssize_t size = mt_queue_get(queue, &value, sizeof value, deadline);

    return size == sizeof value ? value : size < 0 ? (int)size : -EIO;
}

/* For tests that kill users of a queue: without the kernel's lists of their locks nobody is told. */
static inline void need_robust_lists(void)
{
    struct robust_list_head *head;
    size_t size;

    if (mt__sys(SYS_get_robust_list, 0, &head, &size) < 0)
        skip();
}

#endif
