/* SPDX-License-Identifier: MIT
 *
 * Signal masks are the thread's: what one blocks reaches the others. See pthreads.h.
 */
#include "pthreads.h"

static volatile sig_atomic_t caught;
static sem_t begun, over;

static void catch (int signal)
{
    caught++;
}

static void block_all(void)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static int blocks(int signal)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, signal);
}

static void *ends_with_all_blocked(void *arg)
{
    block_all();
    return NULL;
}

static void *works_with_all_blocked(void *arg)
{
    block_all();
    sem_post(&begun);
    while (sem_wait(&over)) {
    }
    printf("after a wait: %d\n", blocks(SIGALRM));
    usleep(1000);
    printf("after another: %d\n", blocks(SIGALRM));
    return NULL;
}

static void *looks(void *arg)
{
    printf("another's: %d\n", blocks(SIGALRM));
    return NULL;
}

static void ring(void)
{
    const struct itimerval timer = {.it_value = {0, 10000}};

    setitimer(ITIMER_REAL, &timer, NULL);
    usleep(10000000); /* ended by the signal */
}

void masks(void)
{
    struct sigaction action = {.sa_handler = catch}, before;
    sigset_t one;
    pthread_t worker;

    sem_init(&begun, 0, 0);
    sem_init(&over, 0, 0);
    sigaction(SIGALRM, &action, &before);
    finish(start(ends_with_all_blocked, NULL));
    printf("main's: %d\n", blocks(SIGALRM));
    ring();
    printf("caught %d\n", (int)caught);
    worker = start(works_with_all_blocked, NULL);
    while (sem_wait(&begun)) {
    }
    printf("main's: %d\n", blocks(SIGALRM));
    ring();
    printf("caught %d\n", (int)caught);
    finish(start(looks, NULL));
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    SAY(said(sigprocmask(SIG_BLOCK, &one, NULL)));
    usleep(1000);
    printf("main's: %d %d\n", blocks(SIGALRM), blocks(SIGUSR1));
    sem_post(&over);
    finish(worker);
    printf("main's: %d %d\n", blocks(SIGALRM), blocks(SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    sigaction(SIGALRM, &before, NULL);
    alarm(60); /* whose clock this was */
}
