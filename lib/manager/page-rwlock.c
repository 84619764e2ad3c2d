/* SPDX-License-Identifier: MIT
 *
 * A read-write lock whose users may be killed, made of locks that the kernel hands on (mt_robust_acquire(3)): a gate,
 * and a slot for each reader.
 *
 *   to read    acquire the gate, acquire a slot that is free, release the gate.   to stop: release the slot
 *   to write   acquire the gate, acquire each slot and release it again.          to stop: release the gate
 *
 * 1. Who writes has the gate, so nobody begins to read, and has had each slot since, so nobody reads any more.
 * 2. A writer that waits keeps new readers out: readers cannot starve it. Its wait ends with those who read now.
 * 3. A reader that dies has torn nothing: its slot is mended by whoever gets it. One that dies with the gate has torn
 * nothing unless `writing` says that it wrote; then the rwlock is torn, and each who acquires it is told so until a
 * writer says that it has mended.
 * 4. When all slots are taken a reader waits for one of them, and keeps others out meanwhile.
 * 5. A task that reads has the slot that names it as its owner.
 */
#include "manager/page.h"

#include <errno.h>

static int mend(struct mt_robust *lock, int result)
{
    return result == -EOWNERDEAD ? mt_robust_consistent(lock) : result;
}

static int acquire_gate(struct mt__page_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    int result = mt__robust_acquire(&rwlock->gate, deadline, place);

    if (result == -EOWNERDEAD && rwlock->writing) {
        rwlock->torn = 1;
        rwlock->writing = 0;
    }
    return mend(&rwlock->gate, result);
}

/* With the gate. */
static int take_slot(struct mt__page_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    struct mt_robust *slot = rwlock->slots;

    for (int i = 0; i < MT__RW_SLOTS; i++) {
        int result = mt__robust_acquire(&slot[i], MT_NOWAIT, place);
        if (result != -EBUSY && result != -EDEADLK)
            return mend(&slot[i], result);
    }
    return mend(slot, mt__robust_acquire(slot, deadline, place));
}

static int wait_for_readers(struct mt__page_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    int result = 0;

    for (int i = 0; i < MT__RW_SLOTS && !result; i++) {
        struct mt_robust *slot = &rwlock->slots[i];
        result = mend(slot, mt__robust_acquire(slot, deadline, place));
        if (!result)
            mt_robust_release(slot);
    }
    return result;
}

int mt__page_rw_acquire(struct mt__page *page, int writing, mt_deadline deadline, const char *place)
{
    struct mt__page_rwlock *rwlock = &page->rwlock;
    int result = acquire_gate(rwlock, deadline, place), torn;

    if (result)
        return result;
    result = writing ? wait_for_readers(rwlock, deadline, place) : take_slot(rwlock, deadline, place);
    torn = rwlock->torn != 0;
    if (writing && !result)
        __atomic_store_n(&rwlock->writing, 1, __ATOMIC_RELEASE);
    else
        mt_robust_release(&rwlock->gate);
    return result ? result : torn ? -EOWNERDEAD : 0;
}

static int is_mine(const struct mt_robust *lock)
{
    return mt__here.thread && mt_robust_owner(lock) == (int)mt__here.thread;
}

int mt__page_rw_consistent(struct mt__page *page)
{
    struct mt__page_rwlock *rwlock = &page->rwlock;

    if (!is_mine(&rwlock->gate))
        return -EPERM;
    if (!rwlock->torn)
        return -EINVAL;
    rwlock->torn = 0;
    return 0;
}

int mt__page_rw_release(struct mt__page *page, int writing)
{
    struct mt__page_rwlock *rwlock = &page->rwlock;

    if (writing) {
        if (!is_mine(&rwlock->gate))
            return -EPERM;
        __atomic_store_n(&rwlock->writing, 0, __ATOMIC_RELEASE);
        return mt_robust_release(&rwlock->gate);
    }
    for (int i = 0; i < MT__RW_SLOTS; i++)
        if (is_mine(&rwlock->slots[i]))
            return mt_robust_release(&rwlock->slots[i]);
    return -EPERM;
}
