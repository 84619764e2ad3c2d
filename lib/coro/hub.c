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

void mt__hub_read_letters(struct mt__hub *hub)
{
    struct mt__coro *killed, *next;
    struct mt__arm *arm, *next_arm;

    if (__atomic_load_n(&hub->letters.killed, __ATOMIC_SEQ_CST)) {
        killed = __atomic_exchange_n(&hub->letters.killed, NULL, __ATOMIC_ACQUIRE);
        for (; killed; killed = next) {
            next = killed->next_killed;
            __atomic_exchange_n(&killed->is_killed, 0, __ATOMIC_ACQ_REL); /* from now on a kill writes anew */
            if (killed->parked && killed->parked->cancellable && /* a worker may be done with what was killed */
                __atomic_load_n(&killed->task->cancel, __ATOMIC_ACQUIRE))
                mt__parked_end(hub, killed->parked, -ECANCELED);
            mt__task_drop(killed->task);
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

void mt__hub_interrupt(int signal, unsigned flags)
{
    struct mt__hub *hub = mt__hub;

    if (!hub)
        return;
    __atomic_store_n(&hub->letters.interrupted_at, mt_now(), __ATOMIC_RELAXED);
    __atomic_fetch_or(&hub->letters.signals, 1ull << (signal - 1), __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&hub->letters.interrupted, flags, __ATOMIC_SEQ_CST);
    mt__hub_ring(hub);
}

static int interrupt(struct mt__hub *hub, const struct mt__coro *coro, uint32_t flags)
{
    struct mt__parked *parked = coro->parked;

    if (!parked || !parked->wait || !(parked->wait->flags & flags) ||
        parked->wait->since > __atomic_load_n(&hub->letters.interrupted_at, __ATOMIC_RELAXED))
        return 0;
    mt__parked_end(hub, parked, -EINTR);
    return 1;
}

static int interrupt_first_of(struct mt__hub *hub, uint32_t flags)
{
    if (interrupt(hub, &hub->root, flags))
        return 1;
    for (const struct mt__coro *coro = hub->living; coro; coro = coro->next_living)
        if (interrupt(hub, coro, flags))
            return 1;
    return 0;
}

/* Each that was sent one of them. */
static int interrupt_signalled(struct mt__hub *hub, uint64_t signals, uint32_t flags)
{
    int any = 0;

    for (struct mt__coro *coro = hub->living; coro; coro = coro->next_living)
        if (__atomic_load_n(&coro->signalled, __ATOMIC_ACQUIRE) & signals) {
            __atomic_fetch_and(&coro->signalled, ~signals, __ATOMIC_ACQ_REL);
            interrupt(hub, coro, flags);
            any = 1;
        }
    return any;
}

/* One, as one of a process's threads would be: who the signal was sent to, or else who has let it in, then the thread's
 * own. */
static void interrupt_one(struct mt__hub *hub)
{
    uint64_t signals;
    uint32_t flags;

    if (!__atomic_load_n(&hub->letters.interrupted, __ATOMIC_RELAXED))
        return;
    flags = __atomic_exchange_n(&hub->letters.interrupted, 0, __ATOMIC_SEQ_CST);
    signals = __atomic_exchange_n(&hub->letters.signals, 0, __ATOMIC_SEQ_CST);
    if (!interrupt_signalled(hub, signals, flags) && !interrupt_first_of(hub, MT__WAIT_INTERRUPT_FIRST))
        interrupt_first_of(hub, flags);
}

static void expire(struct mt__hub *hub)
{
    struct mt__timer *timer;
    mt_deadline now;

    if (!hub->timers.count)
        return;
    now = mt__wait_clock = mt_now();
    while ((timer = mt__timers_expired(&hub->timers, now)))
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
    if (__atomic_load_n(&hub->letters.killed, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&hub->letters.woken, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&hub->letters.interrupted, __ATOMIC_SEQ_CST))
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

static void settle_here(void)
{
    mt__helpers_settle(mt__hub);
    settle(mt__hub);
}

const struct mt__hook mt__hub_hook = {
    .park = mt__park_word,
    .park_any = mt__park_any,
    .unpark = mt__unpark,
    .poll = mt__park_poll,
    .yield = yield,
    .settle = settle_here,
};
