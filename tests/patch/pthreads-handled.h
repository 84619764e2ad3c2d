/* SPDX-License-Identifier: MIT
 *
 * What the parts on signals have in common: a handler that notes where it has run, and who stands by and lets all in.
 */
#ifndef TESTS_PATCH_PTHREADS_HANDLED_H
#define TESTS_PATCH_PTHREADS_HANDLED_H

#include "pthreads.h"

static __thread int handled_here;
static volatile sig_atomic_t handled;
static pthread_t in;
static sem_t begun, go, over;

static inline void note(int signal)
{
    handled_here++;
    in = pthread_self();
    handled++;
}

static inline void handle(int signal, int flags)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = flags};

    sigaction(signal, &action, NULL);
}

static inline sigset_t set_of(int signal)
{
    sigset_t set;

    sigemptyset(&set);
    if (signal)
        sigaddset(&set, signal);
    return set;
}

static inline void block(int how, int signal)
{
    sigset_t set = set_of(signal);

    pthread_sigmask(how, &set, NULL);
}

static inline int blocks(int signal)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, signal);
}

static inline int is_pending(int signal)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, signal);
}

static inline void await(sem_t *sem)
{
    while (sem_wait(sem)) {
    }
}

/* Others that let everything in: they are what a signal must not go to. */
static inline void *stands_by(void *arg)
{
    block(SIG_UNBLOCK, SIGUSR1);
    sem_post(&begun);
    await(&over);
    printf("who stood by has handled %d\n", handled_here);
    return NULL;
}

#endif
