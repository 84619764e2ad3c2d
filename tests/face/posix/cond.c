/* SPDX-License-Identifier: MIT */
#include "posix.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting, go, woken;

static void *wait_for_go(void *arg)
{
    IS(pthread_mutex_lock(&mutex), 0);
    waiting++;
    while (!go)
        IS(pthread_cond_wait(&cond, &mutex), 0);
    go--;
    woken++;
    IS(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static void until_waiting(int count)
{
    for (;;) {
        pthread_mutex_lock(&mutex);
        if (waiting == count)
            return; /* all have given up the mutex: they wait */
        pthread_mutex_unlock(&mutex);
        nap(1);
    }
}

static void signal_wakes_one(void)
{
    pthread_t threads[3];

    waiting = woken = go = 0;
    for (int i = 0; i < 3; i++)
        threads[i] = start(wait_for_go, NULL);
    until_waiting(3);
    for (int i = 1; i <= 3; i++) {
        go = 1;
        IS(pthread_cond_signal(&cond), 0);
        pthread_mutex_unlock(&mutex);
        for (;;) {
            pthread_mutex_lock(&mutex);
            if (woken == i)
                break;
            pthread_mutex_unlock(&mutex);
            nap(1);
        }
    }
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 3; i++)
        finish(threads[i]);
}

static void broadcast_wakes_all(void)
{
    pthread_t threads[5];

    waiting = woken = go = 0;
    for (int i = 0; i < 5; i++)
        threads[i] = start(wait_for_go, NULL);
    until_waiting(5);
    go = 5;
    IS(pthread_cond_broadcast(&cond), 0);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 5; i++)
        finish(threads[i]);
    IS(woken, 5);
}

static void nobody_waits(void)
{
    struct timespec until = in_ms(CLOCK_REALTIME, 50);

    IS(pthread_cond_signal(&cond), 0);
    IS(pthread_cond_broadcast(&cond), 0);
    IS(pthread_mutex_lock(&mutex), 0);
    IS(pthread_cond_timedwait(&cond, &mutex, &until), ETIMEDOUT); /* signals are not kept */
    IS(pthread_mutex_unlock(&mutex), 0);
}

static void *try(void *arg)
{
    return (void *)(intptr_t)pthread_mutex_trylock(&mutex);
}

