/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for time, and what nobody ends: see waits.h.
 */
#include "waits.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static void wait_sleep(void)
{
    pass_time(WAIT_MS);
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
    pass_time(100);
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
    {"sleep", wait_sleep},   {"never", wait_never}, {"forever", wait_forever},
    {"signal", wait_signal}, {"name", wait_name},   {0},
};
