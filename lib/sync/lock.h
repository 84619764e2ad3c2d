/* SPDX-License-Identifier: MIT */
#ifndef SYNC_LOCK_H
#define SYNC_LOCK_H

#include "sync/lockorder.h"
#include <linuxmt/lock.h>

/* Flags of a lock's word: see the table in lock.c. */
#define MT__LOCK_WAITERS 0x80000000u
#define MT__LOCK_STARVED 0x40000000u

/* Whether the calling task holds the lock, also when it took it before a fork that made this process. */
int mt__lock_is_mine(const struct mt_lock *lock);

/* To be called before WAITERS is set: see 5 in lock.c. Not 0: who sleeps has to look at the word again from time to time. */
int mt__lock_expect(struct mt_lock *lock);

/* Acquires whatever happens, for a condition that gets its lock back and for cleanup, which are neither late nor
 * killed. A circle is reported, not failed. */
void mt__lock_reacquire(struct mt_lock *lock, const char *place);

/* The lock has been acquired by other means than acquire's: so much for its order, if that is watched. */
void mt__lock_tell_order(struct mt_lock *lock, const char *place);

/* robust.c. Whether the caller holds it; and acquires it whatever happens to the caller: 0, -EOWNERDEAD: held;
 * -ENOTRECOVERABLE: not held. */
struct mt_robust;
int mt__robust_is_mine(const struct mt_robust *robust);
int mt__robust_reacquire(struct mt_robust *robust, const char *place);

#endif
