/* SPDX-License-Identifier: MIT
 *
 * What pthread.h, semaphore.h and threads.h do, told in a way that does not depend on who runs when:
 * tests/patch/threads.t runs it with and without the patch, and the two must say the same. The argument names a part.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SAY(call) printf("%s: %s\n", #call, name_of(call))
#define COUNT     8

static const char *name_of(int error)
{
    const char *name = error < 0 ? NULL : strerrorname_np(error);

    return !error ? "0" : name ? name : error == PTHREAD_BARRIER_SERIAL_THREAD ? "serial" : "other";
}

static int said(int result) /* of what sets errno */
{
    return result ? errno : 0;
}

static struct timespec soon(clockid_t clock, long milliseconds)
{
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_nsec += milliseconds * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static pthread_t start(void *(*body)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, body, arg))
        abort();
    return thread;
}

static void *finish(pthread_t thread)
{
    void *value = NULL;

    if (pthread_join(thread, &value))
        abort();
    return value;
}

/* -- Mutexes ------------------------------------------------------------------------------------------------------ */

static void *from_elsewhere(void *mutex)
{
    struct timespec until = soon(CLOCK_REALTIME, 20), wrong = {0, -1}, past = {1, 0};

    SAY(pthread_mutex_trylock(mutex));
    SAY(pthread_mutex_timedlock(mutex, &until));
    SAY(pthread_mutex_timedlock(mutex, &wrong));
    SAY(pthread_mutex_timedlock(mutex, &past));
    until = soon(CLOCK_MONOTONIC, 20);
    SAY(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_PROCESS_CPUTIME_ID, &until));
    return NULL;
}

static void *lock_and_unlock(void *mutex)
{
    SAY(pthread_mutex_lock(mutex));
    SAY(pthread_mutex_unlock(mutex));
    return NULL;
}

static void *unlock_elsewhere(void *mutex)
{
    SAY(pthread_mutex_unlock(mutex));
    return NULL;
}

static void one_type(int type, int shared, int robust, int protocol)
{
    struct timespec until = soon(CLOCK_REALTIME, 20);
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_t waiter;

    printf("type %d shared %d robust %d protocol %d\n", type, shared, robust, protocol);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setpshared(&attributes, shared);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    SAY(pthread_mutex_init(&mutex, &attributes));
    SAY(pthread_mutex_lock(&mutex));
    if (type != PTHREAD_MUTEX_NORMAL && type != PTHREAD_MUTEX_ADAPTIVE_NP) {
        SAY(pthread_mutex_lock(&mutex));
        SAY(pthread_mutex_trylock(&mutex));
        SAY(pthread_mutex_timedlock(&mutex, &until));
    } else {
        SAY(pthread_mutex_trylock(&mutex));
        if (!protocol)
            SAY(pthread_mutex_timedlock(&mutex, &until));
    }
    if (!robust && !protocol) { /* those owners are the kernel's */
        SAY(pthread_mutex_destroy(&mutex));
        finish(start(from_elsewhere, &mutex));
        if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK)
            finish(start(unlock_elsewhere, &mutex));
    }
    if (type == PTHREAD_MUTEX_RECURSIVE) {
        SAY(pthread_mutex_unlock(&mutex));
        SAY(pthread_mutex_unlock(&mutex));
        SAY(pthread_mutex_unlock(&mutex));
    }
    waiter = start(lock_and_unlock, &mutex);
    usleep(1000);
    if (pthread_mutex_unlock(&mutex))
        abort();
    finish(waiter);
    if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK)
        SAY(pthread_mutex_unlock(&mutex));
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_mutex_unlock(&mutex));
    SAY(pthread_mutex_destroy(&mutex));
}

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nesting = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static long counter, nested;

