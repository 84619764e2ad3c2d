/* SPDX-License-Identifier: MIT
 *
 * A program that gets stuck as its argument says, in plain pthread, so that mtrace has something known to find. It
 * prints "ready" when its threads are in place and ends by itself after a minute.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER, lock_b = PTHREAD_MUTEX_INITIALIZER,
                       lock_c = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t *const locks[] = {&lock_a, &lock_b, &lock_c};
static pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_t threads[8];
static int circle_size;
static bool timed;

/* Not by the signal alone: the first process of a pid namespace would not be killed by it. */
static void end(int number)
{
    _exit(number);
}

static void end_after_a_minute(void)
{
    signal(SIGALRM, end);
    alarm(60);
}

static void name_self(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

static __attribute__((noinline)) void take_second(pthread_mutex_t *lock)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 50;
    if (timed)
        pthread_mutex_timedlock(lock, &limit);
    else
        pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
}

static void *circle_body(void *argument)
{
    static const char *const names[] = {"first", "second", "third"};
    int index = (int)(long)argument;
    name_self(names[index]);
    pthread_mutex_lock(locks[index]);
    pthread_barrier_wait(&barrier);
    take_second(locks[(index + 1) % circle_size]);
    return NULL;
}

static void *behind_body(void *argument)
{
    name_self("behind");
    pthread_barrier_wait(&barrier);
    usleep(20000);
    take_second(&lock_a);
    return argument;
}

static void start(int index, void *(*body)(void *), void *argument)
{
    int error = pthread_create(&threads[index], NULL, body, argument);
    if (error) {
        fprintf(stderr, "stuck: no thread: %s\n", strerror(error));
        exit(1);
    }
}

static void arrange_circle(int size, int followers)
{
    circle_size = size;
    pthread_barrier_init(&barrier, NULL, size + followers);
    for (long i = 0; i < size; i++)
        start(i, circle_body, (void *)i);
    for (int i = 0; i < followers; i++)
        start(size + i, behind_body, NULL);
}

static void *self_body(void *argument)
{
    name_self("alone");
    pthread_mutex_lock(&lock_a);
    take_second(&lock_a);
    return argument;
}

/* The joiner holds lock_a, which the joined needs to end. */
static void *joined_body(void *argument)
{
    name_self("joined");
    pthread_barrier_wait(&barrier);
    take_second(&lock_a);
    return argument;
}

static void *joiner_body(void *argument)
{
    name_self("joiner");
    pthread_mutex_lock(&lock_a);
    start(1, joined_body, NULL);
    pthread_barrier_wait(&barrier);
    pthread_join(threads[1], NULL);
    return argument;
}

static void *writer_body(void *argument)
{
    name_self("writer");
    pthread_rwlock_wrlock(&table_lock);
    pthread_barrier_wait(&barrier);
    take_second(&lock_a);
    return argument;
}

static void *reader_body(void *argument)
{
    name_self("reader");
    pthread_mutex_lock(&lock_a);
    pthread_barrier_wait(&barrier);
    pthread_rwlock_rdlock(&table_lock);
    return argument;
}

static void init_lock(pthread_mutex_t *lock, bool robust, bool shared)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (robust)
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    else
        pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (shared)
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(lock, &attributes);
}

/* A thread that ends with the lock held. */
static void *leaver_body(void *argument)
{
    pthread_mutex_lock(&lock_a);
    return argument;
}

static void *waiter_body(void *argument)
{
    name_self("waiter");
    take_second(&lock_a);
    return argument;
}

static void *sleeper_body(void *argument)
{
    name_self("sleeper");
    pthread_mutex_lock(&lock_a);
    sleep(60);
    return argument;
}

static void *cond_body(void *argument)
{
    name_self("listener");
    pthread_mutex_lock(&lock_b);
    pthread_cond_wait(&never, &lock_b);
    return argument;
}

