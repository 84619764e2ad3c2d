/* SPDX-License-Identifier: MIT
 *
 * The failure that a test arms, and the allocator. One failure is armed at a time; arming is for single-threaded set-up
 * code, being hit is safe from any thread.
 */
#include "base/sys.h"

#include <stdlib.h>
#include <string.h>

uint32_t mt__sys_armed;

static long armed_nr;
static int armed_error;
static long seen, skipped;

long mt__sys_fail(long nr, long skip, int error)
{
    long before = __atomic_load_n(&seen, __ATOMIC_RELAXED);

    __atomic_store_n(&mt__sys_armed, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&seen, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&skipped, skip, __ATOMIC_RELAXED);
    __atomic_store_n(&armed_nr, nr, __ATOMIC_RELAXED);
    __atomic_store_n(&armed_error, error, __ATOMIC_RELAXED);
    __atomic_store_n(&mt__sys_armed, nr != -1, __ATOMIC_RELEASE);
    return before;
}

int mt__sys_injected(long nr)
{
    if (nr != __atomic_load_n(&armed_nr, __ATOMIC_RELAXED))
        return 0;
    if (__atomic_fetch_add(&seen, 1, __ATOMIC_RELAXED) != __atomic_load_n(&skipped, __ATOMIC_RELAXED))
        return 0;
    return __atomic_load_n(&armed_error, __ATOMIC_RELAXED);
}

#define SMALL 512 /* bytes: glibc's calloc leaves out its caches of what was freed lately, up to that of 2.41 */

void *mt__alloc(size_t size)
{
    void *memory;

    if (__builtin_expect(__atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED), 0) && mt__sys_injected(MT__SYS_ALLOC))
        return NULL;
    if (size > SMALL) /* of fresh pages it knows that they are zero */
        return calloc(1, size);
    memory = malloc(size);
    __asm__("" : "+r"(memory)); /* or the compiler makes that calloc again */
    return memory ? memset(memory, 0, size) : NULL;
}
