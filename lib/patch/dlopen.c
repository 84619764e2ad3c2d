/* SPDX-License-Identifier: MIT
 *
 * dlopen, which does not wait. What it loads may be the first that has variables of threads: coroutines that are there
 * are given theirs before. Only that is done here: where libc looks for the module depends on who has called it.
 */
#include "patch/pthreads.h"

#include <dlfcn.h>

void *mt__dlopen_way(void); /* lib/arch/CPU/dlopen.S jumps there */
void *mt__dlopen_way(void)
{
    if (mt__pthread_is_on() && mt__pthread_any())
        mt__storage_expect();
    return mt__original(MT__N_dlopen);
}
