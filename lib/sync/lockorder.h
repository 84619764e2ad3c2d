/* SPDX-License-Identifier: MIT
 *
 * Inside the library: what the locks tell of themselves while their order is watched. See lockorder.c.
 */
#ifndef SYNC_LOCKORDER_H
#define SYNC_LOCKORDER_H

#include <linuxmt/lock.h>
#include <linuxmt/lockorder.h>

/* A lock as the order sees it. */
struct mt__ordered {
    const void *lock;
    const char *name;
    const char *place; /* where this call stands */
    uint16_t *flags;   /* the lock's; the upper bits keep its class */
};

extern uint32_t mt__lockorder_on;

#define MT__LOCKORDER __builtin_expect(__atomic_load_n(&mt__lockorder_on, __ATOMIC_RELAXED) != 0, 0)

/* Before a lock is acquired by a call that may wait; when it has been, also by one that may not; when it is released.
 */
void mt__lockorder_wanted(const struct mt__ordered *ordered);
void mt__lockorder_taken(const struct mt__ordered *ordered);
void mt__lockorder_dropped(const void *lock);

/* A lock's flags have its class above the flags proper, put there at any time. */
#define MT__LOCKORDER_SHIFT 4
#define MT__IS_SHARED(lock) (__atomic_load_n(&(lock)->flags, __ATOMIC_RELAXED) & MT_SHARED)

#endif
