/* SPDX-License-Identifier: MIT
 *
 * What vfork is. Its child shares the parent's memory: in a hub that is the hub, too, and what the child does between
 * there and exec (closing descriptors above all) would be done to the parent's waits. There it is fork, as POSIX lets
 * it be, whose child has a hub of its own.
 */
#include "patch/patch.h"

#include <unistd.h>

void *mt__vfork_way(void); /* lib/arch/CPU/vfork.S jumps there */
void *mt__vfork_way(void)
{
    if (mt__hub && __atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED))
        return (void *)fork;
    return mt__original(MT__N_vfork);
}
