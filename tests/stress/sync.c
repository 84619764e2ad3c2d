/* SPDX-License-Identifier: MIT
 *
 * All primitives at once, for a few seconds, under whatever watches: a sanitizer, or nobody. Tasks pick what to do at
 * random, with deadlines of all sizes, while one of them kills others and new ones take their place. Each primitive
 * guards something that only stays right if it works; what is wrong is said, and makes the program fail.
 *
 * usage: sync [SECONDS [SEED]]
 */
#include <errno.h>
#include <linuxmt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 8
#define PERMITS 3
#define PARTIES 2

/* Two numbers that are alike whenever the lock is free. Plain memory: a lock that does not work is a race for TSan. */
struct twins {
    long one, other;
};

static struct mt_lock lock = MT_LOCK_INIT_NAMED("lock"), any_locks[3];
static struct mt_rlock rlock = MT_RLOCK_INIT_NAMED("rlock");
static struct mt_rwlock rwlock = MT_RWLOCK_INIT_NAMED("rwlock");
static struct mt_robust robust = MT_ROBUST_INIT_NAMED("robust");
static struct mt_pilock pilock = MT_PILOCK_INIT_NAMED("pilock");
static struct mt_lock box_lock = MT_LOCK_INIT_NAMED("box");
static struct mt_cond box_full = MT_COND_INIT_NAMED("full"), box_empty = MT_COND_INIT_NAMED("empty");
static struct mt_sem sem = MT_SEM_INIT_BOUNDED_NAMED(PERMITS, "sem");
static struct mt_event event = MT_EVENT_INIT_NAMED("event");
static struct mt_barrier barrier;
static struct mt_banker *banker;
static struct mt_local local = MT_LOCAL_INIT(NULL);

static struct twins by_lock, by_rlock, by_rwlock, by_robust, by_pilock, by_any[3];
static int box, boxes_put, boxes_got; /* under box_lock; 0: empty */
static uint32_t inside;               /* the semaphore */
static uint32_t done[16];
static int stop;

#define COMPLAIN(...)                                   \
    do {                                                \
        fprintf(stderr, "stress: line %d: ", __LINE__); \
        fprintf(stderr, __VA_ARGS__);                   \
        fputc('\n', stderr);                            \
        abort();                                        \
    } while (0)

static mt_deadline some_deadline(unsigned *seed)
{
    switch (rand_r(seed) % 4) {
    case 0:
        return MT_NOWAIT;
    case 1:
        return mt_after(MT_US(rand_r(seed) % 300));
    case 2:
        return mt_after(MT_MS(rand_r(seed) % 20));
    default:
        return mt_after(MT_SEC(20));
    }
}

/* An error that an acquisition may well give. */
static int allowed(int result)
{
    if (result != -EBUSY && result != -ETIMEDOUT && result != -ECANCELED)
        COMPLAIN("unexpected error %d (%s)", result, strerror(-result));
    return result;
}

static void change(struct twins *twins)
{
    if (twins->one != twins->other)
        COMPLAIN("%ld and %ld should be alike", twins->one, twins->other);
    twins->one++;
    if (twins->one % 8 == 0)
        sched_yield(); /* so that others would see it half done, if they could */
    twins->other++;
}

static void released(int result)
{
    if (result)
        COMPLAIN("release: %s", strerror(-result));
}

/* -- One turn with each ------------------------------------------------------------------------------------------- */

static int turn_lock(unsigned *seed)
{
    int result = mt_lock_acquire(&lock, some_deadline(seed));

    if (result)
        return allowed(result);
    change(&by_lock);
    released(mt_lock_release(&lock));
    return 0;
}

static int turn_rlock(unsigned *seed)
{
    int result = mt_rlock_acquire(&rlock, some_deadline(seed));

    if (result)
        return allowed(result);
    if (mt_rlock_acquire(&rlock, MT_NOWAIT))
        COMPLAIN("the owner could not come again");
    change(&by_rlock);
    released(mt_rlock_release(&rlock));
    released(mt_rlock_release(&rlock));
    return 0;
}

static int turn_rwlock(unsigned *seed)
{
    int writes = rand_r(seed) % 3 == 0, result = writes ? mt_rwlock_acquire_write(&rwlock, some_deadline(seed))
                                                        : mt_rwlock_acquire_read(&rwlock, some_deadline(seed));

    if (result)
        return allowed(result);
    if (writes)
        change(&by_rwlock);
    else if (by_rwlock.one != by_rwlock.other)
        COMPLAIN("a reader saw half a change");
    released(writes ? mt_rwlock_release_write(&rwlock) : mt_rwlock_release_read(&rwlock));
    return 0;
}

