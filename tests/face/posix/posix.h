/* SPDX-License-Identifier: MIT
 *
 * What the conformance programs share. Each is written from the text of POSIX.1-2008 (and, for the clock calls, of
 * 2024) with nothing but pthread.h and semaphore.h, and is built twice: with the system's, and with the face's. A
 * requirement is a line of TAP; checks may be made in any thread.
 */
#ifndef TESTS_FACE_POSIX_H
#define TESTS_FACE_POSIX_H

#include <pthread.h>
#include <semaphore.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int failures;

#define CHECK(condition)                                             \
    do {                                                             \
        if (!(condition)) {                                          \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);      \
        }                                                            \
    } while (0)

#define IS(call, wanted)                                                                       \
    do {                                                                                       \
        int is_ = (call);                                                                      \
        if (is_ != (wanted)) {                                                                 \
            printf("# %s:%d: %s is %d and not %s\n", __FILE__, __LINE__, #call, is_, #wanted); \
            __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);                                \
        }                                                                                      \
    } while (0)

struct requirement {
    const char *text;
    void (*check)(void);
};

static inline int run_requirements(const struct requirement *list, int count)
{
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        failures = 0;
        alarm(60);
        list[i].check();
        printf("%sok %d - %s\n", failures ? "not " : "", i + 1, list[i].text);
        failed += failures != 0;
    }
    return failed != 0;
}

#define RUN(list) run_requirements(list, (int)(sizeof(list) / sizeof *(list)))

static inline pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, fn, arg)) {
        printf("Bail out! no thread\n");
        exit(1);
    }
    return thread;
}

static inline void *finish(pthread_t thread)
{
    void *value = NULL;

    IS(pthread_join(thread, &value), 0);
    return value;
}

static inline struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_nsec += ms * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static inline long ms_since(const struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000;
}

static inline void nap(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

#define SET(variable)  __atomic_store_n(&(variable), 1, __ATOMIC_SEQ_CST)
#define SEEN(variable) __atomic_load_n(&(variable), __ATOMIC_SEQ_CST)

static inline void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        printf("Bail out! no memory\n");
        exit(1);
    }
    return memory;
}

static inline void child_is_fine(pid_t child)
{
    int status = -1;

    CHECK(waitpid(child, &status, 0) == child);
    IS(status, 0);
}

#endif
