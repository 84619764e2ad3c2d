/* SPDX-License-Identifier: MIT
 *
 * The hub's beginning, and its ends: of its thread, of the process, and in the child of a fork.
 */
#include "coro/coro.h"
#include "coro/hub.h"
#include "coro/monitor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define SLICE        MT_MS(2) /* one turn's */
#define SETTLE_TURNS 50

/* -- fork --------------------------------------------------------------------------------------------------------- */

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
    hub->in_turn = 0;
    hub->living = hub->current == &hub->root ? NULL : hub->current;
    if (hub->living) {
        hub->living->living_link = &hub->living;
        hub->living->next_living = NULL;
    }
    hub->living_count = hub->living != NULL;
    if (hub->table.size)
        memset(hub->table.buckets, 0, hub->table.size * sizeof *hub->table.buckets);
    hub->table.count = hub->table.shared = 0;
    hub->new_links = hub->aged_links = NULL;
    mt__arms_forget(hub);
    mt__timers_clear(&hub->timers);
    mt__terms_forget(hub);
    hub->ops = 0;
    hub->root_cancel.word = NULL;
    if (hub->current != &hub->root)
        hub->root.parked = NULL;
    hub->tid = (uint32_t)mt__sys(SYS_gettid);
    mt__futex_hash_begin();
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
    mt__terms_free(hub);
    free(hub->table.buckets);
    if (hub->letters.bell >= 0)
        mt__sys(SYS_close, hub->letters.bell);
    free(hub);
}

/* -- The process ends --------------------------------------------------------------------------------------------- */

/* exit(3) may come in the midst of a coroutine, or of the thread that has the hub, while arms are under way on words
 * that other processes have, too. Nobody turns the hub from then on, so a wake that such an arm takes would be lost to
 * them. What is owed to the others:
 *
 *   1. Each arm's wake. So all are cancelled and awaited, without their waiters: one that was woken passes it on.
 *   2. A wake that a helper has not told of yet. It passes on what nobody waits for, before it ends.
 *   3. The wake of a waiter that has been made ready by it, and will not run.
 *
 * That takes some turns, and no more than SETTLE_TURNS in vain. A process that another of its threads ends, or a signal
 * handler in the midst of a turn, passes nothing on, as one that is killed does not. */
static int is_turn_in_vain(struct mt__hub *hub, int again)
{
    size_t before = hub->armed;

    if (again)
        mt__arms_cancel_again(hub);
    mt__arms_cancel_missed(hub);
    mt__arms_take_back(hub);
    hub->loop->turn(hub, again ? mt_after(SLICE) : MT_NOWAIT);
    mt__hub_read_letters(hub);
    return hub->armed == before;
}

static void pass_on(struct mt__hub *hub)
{
    mt__hook_set(NULL); /* wakes are for others now */
    mt__arms_leave_shared(hub);
    for (int in_vain = 0; hub->stale && in_vain < SETTLE_TURNS;)
        in_vain = is_turn_in_vain(hub, in_vain) ? in_vain + 1 : 0;
    mt__helpers_close(hub, 0);
    mt__hub_read_letters(hub);
    for (const struct mt__coro *coro = hub->ready; coro; coro = coro->next)
        if (coro->owed)
            mt__wake(coro->owed, 1, MT__WAIT_SHARED);
    mt__hook_set(&mt__hub_hook);
}

/* After the functions of atexit(3), which may wait. A hub of another thread id is that of who forked past the C
 * library.
 */
__attribute__((destructor)) static void process_exits(void)
{
    struct mt__hub *hub = mt__hub;

    if (hub && !hub->in_turn && hub->tid == (uint32_t)mt__sys(SYS_gettid)) {
        pass_on(hub);
        mt__leaks_tell(hub);
    }
}

/* -- The thread ends ----------------------------------------------------------------------------------------------- */

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
    int in_vain = 0;

    if (hub->current != &hub->root) { /* the child of a fork that a coroutine has made: the process ends */
        pass_on(hub);
        return;
    }
    hub->ending = 1;
    while (hub->living_count) {
        struct mt__parked parked = {0};
        kill_all(hub); /* each time: one may have spawned more in its cleanup */
        hub->root.parked = NULL;
        mt__park_pause(hub, &parked, mt_after(SLICE));
    }
    while (hub->armed)
        in_vain = is_turn_in_vain(hub, in_vain) ? in_vain + 1 : 0;
    mt__hook_set(NULL);
    mt__at_end = NULL;
    mt__monitor_leave(hub);
    mt__coro_free_spare(hub);
    mt__helpers_close(hub, 0);
    mt__hub_read_letters(hub);
    hub->loop->close(hub, 0);
    mt__hub = NULL;
    free_hub(hub);
}

/* -- Beginning ---------------------------------------------------------------------------------------------------- */

static int open_loop(struct mt__hub *hub)
{
    int error;

    mt__futex_hash_begin();
    hub->loop = mt__loop_choose();
    hub->letters.bell = (int)mt__sys(SYS_eventfd2, 0, EFD_CLOEXEC);
    if (hub->letters.bell < 0)
        return hub->letters.bell;
    error = hub->loop->open(hub);
    if (error == -EPERM || error == -EACCES) { /* a sandbox has come since it was chosen */
        hub->loop = &mt__loop_epoll;
        error = hub->loop->open(hub);
    }
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
    hub->budget = MT__BUDGET;
    hub->patience = MT__PATIENCE;
    hub->tid = mt__here.id;
    *error = open_loop(hub);
    if (*error) {
        free_hub(hub);
        return NULL;
    }
    mt__stack_watch();
    mt__hub = hub;
    mt__at_end = end;
    mt__hook_set(&mt__hub_hook);
    mt__monitor_enter(hub);
    return hub;
}
