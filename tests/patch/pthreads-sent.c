/* SPDX-License-Identifier: MIT
 *
 * Signals that are sent to one thread, and to those of a process of which only some let them in. See pthreads.h.
 */
#include "pthreads-handled.h"

#include <sys/syscall.h>

/* -- Blocked ------------------------------------------------------------------------------------------------------ */

static void *waits_for_it(void *arg)
{
    sigset_t set = set_of(SIGUSR1);
    int got;

    block(SIG_BLOCK, SIGUSR1);
    sem_post(&begun);
    await(&go);
    printf("pending: %d\n", is_pending(SIGUSR1));
    SAY(sigwait(&set, &got));
    printf("got SIGUSR1: %d, pending: %d\n", got == SIGUSR1, is_pending(SIGUSR1));
    sem_post(&begun);
    SAY(sigwait(&set, &got)); /* it comes while it waits */
    printf("got SIGUSR1: %d\n", got == SIGUSR1);
    return NULL;
}

static void blocked(int disposition)
{
    pthread_t other = start(stands_by, NULL), thread = start(waits_for_it, NULL);
    struct sigaction action = {.sa_handler = disposition ? note : SIG_DFL};

    sigaction(SIGUSR1, &action, NULL); /* of the default action this process would die */
    await(&begun);
    await(&begun);
    SAY(pthread_kill(thread, SIGUSR1));
    SAY(pthread_kill(thread, SIGUSR1)); /* there is one of it */
    sem_post(&go);
    await(&begun);
    usleep(10000);
    pthread_kill(thread, SIGUSR1);
    finish(thread);
    sem_post(&over);
    finish(other);
    printf("handled: %d\n", (int)handled);
}

static void *unblocks(void *arg)
{
    sigset_t all, before, empty = set_of(0);
    int times = handled;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    SAY(pthread_kill(pthread_self(), SIGUSR1));
    SAY(raise(SIGUSR2));
    printf("pending: %d %d, handled: %d\n", is_pending(SIGUSR1), is_pending(SIGUSR2), handled - times);
    sem_post(&begun);
    await(&go); /* meanwhile others have had their turns */
    printf("pending: %d %d, handled: %d\n", is_pending(SIGUSR1), is_pending(SIGUSR2), handled - times);
    pthread_sigmask(SIG_SETMASK, &empty, NULL);
    printf("pending: %d %d, handled: %d, here: %d, by it: %d\n", is_pending(SIGUSR1), is_pending(SIGUSR2),
           handled - times, handled_here, pthread_equal(in, pthread_self()));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return NULL;
}

static void unblocked(void)
{
    pthread_t other, thread;

    handle(SIGUSR1, 0);
    handle(SIGUSR2, 0);
    other = start(stands_by, NULL);
    await(&begun);
    thread = start(unblocks, NULL);
    await(&begun);
    usleep(10000);
    sem_post(&go);
    finish(thread);
    sem_post(&over);
    finish(other);
}

/* -- Queued ------------------------------------------------------------------------------------------------------- */

static int order[8], values[8], count;

static void queue(int signal, siginfo_t *info, void *context)
{
    order[count] = signal - SIGRTMIN;
    values[count++] = info->si_value.sival_int;
}