static void *count(void *arg)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&counting);
        long now = counter;
        if (i % 50 == 0)
            usleep(100);
        counter = now + 1;
        pthread_mutex_unlock(&counting);
        pthread_mutex_lock(&nesting);
        pthread_mutex_lock(&nesting);
        now = nested;
        if (i % 70 == 0)
            sched_yield();
        nested = now + 1;
        pthread_mutex_unlock(&nesting);
        pthread_mutex_unlock(&nesting);
    }
    return NULL;
}

static void mutexes(void)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                PTHREAD_MUTEX_ADAPTIVE_NP};
    pthread_t threads[COUNT];

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(count, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("counted %ld %ld\n", counter, nested);
    for (int i = 0; i < 4; i++)
        for (int shared = 0; shared < 2; shared++)
            one_type(types[i], shared, 0, 0);
    one_type(PTHREAD_MUTEX_NORMAL, 0, PTHREAD_MUTEX_ROBUST, 0);
    one_type(PTHREAD_MUTEX_NORMAL, 0, 0, PTHREAD_PRIO_INHERIT);
}

/* -- Conditions --------------------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int waiting, tickets, served, turn;
} line = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void *take_ticket(void *arg)
{
    pthread_mutex_lock(&line.mutex);
    line.waiting++;
    while (!line.tickets)
        pthread_cond_wait(&line.cond, &line.mutex);
    line.tickets--;
    line.served++;
    pthread_mutex_unlock(&line.mutex);
    return NULL;
}

static void *ping(void *arg)
{
    int mine = arg != NULL;

    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&line.mutex);
        while (line.turn != mine)
            pthread_cond_wait(&line.cond, &line.mutex);
        line.turn = !mine;
        pthread_cond_signal(&line.cond);
        pthread_mutex_unlock(&line.mutex);
    }
    return NULL;
}

static void wait_in_vain(pthread_cond_t *cond, clockid_t clock)
{
    struct timespec until = soon(clock, 20), wrong = {0, 1000000000};

    int error;

    pthread_mutex_lock(&line.mutex);
    while (!(error = pthread_cond_timedwait(cond, &line.mutex, &until))) { /* it may wake up spuriously */
    }
    SAY(error);
    SAY(pthread_mutex_trylock(&line.mutex));
    SAY(pthread_cond_timedwait(cond, &line.mutex, &wrong));
    until = soon(CLOCK_MONOTONIC, 20);
    while (!(error = pthread_cond_clockwait(cond, &line.mutex, CLOCK_MONOTONIC, &until))) {
    }
    SAY(error);
    SAY(pthread_cond_clockwait(cond, &line.mutex, CLOCK_THREAD_CPUTIME_ID, &until));
    pthread_mutex_unlock(&line.mutex);
}

static void *wait_unlocked(void *arg)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex, &attributes);
    SAY(pthread_cond_wait(&line.cond, &mutex));
    wait_in_vain(&line.cond, CLOCK_REALTIME);
    return NULL;
}

static void conditions(void)
{
    pthread_t threads[COUNT];
    pthread_condattr_t attributes;
    pthread_cond_t cond;

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(take_ticket, NULL);
    for (int waiting = 0; waiting < COUNT; usleep(100)) {
        pthread_mutex_lock(&line.mutex);
        waiting = line.waiting;
        pthread_mutex_unlock(&line.mutex);
    }
    pthread_mutex_lock(&line.mutex);
    line.tickets = 3;
    for (int i = 0; i < 3; i++)
        pthread_cond_signal(&line.cond);
    pthread_mutex_unlock(&line.mutex);
    for (int served = 0; served < 3; usleep(100)) {
        pthread_mutex_lock(&line.mutex);
        served = line.served;
        pthread_mutex_unlock(&line.mutex);
    }
    printf("served %d, left %d\n", line.served, line.tickets);
    pthread_mutex_lock(&line.mutex);
    line.tickets = COUNT - 3;
    pthread_cond_broadcast(&line.cond);
    pthread_mutex_unlock(&line.mutex);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("served %d, left %d\n", line.served, line.tickets);
    threads[0] = start(ping, NULL);
    ping("");
    finish(threads[0]);
    finish(start(wait_unlocked, NULL));
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cond, &attributes);
    wait_in_vain(&cond, CLOCK_MONOTONIC);
    SAY(pthread_cond_destroy(&cond));
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&cond, &attributes);
    wait_in_vain(&cond, CLOCK_MONOTONIC);
    SAY(pthread_cond_destroy(&cond));
}

