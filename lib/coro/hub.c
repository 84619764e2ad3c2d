/* SPDX-License-Identifier: MIT
 *
 * The hub of a thread: who runs next, the turn, and the hub's beginning and end. coro/hub.h has the whole of it.
 *
 * Between the hub and other threads there are the letters and one flag, and no letter is overlooked: the hub sets
 * `sleeping` and then looks for letters; a writer leaves his letter and then looks at `sleeping`. Both are sequentially
 * consistent, so one of the two sees the other.
 */
#include "coro/hub.h"
#include "coro/coro.h"
#include "coro/monitor.h"
#include "coro/tell.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BUDGET        64 /* switches, or as many as were ready, between two turns */
#define PATIENCE      MT_MS(50)
#define SETTLE        8 /* turns: one does, but for a helper that is just leaving its letter */
#define PATIENCE_MOST MT_SEC(10)
#define SLICE         MT_MS(2) /* a sleep that cannot be ended by a wake is cut into these */

__thread struct mt__hub *mt__hub __attribute__((tls_model("initial-exec")));

/* -- Running ------------------------------------------------------------------------------------------------------ */

static void turn(struct mt__hub *hub, int idle);

/* Until the wakes that have met arms of those who had left are passed on, or as good as: nobody knows when the hub
 * turns again, or whether. */
static void settle(struct mt__hub *hub)
{
    for (int i = 0; hub->stale && i < SETTLE; i++)
        turn(hub, 0);
}

struct mt__coro *mt__hub_turn(struct mt__hub *hub)
{
    struct mt__coro *next;

    if (!hub->budget--) {
        hub->budget = hub->ready_count > BUDGET ? (unsigned)hub->ready_count : BUDGET;
        turn(hub, 0);
    }
    while (!(next = mt__hub_take(hub)))
        turn(hub, 1);
    if (next == &hub->root && hub->stale)
        settle(hub);
    return next;
}

/* -- The turn ----------------------------------------------------------------------------------------------------- */

static void read_letters(struct mt__hub *hub)
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

