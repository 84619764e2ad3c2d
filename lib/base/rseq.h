/* SPDX-License-Identifier: MIT
 *
 * Restartable sequences (rseq(2)): a few instructions that either run to their last store without the thread being
 * preempted, moved or interrupted by a signal, or not at all; and the fence that puts an end to all of the process's
 * that are under way (membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ). Together they take the locked instruction
 * from the side of an exchange that is done often and charge the other side, which is there seldom, for it.
 */
#ifndef BASE_RSEQ_H
#define BASE_RSEQ_H

#include <stdint.h>

/* Where the calling thread announces a sequence to the kernel, for mt__arch_store_if; NULL: not here, as the kernel has
 * neither or the CPU's lib/arch does not, the thread is not registered (glibc does that, except where its tunable says
 * no; valgrind and qemu have none), or ThreadSanitizer, which does not see such stores, is in the way. */
uint64_t *mt__rseq_area(void);

/* On return every sequence of the process that began before the call has done its store, and all see it, or never will.
 * 0, or -errno where a filter of system calls that was set since keeps it from the kernel: then nothing is known. */
int mt__rseq_fence(void);

#endif
