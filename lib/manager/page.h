/* SPDX-License-Identifier: MIT
 *
 * A lock, event, semaphore or counter in a segment of its own, which the server and the clients on its host map.
 */
#ifndef MANAGER_PAGE_H
#define MANAGER_PAGE_H

#include "manager/wire.h"
#include <linuxmt/event.h>
#include <linuxmt/robust.h>
#include <linuxmt/sem.h>
#include <linuxmt/shm.h>

struct mt__page {
    uint64_t magic;
    uint32_t kind;
    uint32_t version;
    union {
        struct mt_robust lock;
        struct mt_event event;
        struct mt_sem sem;
        int64_t counter;
    };
};

/* A segment with one. NULL with errno: EINVAL (a semaphore's value), and those of mt_shm_new. */
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

int64_t mt__page_count(struct mt__page *page, int64_t delta);

#endif
