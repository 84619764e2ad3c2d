/* SPDX-License-Identifier: MIT */
#include "posix.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static int counter;

static void *count(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        IS(pthread_mutex_lock(&first), 0);
        counter++;
        IS(pthread_mutex_unlock(&first), 0);
    }
    return NULL;
}

static void it_excludes(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        threads[i] = start(count, NULL);
    for (int i = 0; i < 4; i++)
        finish(threads[i]);
    IS(counter, 80000);
}

static void make(pthread_mutex_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    int seen = -1;

    IS(pthread_mutexattr_init(&attributes), 0);
    IS(pthread_mutexattr_settype(&attributes, type), 0);
    IS(pthread_mutexattr_gettype(&attributes, &seen), 0);
    IS(seen, type);
    IS(pthread_mutex_init(mutex, &attributes), 0);
    IS(pthread_mutexattr_destroy(&attributes), 0);
}

static void *try(void *mutex)
{
    int result = pthread_mutex_trylock(mutex);

    if (!result)
        IS(pthread_mutex_unlock(mutex), 0);
    return (void *)(intptr_t)result;
}

static void *unlock(void *mutex)
{
    return (void *)(intptr_t)pthread_mutex_unlock(mutex);
}

static int elsewhere(void *(*fn)(void *), pthread_mutex_t *mutex)
{
    return (int)(intptr_t)finish(start(fn, mutex));
}

static void trylock(void)
{
    pthread_mutex_t mutex;

    IS(pthread_mutex_init(&mutex, NULL), 0);
    IS(pthread_mutex_trylock(&mutex), 0);
    IS(elsewhere(try, &mutex), EBUSY);
    IS(pthread_mutex_trylock(&mutex), EBUSY);
    IS(pthread_mutex_unlock(&mutex), 0);
    IS(elsewhere(try, &mutex), 0);
    IS(pthread_mutex_destroy(&mutex), 0);
}

static void errorcheck(void)
{
    pthread_mutex_t mutex;
    struct timespec until = in_ms(CLOCK_REALTIME, 1000);

    make(&mutex, PTHREAD_MUTEX_ERRORCHECK);
    IS(pthread_mutex_unlock(&mutex), EPERM);
    IS(pthread_mutex_lock(&mutex), 0);
    IS(pthread_mutex_lock(&mutex), EDEADLK);
    IS(pthread_mutex_timedlock(&mutex, &until), EDEADLK);
    IS(pthread_mutex_trylock(&mutex), EBUSY);
    IS(elsewhere(unlock, &mutex), EPERM);
    IS(pthread_mutex_unlock(&mutex), 0);
    IS(pthread_mutex_unlock(&mutex), EPERM);
    IS(pthread_mutex_destroy(&mutex), 0);
}

static void recursive(void)
{
    pthread_mutex_t mutex;

    make(&mutex, PTHREAD_MUTEX_RECURSIVE);
    for (int i = 0; i < 1000; i++)
        IS(i % 2 ? pthread_mutex_lock(&mutex) : pthread_mutex_trylock(&mutex), 0);
    IS(elsewhere(unlock, &mutex), EPERM);
    for (int i = 0; i < 1000; i++) {
        IS(elsewhere(try, &mutex), EBUSY);
        IS(pthread_mutex_unlock(&mutex), 0);
        i += 99;
        for (int k = 0; k < 99; k++)
            IS(pthread_mutex_unlock(&mutex), 0);
    }
    IS(elsewhere(try, &mutex), 0);
    IS(pthread_mutex_unlock(&mutex), EPERM);
    IS(pthread_mutex_destroy(&mutex), 0);
}

