/* SPDX-License-Identifier: MIT
 *
 * Semaphores, barriers, spin locks, once, and what signal handlers do to semaphores. See pthreads.h.
 */
#include "pthreads.h"

static sem_t sem, back;
static pthread_barrier_t barrier;
static int serials, rounds[COUNT * 20];

static void *bounce(void *arg)
{
    for (int i = 0; i < 200; i++) {
        while (sem_wait(&sem)) {
        }
        sem_post(&back);
    }
    return NULL;
}

static void *pass_barrier(void *arg)
{
    for (int i = 0; i < 20; i++) {
        __atomic_add_fetch(&rounds[i], 1, __ATOMIC_SEQ_CST);
        if (i % 5 == 0)
            usleep(100);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_add_fetch(&serials, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&rounds[i], __ATOMIC_SEQ_CST) != COUNT)
            printf("round %d was left with %d\n", i, rounds[i]);
    }
    return NULL;
}

static pthread_spinlock_t spin;
static long spun;

static void *spin_on(void *arg)
{
    for (int i = 0; i < 50; i++) {
        pthread_spin_lock(&spin);
        long now = spun;
        if (i % 25 == 0)
            usleep(50);
        spun = now + 1;
        pthread_spin_unlock(&spin);
    }
    return NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT, again = PTHREAD_ONCE_INIT;
static once_flag flag = ONCE_FLAG_INIT;
static int onces, agains;

static void do_once(void)
{
    usleep(2000);
    __atomic_add_fetch(&onces, 1, __ATOMIC_SEQ_CST);
}

static void do_again(void)
{
    usleep(1000);
    if (__atomic_add_fetch(&agains, 1, __ATOMIC_SEQ_CST) == 1)
        pthread_exit(NULL);
}

static void *call_onces(void *arg)
{
    pthread_once(&once, do_once);
    printf("%d", __atomic_load_n(&onces, __ATOMIC_SEQ_CST) >= 1);
    call_once(&flag, do_once);
    pthread_once(&again, do_again);
    return NULL;
}

static sem_t of_handler;

static void post(int number)
{
    sem_post(&of_handler);
}

static void *wait_for_handler(void *arg)
{
    while (sem_wait(&of_handler)) {
    }
    return arg;
}

static void do_nothing(int number) {}

static void interrupted(int flags, int timed)
{
    const struct itimerval soon_often = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}},
                           never = {0};
    const struct sigaction action = {.sa_handler = do_nothing, .sa_flags = flags};
    struct timespec until = soon(CLOCK_REALTIME, 50000);

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon_often, NULL); /* often: the first may come too soon */
    if (timed)
        SAY(said(sem_timedwait(&of_handler, &until)));
    else
        SAY(said(sem_wait(&of_handler)));
    setitimer(ITIMER_REAL, &never, NULL);
}

/* A handler may post. Once the thread waits, once main does. */
static void signalled(void)
{
    const struct itimerval soon_once = {.it_value = {.tv_usec = 20000}};
    const struct sigaction action = {.sa_handler = post};
    pthread_t thread;

    sem_init(&of_handler, 0, 0);
    sigaction(SIGUSR1, &action, NULL);
    thread = start(wait_for_handler, "posted");
    usleep(1000);
    kill(getpid(), SIGUSR1);
    printf("%s\n", (char *)finish(thread));
    sigaction(SIGALRM, &action, NULL);
    alarm(0);
    setitimer(ITIMER_REAL, &soon_once, NULL);
    wait_for_handler(NULL);
    printf("posted to main\n");
    interrupted(0, 0);
    interrupted(0, 1);
    interrupted(SA_RESTART, 1);
    signal(SIGALRM, SIG_DFL);
    alarm(60);
}

void others(void)
{
    struct timespec until = soon(CLOCK_REALTIME, 20), wrong = {0, -1};
    pthread_t threads[COUNT];
    int value;

    for (int shared = 0; shared < 2; shared++) {
        sem_init(&sem, shared, 0);
        sem_init(&back, shared, 0);
        SAY(said(sem_trywait(&sem)));
        SAY(said(sem_timedwait(&sem, &until)));
        SAY(said(sem_timedwait(&sem, &wrong)));
        until = soon(CLOCK_MONOTONIC, 10);
        SAY(said(sem_clockwait(&sem, CLOCK_MONOTONIC, &until)));
        SAY(said(sem_clockwait(&sem, CLOCK_THREAD_CPUTIME_ID, &until)));
        for (int i = 0; i < 3; i++)
            threads[i] = start(bounce, NULL);
        for (int i = 0; i < 600; i++) {
            sem_post(&sem);
            while (sem_wait(&back)) {
            }
        }
        for (int i = 0; i < 3; i++)
            finish(threads[i]);
        sem_getvalue(&sem, &value);
        printf("value %d\n", value);
        SAY(said(sem_destroy(&sem)));
    }
    SAY(pthread_barrier_init(&barrier, NULL, 0));
    SAY(pthread_barrier_init(&barrier, NULL, COUNT));
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(pass_barrier, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    SAY(pthread_barrier_destroy(&barrier));
    printf("serial %d\n", serials);
    pthread_spin_init(&spin, 0);
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(spin_on, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("spun %ld\n", spun);
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(call_onces, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("\nonces %d agains %d\n", onces, agains);
    signalled();
}
