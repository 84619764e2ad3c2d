/* SPDX-License-Identifier: MIT
 *
 * The future. Its word is a state and flags:
 *
 *   state       meaning                               who changes it, to what
 *   QUEUED      in the pool's queue                   a worker: STARTED.     who cancels it: CANCELLED
 *   STARTED     a worker runs its task                that worker: DONE, but not while KILLING is set
 *   DONE        what became of the task can be read   nobody
 *   CANCELLED   the task never runs                   nobody
 *
 *   WAITERS     set before a sleep on the word        cleared by the end, which then wakes all
 *   NOTES       set, under the guard, by who leaves   cleared by the end, which then goes through the notes under the
 *               a note: callbacks, and sets that      guard
 *               wait for any of several
 *   KILLED      its task is asked to end              set with KILLING, for good
 *   KILLING     ... and its worker is being told      cleared by who set it; the worker waits for that
 *   SENT        with QUEUED: it is in the window of a worker's process: sent.c
 *
 * 1. Every change is a compare-and-swap of the whole word, so exactly one leaves QUEUED, and exactly one ends it.
 * 2. What became of the task is stored before the end and read after it.
 * 3. A waiter sleeps on a word with WAITERS and without an end; the end changes the word and sees WAITERS in the same
 * step. So it is woken, or does not sleep. Likewise for a note: it is on the list, under the guard, before NOTES is set
 * on a word without an end, so the end sees NOTES, and waits for the guard to find it.
 * 4. A kill reaches the task it was meant for and no other: while KILLING is set the worker cannot leave this task, and
 * it forgets, before it begins another, that it was killed.
 * 5. A cancelled future, or one that a waiting worker has run itself, stays in the queue, with the queue's reference,
 * until a worker comes by and finds that it cannot start it.
 *
 * tests/model/future.pml checks 1 to 4.
 */
#include "pool/pool.h"
#include "base/clock.h"
#include "task/deadlock.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE   MT_MS(1)
#define LOOKS_MAX  12u /* about 10 us */
#define PAUSES_MAX 32

/* Who "runs" a future that is given an end without being run. */
static struct mt__worker nobody;

