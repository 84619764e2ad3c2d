/* SPDX-License-Identifier: MIT
 *
 * Tasks that come back out of the window without having begun: because they are cancelled, because they would wait for
 * too long behind another, or because their process has died.
 */
#include "pool/remote.h"

#include <errno.h>

/* With the guard. 0: the process was faster. */
static int withdraw(struct mt__remote *remote, uint64_t number)
{
    uint64_t word = MT__SLOT_WORD(number, MT__SLOT_SENT), bit, *bits = mt__taken_back(remote, number, &bit);

    if (!__atomic_compare_exchange_n(&mt__slot_of(remote, number)->word, &word, MT__SLOT_WORD(number, MT__SLOT_BACK), 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return 0;
    remote->sent[number % MT__SLOTS] = NULL;
    *bits |= bit;
    __atomic_store_n(&remote->live, remote->live - 1, __ATOMIC_RELAXED);
    return 1;
}

int mt__window_take_back(struct mt__worker *worker, struct mt_future *future)
{
    struct mt__remote *remote = worker->remote;
    uint64_t number = future->value.number;
    int result = -EAGAIN;

    mt__mini_acquire(&worker->guard);
    if (remote->sent[number % MT__SLOTS] == future) {
        result = withdraw(remote, number);
        worker->cancelled += (unsigned)result;
    }
    mt__mini_release(&worker->guard);
    return result;
}

void mt__window_hand_back(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *list = NULL, **last = &list;

    mt__mini_acquire(&worker->guard);
    for (uint64_t number = remote->first; number != remote->tail; number++) {
        struct mt_future *future = remote->sent[number % MT__SLOTS];
        if (!future || number == remote->front || !withdraw(remote, number))
            continue;
        *last = future;
        last = &future->next;
    }
    mt__mini_release(&worker->guard);
    for (struct mt_future *future = list; future; future = future->next)
        mt__future_unsend(future);
    mt__queue_put_back(worker->pool, list);
}

struct mt_future *mt__window_close(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *list = NULL, **last = &list;

    mt__mini_acquire(&worker->guard);
    for (uint64_t number = remote->first; number != remote->tail; number++) {
        struct mt_future *future = remote->sent[number % MT__SLOTS];
        if (!future)
            continue;
        remote->sent[number % MT__SLOTS] = NULL;
        if (mt__slot_word(mt__slot_of(remote, number)) == MT__SLOT_WORD(number, MT__SLOT_SENT)) {
            *last = future;
            last = &future->next;
        } else {
            future->next = remote->hurt;
            remote->hurt = future;
        }
    }
    remote->first = remote->tail;
    __atomic_store_n(&remote->live, 0, __ATOMIC_RELAXED);
    mt__mini_release(&worker->guard);
    return list;
}

void mt__remote_kill(struct mt__worker *worker, struct mt_future *future)
{
    struct mt__remote *remote = worker->remote;

    mt__mini_acquire(&worker->guard);
    if (remote && remote->task)
        for (uint64_t number = remote->first; number != remote->tail; number++)
            if (remote->sent[number % MT__SLOTS] == future)
                mt__remote_ask(remote, number);
    mt__mini_release(&worker->guard);
}