static void timed(void)
{
    pthread_condattr_t attributes;
    pthread_cond_t monotonic;
    struct timespec begin, until, wrong = {0, 1000000000};
    clockid_t clock;

    IS(pthread_condattr_init(&attributes), 0);
    IS(pthread_condattr_getclock(&attributes, &clock), 0);
    IS(clock, CLOCK_REALTIME);
    IS(pthread_condattr_setclock(&attributes, CLOCK_PROCESS_CPUTIME_ID), EINVAL);
    IS(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), 0);
    IS(pthread_cond_init(&monotonic, &attributes), 0);
    IS(pthread_condattr_destroy(&attributes), 0);
    IS(pthread_mutex_lock(&mutex), 0);
    IS(pthread_cond_timedwait(&cond, &mutex, &wrong), EINVAL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    until = in_ms(CLOCK_MONOTONIC, 50);
    IS(pthread_cond_timedwait(&monotonic, &mutex, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 49);
    IS(pthread_cond_timedwait(&monotonic, &mutex, &until), ETIMEDOUT);
    until = in_ms(CLOCK_REALTIME, 50);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    IS(pthread_cond_clockwait(&monotonic, &mutex, CLOCK_REALTIME, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 49);
    IS((int)(intptr_t)finish(start(try, NULL)), EBUSY); /* the mutex is held again */
    IS(pthread_mutex_unlock(&mutex), 0);
    IS(pthread_cond_destroy(&monotonic), 0);
}

static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int signalled;

static void *signal_recursive(void *arg)
{
    IS(pthread_mutex_lock(&recursive), 0);
    signalled = 1;
    IS(pthread_cond_signal(&cond), 0);
    IS(pthread_mutex_unlock(&recursive), 0);
    return NULL;
}

static void with_a_recursive_mutex(void)
{
    pthread_t thread;

    IS(pthread_mutex_lock(&recursive), 0);
    thread = start(signal_recursive, NULL);
    while (!signalled)
        IS(pthread_cond_wait(&cond, &recursive), 0);
    IS(pthread_mutex_unlock(&recursive), 0);
    IS(pthread_mutex_unlock(&recursive), EPERM);
    finish(thread);
}

struct last {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int waiting, go;
};

static void *wait_last(void *arg)
{
    struct last *last = arg;

    IS(pthread_mutex_lock(&last->mutex), 0);
    last->waiting++;
    while (!last->go)
        IS(pthread_cond_wait(&last->cond, &last->mutex), 0);
    IS(pthread_mutex_unlock(&last->mutex), 0);
    return NULL;
}

/* POSIX: it is safe to destroy a condition variable upon which no threads are currently blocked, as after a broadcast.
 */
static void destroy_after_broadcast(void)
{
    for (int round = 0; round < 300; round++) {
        struct last *last = calloc(1, sizeof *last);
        pthread_t threads[2];

        IS(pthread_mutex_init(&last->mutex, NULL), 0);
        IS(pthread_cond_init(&last->cond, NULL), 0);
        for (int i = 0; i < 2; i++)
            threads[i] = start(wait_last, last);
        for (int all = 0; !all; sched_yield()) {
            pthread_mutex_lock(&last->mutex);
            all = last->waiting == 2;
            if (all) {
                last->go = 1;
                pthread_cond_broadcast(&last->cond);
            }
            pthread_mutex_unlock(&last->mutex);
        }
        IS(pthread_cond_destroy(&last->cond), 0);
        memset(&last->cond, 0xa5, sizeof last->cond);
        for (int i = 0; i < 2; i++)
            finish(threads[i]);
        free(last);
    }
}

struct pair {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int turn;
};

static void take_turns(struct pair *pair, int me)
{
    for (int i = 0; i < 500; i++) {
        IS(pthread_mutex_lock(&pair->mutex), 0);
        while (pair->turn != me)
            IS(pthread_cond_wait(&pair->cond, &pair->mutex), 0);
        pair->turn = !me;
        IS(pthread_cond_signal(&pair->cond), 0);
        IS(pthread_mutex_unlock(&pair->mutex), 0);
    }
}

static void between_processes(void)
{
    struct pair *pair = shared_memory(sizeof *pair);
    pthread_mutexattr_t mutex_attributes;
    pthread_condattr_t attributes;
    int shared = -1;
    pid_t child;

    IS(pthread_mutexattr_init(&mutex_attributes), 0);
    IS(pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED), 0);
    IS(pthread_mutex_init(&pair->mutex, &mutex_attributes), 0);
    IS(pthread_condattr_init(&attributes), 0);
    IS(pthread_condattr_setpshared(&attributes, 99), EINVAL);
    IS(pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
    IS(pthread_condattr_getpshared(&attributes, &shared), 0);
    IS(shared, PTHREAD_PROCESS_SHARED);
    IS(pthread_cond_init(&pair->cond, &attributes), 0);
    child = fork();
    if (!child) {
        take_turns(pair, 1);
        _exit(failures != 0);
    }
    take_turns(pair, 0);
    child_is_fine(child);
}

int main(void)
{
    static const struct requirement list[] = {
        {"pthread_cond_signal wakes a waiter", signal_wakes_one},
        {"pthread_cond_broadcast wakes all", broadcast_wakes_all},
        {"signals that nobody waits for are lost", nobody_waits},
        {"timed waits end in time, by the condition's clock or a given one, with the mutex", timed},
        {"a recursive mutex locked once can be used", with_a_recursive_mutex},
        {"a condition can be destroyed as soon as all are woken", destroy_after_broadcast},
        {"a process-shared condition works between processes", between_processes},
    };
    return RUN(list);
}
