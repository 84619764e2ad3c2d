/* SPDX-License-Identifier: MIT
 *
 * The kernel's table of who waits for which of the process's private words (Linux 6.16 and later).
 *
 * A process gets one of its own with its first thread, and until then its waiters are in the one that all share. The
 * kernel takes it that there are none: a process without a second thread does not wait while it makes one. But one that
 * waits through io_uring does, and those waiters are not moved: no wake finds them any more, ever. So a process that
 * waits that way has its own table before the first such wait, and the kernel makes no other when the first thread
 * comes.
 *
 * A table's length is how far a wake has to look, so it is made longer as more wait: 20,000 waiters that another thread
 * wakes one by one took 3.8 s with 16 lists, which is what the kernel would have made, and 0.13 s with 16384. Waiters
 * do move from one table of the process's own to the next.
 *
 * Where the call is unknown there is nothing to mend; where it is refused nothing can be.
 */
#include "base/sys.h"
#include "coro/hub.h"

#define PR_FUTEX_HASH           78
#define PR_FUTEX_HASH_SET_SLOTS 1
#define PR_FUTEX_HASH_GET_SLOTS 2

#define SLOTS_LEAST 256 /* 16 KiB */
#define SLOTS_MOST  65536
#define A_SLOT      8 /* waiters */

static size_t enough_for; /* waiters; 0: the table is not to be changed */

static void set(size_t slots)
{
    long result = mt__sys(SYS_prctl, PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, slots, 0, 0);

    __atomic_store_n(&enough_for, result == 0 ? slots * A_SLOT : 0, __ATOMIC_RELAXED);
}

/* In each process, and before it waits. One that has had threads has a table, or has chosen the shared one. */
void mt__futex_hash_begin(void)
{
    long slots = mt__sys(SYS_prctl, PR_FUTEX_HASH, PR_FUTEX_HASH_GET_SLOTS, 0, 0, 0);

    if (slots < 0)
        __atomic_store_n(&enough_for, 0, __ATOMIC_RELAXED);
    else if (slots < SLOTS_LEAST)
        set(SLOTS_LEAST);
    else
        __atomic_store_n(&enough_for, (size_t)slots * A_SLOT, __ATOMIC_RELAXED);
}

void mt__futex_hash_for(size_t waiters)
{
    size_t enough = __atomic_load_n(&enough_for, __ATOMIC_RELAXED);

    if (waiters > enough && enough && enough < (size_t)SLOTS_MOST * A_SLOT)
        set(enough / A_SLOT * 4);
}
