/* SPDX-License-Identifier: MIT
 *
 * Signals that are sent to one thread, and to those of a process of which only some let them in. See pthreads.h.
 */
#include "pthreads.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

static __thread int handled_here;
static volatile sig_atomic_t handled;
static pthread_t in;
static sem_t begun, go, over;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];

static void note(int signal)
{
    handled_here++;
    in = pthread_self();
    handled++;
}

static void handle(int signal, int flags)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = flags};

    sigaction(signal, &action, NULL);
}

static sigset_t set_of(int signal)
{
    sigset_t set;

    sigemptyset(&set);
    if (signal)
        sigaddset(&set, signal);
    return set;
}

static void block(int how, int signal)
{
    sigset_t set = set_of(signal);

    pthread_sigmask(how, &set, NULL);
}

static int blocks(int signal)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, signal);
}

static int is_pending(int signal)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, signal);
}

static void await(sem_t *sem)
{
    while (sem_wait(sem)) {
    }
}

/* Others that let everything in: they are what a signal must not go to. */
static void *stands_by(void *arg)
{
    block(SIG_UNBLOCK, SIGUSR1);
    sem_post(&begun);
    await(&over);
    printf("who stood by has handled %d\n", handled_here);
    return NULL;
}

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

/* -- While it waits ------------------------------------------------------------------------------------------------ */

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
    interrupted();
    restarted();
    to_main();
    to_the_process();
    attributes();
    handle(SIGUSR1, 0);
}
