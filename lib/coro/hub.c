/* SPDX-License-Identifier: MIT
 *
 * The hub of a thread: who runs next, and the turn. coro/hub.h has the whole of it; beginning and end are in
 * coro/hub-life.c.
 *
 * Between the hub and other threads there are the letters and one flag, and no letter is overlooked: the hub sets
 * `sleeping` and then looks for letters; a writer leaves his letter and then looks at `sleeping`. Both are sequentially
 * consistent, so one of the two sees the other.
 */
#include "coro/hub.h"
#include "coro/coro.h"
#include "coro/monitor.h"
#include "coro/tell.h"

#define SETTLE        8 /* turns in vain: one does, but for a helper that is just leaving its letter */
#define PATIENCE_MOST MT_SEC(10)
#define SLICE         MT_MS(2) /* a sleep that cannot be ended by a wake is cut into these */

__thread struct mt__hub *mt__hub __attribute__((tls_model("initial-exec")));
void (*mt__storage_swap)(struct mt__hub *hub, const struct mt__coro *next);
void (*mt__hub_opens)(struct mt__hub *hub);
void (*mt__hub_arrived)(struct mt__hub *hub);
void (*mt__summons_answer)(struct mt__coro *self);

/* -- Running ------------------------------------------------------------------------------------------------------ */

static void turn(struct mt__hub *hub, int idle);

/* Until the wakes that have met arms of those who had left are passed on, or as good as: nobody knows when the hub
 * turns again, or whether. */
static void settle(struct mt__hub *hub)
{
    for (int in_vain = 0; hub->stale && in_vain < SETTLE;) {
        size_t before = hub->stale;
        turn(hub, 0);
        in_vain = hub->stale < before ? 0 : in_vain + 1;
        if (in_vain == SETTLE / 2)
            mt__arms_cancel_again(hub);
    }
}

struct mt__coro *mt__hub_turn(struct mt__hub *hub)
{
    struct mt__coro *next;

    if (!hub->budget--) {
        hub->budget = hub->ready_count > MT__BUDGET ? (unsigned)hub->ready_count : MT__BUDGET;
        turn(hub, 0);
    }
    while (!(next = mt__hub_take(hub)))
        turn(hub, 1);
    if (next == &hub->root && hub->stale)
        settle(hub);
    return next;
}

/* -- The turn ----------------------------------------------------------------------------------------------------- */

/* It was killed or summoned. Who does not wait finds the summons when it is its turn. */
static void call(struct mt__hub *hub, struct mt__coro *coro)
{
    struct mt__parked *parked = coro->parked;

    if (!parked)
        return;
    if (parked->cancellable && /* a worker may be done with what was killed */
        __atomic_load_n(&coro->task->cancel, __ATOMIC_ACQUIRE)) {
        mt__parked_end(hub, parked, -ECANCELED);
    } else if (__atomic_load_n(&coro->signals.summoned, __ATOMIC_ACQUIRE) && !parked->up && parked->wait) {
        parked->up = 1;
        mt__hub_ready(hub, coro);
    }
}

void mt__hub_read_letters(struct mt__hub *hub)
{
    struct mt__coro *called, *next;
    struct mt__arm *arm, *next_arm;

    if (__atomic_load_n(&hub->letters.called, __ATOMIC_SEQ_CST)) {
        called = __atomic_exchange_n(&hub->letters.called, NULL, __ATOMIC_ACQUIRE);
        for (; called; called = next) {
            next = called->next_called;
            __atomic_exchange_n(&called->is_called, 0, __ATOMIC_ACQ_REL); /* from now on a call writes anew */
            call(hub, called);
            mt__task_drop(called->task);
        }
    }
    if (__atomic_load_n(&hub->letters.woken, __ATOMIC_SEQ_CST)) {
        arm = __atomic_exchange_n(&hub->letters.woken, NULL, __ATOMIC_ACQUIRE);
        for (; arm; arm = next_arm) {
            next_arm = arm->next;
            mt__helper_left(hub, arm);
            mt__tell_end(hub, &arm->op, 0);
            arm->op.complete(hub, &arm->op, 0);
        }
    }
}

