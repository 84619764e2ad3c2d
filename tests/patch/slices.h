/* SPDX-License-Identifier: MIT
 *
 * Threads that compute, and wait by looking at a variable: what they come to must not depend on whether they are
 * coroutines. tests/patch/slices.t runs it with and without the patch. Each part is a function of slices*.c.
 */
#ifndef TESTS_PATCH_SLICES_H
#define TESTS_PATCH_SLICES_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT             4
#define LOAD(word)        __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, what) __atomic_store_n(&(word), what, __ATOMIC_RELEASE)
#define ADD(word)         __atomic_add_fetch(&(word), 1, __ATOMIC_ACQ_REL)

static inline pthread_t start(void *(*body)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, body, arg))
        abort();
    return thread;
}

static inline void *finish(pthread_t thread)
{
    void *value = NULL;

    if (pthread_join(thread, &value))
        abort();
    return value;
}

/* The end of two that have waited for each other's counts: the other may be in need of more. */
static inline void see_off(int *count, int *over)
{
    ADD(*over);
    while (LOAD(*over) < 2)
        ADD(*count);
}

/* So much time of a processor, whatever others have. */
static inline void compute(long milliseconds)
{
    struct timespec time;
    long end;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    end = time.tv_sec * 1000 + time.tv_nsec / 1000000 + milliseconds;
    do {
        for (volatile int i = 0; i < 100000; i++) {
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    } while (time.tv_sec * 1000 + time.tv_nsec / 1000000 < end);
}

void registers(void);

#endif
