/* SPDX-License-Identifier: MIT
 *
 * Signals by the thousand, to many threads: none is lost, and those that were sent to one are handled by that one. See
 * pthreads.h.
 */
#include "pthreads.h"

#include <poll.h>

#define EACH 200

static pthread_t crowd[COUNT];
static int sent_to[COUNT], handled_by[COUNT], wrong;
static __thread int number;
static pthread_barrier_t together;

static void check(int signal, siginfo_t *info, void *context)
{
    if (info->si_value.sival_int != number || !pthread_equal(crowd[number], pthread_self()))
        wrong++;
    __atomic_fetch_add(&handled_by[number], 1, __ATOMIC_RELAXED);
}

static sigset_t real_time(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    return set;
}

static void *sends_to_all(void *arg)
{
    unsigned seed = 1 + (unsigned)(intptr_t)arg;
    sigset_t set = real_time();

    number = (int)(intptr_t)arg;
    pthread_barrier_wait(&together);
    for (int i = 0; i < EACH; i++) {
        int to = rand_r(&seed) % COUNT;
        while (pthread_sigqueue(crowd[to], SIGRTMIN, (union sigval){.sival_int = to}) == EAGAIN)
            usleep(100);
        __atomic_fetch_add(&sent_to[to], 1, __ATOMIC_RELAXED);
        if (rand_r(&seed) % 3 == 0)
            pthread_sigmask(rand_r(&seed) % 2 ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
        if (rand_r(&seed) % 4 == 0)
            usleep(rand_r(&seed) % 3 * 10);
        if (rand_r(&seed) % 5 == 0)
            sched_yield();
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    pthread_barrier_wait(&together);
    while (__atomic_load_n(&handled_by[number], __ATOMIC_RELAXED) < __atomic_load_n(&sent_to[number], __ATOMIC_RELAXED))
        usleep(100); /* the last ones may be on their way */
    return NULL;
}

static void sent_to_each(void)
{
    struct sigaction action = {.sa_sigaction = check, .sa_flags = SA_SIGINFO | SA_RESTART};
    int good = 0, total = 0;

    sigaction(SIGRTMIN, &action, NULL);
    pthread_barrier_init(&together, NULL, COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        crowd[i] = start(sends_to_all, (void *)(intptr_t)i);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    for (int i = 0; i < COUNT; i++)
        finish(crowd[i]);
    for (int i = 0; i < COUNT; i++) {
        good += sent_to[i] == handled_by[i];
        total += handled_by[i];
    }
    printf("all of %d were handled by whom they were sent to: %d %d\n", total, good == COUNT, wrong);
}

/* -- To the process ------------------------------------------------------------------------------------------------ */

#define ALL 2000

static int taken, over;

static void take(int signal)
{
    __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
}

static void wait_somehow(unsigned dice, int accepts)
{
    const struct timespec some = {.tv_nsec = 1000000};
    sigset_t set = real_time(), empty;

    sigemptyset(&empty);
    switch (dice % 5) {
    case 0:
        nanosleep(&some, NULL);
        break;
    case 1:
        ppoll(NULL, 0, &some, &empty);
        break;
    case 2:
        poll(NULL, 0, 1);
        break;
    case 3:
        sched_yield();
        break;
    default:
        if (accepts && sigtimedwait(&set, NULL, &some) > 0)
            take(0);
    }
}

/* Half of them let the signals in, one of the others accepts them. */
static void *takes(void *arg)
{
    unsigned seed = (unsigned)(intptr_t)arg;
    sigset_t set = real_time();

    pthread_sigmask(seed % 2 ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
        wait_somehow((unsigned)rand_r(&seed), arg == (void *)1);
    return NULL;
}

static void send_all(pid_t to)
{
    for (int i = 0; i < ALL; i++) {
        while (sigqueue(to, SIGRTMIN, (union sigval){.sival_int = i}))
            usleep(100);
        if (i % 50 == 0)
            usleep(1000);
    }
}

static void sent_to_the_process(void)
{
    struct sigaction action = {.sa_handler = take, .sa_flags = SA_RESTART};
    sigset_t all, before;
    pid_t self = getpid(), child;

    sigaction(SIGRTMIN, &action, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (int i = 0; i < COUNT; i++)
        crowd[i] = start(takes, (void *)(intptr_t)i);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    child = fork();
    if (!child) {
        send_all(self);
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0) {
    }
    while (__atomic_load_n(&taken, __ATOMIC_RELAXED) < ALL)
        usleep(1000);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < COUNT; i++)
        finish(crowd[i]);
    printf("taken: %d\n", taken);
}

void crowds(void)
{
    sent_to_each();
    sent_to_the_process();
}