static void *queues(void *arg)
{
    struct sigaction action = {.sa_sigaction = queue, .sa_flags = SA_SIGINFO};
    sigset_t set = set_of(SIGRTMIN), accepted = set_of(SIGRTMIN + 2);
    siginfo_t info;

    sigfillset(&action.sa_mask); /* one after the other */
    sigaction(SIGRTMIN, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGRTMIN + 2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sem_post(&begun);
    await(&go);
    while (sigtimedwait(&accepted, &info, &(struct timespec){0}) > 0)
        printf("accepted %d, queued: %d\n", info.si_value.sival_int, info.si_code == SI_QUEUE);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return NULL;
}

static void queued(void)
{
    pthread_t thread = start(queues, NULL);

    await(&begun);
    for (int i = 0; i < 3; i++) {
        SAY(pthread_sigqueue(thread, SIGRTMIN + 1, (union sigval){.sival_int = i}));
        SAY(pthread_sigqueue(thread, SIGRTMIN + 2, (union sigval){.sival_int = 10 + i}));
        SAY(pthread_sigqueue(thread, SIGRTMIN, (union sigval){.sival_int = 20 + i}));
    }
    sem_post(&go);
    finish(thread);
    for (int i = 0; i < count; i++)
        printf("SIGRTMIN + %d: %d\n", order[i], values[i]);
}

/* -- main's, and the process's --------------------------------------------------------------------------------------
 */

static pthread_t main_thread;

static void *sends_to_main(void *arg)
{
    usleep(10000);
    pthread_kill(main_thread, SIGUSR1);
    if (!arg)
        return NULL;
    await(&go);
    usleep(10000);
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    return NULL;
}

static void to_main(void)
{
    sigset_t set = set_of(SIGUSR1);
    pthread_t other = start(stands_by, NULL), thread;
    int got = 0, times = handled;

    main_thread = pthread_self();
    await(&begun);
    block(SIG_BLOCK, SIGUSR1);
    thread = start(sends_to_main, &got);
    SAY(sigwait(&set, &got));
    sem_post(&go);
    SAY(sigwait(&set, &got));
    printf("main got SIGUSR1: %d, handled: %d\n", got == SIGUSR1, handled - times);
    finish(thread);
    block(SIG_UNBLOCK, SIGUSR1);
    handled_here = 0;
    handle(SIGUSR1, 0);
    thread = start(sends_to_main, NULL);
    SAY(said(usleep(10000000)));
    printf("handled: %d, by main: %d\n", handled_here, pthread_equal(in, main_thread));
    finish(thread);
    sem_post(&over);
    finish(other);
}

/* It has many turns, so that it is the last one to have had one when a signal comes, which is none of its. */
static void *works(void *arg)
{
    printf("a worker blocks SIGUSR1: %d\n", blocks(SIGUSR1));
    sem_post(&begun);
    while (sem_trywait(&over))
        if (usleep(1000))
            printf("a worker was interrupted\n");
    printf("a worker has handled: %d\n", handled_here);
    return NULL;
}

/* All is blocked, workers are made, and main lets signals in. */
static void to_the_process(void)
{
    sigset_t all, before, set = set_of(SIGUSR1);
    pthread_t workers[COUNT];
    int times = handled;
    pid_t self = getpid();

    handled_here = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (int i = 0; i < COUNT; i++) {
        workers[i] = start(works, NULL);
        await(&begun);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (int i = 0; i < 3; i++) {
        if (!fork()) {
            usleep(20000);
            _exit(kill(self, SIGUSR1));
        }
        SAY(said(usleep(10000000)));
        while (waitpid(-1, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    printf("handled: %d, by main: %d\n", handled - times, handled_here);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    SAY(said(kill(self, SIGUSR1)));
    usleep(1000);
    printf("pending: %d\n", is_pending(SIGUSR1));
    sigemptyset(&set);
    SAY(said(sigsuspend(&set)));
    printf("handled: %d, by main: %d, pending: %d\n", handled - times, handled_here, is_pending(SIGUSR1));
    block(SIG_UNBLOCK, SIGUSR1);
    for (int i = 0; i < COUNT; i++)
        sem_post(&over);
    for (int i = 0; i < COUNT; i++)
        finish(workers[i]);
}

/* The kernel's signal for a write that nobody reads is the writer's. */
static void *writes_in_vain(void *arg)
{
    sigset_t set = set_of(SIGPIPE);
    int pair[2], got = 0;

    block(SIG_BLOCK, SIGPIPE);
    SAY(pipe(pair));
    close(pair[0]);
    SAY(said(write(pair[1], "x", 1) != 1));
    usleep(1000);
    printf("pending: %d\n", is_pending(SIGPIPE));
    SAY(sigwait(&set, &got));
    printf("pending: %d\n", is_pending(SIGPIPE));
    SAY(said(write(pair[1], "x", 1) != 1)); /* it is still there when this one has ended */
    close(pair[1]);
    return NULL;
}

static void *kills_itself(void *arg)
{
    pid_t id = gettid();

    SAY(said(kill(id, 0)));
    SAY(said(kill(id, SIGUSR2)));
    SAY(said(sigqueue(id, SIGUSR2, (union sigval){0})));
    return NULL;
}

/* With a mask for them from their attributes; and one that takes a signal by another's end. */
static void attributes(void)
{
    pthread_attr_t attributes;
    sigset_t set = set_of(SIGUSR1);
    pthread_t thread;

    pthread_attr_init(&attributes);
    SAY(pthread_attr_setsigmask_np(&attributes, &set));
    if (pthread_create(&thread, &attributes, works, NULL))
        abort();
    await(&begun);
    sem_post(&over);
    finish(thread);
    pthread_attr_destroy(&attributes);
    printf("main blocks it: %d\n", blocks(SIGUSR1));
    finish(start(writes_in_vain, NULL));
    handle(SIGUSR2, SA_RESTART);
    finish(start(kills_itself, NULL));
}

void sent(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&over, 0, 0);
    blocked(0);
    blocked(1);
    unblocked();
    queued();
    to_main();
    to_the_process();
    attributes();
    handle(SIGUSR1, 0);
}