void mt__hub_interrupt(unsigned flags)
{
    struct mt__hub *hub = mt__hub;

    if (!hub)
        return;
    __atomic_store_n(&hub->letters.interrupted_at, mt_now(), __ATOMIC_RELAXED);
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

/* One, as one of a process's threads would be: who has let the signal in, then the thread's own. */
static void interrupt_one(struct mt__hub *hub)
{
    uint32_t flags;

    if (!__atomic_load_n(&hub->letters.interrupted, __ATOMIC_RELAXED))
        return;
    flags = __atomic_exchange_n(&hub->letters.interrupted, 0, __ATOMIC_SEQ_CST);
    if (!interrupt_first_of(hub, MT__WAIT_INTERRUPT_FIRST))
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
        hub->patience = PATIENCE;
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
    mt__monitor_beat(hub);
    read_letters(hub);
    mt__park_arm_new(hub, idle);
    if (idle) {
        watch_root(hub);
        expire(hub); /* a time that has passed is none to sleep to */
    }
    if (idle && !hub->ready)
        sleep_in_loop(hub);
    else
        hub->loop->turn(hub, MT_NOWAIT);
    interrupt_one(hub);
    read_letters(hub);
    expire(hub);
    mt__tell_turn(hub);
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

static const struct mt__hook hook = {
    .park = mt__park_word,
    .park_any = mt__park_any,
    .unpark = mt__unpark,
    .poll = mt__park_poll,
    .yield = yield,
};

/* -- Beginning and end -------------------------------------------------------------------------------------------- */

static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* In the child of a fork only what called it lives. Its ring is the parent's too, so it gets a loop of its own. */
static void forked(void)
{
    struct mt__hub *hub = mt__hub;

    mt__coro_forked(hub);
    if (!hub)
        return;
    hub->loop->close(hub, 1);
    mt__helpers_close(hub, 1);
    mt__sys(SYS_close, hub->letters.bell);
    hub->letters = (struct mt__letters){.bell = eventfd(0, EFD_CLOEXEC)};
    hub->ready = NULL;
    hub->ready_last = &hub->ready;
    hub->ready_count = 0;
    hub->living = hub->current == &hub->root ? NULL : hub->current;
    if (hub->living) {
        hub->living->living_link = &hub->living;
        hub->living->next_living = NULL;
    }
    hub->living_count = hub->living != NULL;
    memset(hub->table.buckets, 0, hub->table.size * sizeof *hub->table.buckets);
    hub->table.count = hub->table.shared = 0;
    hub->new_links = hub->aged_links = NULL;
    mt__park_forget_arms(hub);
    mt__timers_clear(&hub->timers);
    hub->ops = 0;
    hub->root_cancel.word = NULL;
    if (hub->current != &hub->root)
        hub->root.parked = NULL;
    hub->tid = (uint32_t)mt__sys(SYS_gettid);
    if (hub->loop->open(hub) && (hub->loop = &mt__loop_epoll)->open(hub)) {
        mt__hook_set(NULL); /* no descriptors to be had: it waits as a plain thread does */
        mt__at_end = NULL;
        mt__hub = NULL;
        return;
    }
    hub->futex_by_loop = hub->loop->has_futex(hub);
}

static void prepare(void)
{
    pthread_atfork(NULL, NULL, forked);
}

static void free_hub(struct mt__hub *hub)
{
    struct mt__arm *next;

    for (struct mt__arm *chunk = hub->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    mt__timers_free(&hub->timers);
    free(hub->table.buckets);
    if (hub->letters.bell >= 0)
        mt__sys(SYS_close, hub->letters.bell);
    free(hub);
}

static void kill_all(struct mt__hub *hub)
{
    for (struct mt__coro *coro = hub->living; coro; coro = coro->next_living)
        mt__coro_kill_here(hub, coro);
}

/* The thread ends: what still runs in it is killed and awaited, for it stands on memory of this thread; and so are the
 * arms, for each may have taken a wake that has to be passed on. */
static void end(void)
{
    struct mt__hub *hub = mt__hub;

    hub->ending = 1;
    while (hub->living_count) {
        struct mt__parked parked = {0};
        kill_all(hub); /* each time: one may have spawned more in its cleanup */
        hub->root.parked = NULL;
        mt__park_pause(hub, &parked, mt_after(SLICE));
    }
    for (int i = 0; hub->armed; i++) {
        if (i)
            mt__park_disarm_all(hub);
        hub->loop->turn(hub, i ? mt_after(SLICE) : MT_NOWAIT);
        read_letters(hub);
    }
    mt__hook_set(NULL);
    mt__at_end = NULL;
    mt__monitor_leave(hub);
    mt__coro_free_spare(hub);
    mt__helpers_close(hub, 0);
    read_letters(hub);
    hub->loop->close(hub, 0);
    mt__hub = NULL;
    free_hub(hub);
}

static int open_loop(struct mt__hub *hub)
{
    int error;

    hub->loop = mt__loop_choose();
    hub->letters.bell = (int)mt__sys(SYS_eventfd2, 0, EFD_CLOEXEC);
    if (hub->letters.bell < 0)
        return hub->letters.bell;
    error = hub->loop->open(hub);
    if (!error)
        hub->futex_by_loop = hub->loop->has_futex(hub);
    return error;
}

struct mt__hub *mt__hub_here(int *error)
{
    struct mt_task *task;
    struct mt__hub *hub = mt__hub;

    if (hub)
        return hub;
    pthread_once(&prepared, prepare);
    task = mt__self();
    hub = task ? mt__alloc(sizeof *hub) : NULL;
    *error = hub ? 0 : -ENOMEM;
    if (!hub)
        return NULL;
    hub->root.task = task;
    hub->root.id = mt__here.id;
    hub->root.hub = hub;
    hub->current = &hub->root;
    hub->ready_last = &hub->ready;
    mt__timers_clear(&hub->timers);
    hub->budget = BUDGET;
    hub->patience = PATIENCE;
    hub->tid = mt__here.id;
    *error = open_loop(hub);
    if (*error) {
        free_hub(hub);
        return NULL;
    }
    mt__stack_watch();
    mt__hub = hub;
    mt__at_end = end;
    mt__hook_set(&hook);
    mt__monitor_enter(hub);
    return hub;
}