/* -- Read-write locks --------------------------------------------------------------------------------------------- */

static void *try_reading(void *lock)
{
    struct timespec until = soon(CLOCK_REALTIME, 20), wrong = {0, -1};
    int error;

    SAY(error = pthread_rwlock_tryrdlock(lock));
    if (!error)
        SAY(pthread_rwlock_unlock(lock));
    SAY(error = pthread_rwlock_timedrdlock(lock, &until));
    if (!error)
        SAY(pthread_rwlock_unlock(lock));
    SAY(pthread_rwlock_trywrlock(lock));
    until = soon(CLOCK_REALTIME, 20);
    SAY(pthread_rwlock_timedwrlock(lock, &until));
    SAY(pthread_rwlock_timedwrlock(lock, &wrong));
    until = soon(CLOCK_MONOTONIC, 20);
    SAY(pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &until));
    SAY(pthread_rwlock_clockrdlock(lock, CLOCK_THREAD_CPUTIME_ID, &until));
    return NULL;
}

static struct {
    pthread_rwlock_t lock;
    int readers, writers, wrong, writes, reads;
} book = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static void *read_and_write(void *arg)
{
    for (int i = 0; i < 100; i++) {
        int writes = (i + (int)(intptr_t)arg) % 4 == 0;
        if (writes) {
            pthread_rwlock_wrlock(&book.lock);
            if (__atomic_add_fetch(&book.writers, 1, __ATOMIC_SEQ_CST) != 1 ||
                __atomic_load_n(&book.readers, __ATOMIC_SEQ_CST))
                __atomic_store_n(&book.wrong, 1, __ATOMIC_SEQ_CST);
            book.writes++;
        } else {
            pthread_rwlock_rdlock(&book.lock);
            __atomic_add_fetch(&book.readers, 1, __ATOMIC_SEQ_CST);
            if (__atomic_load_n(&book.writers, __ATOMIC_SEQ_CST))
                __atomic_store_n(&book.wrong, 1, __ATOMIC_SEQ_CST);
            __atomic_add_fetch(&book.reads, 1, __ATOMIC_SEQ_CST);
        }
        if (i % 20 == 0)
            usleep(200);
        __atomic_sub_fetch(writes ? &book.writers : &book.readers, 1, __ATOMIC_SEQ_CST);
        pthread_rwlock_unlock(&book.lock);
    }
    return NULL;
}

static void one_rwlock(int kind, int shared)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlock_t lock;
    struct timespec until;

    printf("kind %d shared %d\n", kind, shared);
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, kind);
    pthread_rwlockattr_setpshared(&attributes, shared);
    SAY(pthread_rwlock_init(&lock, &attributes));
    SAY(pthread_rwlock_rdlock(&lock));
    SAY(pthread_rwlock_rdlock(&lock));
    finish(start(try_reading, &lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_wrlock(&lock));
    SAY(pthread_rwlock_wrlock(&lock));
    SAY(pthread_rwlock_rdlock(&lock));
    SAY(pthread_rwlock_tryrdlock(&lock));
    until = soon(CLOCK_REALTIME, 20);
    SAY(pthread_rwlock_timedwrlock(&lock, &until));
    finish(start(try_reading, &lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_trywrlock(&lock));
    SAY(pthread_rwlock_unlock(&lock));
    SAY(pthread_rwlock_destroy(&lock));
}

static void *all_rwlocks(void *arg)
{
    for (int kind = 0; kind < 3; kind++)
        for (int shared = 0; shared < 2; shared++)
            one_rwlock(kind, shared);
    return NULL;
}

static void rwlocks(void)
{
    pthread_t threads[COUNT];

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(read_and_write, (void *)(intptr_t)i);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("wrong %d, %d written, %d read\n", book.wrong, book.writes, book.reads);
    all_rwlocks(NULL);
    finish(start(all_rwlocks, NULL));
}

/* -- Semaphores, barriers, spin locks, once ------------------------------------------------------------------------ */

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

static void others(void)
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

/* -- Keys --------------------------------------------------------------------------------------------------------- */

static pthread_key_t keys[4];
static int destroyed, again_set;

static void destroy(void *value)
{
    __atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST);
}

