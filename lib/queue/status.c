/* SPDX-License-Identifier: MIT
 *
 * What a queue has lost with users that were killed in it, and the rest of its state.
 *
 * A section that puts says in `putting`, before it writes a message, to which count it wants to move tail. One that
 * takes says in `taking` how many messages were gone before, and when it has taken that it takes no more: else one that
 * dies before it has said anything would be taken for it. Both words lie beside the guard and are changed with it held,
 * so that they cost few stores; who acquires a guard from the dead mends what it guards and then compares:
 *
 *   puts    aimed at - tail       had begun to write and not published: at most one, or one of a batch
 *   gets    gone now - before     had taken and not returned with: head has moved, or the slot is free
 *
 * 1. What is counted and what is compared are one word, so that whoever dies while it counts has counted all or
 * nothing: the next finds the same, and nothing is counted twice.
 * 2. gone is head less the messages in views, or what was put less those and the heap: one that is got in place is not
 * gone while it has an entry, whose holder's death has it got again.
 * 3. What is not seen: a user that is killed when it has taken, before its call returns, a few instructions later; and
 * what a program does with a message that it got. For that there are views, and task_done.
 */
#include "queue/call.h"

#include <errno.h>
#include <string.h>

static uint32_t lost_of(const uint64_t *intent)
{
    return (union mt__intent){.both = mt__load64(intent)}.lost;
}

/* The word is not to be trusted: nobody can lose more than fit. */
static void add(const struct mt_queue *queue, uint64_t *word, union mt__intent intent, uint32_t lost, uint32_t now)
{
    if (lost <= queue->capacity)
        intent.lost = (intent.lost + lost) & INT32_MAX;
    intent.at = now;
    intent.is_taking = 0;
    mt__store64(word, intent.both);
}

void mt__count_lost(struct mt_queue *queue, const struct mt__guard *guard)
{
    struct mt__segment *shared = queue->shared;
    union mt__intent putting = {.both = mt__load64(&shared->putting)}, taking = {.both = mt__load64(&shared->taking)};
    uint32_t put = queue->store->put_count(queue), gone = queue->store->gone(queue);

    if (guard == &shared->put)
        add(queue, &shared->putting, putting, putting.at - put, put);
    if (guard == mt__get_guard(queue))
        add(queue, &shared->taking, taking, taking.is_taking ? gone - taking.at : 0, gone);
    __atomic_fetch_add(&shared->deaths, 1, __ATOMIC_RELAXED);
}

/* Who comes next would mend what a dead one has left: so that it is counted. */
static int mend(struct mt_queue *queue, struct mt__guard *guard, struct mt__visit *visit)
{
    int result;

    if (!mt__guard_is_broken(guard))
        return 0;
    result = mt__queue_acquire(queue, guard, visit);
    if (!result)
        mt__guard_release(guard, MT__WAKE_ALL);
    return result;
}

int mt_queue_status(struct mt_queue *queue, struct mt_queue_status *status)
{
    struct mt__segment *shared = queue->shared;
    struct mt__visit visit = mt__queue_short_visit(queue, MT_WAIT_PUT);
    int result = mend(queue, &shared->put, &visit);

    if (!result)
        result = mend(queue, &shared->get, &visit);
    result = mt__visit_end(&visit, result);
    if (result)
        return result;
    memset(status, 0, sizeof *status);
    status->size = mt_queue_size(queue);
    status->put = queue->store->put_count(queue);
    status->viewed = mt__load32(&shared->out);
    status->undone = status->put - mt__load32(&shared->done_count);
    status->lost_put = lost_of(&shared->putting);
    status->lost_got = lost_of(&shared->taking);
    status->again = mt__load32(&shared->again);
    status->deaths = mt__load32(&shared->deaths);
    return 0;
}
