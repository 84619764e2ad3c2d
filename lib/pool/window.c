/* SPDX-License-Identifier: MIT
 *
 * The window: tasks that have been sent to a process before the last one was answered, so that a tiny task costs
 * neither a wake nor a turn of two threads. Task n has number n, which grows, and slot n modulo MT__SLOTS; the slot's
 * word is number and state.
 *
 *   state     meaning                              who changes it, to what
 *   FREE      of no task                           the worker: SENT
 *   SENT      waits for its turn                   the process: RUNS.   the worker, or who cancels it: BACK
 *   RUNS      the process is at it                 the process: DONE
 *   DONE      its answer is in the slot            the worker: SENT, of a later number
 *   BACK      was taken back before it began       the process: PASSED
 *   PASSED    the process has gone by it           the worker: SENT, of a later number
 *
 * 1. Away from SENT leads one compare-and-swap, of the process or of this side: a task is run or taken back, and not
 * both. The process goes through the numbers in order and has at most one slot in RUNS.
 * 2. So when the process has died, the slots say of each task what became of it: DONE, it has its answer; RUNS, it was
 * hit, it alone; SENT, it has not begun and can be sent elsewhere. The process writes DONE after the answer.
 * 3. A slot that was taken back is not used again before it is PASSED: the process may still be on its way to it, and
 * would take a later task for an earlier one.
 * 4. On this side `sent` and the slots' words change under the worker's guard. A future in `sent` has the window's
 * reference; whoever takes it out has that.
 * 5. Each side that is about to sleep says so, and then looks once more; each side that has changed something then
 * looks whether the other sleeps, and wakes it. With a full barrier between the two steps of each, one of them sees the
 * other. Who takes back what the other has said raises the word, or rings the bell, after that: the other may be on its
 * way into a sleep of which nothing would be known any more.
 * 6. A task is not kept waiting for long by one before it: if the first has not changed for a while, the worker takes
 * back all that are behind it.
 * 7. The first has begun, as far as its future says (mt__window_look), so nobody takes it back: a worker that is about
 * to sleep finds what is done by looking at the slot of the first alone.
 *
 * The process is not trusted: what the pool has to know lies in struct mt__remote; what it reads from a slot it reads
 * once, and checks; a state that it cannot be in ends it.
 *
 * tests/model/window.pml checks 1 to 5.
 */
#include "base/clock.h"
#include "pool/remote.h"

#include <string.h>

void mt__window_open(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;

    remote->first = remote->tail = 1; /* 0 is the initializer */
    memset(remote->taken_back, 0, sizeof remote->taken_back);
    remote->live = 0;
    remote->width = 1;
    remote->pace = 0;
    remote->ran = 0;
    remote->proved = 0;
    remote->front = MT__NO_NUMBER;
    remote->soft = remote->hard = MT_FOREVER;
}

/* -- Sending ------------------------------------------------------------------------------------------------------ */

static int is_usable(struct mt__remote *remote, uint64_t number)
{
    uint64_t bit, *bits = mt__taken_back(remote, number, &bit);

    return !(*bits & bit) ||
           mt__slot_word(mt__slot_of(remote, number)) == MT__SLOT_WORD(number - MT__SLOTS, MT__SLOT_PASSED);
}

unsigned mt__window_room(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    const struct mt_pool *pool = worker->pool;
    unsigned most = remote->width, room = 0;

    if (pool->tasks_per_worker && most > pool->tasks_per_worker - remote->ran)
        most = pool->tasks_per_worker - remote->ran;
    mt__mini_acquire(&worker->guard);
    while (remote->live + room < most && remote->tail + room - remote->first < MT__SLOTS &&
           is_usable(remote, remote->tail + room))
        room++;
    mt__mini_release(&worker->guard);
    return room;
}

static void fill_in(struct mt__slot *slot, const struct mt_future *future, unsigned names)
{
    slot->fn = (uint64_t)(uintptr_t)future->fn;
    slot->size = future->size;
    slot->names = names;
    slot->flags = future->size ? MT__HAS_BYTES : 0;
    if (future->size > MT__SLOT_ROOM)
        slot->flags |= MT__BY_STREAM;
    else if (future->size)
        memcpy(slot->bytes, future->argument.copy, future->size);
}

