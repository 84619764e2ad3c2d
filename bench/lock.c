/* SPDX-License-Identifier: MIT
 *
 * Locks: ours, pthread's, pthread's adaptive one and nsync's, each doing the same. usage: lock VARIANT; prints "metric
 * unit value" a line.
 *
 *   pair            acquire and release, nobody else there, in a process that has threads (in one that has never had
 * any, glibc leaves out the atomic instructions) N-tiny          N tasks, a section of one increment N-work          N
 * tasks, 200 rounds of arithmetic inside and 200 outside N-...-worst     the longest that anybody waited for the lock
 * in such a run, every acquisition timed
 */
#include <linuxmt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_NSYNC
#include <nsync.h>
#endif

#define PAIRS  10000000
#define RUN_MS 250

struct shared {
    struct mt_lock ours;
    pthread_mutex_t theirs;
#ifdef HAVE_NSYNC
    nsync_mu nsync;
#endif
    char pad[64];
    volatile long counter;
    volatile int stop;
    int work;
    int timed;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    long operations;
    int64_t worst;
    char pad[64];
};

static void work(int rounds)
{
    for (volatile int i = 0; i < rounds; i++)
        ;
}

/* The loops are written out for each kind of lock, so that each is called as its users would. */
#define LOOPS(kind, ACQUIRE, RELEASE)                    \
    static double kind##_pair(struct shared *s)          \
    {                                                    \
        int64_t start = mt_now();                        \
        for (int i = 0; i < PAIRS; i++) {                \
            ACQUIRE;                                     \
            RELEASE;                                     \
        }                                                \
        return (double)(mt_now() - start) / PAIRS;       \
    }                                                    \
    static void *kind##_worker(void *arg)                \
    {                                                    \
        struct worker *w = arg;                          \
        struct shared *s = w->shared;                    \
        while (!s->stop) {                               \
            int64_t start = s->timed ? mt_now() : 0;     \
            ACQUIRE;                                     \
            if (s->timed && mt_now() - start > w->worst) \
                w->worst = mt_now() - start;             \
            s->counter++;                                \
            if (s->work)                                 \
                work(s->work);                           \
            RELEASE;                                     \
            if (s->work)                                 \
                work(s->work);                           \
            w->operations++;                             \
        }                                                \
        return NULL;                                     \
    }

LOOPS(mt, if (mt_lock_acquire(&s->ours, MT_FOREVER)) abort(), mt_lock_release(&s->ours))
LOOPS(pthread, pthread_mutex_lock(&s->theirs), pthread_mutex_unlock(&s->theirs))
#ifdef HAVE_NSYNC
LOOPS(nsync, nsync_mu_lock(&s->nsync), nsync_mu_unlock(&s->nsync))
#endif

struct variant {
    const char *name;
    double (*pair)(struct shared *);
    void *(*worker)(void *);
};

static const struct variant variants[] = {
    {"mt", mt_pair, mt_worker},
    {"pthread", pthread_pair, pthread_worker},
    {"adaptive", pthread_pair, pthread_worker},
#ifdef HAVE_NSYNC
    {"nsync", nsync_pair, nsync_worker},
#endif
};

static void contend(const struct variant *variant, struct shared *shared, int tasks, int rounds, const char *name)
{
    struct worker *workers = calloc((size_t)tasks, sizeof *workers);
    int64_t worst = 0, start = mt_now();
    long operations = 0;

    shared->work = rounds;
    shared->stop = 0;
    for (int i = 0; i < tasks; i++) {
        workers[i].shared = shared;
        if (pthread_create(&workers[i].thread, NULL, variant->worker, &workers[i]))
            abort();
    }
    usleep(RUN_MS * 1000);
    shared->stop = 1;
    for (int i = 0; i < tasks; i++) {
        pthread_join(workers[i].thread, NULL);
        operations += workers[i].operations;
        worst = workers[i].worst > worst ? workers[i].worst : worst;
    }
    if (shared->timed)
        printf("%d-%s-worst us %.0f\n", tasks, name, (double)worst / 1000);
    else
        printf("%d-%s Mops/s %.3f\n", tasks, name, (double)operations / (double)(mt_now() - start) * 1000);
    free(workers);
}

static void *nothing(void *arg)
{
    return arg;
}

int main(int argc, char **argv)
{
    struct shared *shared = aligned_alloc(64, (sizeof *shared + 63) & ~(size_t)63);
    const struct variant *variant = NULL;
    pthread_mutexattr_t adaptive;
    pthread_t other;

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (argc == 2 && !strcmp(argv[1], variants[i].name))
            variant = &variants[i];
    if (!variant || !shared) {
        fprintf(stderr, "usage: lock mt|pthread|adaptive|nsync (nsync only where it was found)\n");
        return 2;
    }
    memset(shared, 0, sizeof *shared);
    pthread_mutexattr_init(&adaptive);
    if (!strcmp(variant->name, "adaptive"))
        pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&shared->theirs, &adaptive);
    if (pthread_create(&other, NULL, nothing, NULL) || pthread_join(other, NULL))
        abort();
    variant->pair(shared); /* warm */
    printf("pair ns %.3f\n", variant->pair(shared));
    for (shared->timed = 0; shared->timed < 2; shared->timed++)
        for (int tasks = 2; tasks <= 8; tasks += 6) {
            contend(variant, shared, tasks, 0, "tiny");
            contend(variant, shared, tasks, 200, "work");
        }
    return 0;
}