static void set_again(void *value)
{
    if ((intptr_t)value < 3)
        pthread_setspecific(keys[1], (void *)((intptr_t)value + 1));
    pthread_setspecific(keys[0], (void *)(intptr_t)100);
    __atomic_add_fetch(&again_set, 1, __ATOMIC_SEQ_CST);
}

static void *use_keys(void *arg)
{
    pthread_setspecific(keys[0], arg);
    pthread_setspecific(keys[1], (void *)(intptr_t)1);
    pthread_setspecific(keys[2], arg);
    usleep(500);
    if (pthread_getspecific(keys[0]) != arg || pthread_getspecific(keys[2]) != arg || pthread_getspecific(keys[3]))
        printf("wrong value\n");
    return NULL;
}

static void *after_delete(void *arg)
{
    pthread_key_t key;

    SAY(pthread_key_create(&key, NULL));
    SAY(pthread_setspecific(key, "x"));
    SAY(pthread_key_delete(key));
    SAY(pthread_key_create(&key, NULL));
    printf("again %s\n", pthread_getspecific(key) ? "set" : "not set");
    SAY(pthread_setspecific(key, NULL));
    SAY(pthread_key_delete(key));
    SAY(pthread_key_delete(key));
    SAY(pthread_setspecific(key, "x"));
    SAY(pthread_setspecific(4711, "x"));
    printf("%s\n", pthread_getspecific(4711) ? "set" : "not set");
    return NULL;
}

static void keyed(void)
{
    pthread_t threads[COUNT];
    tss_t tss;

    pthread_key_create(&keys[0], destroy);
    pthread_key_create(&keys[1], set_again);
    pthread_key_create(&keys[2], NULL);
    pthread_key_create(&keys[3], destroy);
    pthread_setspecific(keys[0], &tss);
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(use_keys, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("destroyed %d again %d own %d\n", destroyed, again_set, pthread_getspecific(keys[0]) == &tss);
    after_delete(NULL);
    finish(start(after_delete, NULL));
    printf("%d %d\n", tss_create(&tss, NULL) == thrd_success, tss_set(tss, &tss) == thrd_success);
    printf("%d\n", tss_get(tss) == &tss);
    tss_delete(tss);
}

/* -- Threads ------------------------------------------------------------------------------------------------------ */

static pthread_t first, second;
static sem_t ready, held;

static void say(void *text)
{
    printf("cleanup: %s\n", (const char *)text);
}

static void deep(int depth)
{
    pthread_cleanup_push(say, depth % 2 ? "odd" : "even");
    if (depth)
        deep(depth - 1);
    else
        pthread_exit("left");
    pthread_cleanup_pop(0);
}

static void *leave_deep(void *arg)
{
    pthread_cleanup_push(say, "never");
    pthread_cleanup_pop(0);
    pthread_cleanup_push(say, "at once");
    pthread_cleanup_pop(1);
    deep(3);
    return "returned";
}

static void unlock(void *mutex)
{
    printf("unlock in cleanup: %s\n", name_of(pthread_mutex_unlock(mutex)));
}

static void *wait_cond(void *arg)
{
    pthread_mutex_lock(&line.mutex);
    pthread_cleanup_push(unlock, &line.mutex);
    sem_post(&ready);
    for (;;)
        pthread_cond_wait(&line.cond, &line.mutex);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *wait_sem(void *arg)
{
    sem_post(&ready);
    sem_wait(&sem);
    return "not cancelled";
}

static void *wait_sleep(void *arg)
{
    pthread_cleanup_push(say, "sleeper");
    sem_post(&ready);
    sleep(1000);
    pthread_cleanup_pop(0);
    return "not cancelled";
}

static void *wait_join(void *arg)
{
    sem_post(&ready);
    pthread_join(first, NULL);
    return "not cancelled";
}

static void *wait_test(void *arg)
{
    sem_post(&ready);
    for (;;) {
        pthread_testcancel();
        usleep(100);
    }
    return NULL;
}

static void *refuse_first(void *arg)
{
    int before;

    SAY(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before));
    printf("was enabled: %d\n", before == PTHREAD_CANCEL_ENABLE);
    sem_post(&ready);
    usleep(5000);
    sem_wait(&sem);
    printf("still here\n");
    pthread_testcancel();
    SAY(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS + 7, &before));
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    pthread_testcancel();
    return "not cancelled";
}

