/* SPDX-License-Identifier: MIT
 *
 * The stack for signals: the kernel has one for each thread, and it is changed as coroutines that stand for threads
 * take turns, once they have any (storage.c). What is told to those that have not is that there is none, as a new
 * thread is told.
 */
#include "patch/pthreads.h"

#include <signal.h>

/* Who asks; NULL: the thread. */
static struct mt__pthread *asker(const void *caller)
{
    struct mt__pthread *thread = mt__pthread_if_known();

    return thread && thread->unwinds && !mt__pthread_is_library(caller) ? thread : NULL;
}

MT__PATCHED int sigaltstack(const stack_t *restrict stack, stack_t *restrict before)
{
    struct mt__pthread *thread = asker(__builtin_return_address(0));
    stack_t had, kernels;
    int result = 0;

    if (!thread)
        return mt__libc(sigaltstack)(stack, before);
    had = thread->storage.has_signal_stack ? thread->storage.signal_stack : (stack_t){.ss_flags = SS_DISABLE};
    if (thread->storage.has_signal_stack && !mt__libc(sigaltstack)(NULL, &kernels))
        had.ss_flags = kernels.ss_flags; /* whether it runs on it */
    if (stack)
        result = mt__storage_signal_stack(&thread->storage, stack);
    if (result) {
        errno = -result;
        return -1;
    }
    if (before)
        *before = had;
    return 0;
}
