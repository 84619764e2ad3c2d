/* SPDX-License-Identifier: MIT
 *
 * What pthread.h, semaphore.h and threads.h do, told in a way that does not depend on who runs when:
 * tests/patch/threads.t runs it with and without the patch, and the two must say the same. Each part is a file.
 */
#ifndef TESTS_PATCH_PTHREADS_H
#define TESTS_PATCH_PTHREADS_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SAY(call) printf("%s: %s\n", #call, name_of(call))
#define COUNT     8

static inline const char *name_of(int error)
{
    const char *name = error < 0 ? NULL : strerrorname_np(error);

    return !error ? "0" : name ? name : error == PTHREAD_BARRIER_SERIAL_THREAD ? "serial" : "other";
}

static inline int said(int result) /* of what sets errno */
{
    return result ? errno : 0;
}

static inline struct timespec soon(clockid_t clock, long milliseconds)
{
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_nsec += milliseconds * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

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

void mutexes(void);
void conditions(void);
void rwlocks(void);
void others(void);
void polls(void);
void futexes(void);
void keyed(void);
void masks(void);
void threads(void);
void processes(void);
void variables(void);
void signals(void);
void sent(void);
void interrupts(void);
void left(void);
void departs(void);
void crowds(void);
void pipes(void);
void strays(void);
void leave_main(void);

#endif
