/* SPDX-License-Identifier: MIT
 *
 * Signals that are sent to one thread, when that is a coroutine or the root of a hub. The kernel would give them to
 * whichever of the hub's coroutines runs; so they are kept in mailboxes, and the kernel is asked to deliver them, by
 * sending them to itself, when the one that they were sent to runs and lets them in. It does then all that it does with
 * a signal: the handler's mask, its stack, the default action.
 *
 *   kept        in the mailbox of the one it was sent to. If he lets it in, or waits for it, he is summoned
 *   raised      he runs, has taken it out, and the kernel has it for the thread that carries him, blocked
 *   delivered   as it is let in, in the same call. Nobody else has run in between
 *
 * A summons is answered in the midst of a wait, where handlers ought to run. Who computes meanwhile, in another
 * kernel thread, does not answer any summons: so that one is knocked at, by the signal that ends slices, with a value
 * that says so. If he is the one that runs there, it is as if he had been summoned; else the knock is nothing, and the
 * summons stands. Without slices nobody is knocked at.
 *
 * tests/model/sent.pml checks that none is lost.
 *
 * What has no handler of the program's takes no such way: to ignore it, or to end or stop the process, is the kernel's.
 */
#include "patch/pthreads.h"
#include "patch/signals.h"
#include "patch/slice.h"

#include <time.h>
#include <unistd.h>

static __thread uint32_t coming[MT__SIGNALS + 1] __attribute__((tls_model("initial-exec"))); /* raised, by number */
static char knock; /* its address is a knock's value */

/* -- Sending ------------------------------------------------------------------------------------------------------- */

static uint64_t blocked_by(const struct mt__mailbox *mailbox)
{
    const struct mt__coro *coro = mailbox->coro;

    if (!coro)
        return mailbox->first_blocked;
    return __atomic_load_n(&(coro->signals.has_mask ? coro : &coro->hub->root)->signals.blocked, __ATOMIC_RELAXED);
}

static int is_here(const struct mt__mailbox *mailbox)
{
    return mt__hub && mailbox->coro && mailbox->coro->hub == mt__hub;
}

enum { KERNELS = 1, KNOCK = 2 }; /* what is left to do by the kernel */

/* 0 or more, or -errno. With the guard. */
static int put(struct mt__mailbox *to, int signal, const siginfo_t *info)
{
    uint64_t bit = mt__signal_bit(signal);
    int has_handler = mt__handler_is_ours(signal), is_blocked, error;

    if (to->is_closed)
        return 0;
    if (!has_handler && !((blocked_by(to) | to->accepts) & bit))
        return KERNELS;
    error = mt__mailbox_keep(to, signal, info);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* who lets it in just now sees it, or is seen to */
    is_blocked = (blocked_by(to) & bit) != 0;
    if (error || !to->coro || (is_blocked && !(to->accepts & bit)))
        return error;
    mt__coro_summon(to->coro);
    return !is_blocked && !is_here(to) && mt__slice_is_ours() ? KNOCK : 0;
}

static void knock_at(int tid)
{
    siginfo_t info = {.si_signo = mt__slice_number, .si_code = SI_QUEUE};

    info.si_value.sival_ptr = &knock;
    mt__sys(SYS_rt_tgsigqueueinfo, getpid(), tid, mt__slice_number, &info);
}

static int send_by_kernel(int tid, int signal, const siginfo_t *info)
{
    tid = tid ? tid : (int)mt__sys(SYS_gettid); /* it has not begun: what it is told to all is told */
    if (info)
        return (int)mt__sys(SYS_rt_tgsigqueueinfo, getpid(), tid, signal, info);
    return (int)mt__sys(SYS_tgkill, getpid(), tid, signal);
}

/* With signals blocked; they are let in again. */
static int send(struct mt__mailbox *to, int signal, const siginfo_t *info, uint64_t before)
{
    int result, tid;

    mt__mini_acquire(&to->guard);
    result = put(to, signal, info);
    tid = to->tid;
    mt__mini_release(&to->guard);
    if (result == KNOCK)
        knock_at(tid); /* if it cannot be told now, the summons stands */
    if (result == KERNELS)
        result = send_by_kernel(tid, signal, info);
    mt__signals_restore(before);
    return result < 0 ? result : 0;
}

int mt__signal_send(struct mt__mailbox *to, int signal, const siginfo_t *info)
{
    int result = send(to, signal, info, mt__signals_block());

    mt__signal_knocked(); /* if it was the caller */
    return result;
}

int mt__signal_send_root(pthread_t handle, long tid, int signal, const siginfo_t *info)
{
    uint64_t before;
    struct mt__mailbox *root;
    int result;

    if (!mt__roots_any())
        return 1;
    before = mt__signals_block();
    root = mt__root_find(handle, tid);
    result = root ? send(root, signal, info, ~0ull) : 1;
    mt__root_found();
    mt__signals_restore(before);
    mt__signal_knocked();
    return result;
}

