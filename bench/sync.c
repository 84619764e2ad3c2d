/* SPDX-License-Identifier: MIT
 *
 * Each primitive, ours, pthread's and nsync's. usage: sync VARIANT; prints "metric unit value" a line.
 *
 *   NOUN-pair     acquire and release, or what comes nearest, with nobody else there: per pair
 *   NOUN-2        the same by two tasks at once, on the same object
 *   NOUN-hand     two tasks that wait for each other in turn: per hand-over
 *
 * All of it in a process that has had a second thread: before, glibc leaves out the atomic instructions. A variant
 * leaves out what it does not have. The plain lock has a bench of its own.
 */
#include <linuxmt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_NSYNC
#include <nsync.h>
#endif

#define PAIRS  2000000
#define HANDS  2000
#define RUN_MS 100

/* A step is one pair; a hand-over waits for its side's turn and then makes it the other's. */
struct subject {
    const char *name;
    void (*step)(void);
    void (*hand)(int side);
};

#define OK(call)     \
    do {             \
        if (call)    \
            abort(); \
    } while (0)

/* -- Ours --------------------------------------------------------------------------------------------------------- */

static struct mt_lock m_lock = MT_LOCK_INIT;
static struct mt_rlock m_rlock = MT_RLOCK_INIT;
static struct mt_rwlock m_rwlock = MT_RWLOCK_INIT;
static struct mt_robust m_robust = MT_ROBUST_INIT;
static struct mt_pilock m_pilock = MT_PILOCK_INIT;
static struct mt_sem m_sem = MT_SEM_INIT(1), m_hands[2] = {MT_SEM_INIT(1), MT_SEM_INIT(0)};
static struct mt_cond m_cond = MT_COND_INIT;
static struct mt_event m_events[2] = {MT_EVENT_INIT, MT_EVENT_INIT};
static struct mt_barrier m_barrier;
static struct mt_once m_once = MT_ONCE_INIT;
static struct mt_local m_local = MT_LOCAL_INIT(NULL);
static int turn;

static int mt_nothing(void *arg)
{
    (void)arg;
    return 0;
}

#define MT_STEP(name, acquire, release) \
    static void mt_##name(void)         \
    {                                   \
        OK(acquire);                    \
        OK(release);                    \
    }
MT_STEP(rlock, mt_rlock_acquire(&m_rlock, MT_FOREVER), mt_rlock_release(&m_rlock))
MT_STEP(read_step, mt_rwlock_acquire_read(&m_rwlock, MT_FOREVER), mt_rwlock_release_read(&m_rwlock))
MT_STEP(write_step, mt_rwlock_acquire_write(&m_rwlock, MT_FOREVER), mt_rwlock_release_write(&m_rwlock))
MT_STEP(robust, mt_robust_acquire(&m_robust, MT_FOREVER), mt_robust_release(&m_robust))
MT_STEP(pilock, mt_pilock_acquire(&m_pilock, MT_FOREVER), mt_pilock_release(&m_pilock))
MT_STEP(sem_step, mt_sem_acquire(&m_sem, MT_FOREVER), mt_sem_release(&m_sem, 1))
MT_STEP(once_step, mt_once(&m_once, mt_nothing, NULL, MT_FOREVER), 0)
MT_STEP(local_step, mt_local_set(&m_local, &turn), mt_local_get(&m_local) != &turn)

static void mt_notify(void)
{
    mt_cond_notify(&m_cond, 1);
}

static void mt_sem_hand(int side)
{
    OK(mt_sem_acquire(&m_hands[side], MT_FOREVER));
    OK(mt_sem_release(&m_hands[!side], 1));
}

static void mt_event_hand(int side)
{
    OK(mt_event_wait(&m_events[side], MT_FOREVER));
    mt_event_clear(&m_events[side]);
    mt_event_set(&m_events[!side]);
}

static void mt_cond_hand(int side)
{
    OK(mt_lock_acquire(&m_lock, MT_FOREVER));
    while (turn != side)
        OK(mt_cond_wait(&m_cond, &m_lock, MT_FOREVER));
    turn = !side;
    mt_cond_notify(&m_cond, 1);
    OK(mt_lock_release(&m_lock));
}

static void mt_barrier_hand(int side)
{
    (void)side;
    OK(mt_barrier_wait(&m_barrier, MT_FOREVER) < 0);
}