static void normal_relock_is_a_deadlock(void)
{
    pthread_mutex_t mutex;
    struct timespec begin, until;

    make(&mutex, PTHREAD_MUTEX_NORMAL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    until = in_ms(CLOCK_REALTIME, 60);
    IS(pthread_mutex_lock(&mutex), 0);
    IS(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 59);
    IS(pthread_mutex_unlock(&mutex), 0);
    IS(pthread_mutex_destroy(&mutex), 0);
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_it(void *clock)
{
    struct timespec begin, until = in_ms(*(clockid_t *)clock, 50), wrong = {0, 1000000000};

    clock_gettime(CLOCK_MONOTONIC, &begin);
    IS(pthread_mutex_timedlock(&held, &wrong), EINVAL);
    IS(pthread_mutex_clocklock(&held, *(clockid_t *)clock, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 49);
    IS(pthread_mutex_clocklock(&held, *(clockid_t *)clock, &until), ETIMEDOUT); /* in the past */
    return NULL;
}

static void times(void)
{
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    struct timespec wrong = {0, -1}, past = {0, 0};

    IS(pthread_mutex_lock(&held), 0);
    for (int i = 0; i < 2; i++)
        finish(start(wait_for_it, &clocks[i]));
    IS(pthread_mutex_unlock(&held), 0);
    IS(pthread_mutex_timedlock(&held, &wrong), 0); /* no need to look at the time */
    IS(pthread_mutex_unlock(&held), 0);
    IS(pthread_mutex_timedlock(&held, &past), 0);
    IS(pthread_mutex_unlock(&held), 0);
}

static void static_initializers(void)
{
    static pthread_mutex_t recursive_one = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    static pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

    IS(pthread_mutex_lock(&recursive_one), 0);
    IS(pthread_mutex_lock(&recursive_one), 0);
    IS(pthread_mutex_unlock(&recursive_one), 0);
    IS(pthread_mutex_unlock(&recursive_one), 0);
    IS(pthread_mutex_lock(&checked), 0);
    IS(pthread_mutex_lock(&checked), EDEADLK);
    IS(pthread_mutex_unlock(&checked), 0);
}

static void attributes_are_checked(void)
{
    pthread_mutexattr_t attributes;
    int value = -1;

    IS(pthread_mutexattr_init(&attributes), 0);
    IS(pthread_mutexattr_gettype(&attributes, &value), 0);
    IS(value, PTHREAD_MUTEX_DEFAULT);
    IS(pthread_mutexattr_settype(&attributes, 99), EINVAL);
    IS(pthread_mutexattr_getpshared(&attributes, &value), 0);
    IS(value, PTHREAD_PROCESS_PRIVATE);
    IS(pthread_mutexattr_setpshared(&attributes, 99), EINVAL);
    IS(pthread_mutexattr_getprotocol(&attributes, &value), 0);
    IS(value, PTHREAD_PRIO_NONE);
    IS(pthread_mutexattr_setprotocol(&attributes, 99), EINVAL);
    IS(pthread_mutexattr_getrobust(&attributes, &value), 0);
    IS(value, PTHREAD_MUTEX_STALLED);
    IS(pthread_mutexattr_setrobust(&attributes, 99), EINVAL);
    IS(pthread_mutexattr_destroy(&attributes), 0);
}

struct shared {
    pthread_mutex_t mutex;
    int counter;
};

static void count_shared(struct shared *shared)
{
    for (int i = 0; i < 20000; i++) {
        IS(pthread_mutex_lock(&shared->mutex), 0);
        shared->counter++;
        IS(pthread_mutex_unlock(&shared->mutex), 0);
    }
}

static void between_processes(void)
{
    struct shared *shared = shared_memory(sizeof *shared);
    pthread_mutexattr_t attributes;
    pid_t child;

    IS(pthread_mutexattr_init(&attributes), 0);
    IS(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
    IS(pthread_mutex_init(&shared->mutex, &attributes), 0);
    child = fork();
    if (!child) {
        count_shared(shared);
        _exit(failures != 0);
    }
    count_shared(shared);
    child_is_fine(child);
    IS(shared->counter, 40000);
    IS(pthread_mutex_destroy(&shared->mutex), 0);
}

int main(void)
{
    static const struct requirement list[] = {
        {"a mutex with the static initializer excludes", it_excludes},
        {"pthread_mutex_trylock returns EBUSY for a locked mutex", trylock},
        {"an error-checking mutex tells of relocking and of unlocking what is not held", errorcheck},
        {"a recursive mutex is free after as many unlocks as locks", recursive},
        {"relocking a normal mutex is a deadlock, ended by its time", normal_relock_is_a_deadlock},
        {"timed locks end in time, by either clock, and check the time only if they wait", times},
        {"static initializers of the other types work", static_initializers},
        {"attributes have their defaults and are checked", attributes_are_checked},
        {"a process-shared mutex excludes between processes", between_processes},
    };
    return RUN(list);
}
