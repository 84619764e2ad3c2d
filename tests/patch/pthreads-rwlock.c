/* SPDX-License-Identifier: MIT
 *
 * Read-write locks. See pthreads.h.
 */
#include "pthreads.h"

static void *try_reading(void *lock)
{
    struct timespec until = soon(CLOCK_REALTIME, 20), wrong = {0, -1};
    int error;

    SAY(error = pthread_rwlock_tryrdlock(lock));
    if (!error)
        SAY(pthread_rwlock_unlock(lock));
    SAY(error = pthread_rwlock_timedrdlock(lock, &until));
    if (!error)
        SAY(pthread_rwlock_unlock(lock));
    SAY(pthread_rwlock_trywrlock(lock));
    until = soon(CLOCK_REALTIME, 20);
    SAY(pthread_rwlock_timedwrlock(lock, &until));
    SAY(pthread_rwlock_timedwrlock(lock, &wrong));
    until = soon(CLOCK_MONOTONIC, 20);
    SAY(pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &until));
    SAY(pthread_rwlock_clockrdlock(lock, CLOCK_THREAD_CPUTIME_ID, &until));
    return NULL;
}

static struct {
    pthread_rwlock_t lock;
    int readers, writers, wrong, writes, reads;
} book = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static void *read_and_write(void *arg)
{
    for (int i = 0; i < 100; i++) {
        int writes = (i + (int)(intptr_t)arg) % 4 == 0;
        if (writes) {
            pthread_rwlock_wrlock(&book.lock);
            if (__atomic_add_fetch(&book.writers, 1, __ATOMIC_SEQ_CST) != 1 ||
                __atomic_load_n(&book.readers, __ATOMIC_SEQ_CST))
                __atomic_store_n(&book.wrong, 1, __ATOMIC_SEQ_CST);
            book.writes++;
        } else {
            pthread_rwlock_rdlock(&book.lock);
            __atomic_add_fetch(&book.readers, 1, __ATOMIC_SEQ_CST);
            if (__atomic_load_n(&book.writers, __ATOMIC_SEQ_CST))
                __atomic_store_n(&book.wrong, 1, __ATOMIC_SEQ_CST);
            __atomic_add_fetch(&book.reads, 1, __ATOMIC_SEQ_CST);
        }
        if (i % 20 == 0)
            usleep(200);
        __atomic_sub_fetch(writes ? &book.writers : &book.readers, 1, __ATOMIC_SEQ_CST);
        pthread_rwlock_unlock(&book.lock);
    }
    return NULL;
}

static void one_rwlock(int kind, int shared)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlock_t lock;
    struct timespec until;

    printf("kind %d shared %d\n", kind, shared);
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, kind);
    pthread_rwlockattr_setpshared(&attributes, shared);
    SAY(pthread_rwlock_init(&lock, &attributes));
    SAY(pthread_rwlock_rdlock(&lock));
    SAY(pthread_rwlock_rdlock(&lock));
    finish(start(try_reading, &lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_wrlock(&lock));
    SAY(pthread_rwlock_wrlock(&lock));
    SAY(pthread_rwlock_rdlock(&lock));
    SAY(pthread_rwlock_tryrdlock(&lock));
    until = soon(CLOCK_REALTIME, 20);
    SAY(pthread_rwlock_timedwrlock(&lock, &until));
    finish(start(try_reading, &lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_trywrlock(&lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_destroy(&lock));
}

static void *all_rwlocks(void *arg)
{
    for (int kind = 0; kind < 3; kind++)
        for (int shared = 0; shared < 2; shared++)
            one_rwlock(kind, shared);
    return NULL;
}

void rwlocks(void)
{
    pthread_t threads[COUNT];

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(read_and_write, (void *)(intptr_t)i);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("wrong %d, %d written, %d read\n", book.wrong, book.writes, book.reads);
    all_rwlocks(NULL);
    finish(start(all_rwlocks, NULL));
}
