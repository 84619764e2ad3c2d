/* SPDX-License-Identifier: MIT
 *
 * Signals that are sent to a process. One that comes while a coroutine runs that lets it in is that one's. One that
 * comes in a turn of the hub, when nobody runs and all is let in that anybody lets in, is kept until the end of the
 * turn, and is then as if it had been sent to one of those who let it in. So is one that comes between a turn and the
 * switch, when another's mask is in force than that of who is about to be left.
 */
#include "patch/pthreads.h"
#include "patch/signals.h"

static __thread struct mt__mailbox arrived __attribute__((tls_model("initial-exec")));

int mt__signal_arrived(int signal, const siginfo_t *info)
{
    struct mt__hub *hub = mt__hub;
    uint64_t before;
    int error;

    if (!hub || !hub->root.signals.has_mask || !mt__pthread_is_on())
        return 0;
    if (!hub->in_turn && !(mt__mask_of_caller() & mt__signal_bit(signal)))
        return 0;
    if (mt__signal_is_coming(signal))
        return 0;
    before = mt__signals_block();
    error = mt__mailbox_keep(&arrived, signal, info);
    if (!error)
        mt__hub_arrives(hub);
    mt__signals_restore(before);
    return !error;
}

/* Who takes it: one that waits for nothing else, then the root, as the kernel prefers a process's first thread. */
static struct mt__mailbox *taker(struct mt__hub *hub, uint64_t signal)
{
    const struct mt__signalled *root = &hub->root.signals;
    struct mt__mailbox *found = hub->rootless || !root->has_mask || root->blocked & signal ? NULL : mt__root_mailbox();

    if (found && root->waits)
        return found;
    for (struct mt__coro *coro = hub->living; coro; coro = coro->next_living) {
        struct mt__pthread *thread = coro->pthread;
        if (!thread || !coro->signals.has_mask || coro->signals.blocked & signal || thread->mailbox.is_closed)
            continue;
        if (coro->signals.waits)
            return &thread->mailbox;
        if (!found)
            found = &thread->mailbox;
    }
    return found;
}

/* With all signals blocked. */
static void give(struct mt__hub *hub, siginfo_t *info)
{
    struct mt__mailbox *to = taker(hub, mt__signal_bit(info->si_signo));

    if (!to) {
        mt__signal_raise(info);
        return;
    }
    mt__mini_acquire(&to->guard);
    mt__mailbox_keep(to, info->si_signo, info);
    mt__mini_release(&to->guard);
    mt__coro_summon(to->coro);
}

static void give_all(struct mt__hub *hub)
{
    uint64_t before = mt__signals_block();
    siginfo_t info;

    while (mt__mailbox_take(&arrived, ~0ull, &info))
        give(hub, &info);
    mt__signals_restore(before);
}

void mt__arrived_forked(void)
{
    arrived = (struct mt__mailbox){0};
}

__attribute__((constructor)) static void begin(void)
{
    mt__hub_arrived = give_all;
}
