/* SPDX-License-Identifier: MIT
 *
 * What the calls of a queue have in common. See call.c.
 */
#ifndef QUEUE_CALL_H
#define QUEUE_CALL_H

#include "base/probe.h"
#include "queue/segment.h"

struct mt__visit mt__queue_visit(struct mt_queue *queue, enum mt_reason reason, mt_deadline deadline);

/* For calls that have no deadline, and work for killed tasks too. */
struct mt__visit mt__queue_short_visit(struct mt_queue *queue, enum mt_reason reason);

/* Acquires the guard, and repairs what it guards if its holder died. 0, or errors as mt__guard_acquire's. */
int mt__queue_acquire(struct mt_queue *queue, struct mt__guard *guard, struct mt__visit *visit);
void mt__queue_release(struct mt_queue *queue, struct mt__guard *guard);

/* Sleeps on the guard while the numbers are what was seen, the first of which is looked at for a while before. 0: look
 * again; -EBUSY, -ETIMEDOUT, -ECANCELED, -ENOMEM. */
int mt__queue_wait(struct mt_queue *queue, struct mt__guard *guard, struct mt__visit *visit,
                   const struct mt__number *numbers, unsigned count, mt_deadline until);

/* Whether it is closed; if it is half closed, closes it. */
uint32_t mt__queue_closed(struct mt_queue *queue, struct mt__visit *visit);

/* The second part of closing. */
int mt__queue_finish_closing(struct mt_queue *queue, struct mt__visit *visit);

/* For tracers, while one looks: messages were put or got, if that is what the result says. */
void mt__queue_tell_put(const struct mt_queue *queue, int count);
void mt__queue_tell_get(const struct mt_queue *queue, int count);

static inline int mt__queue_has_put(const struct mt_queue *queue, int result)
{
    if (MT__PROBED(queue__put))
        mt__queue_tell_put(queue, result);
    return result;
}

static inline int mt__queue_has_got(const struct mt_queue *queue, int result)
{
    if (MT__PROBED(queue__get))
        mt__queue_tell_get(queue, result);
    return result;
}

#endif
