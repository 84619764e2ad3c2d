/* SPDX-License-Identifier: MIT
 *
 * Coroutines and threads of libc's contend for the same locks: with the lock class on and the thread class off
 * pthread_create makes threads, and mt_coro_spawn coroutines, here in two of them. Each lock must be right for both: so
 * must those that were initialised statically, recursively held, or are in memory that another process has too.
 */
#include <linuxmt.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 2 /* with hubs, and as many without */
#define COROS   6 /* in each hub */
#define ROUNDS  150
#define ALL     (THREADS * COROS + THREADS)

static struct shared {
    pthread_mutex_t normal, recursive, checked;
    pthread_cond_t cond, turns;
    pthread_rwlock_t lock;
    pthread_barrier_t barrier;
    sem_t sem;
    long counts[5], inside, tickets, taken;
    int readers, writers, wrong, serials;
} own = {.normal = PTHREAD_MUTEX_INITIALIZER,
         .recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
         .checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
         .cond = PTHREAD_COND_INITIALIZER,
         .turns = PTHREAD_COND_INITIALIZER,
         .lock = PTHREAD_RWLOCK_INITIALIZER};

static struct shared *s = &own;
static pthread_once_t once = PTHREAD_ONCE_INIT; /* a process's own */
static int expected, onces;

static void check(int result, int wanted, const char *what)
{
    if (result == wanted)
        return;
    printf("%s: %d, not %d\n", what, result, wanted);
    s->wrong = 1;
}

/* Reads, lets others run, writes. */
static void add(long *count, int round)
{
    long now = *(volatile long *)count;

    if (round % 16 == 0)
        usleep(50);
    *(volatile long *)count = now + 1;
}

static void use_mutexes(int round)
{
    struct timespec past = {1, 0};

    pthread_mutex_lock(&s->normal);
    add(&s->counts[0], round);
    pthread_mutex_unlock(&s->normal);

    check(pthread_mutex_lock(&s->recursive), 0, "recursive");
    check(pthread_mutex_lock(&s->recursive), 0, "recursive again");
    add(&s->counts[1], round + 5);
    check(pthread_mutex_unlock(&s->recursive), 0, "recursive unlock");
    check(pthread_mutex_unlock(&s->recursive), 0, "recursive unlock again");

    check(pthread_mutex_unlock(&s->checked), EPERM, "unlock of another's");
    while (pthread_mutex_timedlock(&s->checked, &past) == ETIMEDOUT)
        usleep(10);
    check(pthread_mutex_lock(&s->checked), EDEADLK, "checked again");
    add(&s->counts[2], round + 9);
    check(pthread_mutex_unlock(&s->checked), 0, "checked unlock");
}

static void use_rwlock(int round)
{
    if (round % 3 == 0) {
        check(pthread_rwlock_wrlock(&s->lock), 0, "wrlock");
        if (__atomic_add_fetch(&s->writers, 1, __ATOMIC_SEQ_CST) != 1 || __atomic_load_n(&s->readers, __ATOMIC_SEQ_CST))
            s->wrong = 2;
        add(&s->counts[3], round);
        __atomic_sub_fetch(&s->writers, 1, __ATOMIC_SEQ_CST);
    } else {
        check(pthread_rwlock_rdlock(&s->lock), 0, "rdlock");
        __atomic_add_fetch(&s->readers, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&s->writers, __ATOMIC_SEQ_CST))
            s->wrong = 3;
        if (round % 16 == 1)
            usleep(50);
        __atomic_sub_fetch(&s->readers, 1, __ATOMIC_SEQ_CST);
    }
    check(pthread_rwlock_unlock(&s->lock), 0, "rwlock unlock");
}

static void use_sem(int round)
{
    long now;

    while (sem_wait(&s->sem)) {
    }
    now = __atomic_add_fetch(&s->inside, 1, __ATOMIC_SEQ_CST);
    if (now > 3)
        s->wrong = 4;
    if (round % 16 == 2)
        usleep(50);
    __atomic_sub_fetch(&s->inside, 1, __ATOMIC_SEQ_CST);
    sem_post(&s->sem);
}

