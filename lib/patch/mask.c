/* SPDX-License-Identifier: MIT
 *
 * Signal masks: with the thread class on, each coroutine that stands for a thread has one of its own, which begins as
 * its creator's. So has the root of their hub. The kernel has one for all of them, which changes as they take turns:
 *
 *   one runs        its own is in force
 *   the hub turns   what anybody here lets in is let in, by the root's or by a coroutine's
 *
 * as a signal that is sent to a process is taken by whichever of its threads lets it in. Signals that are sent to one
 * thread do not go by way of the kernel's mask: see sent.c.
 *
 * While all of a hub have the same mask, and most always have, nothing is done for it at a switch or a turn. `blockers`
 * says how many coroutines block a signal, so that a change costs the same for few and for many.
 *
 * Handlers come at any instruction, and those that run in a coroutine may change its mask for the time that they run.
 * They leave everything here as they found it. What is changed here in two places at once, the record and the kernel's,
 * is changed with all signals blocked.
 */
#include "patch/signals.h"
#include "patch/pthreads.h"
#include "patch/slice.h"
#include "patch/storage.h"

#include <string.h>

static __thread struct {
    uint32_t members; /* coroutines that have a mask */
    uint32_t blockers[MT__SIGNALS];
    uint64_t waiting, in_force;
    int differ;     /* not all of them, and the root, have the same */
    int root_waits; /* with another mask */
    struct mt__mailbox root;
} here __attribute__((tls_model("initial-exec")));

/* -- The kernel's ------------------------------------------------------------------------------------------------- */

uint64_t mt__signals_of(const sigset_t *set)
{
    uint64_t signals;

    memcpy(&signals, set, sizeof signals);
    return signals;
}

void mt__signals_to(sigset_t *set, uint64_t signals)
{
    sigemptyset(set);
    memcpy(set, &signals, sizeof signals);
}

static uint64_t change(int how, uint64_t signals)
{
    uint64_t before = 0;

    mt__sys(SYS_rt_sigprocmask, how, &signals, &before, sizeof signals);
    return before;
}

uint64_t mt__signals_block(void)
{
    return change(SIG_SETMASK, ~0ull);
}

void mt__signals_restore(uint64_t before)
{
    change(SIG_SETMASK, before);
}

static void enforce(uint64_t mask)
{
    if (here.in_force == mask)
        return;
    here.in_force = mask;
    change(SIG_SETMASK, mask & ~mt__slice_signals());
}

/* -- Whose is which ------------------------------------------------------------------------------------------------ */

static const struct mt__coro *holder(const struct mt__hub *hub, const struct mt__coro *coro)
{
    return coro->signals.has_mask ? coro : &hub->root;
}

static void find_waiting(struct mt__hub *hub)
{
    uint64_t roots = hub->root.signals.blocked, waiting = roots;
    int differ = 0;

    for (int i = 0; i < MT__SIGNALS; i++) {
        int in_roots = roots >> i & 1;
        if (here.blockers[i] != here.members)
            waiting &= ~(1ull << i);
        differ |= here.blockers[i] != (in_roots ? here.members : 0);
    }
    here.waiting = waiting;
    here.differ = differ;
    mt__storage_watch(hub, differ);
}

static void count(uint64_t before, uint64_t now)
{
    for (uint64_t changed = before ^ now; changed; changed &= changed - 1) {
        int i = __builtin_ctzll(changed);
        here.blockers[i] += now >> i & 1 ? 1 : -1u;
    }
}

/* Its mask is another; what is in force is the caller's affair. */
static void record(struct mt__hub *hub, struct mt__coro *coro, uint64_t blocked)
{
    if (coro != &hub->root)
        count(coro->signals.blocked, blocked);
    __atomic_store_n(&coro->signals.blocked, blocked, __ATOMIC_SEQ_CST); /* then it looks for what it was sent */
    find_waiting(hub);
}

struct mt__mailbox *mt__root_mailbox(void)
{
    return &here.root;
}

uint64_t mt__mask_of_caller(void)
{
    struct mt__hub *hub = mt__hub;

    if (hub && hub->root.signals.has_mask)
        return holder(hub, hub->current)->signals.blocked;
    return change(SIG_BLOCK, 0);
}

void mt__mask_switch(const struct mt__hub *hub, const struct mt__coro *next)
{
    enforce(holder(hub, next)->signals.blocked);
}

static void open(struct mt__hub *hub)
{
    if (here.differ)
        enforce(here.waiting);
}

/* -- Joining and leaving ------------------------------------------------------------------------------------------- */

static void root_joins(struct mt__hub *hub)
{
    if (hub->root.signals.has_mask)
        return;
    here.in_force = here.waiting = hub->root.signals.blocked = change(SIG_BLOCK, 0);
    hub->root.signals.has_mask = 1;
    mt__root_opens(&here.root, &hub->root);
}

static void root_leaves(struct mt__hub *hub, uint64_t only)
{
    if (!mt__root_closes(&here.root, only))
        return;
    hub->root.signals.has_mask = 0;
    hub->root.signals.blocked = 0;
}