void mt__hub_ring(struct mt__hub *hub)
{
    const uint64_t one = 1;

    if (__atomic_load_n(&hub->letters.sleeping, __ATOMIC_SEQ_CST))
        mt__sys(SYS_write, hub->letters.bell, &one, sizeof one);
}

void mt__hub_interrupt(int signal, unsigned flags, int is_sent)
{
    struct mt__hub *hub = mt__hub;
    struct mt__signalled *self;

    if (!hub)
        return;
    self = &hub->current->signals;
    if (!hub->in_turn && (is_sent || self->answers || (self->waits && !hub->current->parked))) {
        self->interrupted |= flags;
        return;
    }
    __atomic_store_n(&hub->letters.interrupted_at, mt_now(), __ATOMIC_RELAXED);
    __atomic_fetch_or(&hub->letters.signals, 1ull << (signal - 1), __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&hub->letters.interrupted, flags, __ATOMIC_SEQ_CST);
    mt__hub_ring(hub);
}

void mt__hub_arrives(struct mt__hub *hub)
{
    __atomic_store_n(&hub->letters.arrived, 1, __ATOMIC_SEQ_CST);
    mt__hub_ring(hub);
}

static int lets_in(const struct mt__hub *hub, const struct mt__coro *coro, uint64_t signals)
{
    return (signals & ~(coro->signals.has_mask ? coro : &hub->root)->signals.blocked) != 0;
}

static int interrupt(struct mt__hub *hub, const struct mt__coro *coro, uint64_t signals, uint32_t flags)
{
    struct mt__parked *parked = coro->parked;

    if (!parked || !parked->wait || !(parked->wait->flags & flags) || !lets_in(hub, coro, signals) ||
        parked->wait->since > __atomic_load_n(&hub->letters.interrupted_at, __ATOMIC_RELAXED))
        return 0;
    mt__parked_end(hub, parked, -EINTR);
    return 1;
}

static int interrupt_first_of(struct mt__hub *hub, uint64_t signals, uint32_t flags)
{
    if (interrupt(hub, &hub->root, signals, flags))
        return 1;
    for (const struct mt__coro *coro = hub->living; coro; coro = coro->next_living)
        if (interrupt(hub, coro, signals, flags))
            return 1;
    return 0;
}

/* One that lets one of them in, as one of a process's threads would be interrupted: who waits for nothing else, then
 * the thread's own. */
static void interrupt_one(struct mt__hub *hub)
{
    uint64_t signals;
    uint32_t flags;

    if (__atomic_load_n(&hub->letters.arrived, __ATOMIC_RELAXED) &&
        __atomic_exchange_n(&hub->letters.arrived, 0, __ATOMIC_SEQ_CST))
        mt__hub_arrived(hub);
    if (!__atomic_load_n(&hub->letters.interrupted, __ATOMIC_RELAXED))
        return;
    flags = __atomic_exchange_n(&hub->letters.interrupted, 0, __ATOMIC_SEQ_CST);
    signals = __atomic_exchange_n(&hub->letters.signals, 0, __ATOMIC_SEQ_CST);
    if (!interrupt_first_of(hub, signals, MT__WAIT_INTERRUPT_FIRST))
        interrupt_first_of(hub, signals, flags);
}

void mt__hub_answer(struct mt__coro *self)
{
    int error = errno;

    self->signals.interrupted = 0;
    self->signals.answers = 1;
    while (__atomic_exchange_n(&self->signals.summoned, 0, __ATOMIC_ACQ_REL))
        mt__summons_answer(self);
    self->signals.answers = 0;
    errno = error;
}

static void expire(struct mt__hub *hub)
{
    struct mt__timer *timer;
    mt_deadline now;

    if (!hub->timers.count)
        return;
    now = mt__wait_clock = mt_now();
    while ((timer = mt__timers_expired(&hub->timers, now)))
        if (timer == &hub->terms.timer)
            mt__terms_due(hub);
        else
            mt__parked_end(hub, timer->parked, -ETIMEDOUT);
}