/* Much contention, always in the same order, and joins: nothing ever stands still. */
static void *busy_body(void *argument)
{
    name_self("busy");
    for (;;) {
        pthread_mutex_lock(&lock_a);
        pthread_mutex_lock(&lock_b);
        usleep(10);
        pthread_mutex_unlock(&lock_b);
        pthread_mutex_unlock(&lock_a);
        pthread_mutex_lock(&lock_b);
        pthread_mutex_unlock(&lock_b);
    }
    return argument;
}

/* Takes locks in both orders and backs off, as careful programs do: circles show up in careless pictures only. */
static void *careful_body(void *argument)
{
    long first = (long)argument & 1;
    name_self("careful");
    for (;;) {
        pthread_mutex_lock(locks[first]);
        if (!pthread_mutex_trylock(locks[!first]))
            pthread_mutex_unlock(locks[!first]);
        pthread_mutex_unlock(locks[first]);
        first = !first;
    }
    return argument;
}

/* Two processes, each holding what the other waits for. */
static void arrange_processes(void)
{
    pthread_mutex_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrierattr_t attributes;
    pthread_barrier_t *meet = (pthread_barrier_t *)(shared + 8);
    init_lock(&shared[0], true, true);
    init_lock(&shared[1], true, true);
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(meet, &attributes, 2);
    pid_t child = fork();
    int mine = child ? 0 : 1;
    if (!child)
        end_after_a_minute();
    pthread_mutex_lock(&shared[mine]);
    pthread_barrier_wait(meet);
    if (child)
        printf("child %d\nready\n", child);
    fflush(stdout);
    if (pthread_mutex_lock(&shared[!mine]) == EOWNERDEAD)
        _exit(0);
    pause();
}

static bool arrange(const char *what)
{
    if (!strcmp(what, "abba")) {
        arrange_circle(2, 0);
    } else if (!strcmp(what, "three")) {
        arrange_circle(3, 2);
    } else if (!strcmp(what, "leaderless")) {
        arrange_circle(2, 0);
        usleep(50000);
        puts("ready");
        fflush(stdout);
        pthread_exit(NULL);
    } else if (!strcmp(what, "timed")) {
        timed = true;
        arrange_circle(2, 0);
    } else if (!strcmp(what, "robust") || !strcmp(what, "pi")) {
        init_lock(&lock_a, !strcmp(what, "robust"), false);
        init_lock(&lock_b, !strcmp(what, "robust"), false);
        arrange_circle(2, 0);
    } else if (!strcmp(what, "self")) {
        start(0, self_body, NULL);
    } else if (!strcmp(what, "join")) {
        pthread_barrier_init(&barrier, NULL, 2);
        start(0, joiner_body, NULL);
    } else if (!strcmp(what, "rwlock")) {
        pthread_barrier_init(&barrier, NULL, 2);
        start(0, writer_body, NULL);
        start(1, reader_body, NULL);
    } else if (!strcmp(what, "gone")) {
        start(0, leaver_body, NULL);
        pthread_join(threads[0], NULL);
        start(1, waiter_body, NULL);
    } else if (!strcmp(what, "chain")) {
        start(0, sleeper_body, NULL);
        usleep(20000);
        for (int i = 1; i < 4; i++)
            start(i, waiter_body, NULL);
        start(4, cond_body, NULL);
    } else if (!strcmp(what, "busy")) {
        for (int i = 0; i < 8; i++)
            start(i, busy_body, NULL);
    } else if (!strcmp(what, "careful")) {
        for (long i = 0; i < 4; i++)
            start(i, careful_body, (void *)i);
    } else if (!strcmp(what, "private")) {
        prctl(PR_SET_DUMPABLE, 0);
    } else if (!strcmp(what, "processes")) {
        arrange_processes();
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    end_after_a_minute();
    if (argc != 2 || !arrange(argv[1])) {
        fprintf(stderr,
                "usage: stuck "
                "abba|three|leaderless|timed|robust|pi|self|join|rwlock|gone|chain|busy|careful|private|processes\n");
        return 2;
    }
    usleep(100000);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
