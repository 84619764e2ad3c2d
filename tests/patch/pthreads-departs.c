/* SPDX-License-Identifier: MIT
 *
 * More of handlers that have come in the midst of a call and are left: by pthread_exit, from handler to handler, in the
 * first thread, beside others and alone. See pthreads-left.c for the calls one by one.
 */
#include "pthreads-handled.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/file.h>

#define TIMES 100

static int ends[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;
static pthread_t sleeper;
static __thread sigjmp_buf place;
static sig_atomic_t cleaned, destroyed;

static void handle_by(int signal, void (*handler)(int signal), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigaction(signal, &action, NULL);
}

/* -- By pthread_exit ----------------------------------------------------------------------------------------------- */

static void exits(int signal)
{
    pthread_exit((void *)7);
}

static void cleans(void *arg)
{
    cleaned++;
    if (arg)
        pthread_mutex_unlock(arg);
}

static void destroys(void *value)
{
    destroyed++;
}

static void wait_in(int way)
{
    struct timespec time = {.tv_sec = 100};
    char byte;

    switch (way) {
    case 0:
        printf("read %d\n", (int)read(ends[0], &byte, 1));
        break;
    case 1:
        nanosleep(&time, NULL);
        break;
    case 2:
        sem_wait(&go);
        break;
    case 3:
        while (1)
            pthread_cond_wait(&cond, &mutex);
    case 4:
        pthread_join(sleeper, NULL);
        break;
    default:
        pthread_mutex_lock(&held);
    }
    printf("way %d came back\n", way);
}

#define WAYS 6

static void *is_ended(void *arg)
{
    int way = (int)(intptr_t)arg;

    pthread_setspecific(key, &key);
    if (way == 3)
        pthread_mutex_lock(&mutex);
    pthread_cleanup_push(cleans, way == 3 ? &mutex : NULL);
    block(SIG_UNBLOCK, SIGUSR1);
    sem_post(&begun);
    wait_in(way);
    pthread_cleanup_pop(0);
    return NULL;
}

static void end_one(int way)
{
    pthread_t thread = start(is_ended, (void *)(intptr_t)way);

    await(&begun);
    if (way == 3) { /* it waits when it has given this back */
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    } else {
        usleep(1000);
    }
    pthread_kill(thread, SIGUSR1);
    if (finish(thread) != (void *)7)
        printf("way %d ended otherwise\n", way);
}

static void left_by_exit(int flags)
{
    handle_by(SIGUSR1, exits, flags);
    pthread_mutex_lock(&held);
    sleeper = start(stands_by, NULL);
    await(&begun);
    for (int i = 0; i < TIMES; i++)
        end_one(i % WAYS);
    printf("cleaned %d, destroyed %d\n", (int)cleaned, (int)destroyed);
    SAY(pthread_mutex_unlock(&held));
    SAY(pthread_mutex_trylock(&held));
    SAY(pthread_mutex_unlock(&held));
    SAY(pthread_mutex_trylock(&mutex));
    SAY(pthread_mutex_unlock(&mutex));
    sem_post(&over);
    SAY(pthread_join(sleeper, NULL));
}

/* -- From handler to handler --------------------------------------------------------------------------------------- */

static __thread sigjmp_buf within;
static int goes_out; /* else to the first handler */

static void second(int signal)
{
    if (goes_out)
        siglongjmp(place, 1);
    siglongjmp(within, 1);
}

static void first(int signal)
{
    if (!sigsetjmp(within, 1))
        raise(SIGUSR2);
    else
        handled++;
}

static void *nests(void *arg)
{
    volatile int left = 0;
    char byte = 0;

    for (volatile int i = 0; i < TIMES; i++) {
        if (sigsetjmp(place, 1)) {
            left++;
            continue;
        }
        block(SIG_UNBLOCK, SIGUSR1);
        sem_post(&begun);
        if (read(ends[0], &byte, 1) != 1)
            printf("read: EINTR: %d\n", errno == EINTR);
        block(SIG_BLOCK, SIGUSR1);
    }
    printf("left %d times, blocks it: %d, blocks the other: %d\n", left, blocks(SIGUSR1), blocks(SIGUSR2));
    return NULL;
}

static void nested(int flags)
{
    int before = handled;
    pthread_t thread;

    handle_by(SIGUSR1, first, flags);
    handle_by(SIGUSR2, second, flags);
    thread = start(nests, NULL);
    for (int i = 0; i < TIMES; i++) {
        int times = handled;
        await(&begun);
        usleep(i % 8 ? 0 : 1000);
        goes_out = i % 2;
        pthread_kill(thread, SIGUSR1);
        if (goes_out)
            continue;
        while (handled == times)
            usleep(100);
        if (write(ends[1], "x", 1) != 1)
            abort();
    }
    finish(thread);
    printf("handled %d\n", handled - before);
}

/* -- In the first thread ------------------------------------------------------------------------------------------- */

static void leaves(int signal)
{
    siglongjmp(place, 1);
}

static pthread_t first_thread;

static void *sends(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        await(&go);
        usleep(i % 8 ? 0 : 1000);
        pthread_kill(first_thread, SIGUSR1);
    }
    return NULL;
}

