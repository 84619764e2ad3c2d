/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for conditions and semaphores: see waits.h.
 */
#include "waits.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

pthread_cond_t arranged_cond = PTHREAD_COND_INITIALIZER;

static void wait_cond(void)
{
    struct timespec until = after(CLOCK_REALTIME, WAIT_MS);
    pthread_mutex_lock(&arranged_lock);
    check(pthread_cond_timedwait(&arranged_cond, &arranged_lock, &until) != ETIMEDOUT, "pthread_cond_timedwait");
}

static void wait_sem(void)
{
    sem_t sem;
    struct timespec until = after(CLOCK_REALTIME, WAIT_MS);
    sem_init(&sem, 0, 0);
    check(sem_timedwait(&sem, &until) == 0, "sem_timedwait");
}

#define SEM_ROUNDS 8

static sem_t arranged_sem;

static void *take_and_give(void *unused)
{
    for (int i = 0; i < SEM_ROUNDS; i++) {
        sem_wait(&arranged_sem);
        pass_time(10);
        sem_post(&arranged_sem);
    }
    return NULL;
}

static void *take_only(void *unused)
{
    for (int i = 0; i < SEM_ROUNDS; i++)
        sem_wait(&arranged_sem);
    return NULL;
}

static void run_three(void *(*body)(void *), int given, int later)
{
    pthread_t threads[3];
    sem_init(&arranged_sem, 0, 0);
    for (int i = 0; i < 3; i++)
        check(pthread_create(&threads[i], NULL, body, NULL), "pthread_create");
    await_asleep(3, 0);
    for (int i = 0; i < given; i++)
        sem_post(&arranged_sem);
    for (int i = 0; i < later; i++) {
        pass_time(10);
        sem_post(&arranged_sem);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* A semaphore as a lock, and one by which a thread gives others work. */
static void wait_semlock(void)
{
    run_three(take_and_give, 1, 0);
}

static void wait_semwork(void)
{
    run_three(take_only, 0, 3 * SEM_ROUNDS);
}

const struct waits_kind waits_sem[] = {
    {"cond", wait_cond}, {"sem", wait_sem}, {"semlock", wait_semlock}, {"semwork", wait_semwork}, {0},
};