/* Nothing is ready: sleeps until something is, or might be. */
static void sleep_in_loop(struct mt__hub *hub)
{
    mt_deadline until = mt__timers_first(&hub->timers), stuck_at;

    if ((hub->new_links || hub->aged_links) && until > mt_after(SLICE))
        until = mt_after(SLICE);
    stuck_at = until == MT_FOREVER && !hub->ops && !hub->table.shared ? mt_after(hub->patience) : MT_FOREVER;
    if (stuck_at < until)
        until = stuck_at;
    __atomic_store_n(&hub->letters.sleeping, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&hub->letters.called, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&hub->letters.woken, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&hub->letters.interrupted, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&hub->letters.arrived, __ATOMIC_SEQ_CST))
        until = MT_NOWAIT;
    hub->sleeps++;
    mt__tell_sleep(hub, until);
    hub->loop->turn(hub, until);
    __atomic_store_n(&hub->letters.sleeping, 0, __ATOMIC_SEQ_CST);
    if (hub->ready || stuck_at > mt_now()) {
        hub->patience = MT__PATIENCE;
    } else {
        hub->patience = hub->patience * 2 < PATIENCE_MOST ? hub->patience * 2 : PATIENCE_MOST;
        mt__hub_stuck(hub);
    }
}

static void root_killed(struct mt__hub *hub, struct mt__op *op, int result)
{
    struct mt__arm *arm = (struct mt__arm *)op;
    struct mt__parked *parked = hub->root.parked;

    arm->word = NULL;
    if (parked && parked->cancellable && __atomic_load_n(&hub->root.task->cancel, __ATOMIC_ACQUIRE))
        mt__parked_end(hub, parked, -ECANCELED);
}

/* The root is an ordinary thread, and is killed as one: by a wake of its word. */
static void watch_root(struct mt__hub *hub)
{
    struct mt__arm *arm = &hub->root_cancel;
    struct mt__parked *parked = hub->root.parked;

    if (!parked || !parked->cancellable)
        return;
    if (__atomic_load_n(&hub->root.task->cancel, __ATOMIC_ACQUIRE)) {
        mt__parked_end(hub, parked, -ECANCELED);
        return;
    }
    if (arm->word)
        return;
    *arm = (struct mt__arm){.op.complete = root_killed, .word = &hub->root.task->cancel};
    if (hub->futex_by_loop ? hub->loop->futex(hub, arm) : mt__helper_futex(hub, arm))
        arm->word = NULL;
}

static void turn(struct mt__hub *hub, int idle)
{
    hub->in_turn = 1;
    mt__monitor_beat(hub);
    if (mt__hub_opens)
        mt__hub_opens(hub);
    mt__hub_read_letters(hub);
    mt__park_arm_new(hub, idle);
    if (idle) {
        watch_root(hub);
        expire(hub); /* a time that has passed is none to sleep to */
    }
    mt__helpers_tell(hub);
    if (idle && !hub->ready)
        sleep_in_loop(hub);
    else
        hub->loop->turn(hub, MT_NOWAIT);
    interrupt_one(hub);
    mt__hub_read_letters(hub);
    expire(hub);
    mt__tell_turn(hub);
    hub->in_turn = 0;
}

/* -- The way to wait ---------------------------------------------------------------------------------------------- */

static void yield(void)
{
    struct mt__hub *hub = mt__hub;

    mt__record_state(hub->current->task->record, MT_READY);
    mt__hub_ready(hub, hub->current);
    mt__hub_leave(hub, NULL);
    mt__record_state(hub->current->task->record, MT_RUNNING);
}

int mt__hub_look(struct mt__hub *hub)
{
    turn(hub, 0);
    return hub->ready != NULL;
}

void mt__hub_make_way(void)
{
    yield();
}

static void settle_here(void)
{
    struct mt__hub *hub = mt__hub;

    mt__helpers_settle(hub);
    settle(hub);
    if (hub->current->storage != hub->storage)
        mt__storage_swap(hub, hub->current);
}

const struct mt__hook mt__hub_hook = {
    .park = mt__park_word,
    .park_any = mt__park_any,
    .unpark = mt__unpark,
    .poll = mt__park_poll,
    .yield = yield,
    .settle = settle_here,
};