/* -- Taking -------------------------------------------------------------------------------------------------------- */

void mt__signal_raise(siginfo_t *info)
{
    int signal = info->si_signo;

    coming[signal] += (uint32_t)mt__handler_is_ours(signal); /* else nobody counts it down */
    if (mt__sys(SYS_rt_tgsigqueueinfo, getpid(), mt__sys(SYS_gettid), signal, info))
        mt__sys(SYS_tgkill, getpid(), mt__sys(SYS_gettid), signal); /* as the kernel does without room for more */
}

void mt__signals_deliver(void)
{
    struct mt__mailbox *own = mt__mailbox_here();
    uint64_t open, before;
    siginfo_t info;

    if (!own || !own->coro)
        return;
    open = ~blocked_by(own);
    if (!(__atomic_load_n(&own->pending, __ATOMIC_SEQ_CST) & open))
        return;
    before = mt__signals_block();
    mt__mini_acquire(&own->guard);
    while (mt__mailbox_take(own, open, &info))
        mt__signal_raise(&info);
    mt__mini_release(&own->guard);
    mt__signals_restore(before);
}

int mt__signal_take(uint64_t signals, siginfo_t *info)
{
    struct mt__mailbox *own = mt__mailbox_here();
    uint64_t before;
    siginfo_t found;
    int signal;

    if (!own || !(__atomic_load_n(&own->pending, __ATOMIC_ACQUIRE) & signals))
        return 0;
    before = mt__signals_block();
    mt__mini_acquire(&own->guard);
    signal = mt__mailbox_take(own, signals, &found);
    mt__mini_release(&own->guard);
    if (signal && info)
        *info = found;
    mt__signals_restore(before);
    return signal;
}

int mt__signal_take_pipe(siginfo_t *info)
{
    const struct timespec none = {0, 0};
    const uint64_t pipe = mt__signal_bit(SIGPIPE);

    return mt__sys(SYS_rt_sigtimedwait, &pipe, info, &none, sizeof pipe) == SIGPIPE;
}

/* The kernel has sent it to the thread that carries the caller, where the next one would find it. */
void mt__signal_keep_pipe(void)
{
    struct mt__mailbox *own = mt__mailbox_here();
    siginfo_t info;
    uint64_t before;

    if (!own || !own->coro || !(blocked_by(own) & mt__signal_bit(SIGPIPE)) || !mt__signal_take_pipe(&info))
        return;
    before = mt__signals_block();
    mt__mini_acquire(&own->guard);
    mt__mailbox_keep(own, SIGPIPE, &info);
    mt__mini_release(&own->guard);
    mt__signals_restore(before);
}

void mt__signals_accept(uint64_t signals)
{
    struct mt__mailbox *own = mt__mailbox_here();
    uint64_t before;

    if (!own)
        return;
    before = mt__signals_block();
    mt__mini_acquire(&own->guard);
    own->accepts = signals;
    mt__mini_release(&own->guard);
    mt__signals_restore(before);
}

/* -- For handlers -------------------------------------------------------------------------------------------------- */

static int is_knock(const siginfo_t *info)
{
    return info->si_code == SI_QUEUE && info->si_value.sival_ptr == &knock;
}

int mt__signal_is_knock(const siginfo_t *info)
{
    if (!is_knock(info))
        return 0;
    mt__signal_knocked();
    return 1;
}

/* Who waits, or is about to, answers the summons, as his wait may have to end; a handler that runs as he does is where
 * that is known. */
void mt__signal_knocked(void)
{
    struct mt__hub *hub = mt__hub;
    const struct mt__coro *self = hub ? hub->current : NULL;

    if (hub && !hub->in_turn && (self->signals.answers || (!self->parked && !self->signals.waits)))
        mt__signals_deliver();
}

int mt__signal_was_sent(int signal)
{
    int was = coming[signal] > 0;

    coming[signal] -= (uint32_t)was;
    return was;
}

/* Nobody was there to take it: whoever lets it in next has been sent it, and handles it. */
int mt__signal_is_coming(int signal)
{
    return coming[signal] > 0;
}

static void answer(struct mt__coro *self)
{
    const struct mt__mailbox *own = mt__mailbox_here();

    mt__signals_deliver();
    if (own && __atomic_load_n(&own->pending, __ATOMIC_ACQUIRE) & own->accepts)
        self->signals.interrupted |= MT__WAIT_INTERRUPT_ALWAYS;
    mt__mask_answered();
}

__attribute__((constructor)) static void begin(void)
{
    mt__summons_answer = answer;
}
