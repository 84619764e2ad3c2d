/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for mutexes: see waits.h.
 */
#include "waits.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

pthread_mutex_t arranged_lock = PTHREAD_MUTEX_INITIALIZER;

void *wait_for_lock(void *lock)
{
    prctl(PR_SET_NAME, "waiter");
    check(pthread_mutex_lock(lock), "pthread_mutex_lock");
    check(pthread_mutex_unlock(lock), "pthread_mutex_unlock");
    return NULL;
}

/* The main thread, "holder", holds the lock while WAITERS others want it. */
static void hold_against_others(pthread_mutex_t *lock)
{
    pthread_t threads[WAITERS];
    prctl(PR_SET_NAME, "holder");
    check(pthread_mutex_lock(lock), "pthread_mutex_lock");
    for (int i = 0; i < WAITERS; i++)
        check(pthread_create(&threads[i], NULL, wait_for_lock, lock), "pthread_create");
    await_asleep(WAITERS, 0);
    pass_time(WAIT_MS);
    check(pthread_mutex_unlock(lock), "pthread_mutex_unlock");
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
}

static void wait_mutex(void)
{
    hold_against_others(&arranged_lock);
}

/* Waited for at two places: what holds it while the one waits has let it go before the other does. */
static void *wait_elsewhere(void *lock)
{
    prctl(PR_SET_NAME, "elsewhere");
    check(pthread_mutex_lock(lock), "pthread_mutex_lock");
    check(pthread_mutex_unlock(lock), "pthread_mutex_unlock");
    return NULL;
}

static void wait_places(void)
{
    void *(*const places[])(void *) = {wait_for_lock, wait_elsewhere};
    pthread_t thread;
    for (int i = 0; i < 2; i++) {
        check(pthread_mutex_lock(&arranged_lock), "pthread_mutex_lock");
        check(pthread_create(&thread, NULL, places[i], &arranged_lock), "pthread_create");
        await_asleep(1, 0);
        pass_time(WAIT_MS);
        check(pthread_mutex_unlock(&arranged_lock), "pthread_mutex_unlock");
        pthread_join(thread, NULL);
    }
}

/* Three hold the lock one after another, each for WAIT_MS, while "waiter" waits through all of that. */
static int everybody_waits[2]; /* a pipe that "first" reads until they do */

static void *hold_in_turn(void *name)
{
    char byte;
    prctl(PR_SET_NAME, name);
    check(pthread_mutex_lock(&arranged_lock), "pthread_mutex_lock");
    if (!strcmp(name, "first"))
        check(read(everybody_waits[0], &byte, 1) != 1, "read");
    pass_time(WAIT_MS);
    check(pthread_mutex_unlock(&arranged_lock), "pthread_mutex_unlock");
    return NULL;
}

static void wait_relay(void)
{
    static const char *const names[] = {"first", "second", "third"};
    pthread_t threads[4];
    check(pipe(everybody_waits), "pipe");
    for (int i = 0; i < 3; i++) {
        check(pthread_create(&threads[i], NULL, hold_in_turn, (void *)names[i]), "pthread_create");
        await_asleep(i + 1, 0);
    }
    check(pthread_create(&threads[3], NULL, wait_for_lock, &arranged_lock), "pthread_create");
    await_asleep(4, 0);
    check(write(everybody_waits[1], "", 1) != 1, "write");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void be_robust(void)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    check(pthread_mutex_init(&arranged_lock, &attr), "pthread_mutex_init");
}

/* Two wait for the lock of one who ends with it: "heir" is woken by that end, and has it while the other waits on. */
static void *lock_and_end(void *unused)
{
    char byte;
    prctl(PR_SET_NAME, "departed");
    check(pthread_mutex_lock(&arranged_lock), "pthread_mutex_lock");
    check(read(everybody_waits[0], &byte, 1) != 1, "read");
    pass_time(WAIT_MS);
    return NULL;
}

static void *inherit(void *unused)
{
    prctl(PR_SET_NAME, "heir");
    check(pthread_mutex_lock(&arranged_lock) != EOWNERDEAD, "pthread_mutex_lock");
    check(pthread_mutex_consistent(&arranged_lock), "pthread_mutex_consistent");
    pass_time(WAIT_MS);
    check(pthread_mutex_unlock(&arranged_lock), "pthread_mutex_unlock");
    return NULL;
}

static void wait_heir(void)
{
    void *(*const bodies[])(void *) = {lock_and_end, inherit, wait_for_lock};
    pthread_t threads[3];
    be_robust();
    check(pipe(everybody_waits), "pipe");
    for (int i = 0; i < 3; i++) {
        check(pthread_create(&threads[i], NULL, bodies[i], &arranged_lock), "pthread_create");
        await_asleep(i + 1, 0);
    }
    check(write(everybody_waits[1], "", 1) != 1, "write");
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static void wait_pi(void)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    check(pthread_mutex_init(&arranged_lock, &attr), "pthread_mutex_init");
    hold_against_others(&arranged_lock);
}

static void wait_robust(void)
{
    be_robust();
    hold_against_others(&arranged_lock);
}

static void *lock_in_time(void *unused)
{
    struct timespec until = after(CLOCK_REALTIME, WAIT_MS);
    check(pthread_mutex_timedlock(&arranged_lock, &until) != ETIMEDOUT, "pthread_mutex_timedlock");
    return NULL;
}

static void wait_timedlock(void)
{
    pthread_t thread;
    prctl(PR_SET_NAME, "holder");
    pthread_mutex_lock(&arranged_lock);
    check(pthread_create(&thread, NULL, lock_in_time, NULL), "pthread_create");
    pthread_join(thread, NULL);
    pthread_mutex_unlock(&arranged_lock);
}

/* One lock in memory that a child shares. */
static void wait_shared(void)
{
    pthread_mutex_t *lock = mmap(NULL, sizeof *lock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    check(lock == MAP_FAILED || pthread_mutex_init(lock, &attr), "mmap");
    prctl(PR_SET_NAME, "holder");
    pthread_mutex_lock(lock);
    pid_t child = fork();
    if (child == 0) {
        wait_for_lock(lock);
        _exit(0);
    }
    await_asleep(1, child);
    pass_time(WAIT_MS);
    pthread_mutex_unlock(lock);
    wait(NULL);
}

const struct waits_kind waits_mutex[] = {
    {"mutex", wait_mutex},   {"places", wait_places},       {"pi", wait_pi},
    {"robust", wait_robust}, {"timedlock", wait_timedlock}, {"shared", wait_shared},
    {"relay", wait_relay},   {"heir", wait_heir},           {0},
};
