/* SPDX-License-Identifier: MIT
 *
 * Whether this process has one thread only: then what is private to it needs no locked instructions, each of which
 * takes as long as a switch of coroutines. glibc knows of its own threads, and takes note before it makes the second;
 * of those that we clone the flag here does, for good. A thread cannot be made by anybody but the one that asks, so an
 * answer holds until it calls something else.
 *
 * What can be done in a signal handler stays atomic.
 */
#ifndef BASE_SINGLE_H
#define BASE_SINGLE_H

#include "base/seam.h"

#include <stdint.h>
#if defined(__has_include) && __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define MT__SINGLE_KNOWN __libc_single_threaded
#else
#define MT__SINGLE_KNOWN 0
#endif

extern MT__SEAM uint32_t mt__cloned; /* not 0: there have been threads that glibc has not made */

static inline int mt__is_single(void)
{
    return MT__SINGLE_KNOWN && !__atomic_load_n(&mt__cloned, __ATOMIC_RELAXED);
}

/* Returns what it is then. */
static inline uint32_t mt__add(uint32_t *number, uint32_t value)
{
    if (!mt__is_single())
        return __atomic_add_fetch(number, value, __ATOMIC_ACQ_REL);
    value += __atomic_load_n(number, __ATOMIC_RELAXED);
    __atomic_store_n(number, value, __ATOMIC_RELAXED);
    return value;
}

#endif