static void mt_set_up(void)
{
    mt_event_set(&m_events[0]);
    OK(mt_barrier_init(&m_barrier, 2, NULL, NULL, NULL, 0));
}

static const struct subject ours[] = {
    {"rlock", mt_rlock, NULL},      {"read", mt_read_step, NULL},       {"write", mt_write_step, NULL},
    {"robust", mt_robust, NULL},    {"pilock", mt_pilock, NULL},        {"sem", mt_sem_step, mt_sem_hand},
    {"once", mt_once_step, NULL},   {"local", mt_local_step, NULL},     {"cond", mt_notify, mt_cond_hand},
    {"event", NULL, mt_event_hand}, {"barrier", NULL, mt_barrier_hand},
};

/* -- pthread's ---------------------------------------------------------------------------------------------------- */

static pthread_mutex_t p_lock = PTHREAD_MUTEX_INITIALIZER, p_rlock, p_robust, p_pilock;
static pthread_rwlock_t p_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t p_cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t p_once = PTHREAD_ONCE_INIT;
static pthread_barrier_t p_barrier;
static pthread_key_t p_key;
static sem_t p_sem, p_hands[2];
static int p_set[2] = {1, 0};

static void p_nothing(void) {}

#define P_STEP(name, acquire, release) \
    static void p_step_##name(void)    \
    {                                  \
        OK(acquire);                   \
        OK(release);                   \
    }
P_STEP(rlock, pthread_mutex_lock(&p_rlock), pthread_mutex_unlock(&p_rlock))
P_STEP(read, pthread_rwlock_rdlock(&p_rwlock), pthread_rwlock_unlock(&p_rwlock))
P_STEP(write, pthread_rwlock_wrlock(&p_rwlock), pthread_rwlock_unlock(&p_rwlock))
P_STEP(robust, pthread_mutex_lock(&p_robust), pthread_mutex_unlock(&p_robust))
P_STEP(pilock, pthread_mutex_lock(&p_pilock), pthread_mutex_unlock(&p_pilock))
P_STEP(sem, sem_wait(&p_sem), sem_post(&p_sem))
P_STEP(once, pthread_once(&p_once, p_nothing), 0)
P_STEP(local, pthread_setspecific(p_key, &turn), pthread_getspecific(p_key) != &turn)
P_STEP(notify, pthread_cond_signal(&p_cond), 0)

static void p_sem_hand(int side)
{
    OK(sem_wait(&p_hands[side]));
    OK(sem_post(&p_hands[!side]));
}

/* What pthread programs write for an event. */
static void p_event_hand(int side)
{
    OK(pthread_mutex_lock(&p_lock));
    while (!p_set[side])
        OK(pthread_cond_wait(&p_cond, &p_lock));
    p_set[side] = 0;
    p_set[!side] = 1;
    OK(pthread_cond_broadcast(&p_cond));
    OK(pthread_mutex_unlock(&p_lock));
}

static void p_cond_hand(int side)
{
    OK(pthread_mutex_lock(&p_lock));
    while (turn != side)
        OK(pthread_cond_wait(&p_cond, &p_lock));
    turn = !side;
    OK(pthread_cond_signal(&p_cond));
    OK(pthread_mutex_unlock(&p_lock));
}

static void p_barrier_hand(int side)
{
    int result = pthread_barrier_wait(&p_barrier);

    (void)side;
    OK(result && result != PTHREAD_BARRIER_SERIAL_THREAD);
}

static void p_set_up(void)
{
    pthread_mutexattr_t recursive, robust, inherit;

    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&p_rlock, &recursive);
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&p_robust, &robust);
    pthread_mutexattr_init(&inherit);
    pthread_mutexattr_setprotocol(&inherit, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_setrobust(&inherit, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&p_pilock, &inherit);
    OK(pthread_barrier_init(&p_barrier, NULL, 2) || pthread_key_create(&p_key, NULL));
    OK(sem_init(&p_sem, 0, 1) || sem_init(&p_hands[0], 0, 1) || sem_init(&p_hands[1], 0, 0));
}

static const struct subject pthreads[] = {
    {"rlock", p_step_rlock, NULL},   {"read", p_step_read, NULL},       {"write", p_step_write, NULL},
    {"robust", p_step_robust, NULL}, {"pilock", p_step_pilock, NULL},   {"sem", p_step_sem, p_sem_hand},
    {"once", p_step_once, NULL},     {"local", p_step_local, NULL},     {"cond", p_step_notify, p_cond_hand},
    {"event", NULL, p_event_hand},   {"barrier", NULL, p_barrier_hand},
};

