/* SPDX-License-Identifier: MIT
 *
 * Registering with membarrier(2) is the process's, once, and inherited by fork; with rseq(2) it is each thread's, and
 * glibc's or lib/thread/glibc.c's.
 */
#include "base/rseq.h"
#include "base/sys.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <linuxmt/compiler.h>
#include <sys/rseq.h>

enum { UNKNOWN, REGISTERED, REFUSED };

static uint32_t state;

static long ask(int command)
{
    return mt__sys(SYS_membarrier, command, 0, 0);
}

/* A filter of system calls may be one thread's alone: that it was refused must not hide that others were not, as the
 * fence is for them. */
static uint32_t find_out(void)
{
    uint32_t known = UNKNOWN;

    if (!ask(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)) {
        __atomic_store_n(&state, REGISTERED, __ATOMIC_RELAXED);
        return REGISTERED;
    }
    if (__atomic_compare_exchange_n(&state, &known, REFUSED, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return REFUSED;
    return known;
}

uint64_t *mt__rseq_area(void)
{
    struct rseq *area = (struct rseq *)(mt__arch_thread_pointer() + __rseq_offset);
    uint32_t known = __atomic_load_n(&state, __ATOMIC_RELAXED);

    if (MT__TSAN || !MT__ARCH_STORE_IF || !__rseq_size || (int32_t)area->cpu_id < 0)
        return NULL;
    if (known == UNKNOWN)
        known = find_out();
    return known == REGISTERED ? (uint64_t *)&area->rseq_cs : NULL;
}

int mt__rseq_fence(void)
{
    if (__atomic_load_n(&state, __ATOMIC_RELAXED) != REGISTERED)
        return 0; /* nobody has an area */
    return (int)ask(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
}