static int turn_robust(unsigned *seed)
{
    int result = mt_robust_acquire(&robust, some_deadline(seed));

    if (result == -EOWNERDEAD)
        result = mt_robust_consistent(&robust);
    if (result)
        return allowed(result);
    change(&by_robust);
    if (rand_r(seed) % 64 != 0)
        released(mt_robust_release(&robust));
    else
        return -ECANCELED; /* ends holding it */
    return 0;
}

static int turn_pilock(unsigned *seed)
{
    int result = mt_pilock_acquire(&pilock, some_deadline(seed));

    if (result == -EOWNERDEAD)
        result = mt_pilock_consistent(&pilock);
    if (result)
        return allowed(result);
    change(&by_pilock);
    if (rand_r(seed) % 64 != 0)
        released(mt_pilock_release(&pilock));
    else
        return -ECANCELED;
    return 0;
}

static int turn_any(unsigned *seed)
{
    struct mt_lock *list[] = {&any_locks[0], &any_locks[1], &any_locks[2]};
    int which = mt_lock_acquire_any(list, 3, some_deadline(seed));

    if (which < 0)
        return allowed(which);
    change(&by_any[which]);
    released(mt_lock_release(list[which]));
    return 0;
}

/* A box for one thing: those who put and those who get wait for each other. */
static int turn_box(unsigned *seed)
{
    int puts = rand_r(seed) % 2, result = mt_lock_acquire(&box_lock, some_deadline(seed));

    if (result)
        return allowed(result);
    while (!result && (puts ? box != 0 : box == 0))
        result = mt_cond_wait(puts ? &box_empty : &box_full, &box_lock, mt_after(MT_US(rand_r(seed) % 2000)));
    if (!result) {
        box = puts;
        if (puts)
            boxes_put++;
        else
            boxes_got++;
        mt_cond_notify(puts ? &box_full : &box_empty, 1);
    }
    if (boxes_put - boxes_got != box)
        COMPLAIN("%d put, %d got, %d in the box", boxes_put, boxes_got, box);
    released(mt_lock_release(&box_lock));
    return result ? allowed(result) : 0;
}

static int turn_sem(unsigned *seed)
{
    int result = mt_sem_acquire(&sem, some_deadline(seed));

    if (result)
        return allowed(result);
    if (__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) > PERMITS)
        COMPLAIN("more than %d inside the semaphore", PERMITS);
    if (rand_r(seed) % 2)
        sched_yield();
    __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
    released(mt_sem_release(&sem, 1));
    return 0;
}

static int turn_event(unsigned *seed)
{
    int result;

    if (rand_r(seed) % 2) {
        mt_event_set(&event);
        return 0;
    }
    result = mt_event_wait(&event, mt_after(MT_US(rand_r(seed) % 2000)));
    mt_event_clear(&event);
    return result ? allowed(result) : 0;
}

static int turn_barrier(unsigned *seed)
{
    int place = mt_barrier_wait(&barrier, mt_after(MT_MS(rand_r(seed) % 5)));

    if (place >= PARTIES)
        COMPLAIN("place %d of %d", place, PARTIES);
    if (place == -ENOTRECOVERABLE) {
        mt_barrier_reset(&barrier);
        return -ETIMEDOUT;
    }
    return place < 0 ? allowed(place) : 0;
}

static int turn_banker(unsigned *seed)
{
    const uint32_t claim[] = {1 + (uint32_t)rand_r(seed) % 3, 1 + (uint32_t)rand_r(seed) % 2};
    const uint32_t some[] = {(uint32_t)rand_r(seed) % (claim[0] + 1), (uint32_t)rand_r(seed) % (claim[1] + 1)};
    int customer = mt_banker_join(banker, claim), result;

    if (customer < 0)
        COMPLAIN("no account: %s", strerror(-customer));
    result = mt_banker_request(banker, customer, some, some_deadline(seed));
    if (mt_banker_is_safe(banker, NULL, 0) < 0)
        COMPLAIN("the bank is unsafe");
    if (mt_banker_leave(banker, customer))
        COMPLAIN("the account is gone");
    return result ? allowed(result) : 0;
}

/* A latch and a once on the stack, for a thread that comes and goes. */
struct errand {
    struct mt_latch latch;
    struct mt_once once;
    int times;
};

static int do_it(void *arg)
{
    ((struct errand *)arg)->times++;
    return 0;
}

static int run_errand(void *arg)
{
    struct errand *errand = arg;

    if (mt_once(&errand->once, do_it, errand, MT_FOREVER))
        COMPLAIN("once failed");
    return mt_latch_count_down(&errand->latch, 1);
}