/* -- nsync's ------------------------------------------------------------------------------------------------------ */

#ifdef HAVE_NSYNC
static nsync_mu n_mu = NSYNC_MU_INIT;
static nsync_cv n_cv = NSYNC_CV_INIT;
static nsync_once n_once = NSYNC_ONCE_INIT;

static void n_read(void)
{
    nsync_mu_rlock(&n_mu);
    nsync_mu_runlock(&n_mu);
}

static void n_write(void)
{
    nsync_mu_lock(&n_mu);
    nsync_mu_unlock(&n_mu);
}

static void n_once_step(void)
{
    nsync_run_once(&n_once, p_nothing);
}

static void n_notify(void)
{
    nsync_cv_signal(&n_cv);
}

static void n_cond_hand(int side)
{
    nsync_mu_lock(&n_mu);
    while (turn != side)
        nsync_cv_wait(&n_cv, &n_mu);
    turn = !side;
    nsync_cv_signal(&n_cv);
    nsync_mu_unlock(&n_mu);
}

static const struct subject nsyncs[] = {
    {"read", n_read, NULL},
    {"write", n_write, NULL},
    {"once", n_once_step, NULL},
    {"cond", n_notify, n_cond_hand},
};
#endif

/* -- The measure -------------------------------------------------------------------------------------------------- */

static void pairs(const struct subject *subject)
{
    int64_t start;

    for (int i = 0; i < PAIRS / 10; i++)
        subject->step();
    start = mt_now();
    for (int i = 0; i < PAIRS; i++)
        subject->step();
    printf("%s-pair ns %.3f\n", subject->name, (double)(mt_now() - start) / PAIRS);
}

struct worker {
    const struct subject *subject;
    int side;
    long operations;
};

static volatile int stop;

static void *keep_stepping(void *arg)
{
    struct worker *worker = arg;
    long operations = 0;

    while (!stop) {
        worker->subject->step();
        operations++;
    }
    worker->operations = operations;
    return NULL;
}

static void *keep_handing(void *arg)
{
    struct worker *worker = arg;

    for (int i = 0; i < HANDS; i++)
        worker->subject->hand(worker->side);
    return NULL;
}

static int64_t run_two(const struct subject *subject, void *(*body)(void *), int64_t for_us, long *operations)
{
    struct worker workers[2] = {{subject, 0, 0}, {subject, 1, 0}};
    pthread_t threads[2];
    int64_t start = mt_now();

    stop = 0;
    for (int i = 0; i < 2; i++)
        OK(pthread_create(&threads[i], NULL, body, &workers[i]));
    if (for_us)
        usleep((useconds_t)for_us);
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    *operations = workers[0].operations + workers[1].operations;
    return mt_now() - start;
}

static void measure(const struct subject *subject)
{
    long operations;
    int64_t took;

    if (subject->step) {
        pairs(subject);
        took = run_two(subject, keep_stepping, RUN_MS * 1000, &operations);
        printf("%s-2 Mops/s %.3f\n", subject->name, (double)operations / (double)took * 1000);
    }
    if (subject->hand) {
        took = run_two(subject, keep_handing, 0, &operations);
        printf("%s-hand us %.3f\n", subject->name, (double)took / 1000 / (2 * HANDS));
    }
}

int main(int argc, char **argv)
{
    const struct subject *subjects = NULL;
    size_t count = 0;
    long none;

    if (argc == 2 && !strcmp(argv[1], "mt")) {
        subjects = ours;
        count = sizeof ours / sizeof *ours;
    } else if (argc == 2 && !strcmp(argv[1], "pthread")) {
        subjects = pthreads;
        count = sizeof pthreads / sizeof *pthreads;
#ifdef HAVE_NSYNC
    } else if (argc == 2 && !strcmp(argv[1], "nsync")) {
        subjects = nsyncs;
        count = sizeof nsyncs / sizeof *nsyncs;
#endif
    }
    if (!subjects) {
        fprintf(stderr, "usage: sync mt|pthread|nsync (nsync only where it was found)\n");
        return 2;
    }
    mt_set_up();
    p_set_up();
    run_two(&(struct subject){"warm", p_nothing, NULL}, keep_stepping, 1, &none);
    for (size_t i = 0; i < count; i++)
        measure(&subjects[i]);
    return 0;
}