/* What it lets in is to be handled in it, and not in who happens to leave it alone. */
static void leave_alone(struct mt__hub *hub)
{
    if (!here.members && !here.root_waits && hub->root.signals.has_mask)
        root_leaves(hub, hub->current == &hub->root ? ~0ull : hub->root.signals.blocked);
}

void mt__mask_answered(void)
{
    if (mt__hub->current == &mt__hub->root)
        leave_alone(mt__hub);
}

void mt__masks_forget(void)
{
    if (mt__hub && mt__hub->root.signals.has_mask)
        root_leaves(mt__hub, ~0ull);
}

void mt__mask_join(uint64_t blocked)
{
    struct mt__hub *hub = mt__hub;
    struct mt__coro *coro = hub->current;

    root_joins(hub);
    here.members++;
    coro->signals.blocked = blocked;
    coro->signals.has_mask = 1;
    count(0, blocked);
    if (here.differ || blocked || hub->root.signals.blocked)
        find_waiting(hub);
    enforce(blocked);
}

void mt__mask_leave(void)
{
    struct mt__hub *hub = mt__hub;
    struct mt__coro *coro = hub->current;

    if (!coro->signals.has_mask)
        return;
    count(coro->signals.blocked, 0);
    here.members--;
    coro->signals.has_mask = 0;
    if (here.differ || hub->root.signals.blocked)
        find_waiting(hub);
    enforce(hub->root.signals.blocked);
    leave_alone(hub);
}

void mt__masks_forked(void)
{
    struct mt__hub *hub = mt__hub;
    struct mt__coro *coro = hub ? hub->current : NULL;

    memset(here.blockers, 0, sizeof here.blockers);
    here.members = 0;
    here.root_waits = 0;
    mt__mailboxes_forked();
    mt__arrived_forked();
    if (!hub || !hub->root.signals.has_mask)
        return;
    if (coro == &hub->root || !coro->signals.has_mask) {
        here.differ = 0;
        mt__storage_watch(hub, 0);
        root_leaves(hub, ~0ull);
        return;
    }
    here.members = 1;
    count(0, coro->signals.blocked);
    hub->root.signals.blocked = coro->signals.blocked; /* it is not to be had again */
    find_waiting(hub);
}

/* -- Changing ----------------------------------------------------------------------------------------------------- */

/* Of the running one, with all signals blocked: what it was sent and lets in now comes before this returns. */
static void change_own(struct mt__hub *hub, uint64_t blocked)
{
    record(hub, hub->current, blocked);
    here.in_force = ~0ull;
    mt__signals_deliver();
    enforce(blocked);
}

void mt__mask_set(uint64_t blocked)
{
    mt__signals_block();
    change_own(mt__hub, blocked);
}

uint64_t mt__mask_block(uint64_t signals)
{
    struct mt__hub *hub = mt__hub;
    uint64_t before;

    if (!mt__pthread_is_on() || !holder(hub, hub->current)->signals.has_mask)
        return ~0ull;
    before = holder(hub, hub->current)->signals.blocked;
    mt__mask_restore(before | signals);
    return before;
}

void mt__mask_restore(uint64_t blocked)
{
    if (blocked != ~0ull)
        mt__mask_set(blocked);
}

/* -- For a while --------------------------------------------------------------------------------------------------- */

void mt__mask_suspend(struct mt__mask_suspended *suspended, const sigset_t *mask)
{
    struct mt__hub *hub = mt__hub;
    struct mt__coro *self = hub->current;

    mt__pthread_here(); /* with the thread class on it is one */
    suspended->joined = !self->signals.has_mask;
    here.root_waits |= self == &hub->root;
    if (self == &hub->root)
        root_joins(hub);
    else if (suspended->joined)
        mt__mask_join(mt__mask_of_caller());
    mt__signals_block();
    self->signals.interrupted = 0;
    self->signals.waits = 1;
    suspended->before = self->signals.blocked;
    change_own(hub, mt__signals_of(mask) & ~MT__UNBLOCKABLE);
}

void mt__mask_resume(const struct mt__mask_suspended *suspended)
{
    struct mt__hub *hub = mt__hub;

    mt__signals_block();
    hub->current->signals.waits = 0;
    change_own(hub, suspended->before);
    if (hub->current == &hub->root) {
        here.root_waits = 0;
        leave_alone(hub);
    } else if (suspended->joined) {
        mt__mask_leave();
    }
}

void mt__mask_handler_begins(struct mt__mask_handling *handling, uint64_t blocked)
{
    struct mt__hub *hub = mt__hub;
    struct mt__coro *coro = hub ? hub->current : NULL;

    handling->coro = NULL;
    if (!coro || hub->in_turn || coro->inside || !coro->signals.has_mask)
        return;
    *handling = (struct mt__mask_handling){coro, coro->signals.blocked, here.in_force};
    here.in_force |= blocked;
    record(hub, coro, coro->signals.blocked | blocked);
}

void mt__mask_handler_ends(const struct mt__mask_handling *handling)
{
    if (!handling->coro)
        return;
    record(mt__hub, handling->coro, handling->before);
    here.in_force = handling->in_force;
}

__attribute__((constructor)) static void begin(void)
{
    mt__hub_opens = open;
}
