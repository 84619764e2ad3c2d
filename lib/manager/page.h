/* SPDX-License-Identifier: MIT
 *
 * A lock, event, semaphore, counter, condition, barrier or read-write lock in a segment of its own, which the server
 * and the clients on its host map.
 */
#ifndef MANAGER_PAGE_H
#define MANAGER_PAGE_H

#include "manager/wire.h"
#include <linuxmt/event.h>
#include <linuxmt/robust.h>
#include <linuxmt/sem.h>
#include <linuxmt/shm.h>

#define MT__RW_SLOTS 30 /* that read together; the next waits for one of them */

struct mt__monitor {
    struct mt_robust lock;
    struct mt_cond changed;
};

/* Under the monitor's lock: page-barrier.c. */
struct mt__page_barrier {
    struct mt__monitor monitor;
    uint32_t parties;
    uint32_t waiting;
    uint32_t round;  /* how many have ended, well or badly */
    uint32_t broken; /* nobody passes before it is reset */
    uint64_t bad;    /* bits: of the last rounds, which were broken */
};

/* page-rwlock.c. */
struct mt__page_rwlock {
    struct mt_robust gate;
    uint32_t writing; /* under the gate: its holder writes */
    uint32_t torn;    /* a writer has died, and what it wrote has not been mended */
    struct mt_robust slots[MT__RW_SLOTS];
};

struct mt__page {
    uint64_t magic;
    uint32_t kind;
    uint32_t version;
    union {
        struct mt_robust lock;
        struct mt_event event;
        struct mt_sem sem;
        int64_t counter;
        struct mt__monitor monitor; /* a condition; its lock is `lock` too */
        struct mt__page_barrier barrier;
        struct mt__page_rwlock rwlock;
    };
};

/* A segment with one. NULL with errno: EINVAL (a semaphore's value, a barrier's parties), and those of mt_shm_new. */
struct mt_shm *mt__page_new(const char *name, enum mt__managed_kind kind, uint32_t value);

/* The one behind a descriptor, which stays the caller's. NULL with errno: EPROTO (another version's, or none), and
 * those of mt_shm_attach. */
struct mt_shm *mt__page_attach(int fd, enum mt__managed_kind kind);

static inline struct mt__page *mt__page(const struct mt_shm *shm)
{
    return (struct mt__page *)mt_shm_address(shm);
}

/* The waits, looked after every now and then: who was killed between changing the word and waking others woke nobody.
 */
int mt__page_event_wait(struct mt__page *page, mt_deadline deadline);
int mt__page_sem_acquire(struct mt__page *page, mt_deadline deadline);

/* page-barrier.c: as the calls of mt_barrier_wait(3). */
int mt__page_barrier_wait(struct mt__page *page, mt_deadline deadline);
int mt__page_barrier_stop(struct mt__page *page, int broken);

/* page-rwlock.c: as the calls of mt_rwlock_acquire_read(3), but held as well with -EOWNERDEAD. */
int mt__page_rw_acquire(struct mt__page *page, int writing, mt_deadline deadline, const char *place);
int mt__page_rw_consistent(struct mt__page *page);
int mt__page_rw_release(struct mt__page *page, int writing);

int64_t mt__page_count(struct mt__page *page, int64_t delta);

#endif
