/* SPDX-License-Identifier: MIT
 *
 * Signals that are sent to one thread in the midst of a wait, which then ends or goes on. See pthreads.h.
 */
#include "pthreads-handled.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];

static int way;
static int set_up;

static int wait_in_a_way(void)
{
    struct timespec long_time = {.tv_sec = 100};
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    struct epoll_event event;
    sigset_t empty = set_of(0);
    fd_set reads;
    char byte;

    switch (way) {
    case 0:
        return nanosleep(&long_time, NULL);
    case 1:
        return (int)read(ends[0], &byte, 1);
    case 2:
        return poll(&look, 1, 100000);
    case 3:
        return sem_wait(&go);
    case 4:
        return pause();
    case 5:
        return sigsuspend(&empty);
    case 6:
        return ppoll(&look, 1, &long_time, &empty);
    case 7:
        FD_ZERO(&reads);
        FD_SET(ends[0], &reads);
        return pselect(ends[0] + 1, &reads, NULL, NULL, &long_time, &empty);
    case 8:
        return epoll_pwait(set_up, &event, 1, 100000, &empty);
    default:
        return ppoll(NULL, 0, NULL, &empty);
    }
}

#define WAYS 10

static void *waits(void *arg)
{
    int times = handled, result, error;

    if (way >= 5)
        block(SIG_BLOCK, SIGUSR1);
    sem_post(&begun);
    result = wait_in_a_way();
    error = errno;
    printf("way %d: %d, EINTR: %d, handled: %d, here: %d, by it: %d, blocks it: %d\n", way, result, error == EINTR,
           way < 5 ? handled > times : handled - times, way < 5 ? handled_here > 0 : handled_here,
           pthread_equal(in, pthread_self()), blocks(SIGUSR1));
    sem_post(&begun);
    return NULL;
}

static void interrupted(void)
{
    pthread_t other = start(stands_by, NULL), thread;
    struct epoll_event event = {.events = EPOLLIN};

    await(&begun);
    handle(SIGUSR1, 0);
    SAY(pipe(ends));
    set_up = epoll_create1(0);
    epoll_ctl(set_up, EPOLL_CTL_ADD, ends[0], &event);
    for (way = 0; way < WAYS; way++) {
        thread = start(waits, NULL);
        await(&begun);
        pthread_kill(thread, SIGUSR1);
        while (usleep(20000),
               sem_trywait(&begun)) /* it had not waited yet: one that was blocked is there all the same */
            if (way < 5)
                pthread_kill(thread, SIGUSR1);
        finish(thread);
    }
    sem_post(&over);
    finish(other);
}

/* What is ready goes before what is pending. */
static void *looks(void *arg)
{
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    struct timespec none = {0, 0}, some = {.tv_nsec = 1000};
    sigset_t empty = set_of(0);
    int times = handled;

    block(SIG_BLOCK, SIGUSR1);
    pthread_kill(pthread_self(), SIGUSR1);
    printf("ready: %d, handled: %d\n", ppoll(&look, 1, NULL, &empty), handled - times);
    look.fd = -1;
    SAY(said(ppoll(&look, 1, &none, &empty)));
    printf("handled: %d, blocks it: %d\n", handled - times, blocks(SIGUSR1));
    SAY(said(ppoll(&look, 1, &some, &empty)));
    SAY(said(ppoll(&look, 1, &none, &empty)));
    return NULL;
}

static void *restarts(void *arg)
{
    char byte = 0;
    int times = handled;

    sem_post(&begun);
    printf("read %d", (int)read(ends[0], &byte, 1));
    printf(" %c, handled: %d, here: %d\n", byte, handled - times > 0, handled_here > 0);
    sem_post(&begun);
    SAY(pthread_mutex_lock(&mutex));
    printf("handled: %d, here: %d\n", handled - times > 1, handled_here > 1);
    SAY(pthread_mutex_unlock(&mutex));
    return NULL;
}

/* The handler runs in the midst of a wait, which goes on. */
static void send_until_handled(pthread_t thread)
{
    int times = handled;

    while (handled == times) {
        pthread_kill(thread, SIGUSR1);
        for (int i = 0; i < 1000 && handled == times; i++)
            usleep(1000);
    }
}

static void restarted(void)
{
    pthread_t thread;
    char byte;

    SAY(said(write(ends[1], "r", 1) != 1));
    finish(start(looks, NULL));
    SAY(said(read(ends[0], &byte, 1) != 1));
    handle(SIGUSR1, SA_RESTART);
    thread = start(restarts, NULL);
    await(&begun);
    usleep(10000);
    send_until_handled(thread);
    pthread_mutex_lock(&mutex);
    if (write(ends[1], "x", 1) != 1)
        abort();
    await(&begun);
    usleep(10000);
    send_until_handled(thread);
    pthread_mutex_unlock(&mutex);
    finish(thread);
}

void interrupts(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&over, 0, 0);
    interrupted();
    restarted();
}
