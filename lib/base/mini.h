/* SPDX-License-Identifier: MIT
 *
 * The lock of the library's own lists: three states (0 free, 1 held, 2 held and somebody may sleep), after U. Drepper,
 * "Futexes Are Tricky", mutex2. Held for a few instructions, never across anything that blocks, and not seen by
 * tracing: what users wait for goes through lib/wait.
 */
#ifndef BASE_MINI_H
#define BASE_MINI_H

#include "base/single.h"
#include "base/sys.h"
#include <linux/futex.h>

struct mt__mini {
    uint32_t word;
};

/* kind: FUTEX_PRIVATE_FLAG, or 0 for one in memory that several processes map. */
static inline void mt__mini_acquire_in(struct mt__mini *mini, int kind)
{
    uint32_t seen = 0;

    if (__atomic_compare_exchange_n(&mini->word, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&mini->word, 2, __ATOMIC_ACQUIRE) != 0)
        mt__arch_syscall(SYS_futex, (long)&mini->word, FUTEX_WAIT | kind, 2, 0, 0, 0);
}

static inline void mt__mini_release_in(struct mt__mini *mini, int kind)
{
    if (__atomic_exchange_n(&mini->word, 0, __ATOMIC_RELEASE) == 2)
        mt__arch_syscall(SYS_futex, (long)&mini->word, FUTEX_WAKE | kind, 1, 0, 0, 0);
}

static inline void mt__mini_acquire(struct mt__mini *mini)
{
    if (mt__is_single() && !__atomic_load_n(&mini->word, __ATOMIC_RELAXED))
        __atomic_store_n(&mini->word, 1, __ATOMIC_RELAXED);
    else
        mt__mini_acquire_in(mini, FUTEX_PRIVATE_FLAG);
}

static inline void mt__mini_release(struct mt__mini *mini)
{
    if (mt__is_single() && __atomic_load_n(&mini->word, __ATOMIC_RELAXED) == 1)
        __atomic_store_n(&mini->word, 0, __ATOMIC_RELAXED);
    else
        mt__mini_release_in(mini, FUTEX_PRIVATE_FLAG);
}

#endif
