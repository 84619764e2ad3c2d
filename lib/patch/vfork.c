/* SPDX-License-Identifier: MIT
 *
 * What vfork is. Its child shares the parent's memory: in a hub that is the hub, too, and what the child does between
 * there and exec (closing descriptors above all) would be done to the parent's waits. There it is fork, as POSIX lets
 * it be, whose child has a hub of its own.
 *
 * _Fork calls no handlers of pthread_atfork, which would make that hub; nor may its child call much. It has no hub:
 * what it calls is libc's.
 */
#include "patch/patch.h"
#include "patch/undeclared.h"

#include <unistd.h>

void *mt__vfork_way(void); /* lib/arch/CPU/vfork.S jumps there */
void *mt__vfork_way(void)
{
    if (mt__hub && __atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED))
        return (void *)fork;
    return mt__original(MT__N_vfork);
}

MT__PATCHED pid_t _Fork(void)
{
    pid_t pid = mt__libc(_Fork)();

    if (!pid)
        mt__hub = NULL;
    return pid;
}
