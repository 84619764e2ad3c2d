/* SPDX-License-Identifier: MIT
 *
 * Signal handlers: that one has run is what a call which waits has to be told, with EINTR, unless it is restarted. The
 * kernel tells the hub's own call, and only we know the others: so handlers are called through one of ours.
 *
 * Invariant: while the kernel has `run` for a signal, the signal's entry has the program's handler. The kernel's answer
 * to "what is there now" is translated back. Signals of faults are left alone. Ours asks for the signal's particulars,
 * whether the program's does or not.
 */
#include "patch/signals.h"
#include "patch/slice.h"
#include "coro/accept.h"
#include "patch/undeclared.h"

#include <signal.h>
#include <string.h>

#define SIGNALS 65

static struct {
    mt__handler_fn *handler;
    int restarts, asks, once; /* SA_RESTART, SA_SIGINFO, SA_RESETHAND */
    uint64_t blocks;          /* while it runs */
} entries[SIGNALS];

static void run(int signal, siginfo_t *info, void *context)
{
    const unsigned flags = __atomic_load_n(&entries[signal].restarts, __ATOMIC_RELAXED)
                               ? MT__WAIT_INTERRUPT_ALWAYS
                               : MT__WAIT_INTERRUPT | MT__WAIT_INTERRUPT_ALWAYS;
    struct mt__mask_handling handling;
    int error = errno;

    if (!entries[signal].once && mt__signal_arrived(signal, info)) {
        errno = error;
        return;
    }
    mt__hub_interrupt(signal, flags, mt__signal_was_sent(signal));
    mt__mask_handler_begins(&handling, entries[signal].blocks);
    errno = error;
    mt__midst(__atomic_load_n(&entries[signal].handler, __ATOMIC_ACQUIRE), signal, info, context);
    mt__mask_handler_ends(&handling);
}

static int is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP ||
           signal == SIGABRT || signal == SIGSYS;
}

/* Both forms of a handler are called with three arguments by the kernel, and share their place in the struct. */
static int has_handler(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN && action->sa_handler != SIG_ERR &&
           action->sa_sigaction != mt__slice_over &&
           action->sa_handler != mt__accept_tick; /* which interrupts nothing but its own call */
}

static int is_ours(const struct sigaction *action)
{
    return action->sa_sigaction == run;
}

int mt__handler_is_ours(int signal)
{
    struct sigaction action;

    return !mt__libc(sigaction)(signal, NULL, &action) && is_ours(&action);
}

static void add_slices(sigset_t *mask)
{
    mt__signals_to(mask, mt__signals_of(mask) | mt__slice_signals());
}

/* As the program has set it. */
static void translate(struct sigaction *action, mt__handler_fn *handler, int asks, uint64_t blocked)
{
    action->sa_sigaction = handler;
    mt__signals_to(&action->sa_mask, mt__signals_of(&action->sa_mask) & ~(mt__slice_signals() & ~blocked));
    if (!asks)
        action->sa_flags &= ~SA_SIGINFO;
}

static int set(int signal, const struct sigaction *action, struct sigaction *before)
{
    mt__handler_fn *former = __atomic_load_n(&entries[signal].handler, __ATOMIC_ACQUIRE);
    int asked = entries[signal].asks;
    uint64_t blocked = entries[signal].blocks;
    struct sigaction ours = *action, old;

    if (has_handler(action)) {
        __atomic_store_n(&entries[signal].restarts, (action->sa_flags & SA_RESTART) != 0, __ATOMIC_RELAXED);
        entries[signal].asks = (action->sa_flags & SA_SIGINFO) != 0;
        entries[signal].once = (action->sa_flags & (int)SA_RESETHAND) != 0;
        entries[signal].blocks =
            mt__signals_of(&action->sa_mask) | (action->sa_flags & SA_NODEFER ? 0 : mt__signal_bit(signal));
        __atomic_store_n(&entries[signal].handler, action->sa_sigaction, __ATOMIC_RELEASE);
        ours.sa_sigaction = run;
        ours.sa_flags |= SA_SIGINFO;
        if (ours.sa_flags & SA_ONSTACK) /* which may have room for its own frame only */
            add_slices(&ours.sa_mask);
    }
    if (mt__libc(sigaction)(signal, &ours, &old))
        return -1;
    if (is_ours(&old))
        translate(&old, former, asked, blocked);
    if (before)
        *before = old;
    return 0;
}

MT__PATCHED int sigaction(int signal, const struct sigaction *restrict action, struct sigaction *restrict before)
{
    int ours = __atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) & MT_PATCH_SIGNAL && signal > 0 && signal < SIGNALS &&
               !is_fault(signal);
    int result;

    if (ours && action)
        return set(signal, action, before);
    result = mt__libc(sigaction)(signal, action, before);
    if (!result && before && signal < SIGNALS && is_ours(before))
        translate(before, entries[signal].handler, entries[signal].asks, entries[signal].blocks);
    return result;
}

MT__PATCHED int __sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
    return sigaction(signal, action, before);
}

/* As glibc's: restarts, and blocks the signal meanwhile. siginterrupt, which changes that, is then the kernel's. */
MT__PATCHED __sighandler_t signal(int number, __sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;

    if (!(__atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) & MT_PATCH_SIGNAL) || number <= 0 || number >= SIGNALS ||
        is_fault(number) || handler == SIG_ERR)
        return mt__libc(signal)(number, handler);
    sigaddset(&action.sa_mask, number);
    return set(number, &action, &before) ? SIG_ERR : before.sa_handler;
}

/* Handlers that were there before the class was turned on. */
void mt__patch_handlers(void)
{
    struct sigaction action;
    int error = errno;

    for (int signal = 1; signal < SIGNALS; signal++)
        if (!is_fault(signal) && !mt__libc(sigaction)(signal, NULL, &action) && has_handler(&action) &&
            !is_ours(&action))
            set(signal, &action, NULL);
    errno = error; /* two of them are libc's own, and refused */
}
