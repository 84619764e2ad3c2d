/* SPDX-License-Identifier: MIT
 *
 * Signal handlers: that one has run is what a call which waits has to be told, with EINTR, unless it is restarted. The
 * kernel tells the hub's own call, and only we know the others: so handlers are called through one of ours.
 *
 * Invariant: while the kernel has `run` for a signal, the signal's entry has the program's handler. The kernel's answer
 * to "what is there now" is translated back. Signals of faults are left alone.
 */
#include "patch/patch.h"
#include "coro/accept.h"
#include "patch/undeclared.h"

#include <signal.h>
#include <string.h>

#define SIGNALS 65

typedef void handler_fn(int signal, siginfo_t *info, void *context);

static struct {
    handler_fn *handler;
    int restarts;
} entries[SIGNALS];

static void run(int signal, siginfo_t *info, void *context)
{
    int error = errno;

    mt__hub_interrupt(signal, __atomic_load_n(&entries[signal].restarts, __ATOMIC_RELAXED)
                                  ? MT__WAIT_INTERRUPT_ALWAYS
                                  : MT__WAIT_INTERRUPT | MT__WAIT_INTERRUPT_ALWAYS);
    errno = error;
    __atomic_load_n(&entries[signal].handler, __ATOMIC_ACQUIRE)(signal, info, context);
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
           action->sa_handler != mt__accept_tick; /* which interrupts nothing but its own call */
}

static int is_ours(const struct sigaction *action)
{
    return action->sa_sigaction == run;
}

static int set(int signal, const struct sigaction *action, struct sigaction *before)
{
    handler_fn *former = __atomic_load_n(&entries[signal].handler, __ATOMIC_ACQUIRE);
    struct sigaction ours = *action, old;

    if (has_handler(action)) {
        __atomic_store_n(&entries[signal].restarts, (action->sa_flags & SA_RESTART) != 0, __ATOMIC_RELAXED);
        __atomic_store_n(&entries[signal].handler, action->sa_sigaction, __ATOMIC_RELEASE);
        ours.sa_sigaction = run;
    }
    if (mt__libc(sigaction)(signal, &ours, &old))
        return -1;
    if (is_ours(&old))
        old.sa_sigaction = former;
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
        before->sa_sigaction = entries[signal].handler;
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
