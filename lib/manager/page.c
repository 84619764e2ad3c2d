/* SPDX-License-Identifier: MIT
 *
 * Shared pages. A user who is killed leaves a lock to the next one (mt_robust_acquire(3)), and the others as they were
 * before or after its call; only the wake that belonged to the call may be missing. So no sleep here is longer than
 * LOOK_AGAIN.
 */
#include "manager/page.h"
#include "base/clock.h"

#include <errno.h>
#include <linuxmt/lock.h>

#define MAGIC      0x656761702d746dull /* "mt-page" */
#define VERSION    2
#define LOOK_AGAIN MT_MS(500)

static void init_monitor(struct mt__monitor *monitor)
{
    mt_robust_init(&monitor->lock, NULL, MT_SHARED);
    mt_cond_init(&monitor->changed, NULL, MT_SHARED);
}

static void init_rwlock(struct mt__page_rwlock *rwlock)
{
    mt_robust_init(&rwlock->gate, NULL, MT_SHARED);
    for (int i = 0; i < MT__RW_SLOTS; i++)
        mt_robust_init(&rwlock->slots[i], NULL, MT_SHARED);
}

static int init(struct mt__page *page, enum mt__managed_kind kind, uint32_t value)
{
    page->magic = MAGIC;
    page->version = VERSION;
    page->kind = kind;
    switch (kind) {
    case MT__MANAGED_LOCK:
        mt_robust_init(&page->lock, NULL, MT_SHARED);
        return 0;
    case MT__MANAGED_EVENT:
        mt_event_init(&page->event, NULL, MT_SHARED);
        return 0;
    case MT__MANAGED_SEM:
        return mt_sem_init(&page->sem, value, NULL, MT_SHARED);
    case MT__MANAGED_COND:
        init_monitor(&page->monitor);
        return 0;
    case MT__MANAGED_BARRIER:
        init_monitor(&page->barrier.monitor);
        page->barrier.parties = value;
        return value && value <= INT32_MAX ? 0 : -EINVAL;
    case MT__MANAGED_RWLOCK:
        init_rwlock(&page->rwlock);
        return 0;
    default:
        page->counter = 0;
        return 0;
    }
}

struct mt_shm *mt__page_new(const char *name, enum mt__managed_kind kind, uint32_t value)
{
    struct mt_shm *shm = mt_shm_new(name, sizeof(struct mt__page));
    int error = shm ? init(mt__page(shm), kind, value) : 0;

    if (!error)
        return shm;
    mt_shm_free(shm);
    errno = -error;
    return NULL;
}

struct mt_shm *mt__page_attach(int fd, enum mt__managed_kind kind)
{
    struct mt_shm *shm = mt_shm_attach(fd);

    if (!shm)
        return NULL;
    if (mt_shm_size(shm) == sizeof(struct mt__page) && mt__page(shm)->magic == MAGIC &&
        mt__page(shm)->version == VERSION && mt__page(shm)->kind == (uint32_t)kind)
        return shm;
    mt_shm_free(shm);
    errno = EPROTO;
    return NULL;
}

typedef int wait_fn(struct mt__page *page, mt_deadline deadline);

static int in_slices(struct mt__page *page, wait_fn *wait, mt_deadline deadline)
{
    for (;;) {
        mt_deadline until = mt_after(LOOK_AGAIN);
        int result = wait(page, until < deadline ? until : deadline);
        if (result != -ETIMEDOUT || until >= deadline)
            return result;
    }
}

static int wait_event(struct mt__page *page, mt_deadline deadline)
{
    return mt_event_wait(&page->event, deadline);
}

static int acquire_sem(struct mt__page *page, mt_deadline deadline)
{
    return mt_sem_acquire(&page->sem, deadline);
}

int mt__page_event_wait(struct mt__page *page, mt_deadline deadline)
{
    return in_slices(page, wait_event, deadline);
}

int mt__page_sem_acquire(struct mt__page *page, mt_deadline deadline)
{
    return in_slices(page, acquire_sem, deadline);
}

int64_t mt__page_count(struct mt__page *page, int64_t delta)
{
    return (int64_t)__atomic_add_fetch((uint64_t *)&page->counter, (uint64_t)delta, __ATOMIC_SEQ_CST);
}
