/* SPDX-License-Identifier: MIT
 *
 * Conditions. See pthreads.h.
 */
#include "pthreads.h"

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int waiting, tickets, served, turn;
} line = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void *take_ticket(void *arg)
{
    pthread_mutex_lock(&line.mutex);
    line.waiting++;
    while (!line.tickets)
        pthread_cond_wait(&line.cond, &line.mutex);
    line.tickets--;
    line.served++;
    pthread_mutex_unlock(&line.mutex);
    return NULL;
}

static void *ping(void *arg)
{
    int mine = arg != NULL;

    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&line.mutex);
        while (line.turn != mine)
            pthread_cond_wait(&line.cond, &line.mutex);
        line.turn = !mine;
        pthread_cond_signal(&line.cond);
        pthread_mutex_unlock(&line.mutex);
    }
    return NULL;
}

static void wait_in_vain(pthread_cond_t *cond, clockid_t clock)
{
    struct timespec until = soon(clock, 20), wrong = {0, 1000000000};

    int error;

    pthread_mutex_lock(&line.mutex);
    while (!(error = pthread_cond_timedwait(cond, &line.mutex, &until))) { /* it may wake up spuriously */
    }
    SAY(error);
    SAY(pthread_mutex_trylock(&line.mutex));
    SAY(pthread_cond_timedwait(cond, &line.mutex, &wrong));
    until = soon(CLOCK_MONOTONIC, 20);
    while (!(error = pthread_cond_clockwait(cond, &line.mutex, CLOCK_MONOTONIC, &until))) {
    }
    SAY(error);
    SAY(pthread_cond_clockwait(cond, &line.mutex, CLOCK_THREAD_CPUTIME_ID, &until));
    pthread_mutex_unlock(&line.mutex);
}

static void *wait_unlocked(void *arg)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex, &attributes);
    SAY(pthread_cond_wait(&line.cond, &mutex));
    wait_in_vain(&line.cond, CLOCK_REALTIME);
    return NULL;
}

void conditions(void)
{
    pthread_t threads[COUNT];
    pthread_condattr_t attributes;
    pthread_cond_t cond;

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(take_ticket, NULL);
    for (int waiting = 0; waiting < COUNT; usleep(100)) {
        pthread_mutex_lock(&line.mutex);
        waiting = line.waiting;
        pthread_mutex_unlock(&line.mutex);
    }
    pthread_mutex_lock(&line.mutex);
    line.tickets = 3;
    for (int i = 0; i < 3; i++)
        pthread_cond_signal(&line.cond);
    pthread_mutex_unlock(&line.mutex);
    for (int served = 0; served < 3; usleep(100)) {
        pthread_mutex_lock(&line.mutex);
        served = line.served;
        pthread_mutex_unlock(&line.mutex);
    }
    printf("served %d, left %d\n", line.served, line.tickets);
    pthread_mutex_lock(&line.mutex);
    line.tickets = COUNT - 3;
    pthread_cond_broadcast(&line.cond);
    pthread_mutex_unlock(&line.mutex);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("served %d, left %d\n", line.served, line.tickets);
    threads[0] = start(ping, NULL);
    ping("");
    finish(threads[0]);
    finish(start(wait_unlocked, NULL));
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cond, &attributes);
    wait_in_vain(&cond, CLOCK_MONOTONIC);
    SAY(pthread_cond_destroy(&cond));
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&cond, &attributes);
    wait_in_vain(&cond, CLOCK_MONOTONIC);
    SAY(pthread_cond_destroy(&cond));
}
