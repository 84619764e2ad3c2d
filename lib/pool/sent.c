/* SPDX-License-Identifier: MIT
 *
 * A future whose task has been sent to a process, together with others, and may wait there for its turn. Its word says
 * QUEUED | SENT until the worker hears that it has begun; meanwhile it can still be cancelled, or sent back:
 *
 *   QUEUED          -> QUEUED | SENT    the worker, when it writes the slot
 *   QUEUED | SENT   -> STARTED          the worker: it is the next to run there, or has been run
 *   QUEUED | SENT   -> QUEUED           the worker: it was taken out of the window, and comes back to the queue
 *   QUEUED | SENT   -> CANCELLED        who cancels it, having taken it out of the window
 *
 * 1. Whether it has begun is decided by its slot, which only one of the process, the worker and who cancels it can
 * change away from SENT: see window.c. Here that is only followed.
 * 2. Who cancels it holds KILLING while it looks at the worker's window. The worker waits for that, without its guard,
 * before it changes the word: so it cannot leave this future behind, and the worker and its pool are there.
 */
#include "base/probe.h"
#include "pool/remote.h"

#include <errno.h>

static uint32_t look(const struct mt_future *future)
{
    return __atomic_load_n(&future->word, __ATOMIC_ACQUIRE);
}

static int change(struct mt_future *future, uint32_t *from, uint32_t to)
{
    return __atomic_compare_exchange_n(&future->word, from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

int mt__future_send(struct mt_future *future, struct mt__worker *worker, uint64_t number)
{
    uint32_t word = look(future);

    future->value.number = number;
    future->by.outer = NULL;
    __atomic_store_n(&future->worker, worker, __ATOMIC_RELEASE);
    do {
        if ((word & MT__STATE) == MT_STARTED)
            return 1; /* it was to run in a process that has died */
        if ((word & MT__STATE) != MT_QUEUED)
            return 0;
    } while (!change(future, &word, word | MT__SENT));
    return 1;
}

/* Changes it from QUEUED | SENT. 0: it is not that. */
static int change_sent(struct mt_future *future, uint32_t state)
{
    uint32_t word = look(future);

    do {
        while (word & MT__KILLING) { /* for a few instructions of another task */
            mt__sys(SYS_sched_yield);
            word = look(future);
        }
        if ((word & (MT__STATE | MT__SENT)) != (MT_QUEUED | MT__SENT))
            return 0;
    } while (!change(future, &word, (word & ~MT__SENT) | state));
    return 1;
}

int mt__future_begin(struct mt_future *future)
{
    struct mt__worker *worker = future->worker;

    if (!change_sent(future, MT_STARTED))
        return (look(future) & MT__STATE) == MT_STARTED;
    if (MT__PROBED(pool__started))
        MT__PROBE6(pool__started, worker->pool, worker->pool->name, future, worker->task->record->id, future->fn,
                   __atomic_load_n(&worker->pool->queued, __ATOMIC_RELAXED));
    return 1;
}

void mt__future_unsend(struct mt_future *future)
{
    change_sent(future, MT_QUEUED);
}

int mt__future_take_back(struct mt_future *future)
{
    uint32_t word = look(future);
    int result;

    do {
        if ((word & (MT__STATE | MT__SENT)) != (MT_QUEUED | MT__SENT))
            return -EAGAIN;
        if (word & MT__KILLING) { /* another cancels or kills it */
            mt__sys(SYS_sched_yield);
            return -EAGAIN;
        }
    } while (!change(future, &word, word | MT__KILLING));
    result = mt__window_take_back(__atomic_load_n(&future->worker, __ATOMIC_ACQUIRE), future);
    word = look(future);
    if (result != 1) {
        __atomic_fetch_and(&future->word, ~MT__KILLING, __ATOMIC_ACQ_REL);
        if (result)
            mt__sys(SYS_sched_yield); /* the worker has it in hand */
        return result;
    }
    while (!change(future, &word, MT_CANCELLED))
        continue;
    mt__future_ended(future, word);
    mt_future_release(future); /* the window's */
    return 1;
}