static int change(struct mt_future *future, uint32_t *from, uint32_t to)
{
    return __atomic_compare_exchange_n(&future->word, from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static uint32_t look(const struct mt_future *future)
{
    return __atomic_load_n(&future->word, __ATOMIC_ACQUIRE);
}

static int has_ended(uint32_t word)
{
    return (word & MT__STATE) >= MT_DONE;
}

struct mt_future *mt__future_new(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size)
{
    const size_t bare = offsetof(struct mt_future, argument), small = sizeof(((struct mt_future *)0)->argument.copy);
    struct mt_future *future = size <= SIZE_MAX - bare ? mt__alloc(bare + (size > small ? size : small)) : NULL;

    if (!future)
        return NULL;
    future->references = 2;
    future->pool = pool;
    future->forks = (uint16_t)mt__pool_forks;
    future->fn = fn;
    future->size = size;
    if (size)
        memcpy(future->argument.copy, arg, size);
    else
        future->argument.pointer = (void *)(uintptr_t)arg;
    return future;
}

int mt__future_is_stale(const struct mt_future *future)
{
    return future->pool && future->forks != (uint16_t)mt__pool_forks;
}

/* -- Handles ------------------------------------------------------------------------------------------------------ */

struct mt_future *mt_future_retain(struct mt_future *future)
{
    __atomic_fetch_add(&future->references, 1, __ATOMIC_RELAXED);
    return future;
}

void mt__failure_of(const struct mt_future *future, int code, const char *message)
{
    mt__failure_tell(future->told ? future->told->task : NULL, code, message);
}

void mt_future_release(struct mt_future *future)
{
    if (!future || __atomic_sub_fetch(&future->references, 1, __ATOMIC_ACQ_REL))
        return;
    if (future->told)
        mt__unread_remove(future->told);
    if (future->code && !future->noticed)
        mt__failure_of(future, future->code, mt_future_message(future));
    if (future->told)
        mt_task_release(future->told->task);
    free(future->told);
    if (future->value_size > MT__SMALL)
        free(future->value.far);
    free(future);
}

/* -- What became of it -------------------------------------------------------------------------------------------- */

enum mt_future_state mt_future_state(const struct mt_future *future)
{
    return (enum mt_future_state)(look(future) & MT__STATE);
}

int mt_future_is_done(const struct mt_future *future)
{
    return has_ended(look(future));
}

int mt_future_successful(const struct mt_future *future)
{
    return mt_future_is_done(future) && mt_future_outcome(future) == 0;
}

int mt_future_is_running(const struct mt_future *future)
{
    return mt_future_state(future) == MT_STARTED;
}

int mt_future_outcome(const struct mt_future *future)
{
    enum mt_future_state state = mt_future_state(future);

    if (state < MT_DONE)
        return -EINPROGRESS;
    __atomic_store_n(&((struct mt_future *)future)->noticed, 1, __ATOMIC_RELAXED);
    return state == MT_CANCELLED ? -ECANCELED : future->code;
}

const char *mt_future_message(const struct mt_future *future)
{
    return mt_future_is_done(future) && future->told ? future->told->message : "";
}

const void *mt_future_value(const struct mt_future *future, size_t *size)
{
    size_t bytes = mt_future_is_done(future) ? future->value_size : 0;

    if (size)
        *size = bytes;
    return bytes > MT__SMALL ? future->value.far : bytes ? future->value.near : NULL;
}

int mt_future_read(const struct mt_future *future, struct mt_outcome *outcome)
{
    int code = mt_future_outcome(future);

    if (!mt_future_is_done(future))
        return -EINPROGRESS;
    memset(outcome, 0, sizeof *outcome);
    outcome->code = code;
    outcome->tid = (int)future->tid;
    outcome->worker = outcome->tid ? future->by.worker_id : 0;
    outcome->size = future->value_size;
    strncpy(outcome->message, mt_future_message(future), sizeof outcome->message - 1);
    return 0;
}

void mt__future_tell(struct mt_future *future, struct mt_task *task, const char *message)
{
    size_t size = strlen(message) + 1;

    if (!task && size == 1)
        return;
    future->told = mt__alloc(sizeof *future->told + size);
    if (!future->told)
        return; /* the code is left to say it */
    future->told->task = task ? mt_task_retain(task) : NULL;
    memcpy(future->told->message, message, size);
    future->told->future = future;
    mt__unread_add(future->told);
}

/* -- Changes of state --------------------------------------------------------------------------------------------- */

int mt__future_start(struct mt_future *future, struct mt__worker *worker)
{
    struct mt_future *outer = worker->current;
    uint32_t word = look(future);

    mt__worker_turn_to(worker, future); /* a kill can come as soon as it is started */
    while ((word & MT__STATE) == MT_QUEUED) {
        if (!change(future, &word, word | MT_STARTED))
            continue;
        future->by.outer = outer;
        __atomic_store_n(&future->tid, mt__here.id, __ATOMIC_RELAXED);
        __atomic_store_n(&future->worker, worker, __ATOMIC_RELEASE);
        mt__worker_settle(worker, future, outer != NULL);
        return 1;
    }
    mt__worker_turn_to(worker, outer);
    if (outer)
        mt__worker_settle(worker, outer, 1);
    return 0;
}

void mt__future_ended(struct mt_future *future, uint32_t word)
{
    if (word & MT__WAITERS)
        mt__wake(&future->word, UINT_MAX, 0);
    if (word & MT__NOTES)
        mt__notes_tell(future);
}

int mt__future_end_quietly(struct mt_future *future, enum mt_future_state state, uint32_t *before)
{
    uint32_t word = look(future), from = state == MT_DONE ? MT_STARTED : MT_QUEUED;

    do {
        while (word & MT__KILLING) { /* for a few instructions of another task */
            mt__sys(SYS_sched_yield);
            word = look(future);
        }
        if ((word & (MT__STATE | MT__SENT)) != from)
            return 0;
    } while (!change(future, &word, (uint32_t)state | (word & MT__KILLED)));
    *before = word;
    return 1;
}

int mt__future_end(struct mt_future *future, enum mt_future_state state)
{
    uint32_t before;

    if (!mt__future_end_quietly(future, state, &before))
        return 0;
    mt__future_ended(future, before);
    return 1;
}

int mt__future_claim(struct mt_future *future)
{
    uint32_t word = look(future);

    while ((word & MT__STATE) == MT_QUEUED)
        if (change(future, &word, word | MT_STARTED)) {
            __atomic_store_n(&future->worker, &nobody, __ATOMIC_RELEASE);
            return 1;
        }
    return 0;
}

void mt__future_fail(struct mt_future *future, int code, const char *message)
{
    if (!mt__future_claim(future))
        return;
    future->code = code;
    mt__future_tell(future, NULL, message);
    mt__future_end(future, MT_DONE);
}

static int cancel(struct mt_future *future)
{
    int result = -EAGAIN;

    mt_future_retain(future);        /* another may release it while this one still wakes */
    if (mt__future_is_stale(future)) /* neither worker nor window are here */
        __atomic_fetch_and(&future->word, ~(MT__SENT | MT__KILLING), __ATOMIC_ACQ_REL);
    while (result == -EAGAIN) {
        uint32_t word = look(future);
        if ((word & MT__STATE) != MT_QUEUED)
            result = 0;
        else if (word & MT__SENT)
            result = mt__future_take_back(future);
        else if (mt__future_end(future, MT_CANCELLED))
            result = 1;
    }
    mt_future_release(future);
    return result;
}

int mt_future_cancel(struct mt_future *future)
{
    if (cancel(future))
        return 0;
    switch (mt_future_state(future)) {
    case MT_CANCELLED:
        return 0;
    case MT_QUEUED: /* it has begun in its process, which its worker has not heard of yet */
    case MT_STARTED:
        return -EBUSY;
    default:
        return -ESRCH;
    }
}

/* Asks for the end of one that has begun. 0; -ESRCH: it has ended; -EAGAIN: look again. */
static int hold_to_kill(struct mt_future *future)
{
    uint32_t word = look(future);

    do {
        if (has_ended(word))
            return (word & MT__STATE) == MT_CANCELLED ? 0 : -ESRCH;
        if (word & MT__KILLED)
            return 0;
        if (word & MT__KILLING || (word & (MT__STATE | MT__SENT)) == MT_QUEUED)
            return -EAGAIN; /* another is looking whether it has begun, or its process has died */
    } while (!change(future, &word, word | MT__KILLED | MT__KILLING));
    return 1;
}

int mt_future_kill(struct mt_future *future)
{
    struct mt__worker *worker;
    int result;

    do {
        if (cancel(future))
            return 0;
        if (mt__future_is_stale(future))
            return -ESRCH;
        result = hold_to_kill(future);
        if (result == -EAGAIN)
            mt__sys(SYS_sched_yield);
    } while (result == -EAGAIN);
    if (result != 1)
        return result;
    while (!(worker = __atomic_load_n(&future->worker, __ATOMIC_ACQUIRE)))
        mt__sys(SYS_sched_yield); /* it has only just been started */
    if (worker != &nobody)
        mt__worker_kill(worker, future);
    __atomic_fetch_and(&future->word, ~MT__KILLING, __ATOMIC_ACQ_REL);
    return 0;
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

int mt__future_help(struct mt_future *future)
{
    struct mt__worker *worker = mt__worker_here();

    if (!worker || worker->pool != future->pool || (look(future) & MT__STATE) != MT_QUEUED)
        return 0;
    if (!mt__future_start(future, worker))
        return 0;
    mt_future_retain(future);
    mt__worker_run(worker, future);
    return 1;
}

static int is_own(const struct mt_future *future)
{
    struct mt__worker *worker = mt__worker_here();

    return worker && (look(future) & MT__STATE) == MT_STARTED &&
           __atomic_load_n(&future->worker, __ATOMIC_ACQUIRE) == worker;
}

/* A circle is looked for once, when the wait has lasted some time: most are over before. */
static int wait_for_end(struct mt_future *future, struct mt__wait *wait)
{
    mt_deadline until = wait->since + PATIENCE < wait->deadline ? wait->since + PATIENCE : wait->deadline;
    uint32_t word = look(future);
    int result = 0;

    while (!has_ended(word)) {
        if (result)
            return result;
        if (!(word & MT__WAITERS) && !change(future, &word, word | MT__WAITERS))
            continue;
        result = mt__wait_round(wait, word | MT__WAITERS, until);
        if (result == -ETIMEDOUT && until < wait->deadline) {
            until = wait->deadline;
            result = mt__deadlock_check(wait);
        }
        word = look(future);
    }
    return 0;
}

/* Looks at the word before a sleep, as long as that has paid lately in this thread. */
static int spin(const struct mt_future *future)
{
    static __thread unsigned patience __attribute__((tls_model("initial-exec"))) = LOOKS_MAX;
    unsigned looks = patience;
    int pauses = 1, ended = 0;

    while (looks-- && !(ended = mt_future_is_done(future))) {
        for (int i = 0; i < pauses; i++)
            mt__arch_pause();
        if (pauses < PAUSES_MAX)
            pauses *= 2;
    }
    if (ended)
        patience = patience * 2 < LOOKS_MAX ? patience * 2 : LOOKS_MAX;
    else
        patience = patience / 2 ? patience / 2 : 1;
    return ended;
}

int mt_future_wait(struct mt_future *future, mt_deadline deadline)
{
    struct mt__wait wait = {
        .word = &future->word,
        .reason = MT_WAIT_FUTURE,
        .owner = __atomic_load_n(&future->tid, __ATOMIC_RELAXED),
        .object = future,
        .name = future->pool ? NULL : future->argument.pointer, /* a promise's */
        .deadline = deadline,
    };
    int result;

    if (mt_future_is_done(future))
        return 0;
    if (mt__future_is_stale(future))
        return -ESRCH;
    if (is_own(future))
        return -EDEADLK;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    if (mt__future_help(future) || (mt__wait_may_spin() && spin(future)))
        return 0;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    return mt__wait_end(&wait, wait_for_end(future, &wait));
}

int mt_future_get(struct mt_future *future, void *value, size_t size, mt_deadline deadline)
{
    int result = mt_future_wait(future, deadline);

    if (!result)
        result = mt_future_outcome(future);
    if (result || !value)
        return result;
    if (future->value_size != size)
        return -EMSGSIZE;
    if (size)
        memcpy(value, mt_future_value(future, NULL), size);
    return 0;
}