static int count_times(void (*wait)(int round))
{
    volatile int left = 0;

    for (volatile int i = 0; i < TIMES; i++) {
        if (sigsetjmp(place, 1)) {
            left += blocks(SIGUSR1) && blocks(SIGALRM);
            continue;
        }
        wait(i);
        printf("came back\n");
    }
    return left;
}

static void read_or_sleep(int round)
{
    struct timespec time = {.tv_sec = 100};
    char byte;

    if (round % 2)
        nanosleep(&time, NULL);
    else
        printf("read %d\n", (int)read(ends[0], &byte, 1));
}

static void wait_for_sender(int round)
{
    block(SIG_UNBLOCK, SIGUSR1);
    sem_post(&go);
    read_or_sleep(round);
}

static void wait_for_alarm(int round)
{
    struct itimerval soon = {.it_value = {0, 500}};

    block(SIG_UNBLOCK, SIGALRM);
    setitimer(ITIMER_REAL, &soon, NULL);
    read_or_sleep(round);
}

static void left_in_first(int flags)
{
    pthread_t other;
    char byte = 0;

    handle_by(SIGUSR1, leaves, flags);
    handle_by(SIGALRM, leaves, flags);
    first_thread = pthread_self();
    other = start(sends, NULL);
    printf("beside another: %d\n", count_times(wait_for_sender));
    finish(other);
    printf("alone: %d\n", count_times(wait_for_alarm));
    SAY(said(write(ends[1], "x", 1) != 1));
    SAY(said(read(ends[0], &byte, 1) != 1));
}

/* -- Off the hub --------------------------------------------------------------------------------------------------- */

static int files[2];

/* The thread that it has been left to may have got the lock meanwhile: it goes with the file. */
static void *waits_for_file(void *arg)
{
    volatile int left = 0;

    if (sigsetjmp(place, 1)) {
        left = 1;
    } else {
        block(SIG_UNBLOCK, SIGUSR1);
        sem_post(&begun);
        flock(files[1], LOCK_EX);
        printf("flock came back\n");
    }
    close(files[1]);
    return (void *)(intptr_t)left;
}

static int is_left_once(void)
{
    char name[] = "/tmp/pthreads-departs-XXXXXX";
    pthread_t thread;
    int left;

    files[0] = mkstemp(name);
    files[1] = open(name, O_RDWR);
    unlink(name);
    flock(files[0], LOCK_EX);
    thread = start(waits_for_file, NULL);
    await(&begun);
    usleep(1000);
    pthread_kill(thread, SIGUSR1);
    usleep(1000);
    flock(files[0], LOCK_UN);
    left = finish(thread) == (void *)1 && !flock(files[0], LOCK_EX | LOCK_NB);
    close(files[0]);
    return left;
}

static void left_off_hub(int flags)
{
    int left = 0;

    handle_by(SIGUSR1, leaves, flags);
    for (int i = 0; i < TIMES; i++)
        left += is_left_once();
    printf("off the hub: %d\n", left);
}

void departs(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&over, 0, 0);
    pthread_key_create(&key, destroys);
    SAY(pipe(ends));
    block(SIG_BLOCK, SIGUSR1);
    block(SIG_BLOCK, SIGALRM);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        left_by_exit(flags);
        left_in_first(flags);
        left_off_hub(flags);
    }
    nested(SA_RESTART);
    handle_by(SIGALRM, SIG_DFL, 0);
    alarm(60);
}