static int turn_errand(unsigned *seed)
{
    struct errand errand = {MT_LATCH_INIT(2), MT_ONCE_INIT, 0};
    struct mt_task *tasks[2] = {mt_thread_spawn(run_errand, &errand, NULL), mt_thread_spawn(run_errand, &errand, NULL)};
    int result;

    (void)seed;
    if (!tasks[0] || !tasks[1])
        COMPLAIN("no thread: %s", strerror(errno));
    result = mt_latch_wait(&errand.latch, MT_FOREVER);
    for (int i = 0; i < 2; i++) {
        while (mt_task_join(tasks[i], mt_after(MT_MS(1))) != 0)
            sched_yield(); /* also when this one is killed: they use its stack */
        mt_task_release(tasks[i]);
    }
    if (errand.times != 1)
        COMPLAIN("done %d times", errand.times);
    return result;
}

typedef int turn(unsigned *seed);
static turn *const turns[] = {turn_lock, turn_rlock, turn_rwlock, turn_robust,  turn_pilock, turn_any,
                              turn_box,  turn_sem,   turn_event,  turn_barrier, turn_banker, turn_errand};
static const char *const names[] = {"lock", "rlock", "rwlock", "robust",  "pilock", "any",
                                    "box",  "sem",   "event",  "barrier", "banker", "errand"};
#define TURNS ((int)(sizeof turns / sizeof *turns))

/* -- The crowd ---------------------------------------------------------------------------------------------------- */

static int work(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg, kept = seed;

    if (mt_local_set(&local, &kept))
        COMPLAIN("no local");
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        int which = rand_r(&seed) % TURNS, result = turns[which](&seed);
        if (!result)
            __atomic_add_fetch(&done[which], 1, __ATOMIC_RELAXED);
        if (result == -ECANCELED)
            return 0; /* killed, or gone with a lock */
        if (mt_local_get(&local) != &kept)
            COMPLAIN("another task's local");
    }
    return 0;
}

static struct mt_task *spawn_worker(unsigned seed)
{
    struct mt_thread_options options = {.name = "worker"};
    struct mt_task *task = mt_thread_spawn(work, (void *)(uintptr_t)seed, &options);

    if (!task)
        COMPLAIN("no thread: %s", strerror(errno));
    return task;
}

/* Ends the worker if it has not ended by itself, and starts another in its place. */
static void replace(struct mt_task **worker, unsigned seed)
{
    int result;

    mt_task_kill(*worker);
    result = mt_task_join(*worker, mt_after(MT_SEC(60)));
    if (result)
        COMPLAIN("a killed worker does not end: %s", strerror(-result));
    mt_task_release(*worker);
    *worker = spawn_worker(seed);
}

static int finish(struct mt_task **workers)
{
    int result, missing = 0;

    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < WORKERS; i++)
        mt_task_kill(workers[i]);
    result = mt_joinall(workers, WORKERS, mt_after(MT_SEC(60)));
    if (result)
        COMPLAIN("the workers do not end: %s", strerror(-result));
    for (int i = 0; i < WORKERS; i++)
        mt_task_release(workers[i]);
    if (lock.word || rlock.lock.word || mt_rwlock_acquire_write(&rwlock, MT_NOWAIT) || mt_sem_value(&sem) != PERMITS)
        COMPLAIN("something is still held");
    if (mt_task_count() != 1)
        COMPLAIN("%zu tasks are left", mt_task_count());
    for (int i = 0; i < TURNS; i++) {
        printf("# %-8s %u turns\n", names[i], done[i]);
        missing += !done[i];
    }
    return missing;
}

int main(int argc, char **argv)
{
    const uint32_t total[] = {4, 3};
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : (unsigned)getpid(), first = seed;
    struct mt_task *workers[WORKERS];
    mt_deadline end;
    int killed = 0, missing;

    banker = mt_banker_new(2, total);
    if (!banker || mt_barrier_init(&barrier, PARTIES, NULL, NULL, "barrier", 0))
        COMPLAIN("no memory");
    for (int i = 0; i < 3; i++)
        mt_lock_init(&any_locks[i], "one of three", 0);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = spawn_worker(rand_r(&seed) | 1u);
    end = mt_after((int64_t)(seconds * 1e9));
    for (; mt_now() < end; killed++) {
        if (mt_sleep(MT_US(rand_r(&seed) % 5000)))
            COMPLAIN("main was killed");
        replace(&workers[rand_r(&seed) % WORKERS], rand_r(&seed) | 1u);
    }
    missing = finish(workers);
    mt_banker_free(banker);
    printf("# seed %u, %d workers killed\n", first, killed);
    printf("%sok 1 - all primitives at once\n1..1\n", missing ? "not " : "");
    return missing != 0;
}
