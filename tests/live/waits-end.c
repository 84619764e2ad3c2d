/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for the end of threads, processes and owners: see waits.h.
 */
#include "waits.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void *live_shortly(void *unused)
{
    await_asleep(1, 0); /* who joins it */
    pass_time(WAIT_MS);
    return NULL;
}

static void wait_join(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, live_shortly, NULL), "pthread_create");
    pthread_join(thread, NULL);
}

static void wait_child(void)
{
    if (fork() == 0) {
        await_asleep(1, getppid());
        pass_time(WAIT_MS);
        _exit(0);
    }
    wait(NULL);
}

static _Atomic int first_has, second_has;

static void *hand_over_and_wait(void *unused)
{
    pthread_mutex_lock(&arranged_lock);
    first_has = 1;
    pass_time(100);
    pthread_mutex_unlock(&arranged_lock);
    while (!second_has)
        sched_yield();
    return wait_for_lock(&arranged_lock);
}

static void *kill_all(void *unused)
{
    await_asleep(2, 0);
    pass_time(500);
    kill(getpid(), SIGTERM);
    return NULL;
}

/* The main thread waits for the lock, gets it, and is killed while another waits for it in turn. */
static void wait_taken(void)
{
    pthread_t thread;
    prctl(PR_SET_NAME, "taker");
    check(pthread_create(&thread, NULL, hand_over_and_wait, NULL), "pthread_create");
    while (!first_has)
        pass_time(1);
    pthread_mutex_lock(&arranged_lock);
    second_has = 1;
    check(pthread_create(&thread, NULL, kill_all, NULL), "pthread_create");
    for (;;)
        pause();
}

static void *take_and_end(void *unused)
{
    prctl(PR_SET_NAME, "careless");
    check(pthread_mutex_lock(&arranged_lock), "pthread_mutex_lock");
    return NULL;
}

/* Says "ready" and waits for ever for a mutex whose owner has ended. */
static void wait_gone(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, take_and_end, NULL), "pthread_create");
    pthread_join(thread, NULL);
    check(pthread_create(&thread, NULL, wait_for_lock, &arranged_lock), "pthread_create");
    await_asleep(1, 0);
    puts("ready");
    fflush(stdout);
    pthread_join(thread, NULL);
}

static void *take_and_end_later(void *unused)
{
    take_and_end(NULL);
    first_has = 1;
    while (!second_has)
        sched_yield();
    pass_time(WAIT_MS);
    return NULL;
}

/* The same, but the owner ends while the other waits. */
static void wait_ends(void)
{
    pthread_t owner, waiter;
    check(pthread_create(&owner, NULL, take_and_end_later, NULL), "pthread_create");
    while (!first_has)
        pass_time(1);
    check(pthread_create(&waiter, NULL, wait_for_lock, &arranged_lock), "pthread_create");
    await_asleep(1, 0);
    second_has = 1;
    pthread_join(owner, NULL);
    pass_time(WAIT_MS); /* or they seem to have ended together */
    puts("ready");
    fflush(stdout);
    pthread_join(waiter, NULL);
}

const struct waits_kind waits_end[] = {
    {"join", wait_join}, {"child", wait_child}, {"taken", wait_taken}, {"gone", wait_gone}, {"ends", wait_ends}, {0},
};
