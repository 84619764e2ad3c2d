/* SPDX-License-Identifier: MIT
 *
 * Signals where nobody expects them. See pthreads.h.
 */
#include "pthreads.h"

#include <time.h>

static sem_t begun;

static void block(int how, int signal)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(how, &set, NULL);
}

static void handle(int signal, void (*handler)(int signal), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigaction(signal, &action, NULL);
}

static void *naps(void *arg)
{
    usleep(1000);
    return NULL;
}

/* libc asks each of its threads by a signal of its own, also those that carry nobody any more. */
static void asked_by_libc(void)
{
    pthread_t some[COUNT];

    for (int i = 0; i < COUNT; i++)
        some[i] = start(naps, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(some[i]);
    SAY(said(setgid(getgid())));
    SAY(said(setuid(getuid())));
}

/* -- Sent by a handler to its own thread, which waits ------------------------------------------------------------- */

static char order[8];

static void second(int signal)
{
    strcat(order, "2");
}

static void first(int signal)
{
    strcat(order, "(");
    raise(SIGUSR2);
    strcat(order, ")");
}

static void *waits(void *arg)
{
    sem_post(&begun);
    SAY(said(sleep(100) == 0));
    return NULL;
}

static void sent_by_a_handler(void)
{
    pthread_t thread;

    handle(SIGUSR1, first, 0);
    handle(SIGUSR2, second, 0);
    thread = start(waits, NULL);
    while (sem_wait(&begun)) {
    }
    usleep(10000);
    pthread_kill(thread, SIGUSR1);
    finish(thread);
    printf("order: %s\n", order);
}

/* -- Of a process, by the thousand: never by one that blocks it ---------------------------------------------------- */

static __thread int blocks_it;
static int wrong, over;

static void check(int signal)
{
    wrong += blocks_it;
}

static void *yields(void *arg)
{
    blocks_it = (int)(intptr_t)arg % 2;
    block(blocks_it ? SIG_BLOCK : SIG_UNBLOCK, SIGUSR1);
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
        sched_yield();
    return NULL;
}

static void to_those_who_let_it_in(void)
{
    pthread_t some[COUNT];
    pid_t self = getpid();

    handle(SIGUSR1, check, SA_RESTART);
    block(SIG_BLOCK, SIGUSR1);
    for (int i = 0; i < COUNT; i++)
        some[i] = start(yields, (void *)(intptr_t)i);
    if (!fork()) {
        for (int i = 0; i < 20000; i++)
            kill(self, SIGUSR1);
        _exit(0);
    }
    waitpid(-1, NULL, 0);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < COUNT; i++)
        finish(some[i]);
    block(SIG_UNBLOCK, SIGUSR1);
    printf("handled by who blocks it: %d\n", wrong);
}

void strays(void)
{
    sem_init(&begun, 0, 0);
    asked_by_libc();
    sent_by_a_handler();
    to_those_who_let_it_in();
}