static void cancel_one(void *(*body)(void *), const char *name)
{
    pthread_t thread = start(body, NULL);
    void *value;

    sem_wait(&ready);
    usleep(1000);
    if (pthread_cancel(thread))
        printf("there is no such thread\n");
    sem_post(&sem);
    if (body != refuse_first)
        sem_wait(&sem);
    value = finish(thread);
    printf("%s: %s\n", name, value == PTHREAD_CANCELED ? "cancelled" : (const char *)value);
    sem_trywait(&sem);
}

static void *join_itself(void *arg)
{
    SAY(pthread_join(pthread_self(), NULL));
    return NULL;
}

static void *wait_for_ready(void *arg)
{
    sem_wait(&ready);
    return arg;
}

static void *hold(void *arg)
{
    while (sem_wait(&held)) {
    }
    return arg;
}

static void *nothing(void *arg)
{
    return arg;
}

static void joins(void)
{
    struct timespec until = soon(CLOCK_REALTIME, 20);
    pthread_attr_t attributes;
    void *value = NULL;
    int state;

    first = start(wait_for_ready, "joined");
    SAY(pthread_tryjoin_np(first, &value));
    SAY(pthread_timedjoin_np(first, &value, &until));
    until = soon(CLOCK_MONOTONIC, 20);
    SAY(pthread_clockjoin_np(first, &value, CLOCK_MONOTONIC, &until));
    SAY(pthread_clockjoin_np(first, &value, CLOCK_THREAD_CPUTIME_ID, &until));
    SAY(pthread_kill(first, 0));
    SAY(pthread_kill(first, 12345));
    sem_post(&ready);
    SAY(pthread_join(first, &value));
    printf("%s\n", (char *)value);
    pthread_attr_init(&attributes);
    SAY(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
    SAY(pthread_create(&first, &attributes, wait_for_ready, NULL));
    SAY(pthread_join(first, NULL));
    SAY(pthread_detach(first));
    sem_post(&ready);
    first = start(wait_for_ready, NULL);
    SAY(pthread_detach(first));
    SAY(pthread_detach(first));
    sem_post(&ready);
    second = pthread_self();
    finish(start(join_itself, NULL));
    first = start(wait_for_ready, NULL);
    SAY(pthread_setname_np(first, "a-name"));
    char name[16] = "", tiny[2];
    SAY(pthread_getname_np(first, name, sizeof name));
    printf("%s\n", name);
    SAY(pthread_getname_np(first, tiny, sizeof tiny));
    SAY(pthread_setname_np(first, "a-name-that-is-too-long"));
    SAY(pthread_getattr_np(first, &attributes));
    pthread_attr_getdetachstate(&attributes, &state);
    printf("joinable %d equal %d %d\n", state == PTHREAD_CREATE_JOINABLE, pthread_equal(first, first) != 0,
           pthread_equal(first, second) != 0);
    sem_post(&ready);
    finish(first);
    for (int i = 0; i < 2000; i++) {
        first = start(nothing, &first);
        if (finish(first) != &first)
            printf("lost\n");
    }
}

static int c11(void *arg)
{
    thrd_yield();
    return (int)(intptr_t)arg;
}

static int c11_exit(void *arg)
{
    thrd_exit(7);
}

static int c11_locks(void *arg)
{
    struct timespec until = soon(CLOCK_REALTIME, 20);
    mtx_t mutex;
    cnd_t cond;

    printf("%d\n", mtx_init(&mutex, mtx_timed | mtx_recursive) == thrd_success);
    printf("%d\n", mtx_lock(&mutex) == thrd_success);
    printf("%d\n", mtx_trylock(&mutex) == thrd_success);
    printf("%d\n", mtx_unlock(&mutex) == thrd_success);
    cnd_init(&cond);
    printf("%d\n", cnd_timedwait(&cond, &mutex, &until) == thrd_timedout);
    printf("%d\n", cnd_signal(&cond) == thrd_success);
    printf("%d\n", cnd_broadcast(&cond) == thrd_success);
    cnd_destroy(&cond);
    printf("%d\n", mtx_unlock(&mutex) == thrd_success);
    printf("%d\n", mtx_unlock(&mutex) == thrd_error);
    mtx_destroy(&mutex);
    return 0;
}

static void threads(void)
{
    int result = 0;
    thrd_t thread;

    sem_init(&ready, 0, 0);
    sem_init(&sem, 0, 0);
    printf("%s\n", (char *)finish(start(leave_deep, NULL)));
    joins();
    sem_init(&held, 0, 0);
    first = start(hold, NULL);
    cancel_one(wait_cond, "cond");
    cancel_one(wait_sleep, "sleep");
    cancel_one(wait_test, "testcancel");
    cancel_one(refuse_first, "disabled");
    pthread_t waiter = start(wait_sem, NULL);
    sem_wait(&ready);
    usleep(1000);
    SAY(pthread_cancel(waiter));
    printf("sem: %d\n", finish(waiter) == PTHREAD_CANCELED);
    waiter = start(wait_join, NULL);
    sem_wait(&ready);
    usleep(1000);
    SAY(pthread_cancel(waiter));
    printf("join: %d\n", finish(waiter) == PTHREAD_CANCELED);
    sem_post(&held);
    finish(first);
    printf("%d\n", thrd_create(&thread, c11, (void *)(intptr_t)42) == thrd_success);
    printf("%d %d\n", thrd_join(thread, &result) == thrd_success, result);
    thrd_create(&thread, c11_exit, NULL);
    printf("%d %d\n", thrd_join(thread, &result) == thrd_success, result);
    thrd_create(&thread, c11_locks, NULL);
    thrd_join(thread, NULL);
    printf("%d\n", thrd_equal(thrd_current(), pthread_self()) != 0);
}

/* -- Processes ---------------------------------------------------------------------------------------------------- */

struct page {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t lock;
    pthread_barrier_t barrier;
    sem_t sem;
    long count, turn, written;
};

static struct page *shared_page(void)
{
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_cond;
    pthread_rwlockattr_t of_lock;
    pthread_barrierattr_t of_barrier;

    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&page->mutex, &of_mutex);
    pthread_condattr_init(&of_cond);
    pthread_condattr_setpshared(&of_cond, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&page->cond, &of_cond);
    pthread_rwlockattr_init(&of_lock);
    pthread_rwlockattr_setpshared(&of_lock, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&page->lock, &of_lock);
    pthread_barrierattr_init(&of_barrier);
    pthread_barrierattr_setpshared(&of_barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&page->barrier, &of_barrier, 4);
    sem_init(&page->sem, 1, 2);
    return page;
}

