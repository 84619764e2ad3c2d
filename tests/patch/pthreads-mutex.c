/* SPDX-License-Identifier: MIT
 *
 * Mutexes of every kind and type. See pthreads.h.
 */
#include "pthreads.h"

static void *from_elsewhere(void *mutex)
{
    struct timespec until = soon(CLOCK_REALTIME, 20), wrong = {0, -1}, past = {1, 0};

    SAY(pthread_mutex_trylock(mutex));
    SAY(pthread_mutex_timedlock(mutex, &until));
    SAY(pthread_mutex_timedlock(mutex, &wrong));
    SAY(pthread_mutex_timedlock(mutex, &past));
    until = soon(CLOCK_MONOTONIC, 20);
    SAY(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_PROCESS_CPUTIME_ID, &until));
    return NULL;
}

static void *lock_and_unlock(void *mutex)
{
    SAY(pthread_mutex_lock(mutex));
    SAY(pthread_mutex_unlock(mutex));
    return NULL;
}

static void *unlock_elsewhere(void *mutex)
{
    SAY(pthread_mutex_unlock(mutex));
    return NULL;
}

static void one_type(int type, int shared, int robust, int protocol)
{
    struct timespec until = soon(CLOCK_REALTIME, 20);
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_t waiter;

    printf("type %d shared %d robust %d protocol %d\n", type, shared, robust, protocol);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setpshared(&attributes, shared);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    SAY(pthread_mutex_init(&mutex, &attributes));
    SAY(pthread_mutex_lock(&mutex));
    if (type != PTHREAD_MUTEX_NORMAL && type != PTHREAD_MUTEX_ADAPTIVE_NP) {
        SAY(pthread_mutex_lock(&mutex));
        SAY(pthread_mutex_trylock(&mutex));
        SAY(pthread_mutex_timedlock(&mutex, &until));
    } else {
        SAY(pthread_mutex_trylock(&mutex));
        if (!protocol)
            SAY(pthread_mutex_timedlock(&mutex, &until));
    }
    if (!robust && !protocol) { /* those owners are the kernel's */
        SAY(pthread_mutex_destroy(&mutex));
        finish(start(from_elsewhere, &mutex));
        if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK)
            finish(start(unlock_elsewhere, &mutex));
    }
    if (type == PTHREAD_MUTEX_RECURSIVE) {
        SAY(pthread_mutex_unlock(&mutex));
        SAY(pthread_mutex_unlock(&mutex));
        SAY(pthread_mutex_unlock(&mutex));
    }
    waiter = start(lock_and_unlock, &mutex);
    usleep(1000);
    if (pthread_mutex_unlock(&mutex))
        abort();
    finish(waiter);
    if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK)
        SAY(pthread_mutex_unlock(&mutex));
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_mutex_unlock(&mutex));
    SAY(pthread_mutex_destroy(&mutex));
}

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nesting = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static long counter, nested;

static void *count(void *arg)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&counting);
        long now = counter;
        if (i % 50 == 0)
            usleep(100);
        counter = now + 1;
        pthread_mutex_unlock(&counting);
        pthread_mutex_lock(&nesting);
        pthread_mutex_lock(&nesting);
        now = nested;
        if (i % 70 == 0)
            sched_yield();
        nested = now + 1;
        pthread_mutex_unlock(&nesting);
        pthread_mutex_unlock(&nesting);
    }
    return NULL;
}

void mutexes(void)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                PTHREAD_MUTEX_ADAPTIVE_NP};
    pthread_t threads[COUNT];

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(count, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("counted %ld %ld\n", counter, nested);
    for (int i = 0; i < 4; i++)
        for (int shared = 0; shared < 2; shared++)
            one_type(types[i], shared, 0, 0);
    one_type(PTHREAD_MUTEX_NORMAL, 0, PTHREAD_MUTEX_ROBUST, 0);
    one_type(PTHREAD_MUTEX_NORMAL, 0, 0, PTHREAD_PRIO_INHERIT);
}
