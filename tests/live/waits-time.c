/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for time, and what nobody ends: see waits.h.
 */
#include "waits.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void wait_sleep(void)
{
    pass_time(WAIT_MS);
}

#define SLEEPERS 8
#define SLEEPS   4000

/* Sleeps often and briefly, and counts how often it has given the CPU up for that: a sleep that is over before it has
 * begun is no wait. */
static void *sleep_often(void *gave_up)
{
    struct timespec none = {0, -1}, brief = {0, 100000};
    struct rusage before, now;
    nanosleep(&none, NULL); /* so that no page is missing later */
    getrusage(RUSAGE_THREAD, &now);
    getrusage(RUSAGE_THREAD, &before);
    for (int i = 0; i < SLEEPS; i++)
        nanosleep(&brief, NULL);
    getrusage(RUSAGE_THREAD, &now);
    *(long *)gave_up = now.ru_nvcsw - before.ru_nvcsw;
    return NULL;
}

/* Says how many waits there were. */
static void wait_sleeps(void)
{
    pthread_t threads[SLEEPERS];
    long gave_up[SLEEPERS], sum = 0;
    for (int i = 0; i < SLEEPERS; i++)
        check(pthread_create(&threads[i], NULL, sleep_often, &gave_up[i]), "pthread_create");
    for (int i = 0; i < SLEEPERS; i++) {
        pthread_join(threads[i], NULL);
        sum += gave_up[i];
    }
    printf("%ld\n", sum);
}

/* Not a wait at all. */
static void wait_never(void)
{
    struct timespec until = after(CLOCK_THREAD_CPUTIME_ID, WAIT_MS), now;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec));
}

/* Says "ready" and keeps three threads at a lock until it is killed. */
static void wait_forever(void)
{
    pthread_t thread;
    prctl(PR_SET_NAME, "holder");
    pthread_mutex_lock(&arranged_lock);
    for (int i = 0; i < WAITERS; i++)
        check(pthread_create(&thread, NULL, wait_for_lock, &arranged_lock), "pthread_create");
    await_asleep(WAITERS, 0);
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

/* Sleeps until a signal ends it, or stops it. */
static void wait_signal(void)
{
    puts("ready");
    fflush(stdout);
    pass_time(50000);
}

/* A name that is not UTF-8. */
static void wait_name(void)
{
    prctl(PR_SET_NAME, "bad\xff\xc3(\xc3\xa9)");
    pass_time(WAIT_MS);
}

const struct waits_kind waits_time[] = {
    {"sleep", wait_sleep},
    {"sleeps", wait_sleeps},
    {"never", wait_never},
    {"forever", wait_forever},
    {"signal", wait_signal},
    {"name", wait_name},
    {0},
};