static struct page *page;

static void *share(void *arg)
{
    pthread_barrier_wait(&page->barrier);
    for (int i = 0; i < 100; i++) {
        while (sem_wait(&page->sem)) {
        }
        pthread_mutex_lock(&page->mutex);
        long now = page->count;
        if (i % 25 == 0)
            usleep(200);
        page->count = now + 1;
        pthread_mutex_unlock(&page->mutex);
        sem_post(&page->sem);
        pthread_rwlock_wrlock(&page->lock);
        now = page->written;
        if (i % 25 == 0)
            sched_yield();
        page->written = now + 1;
        pthread_rwlock_unlock(&page->lock);
    }
    pthread_barrier_wait(&page->barrier);
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&page->mutex);
        while (page->turn % 4 != (intptr_t)arg)
            pthread_cond_wait(&page->cond, &page->mutex);
        page->turn++;
        pthread_cond_broadcast(&page->cond);
        pthread_mutex_unlock(&page->mutex);
    }
    return NULL;
}

static void two(intptr_t from)
{
    pthread_t one = start(share, (void *)from), other = start(share, (void *)(from + 1));

    finish(one);
    finish(other);
}

static void *fork_here(void *arg)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (!child) {
        printf("in the child\n");
        fflush(stdout);
        return NULL; /* the last thread: the process ends with 0 */
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    printf("status %d\n", status);
    return NULL;
}

