/* SPDX-License-Identifier: MIT
 *
 * Signals to threads, the stacks they are handled on, and what threads are called. See pthreads.h.
 */
#include "pthreads.h"

#include <sys/syscall.h>

#define STACK (64 * 1024)

static __thread int mine;
static volatile sig_atomic_t handled;
static pthread_barrier_t together;

static void count(int signal)
{
    handled++;
}

/* Only the one that is sent it comes back. */
static void *wait_for_signal(void *arg)
{
    struct timespec long_time = {.tv_sec = 1000};
    int result = nanosleep(&long_time, NULL);

    mine = 1;
    return (void *)(intptr_t)(result < 0 && errno == EINTR);
}

static void interrupt_each(void)
{
    struct sigaction action = {.sa_handler = count}, before;
    pthread_t threads[COUNT];

    sigaction(SIGUSR1, &action, &before);
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(wait_for_signal, NULL);
    usleep(20000);
    for (int i = COUNT - 1; i >= 0; i--) {
        int times = handled;
        void *value;
        do {
            pthread_kill(threads[i], SIGUSR1);
            usleep(1000);
        } while (handled == times);
        while (pthread_tryjoin_np(threads[i], &value)) {
            pthread_kill(threads[i], SIGUSR1); /* it was not asleep yet */
            usleep(1000);
        }
        printf("interrupted: %d, others still wait: %d\n", value != NULL,
               !i || pthread_tryjoin_np(threads[0], NULL) == EBUSY);
    }
    sigaction(SIGUSR1, &before, NULL);
}

/* -- The stack for signals ---------------------------------------------------------------------------------------- */

static __thread char *low;
static __thread volatile sig_atomic_t was_on_it;

static void look(int signal)
{
    char here;
    stack_t stack;

    sigaltstack(NULL, &stack);
    was_on_it = &here >= low && &here < low + STACK && stack.ss_flags == SS_ONSTACK && stack.ss_sp == low;
}

static void *have_stack(void *arg)
{
    stack_t stack = {.ss_size = STACK}, before = {.ss_flags = 77}, none = {.ss_flags = SS_DISABLE};
    int good = 0;

    stack.ss_sp = low = malloc(STACK);
    good += !sigaltstack(&stack, &before) && before.ss_flags == SS_DISABLE;
    pthread_barrier_wait(&together);
    for (int i = 0; i < 5; i++) {
        sched_yield();
        was_on_it = 0;
        raise(SIGUSR2);
        good += was_on_it;
    }
    good += !sigaltstack(NULL, &before) && before.ss_sp == low && before.ss_size == STACK && !before.ss_flags;
    if (arg)
        good += !sigaltstack(&none, NULL) && !sigaltstack(NULL, &before) && before.ss_flags == SS_DISABLE;
    stack.ss_size = 1;
    good += sigaltstack(&stack, NULL) < 0 && errno == ENOMEM;
    sched_yield();
    if (arg)
        free(low);
    return (void *)(intptr_t)good;
}

static void stacks(void)
{
    struct sigaction action = {.sa_handler = look, .sa_flags = SA_ONSTACK};
    stack_t stack = {.ss_size = STACK, .ss_sp = malloc(STACK)}, now;
    pthread_t threads[COUNT];

    sigaction(SIGUSR2, &action, NULL);
    sigaltstack(&stack, NULL);
    pthread_barrier_init(&together, NULL, COUNT);
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(have_stack, (void *)(intptr_t)(i % 2));
    for (int i = 0; i < COUNT; i++)
        printf("stack for signals: %d\n", (int)(intptr_t)finish(threads[i]));
    printf("main's: %d\n", !sigaltstack(NULL, &now) && now.ss_sp == stack.ss_sp && !now.ss_flags);
}

/* -- Thread ids --------------------------------------------------------------------------------------------------- */

static pid_t ids[COUNT];

/* Policies that know no priorities. */
static int have_policies(void)
{
    const struct sched_param none = {0}, some = {.sched_priority = 1};
    struct sched_param now = {.sched_priority = 7};
    int policy = -1, good = 0;

    good += !pthread_getschedparam(pthread_self(), &policy, &now) && policy == SCHED_OTHER && !now.sched_priority;
    good += !pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
    good += !pthread_getschedparam(pthread_self(), &policy, &now) && policy == SCHED_BATCH && !now.sched_priority;
    good += pthread_setschedparam(pthread_self(), SCHED_BATCH, &some) == EINVAL;
    good += pthread_setschedprio(pthread_self(), 1) == EINVAL && !pthread_setschedprio(pthread_self(), 0);
    good += !pthread_setschedparam(pthread_self(), SCHED_OTHER, &none);
    return good == 6;
}

static void *tell_id(void *arg)
{
    int number = (int)(intptr_t)arg, good;
    cpu_set_t processors;
    struct sched_param parameters;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    ids[number] = gettid();
    pthread_barrier_wait(&together);
    good = ids[number] == gettid() && ids[number] == syscall(SYS_gettid) && ids[number] != getpid();
    for (int i = 0; i < COUNT; i++)
        good += i != number && ids[i] != ids[number];
    good += !sched_getaffinity(gettid(), sizeof processors, &processors);
    good += !sched_setaffinity(gettid(), sizeof processors, &processors);
    errno = 0;
    good += !setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, (id_t)gettid())) && !errno;
    good += sched_getscheduler(gettid()) == SCHED_OTHER && !sched_getparam(gettid(), &parameters);
    good += have_policies();
    good += !sched_setparam(gettid(), &parameters) && !syscall(SYS_sched_getscheduler, gettid());
    good += !tgkill(getpid(), gettid(), 0) && !syscall(SYS_tgkill, getpid(), gettid(), 0);
    good += tgkill(getpid(), gettid(), 1000) < 0 && errno == EINVAL;
    good += tgkill(getppid(), gettid(), 0) < 0 && errno == ESRCH; /* it is none of that one's */
    good += syscall(SYS_tgkill, getppid(), gettid(), 0) < 0 && errno == ESRCH;
    pthread_mutex_lock(&mutex);
    good += mutex.__data.__owner == gettid(); /* as some programs' assertions have it */
    pthread_mutex_unlock(&mutex);
    pthread_barrier_wait(&together);
    return (void *)(intptr_t)good;
}

/* A timer that names it, which rings for it. */
static void *have_timer(void *arg)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    struct itimerspec time = {.it_value = {0, 1000000}};
    sigset_t set;
    timer_t timer;
    int got = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    event._sigev_un._tid = gettid();
    SAY(said(timer_create(CLOCK_MONOTONIC, &event, &timer)));
    SAY(said(timer_settime(timer, 0, &time, NULL)));
    SAY(sigwait(&set, &got));
    SAY(said(timer_delete(timer)));
    return NULL;
}

static void names(void)
{
    pthread_t threads[COUNT];
    sigset_t set;

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(tell_id, (void *)(intptr_t)i);
    for (int i = 0; i < COUNT; i++)
        printf("ids: %d\n", (int)(intptr_t)finish(threads[i]));
    printf("main's: %d\n", gettid() == getpid());
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* it is nobody's but that one's */
    finish(start(have_timer, NULL));
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void signals(void)
{
    interrupt_each();
    stacks();
    names();
}
