/* SPDX-License-Identifier: MIT */
#include "posix.h"

#include <fcntl.h>

#define FAILS(call, error) \
    do {                   \
        errno = 0;         \
        IS(call, -1);      \
        IS(errno, error);  \
    } while (0)

static void it_counts(void)
{
    sem_t sem;
    int value = -1;

    IS(sem_init(&sem, 0, 2), 0);
    IS(sem_getvalue(&sem, &value), 0);
    IS(value, 2);
    IS(sem_wait(&sem), 0);
    IS(sem_trywait(&sem), 0);
    FAILS(sem_trywait(&sem), EAGAIN);
    IS(sem_post(&sem), 0);
    IS(sem_getvalue(&sem, &value), 0);
    IS(value, 1);
    IS(sem_destroy(&sem), 0);
    FAILS(sem_init(&sem, 0, (unsigned)INT_MAX + 1), EINVAL);
    IS(sem_init(&sem, 0, INT_MAX), 0);
    FAILS(sem_post(&sem), EOVERFLOW);
}

static sem_t ping, pong;

static void *answer(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        IS(sem_wait(&ping), 0);
        IS(sem_post(&pong), 0);
    }
    return NULL;
}

static void post_wakes_a_waiter(void)
{
    pthread_t thread;

    IS(sem_init(&ping, 0, 0), 0);
    IS(sem_init(&pong, 0, 0), 0);
    thread = start(answer, NULL);
    for (int i = 0; i < 1000; i++) {
        IS(sem_post(&ping), 0);
        IS(sem_wait(&pong), 0);
    }
    finish(thread);
}

static void times(void)
{
    struct timespec begin, until = in_ms(CLOCK_REALTIME, 40), wrong = {0, 1000000000};
    sem_t sem;

    IS(sem_init(&sem, 0, 0), 0);
    FAILS(sem_timedwait(&sem, &wrong), EINVAL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    FAILS(sem_timedwait(&sem, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 39);
    until = in_ms(CLOCK_MONOTONIC, 40);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    FAILS(sem_clockwait(&sem, CLOCK_MONOTONIC, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 39);
    IS(sem_post(&sem), 0);
    IS(sem_timedwait(&sem, &until), 0); /* in the past, but there is no need to wait */
    IS(sem_destroy(&sem), 0);
}

static sem_t from_handler;

static void post_it(int signal)
{
    sem_post(&from_handler);
}

static void post_in_a_signal_handler(void)
{
    struct sigaction action = {.sa_handler = post_it, .sa_flags = SA_RESTART};

    sigaction(SIGUSR1, &action, NULL);
    IS(sem_init(&from_handler, 0, 0), 0);
    raise(SIGUSR1);
    IS(sem_wait(&from_handler), 0);
}

static void between_processes(void)
{
    sem_t *sems = shared_memory(2 * sizeof *sems);
    pid_t child;

    IS(sem_init(&sems[0], 1, 0), 0);
    IS(sem_init(&sems[1], 1, 0), 0);
    child = fork();
    if (!child) {
        for (int i = 0; i < 500; i++) {
            sem_wait(&sems[0]);
            sem_post(&sems[1]);
        }
        _exit(0);
    }
    for (int i = 0; i < 500; i++) {
        IS(sem_post(&sems[0]), 0);
        IS(sem_wait(&sems[1]), 0);
    }
    child_is_fine(child);
}

static void named(void)
{
    char name[64];
    sem_t *sem, *again;
    int value = -1;
    pid_t child;

    snprintf(name, sizeof name, "/mt-conformance-%d", (int)getpid());
    errno = 0;
    CHECK(sem_open(name, 0) == SEM_FAILED);
    IS(errno, ENOENT);
    sem = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    CHECK(sem != SEM_FAILED);
    if (sem == SEM_FAILED)
        return;
    CHECK(sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED);
    IS(errno, EEXIST);
    again = sem_open(name, O_CREAT, 0600, 9);
    CHECK(again == sem);
    IS(sem_getvalue(again, &value), 0);
    IS(value, 1);
    child = fork();
    if (!child) {
        sem_t *mine = sem_open(name, 0);
        _exit(mine == SEM_FAILED || sem_wait(mine) || sem_close(mine));
    }
    child_is_fine(child);
    FAILS(sem_trywait(sem), EAGAIN);
    IS(sem_unlink(name), 0);
    FAILS(sem_unlink(name), ENOENT);
    IS(sem_post(again), 0); /* it lives while it is open */
    IS(sem_close(again), 0);
    IS(sem_close(sem), 0);
}

int main(void)
{
    static const struct requirement list[] = {
        {"a semaphore counts, up to SEM_VALUE_MAX", it_counts},
        {"sem_post wakes a waiter", post_wakes_a_waiter},
        {"timed waits end in time, and need no time if they need not wait", times},
        {"sem_post may be called in a signal handler", post_in_a_signal_handler},
        {"a shared semaphore works between processes", between_processes},
        {"named semaphores are found by name, also by another process, until they are unlinked", named},
    };
    return RUN(list);
}