static int ends[2];

static void *read_pipe(void *arg)
{
    char text[8] = "";

    sem_post(&ready);
    printf("read %zd", read(ends[0], text, sizeof text));
    printf(" %s\n", text);
    return NULL;
}

/* What a child does with its descriptors is no concern of those who wait for them here. */
static void *close_in_child(void *arg)
{
    char *const command[] = {"true", NULL};
    int status = 0;
    pid_t child = vfork();

    if (!child) {
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        _exit(1);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    printf("status %d\n", status);
    return NULL;
}

static void wait_beside_vfork(void)
{
    pthread_t reader;

    if (pipe(ends))
        abort();
    sem_init(&ready, 0, 0);
    reader = start(read_pipe, NULL);
    sem_wait(&ready);
    usleep(2000);
    finish(start(close_in_child, NULL));
    if (write(ends[1], "there", 6) != 6)
        printf("nobody reads\n");
    finish(reader);
}

static void processes(void)
{
    int status = 0;
    pid_t child;

    page = shared_page();
    child = fork();
    if (!child) {
        two(2);
        _exit(0);
    }
    two(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    printf("%ld %ld %ld, status %d\n", page->count, page->written, page->turn, status);
    finish(start(fork_here, NULL));
    wait_beside_vfork();
}

/* -- The end of main ---------------------------------------------------------------------------------------------- */

static void *late(void *arg)
{
    usleep(20000);
    printf("the last one\n");
    return NULL;
}

static void *join_main(void *arg)
{
    void *value;

    SAY(pthread_join(*(pthread_t *)arg, &value));
    printf("main left %s\n", (char *)value);
    start(late, NULL);
    start(late, NULL);
    return NULL;
}

static void leave_main(void)
{
    static pthread_t self;

    self = pthread_self();
    start(join_main, &self);
    pthread_exit("this");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*part)(void);
    } parts[] = {{"mutexes", mutexes},     {"conditions", conditions}, {"rwlocks", rwlocks},
                 {"others", others},       {"keyed", keyed},           {"threads", threads},
                 {"processes", processes}, {"leave_main", leave_main}};

    alarm(60);
    setvbuf(stdout, NULL, _IOLBF, 0); /* so that a crash is seen where it happens */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (argc < 2 || !strcmp(argv[1], parts[i].name))
            parts[i].part();
    return 0;
}