/* Everybody gives a ticket and takes one. */
static void use_cond(int round)
{
    pthread_mutex_lock(&s->normal);
    s->tickets++;
    pthread_cond_signal(&s->cond);
    if (round % 8 == 0) /* and one for nobody */
        pthread_cond_broadcast(&s->cond);
    while (!s->tickets)
        pthread_cond_wait(&s->cond, &s->normal);
    s->tickets--;
    s->taken++;
    pthread_mutex_unlock(&s->normal);
}

static void do_once(void)
{
    usleep(2000);
    onces++;
}

static void use_all(void)
{
    pthread_once(&once, do_once);
    check(onces, 1, "once");
    for (int round = 0; round < ROUNDS; round++) {
        use_mutexes(round);
        use_rwlock(round);
        use_sem(round);
        use_cond(round);
        if (round % 50 == 0 && pthread_barrier_wait(&s->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_add_fetch(&s->serials, 1, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_lock(&s->normal); /* one after the other: whoever is woken for nothing waits again */
    s->counts[4]++;
    pthread_cond_broadcast(&s->turns);
    while (s->counts[4] < expected)
        pthread_cond_wait(&s->turns, &s->normal);
    pthread_mutex_unlock(&s->normal);
}

static int in_coroutine(void *arg)
{
    use_all();
    return 0;
}

static void *in_thread(void *arg)
{
    use_all();
    return NULL;
}

static void *in_hub(void *arg)
{
    struct mt_task *tasks[COROS];

    for (int i = 0; i < COROS; i++)
        if (!(tasks[i] = mt_coro_spawn(in_coroutine, NULL, NULL)))
            abort();
    if (mt_joinall(tasks, COROS, MT_FOREVER))
        abort();
    for (int i = 0; i < COROS; i++)
        mt_task_release(tasks[i]);
    return NULL;
}

static void run(void)
{
    pthread_t threads[2 * THREADS];

    for (int i = 0; i < 2 * THREADS; i++)
        if (pthread_create(&threads[i], NULL, i % 2 ? in_hub : in_thread, NULL))
            abort();
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void say(void)
{
    printf("%ld %ld %ld %ld, taken %ld left %ld, serial %d, once %d, wrong %d\n", s->counts[0], s->counts[1],
           s->counts[2], s->counts[3], s->taken, s->tickets, s->serials, onces, s->wrong);
    fflush(stdout);
}

/* All of it in memory that another process has too. */
static void share(void)
{
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_cond;
    pthread_rwlockattr_t of_lock;
    pthread_barrierattr_t of_barrier;

    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->normal, &of_mutex);
    pthread_mutexattr_settype(&of_mutex, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->recursive, &of_mutex);
    pthread_mutexattr_settype(&of_mutex, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&s->checked, &of_mutex);
    pthread_condattr_init(&of_cond);
    pthread_condattr_setpshared(&of_cond, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&s->cond, &of_cond);
    pthread_cond_init(&s->turns, &of_cond);
    pthread_rwlockattr_init(&of_lock);
    pthread_rwlockattr_setpshared(&of_lock, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&s->lock, &of_lock);
    pthread_barrierattr_init(&of_barrier);
    pthread_barrierattr_setpshared(&of_barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&s->barrier, &of_barrier, (unsigned)expected);
    sem_init(&s->sem, 1, 3);
}

int main(int argc, char **argv)
{
    int status = 0;
    pid_t child = 0;

    alarm(60);
    if (argc > 1 && !strcmp(argv[1], "processes")) {
        expected = 2 * ALL;
        share();
        child = fork();
        if (!child) {
            run();
            _exit(0);
        }
    } else {
        expected = ALL;
        pthread_barrier_init(&own.barrier, NULL, (unsigned)expected);
        sem_init(&own.sem, 0, 3);
    }
    run();
    if (child && (waitpid(child, &status, 0) != child || status))
        printf("the other process: %d\n", status);
    say();
    printf("expected %d\n", expected * ROUNDS);
    return 0;
}