/* Returns a cancelled future, whose reference is the caller's to drop, or NULL. With the guard. */
static struct mt_future *put_one(struct mt__worker *worker, struct mt_future *future, unsigned names)
{
    struct mt__remote *remote = worker->remote;
    struct mt__slot *slot = mt__slot_of(remote, remote->tail);
    uint64_t bit, *bits = mt__taken_back(remote, remote->tail, &bit);

    if (!mt__future_send(future, worker, remote->tail)) {
        worker->cancelled++;
        return future;
    }
    fill_in(slot, future, names);
    __atomic_store_n(&slot->word, MT__SLOT_WORD(remote->tail, MT__SLOT_SENT), __ATOMIC_RELEASE);
    remote->sent[remote->tail % MT__SLOTS] = future;
    *bits &= ~bit;
    __atomic_store_n(&remote->live, remote->live + 1, __ATOMIC_RELAXED);
    remote->tail++;
    return NULL;
}

/* What has been sent so far is there for the process, which may sleep. */
static void publish(struct mt__remote *remote)
{
    struct mt__cell *cell = remote->cell;

    __atomic_store_n(&cell->tail, remote->tail, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cell->process_sleeps, __ATOMIC_RELAXED) &&
        __atomic_exchange_n(&cell->process_sleeps, 0, __ATOMIC_SEQ_CST)) {
        __atomic_fetch_add(&cell->work, 1, __ATOMIC_SEQ_CST);
        mt__wake(&cell->work, 1, MT__WAIT_SHARED);
    }
}

void mt__window_send(struct mt__worker *worker, struct mt_future *list, unsigned names)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *next, *dropped = NULL;

    mt__mini_acquire(&worker->guard);
    if (!remote->live)
        remote->filled = mt_now();
    for (; list; list = next) {
        struct mt_future *cancelled;
        next = list->next;
        list->next = NULL;
        cancelled = put_one(worker, list, names);
        if (cancelled) {
            cancelled->next = dropped;
            dropped = cancelled;
        }
    }
    mt__mini_release(&worker->guard);
    publish(remote);
    for (; dropped; dropped = next) {
        next = dropped->next;
        mt_future_release(dropped);
    }
}

/* -- The first ---------------------------------------------------------------------------------------------------- */

/* With a reference; NULL: the window is empty. */
static struct mt_future *first_of(struct mt__worker *worker, uint64_t *number)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *future = NULL;

    mt__mini_acquire(&worker->guard);
    while (remote->first != remote->tail && !remote->sent[remote->first % MT__SLOTS])
        remote->first++;
    *number = remote->first;
    if (remote->first != remote->tail)
        future = mt_future_retain(remote->sent[remote->first % MT__SLOTS]);
    mt__mini_release(&worker->guard);
    return future;
}

static void begin_first(struct mt__worker *worker, struct mt_future *future, uint64_t number)
{
    struct mt__remote *remote = worker->remote;
    const struct mt_pool *pool = worker->pool;

    remote->front = number;
    remote->since = mt_now();
    remote->soft = pool->soft_limit ? mt_after(pool->soft_limit) : MT_FOREVER;
    if (!remote->ending)
        remote->hard = pool->hard_limit ? mt_after(pool->hard_limit) : MT_FOREVER;
    __atomic_store_n(&future->tid, (uint32_t)remote->pid, __ATOMIC_RELAXED);
    mt__worker_turn_to(worker, future);
    if (__atomic_load_n(&future->word, __ATOMIC_ACQUIRE) & MT__KILLED) { /* before it came here, or came to be first */
        mt__mini_acquire(&worker->guard);
        mt__remote_ask(remote, number);
        mt__mini_release(&worker->guard);
    }
}

void mt__window_look(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *future;
    uint64_t number;
    int begun = 0;

    while (!begun && (future = first_of(worker, &number)) != NULL) {
        begun = number == remote->front || mt__future_begin(future);
        if (begun && number != remote->front)
            begin_first(worker, future, number);
        mt_future_release(future);
    }
    if (!begun) {
        remote->front = MT__NO_NUMBER;
        remote->soft = MT_FOREVER;
        mt__worker_turn_to(worker, NULL);
    }
}
