/* SPDX-License-Identifier: MIT
 *
 * Pools of threads. usage: threadpool VARIANT; prints "metric unit value" a line.
 *
 *   tiny-1        tasks that do nothing, submitted by one thread, a thousand at a time, and waited for
 *   tiny-4        the same, by four threads
 *   work-1        tasks of 100 us each
 *   round-trip    one task at a time, waited for
 *   map           tasks that do nothing, by map
 *
 * mt: ours, WORKERS workers. pthread: what people write: a mutex, a condition, a list of allocated nodes; each task
 * ends by counting down, under a mutex, what its submitter waits for.
 */
#include <linuxmt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, TINY = 200000, BATCH = 1000, WORK = 4000, TRIPS = 5000, SUBMITTERS = 4 };

static int nothing(void *arg)
{
    return 0;
}

static int work(void *arg)
{
    mt_deadline end = mt_after(MT_US(100));

    while (mt_now() < end)
        ;
    return 0;
}

/* -- Ours --------------------------------------------------------------------------------------------------------- */

static struct mt_pool *ours;

static void mt_submit(mt_fn *fn, int count)
{
    struct mt_future **futures = malloc((size_t)count * sizeof *futures);

    if (!futures)
        abort();
    for (int i = 0; i < count; i++)
        if (!(futures[i] = mt_pool_apply_async(ours, fn, NULL, 0, MT_FOREVER)))
            abort();
    for (int i = 0; i < count; i++) {
        if (mt_future_wait(futures[i], MT_FOREVER))
            abort();
        mt_future_release(futures[i]);
    }
    free(futures);
}

static void mt_map(mt_fn *fn, int count)
{
    void **items = calloc((size_t)count, sizeof *items);

    if (!items || mt_pool_map(ours, fn, items, 0, (size_t)count, NULL, 0, NULL, 0, MT_FOREVER))
        abort();
    free(items);
}

/* -- A plain pool ------------------------------------------------------------------------------------------------- */

struct node {
    struct node *next;
    mt_fn *fn;
    struct group *group;
};

struct group {
    pthread_mutex_t mutex;
    pthread_cond_t over;
    int left;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t more;
    struct node *head, **tail;
    int closed;
} plain = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &plain.head, 0};

static void *plain_worker(void *arg)
{
    for (;;) {
        struct node *node;
        pthread_mutex_lock(&plain.mutex);
        while (!plain.head && !plain.closed)
            pthread_cond_wait(&plain.more, &plain.mutex);
        node = plain.head;
        if (node && !(plain.head = node->next))
            plain.tail = &plain.head;
        pthread_mutex_unlock(&plain.mutex);
        if (!node)
            return NULL;
        node->fn(NULL);
        pthread_mutex_lock(&node->group->mutex);
        if (!--node->group->left)
            pthread_cond_signal(&node->group->over);
        pthread_mutex_unlock(&node->group->mutex);
        free(node);
    }
}

static void plain_submit(mt_fn *fn, int count)
{
    struct group group = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, count};

    for (int i = 0; i < count; i++) {
        struct node *node = malloc(sizeof *node);
        if (!node)
            abort();
        *node = (struct node){NULL, fn, &group};
        pthread_mutex_lock(&plain.mutex);
        *plain.tail = node;
        plain.tail = &node->next;
        pthread_cond_signal(&plain.more);
        pthread_mutex_unlock(&plain.mutex);
    }
    pthread_mutex_lock(&group.mutex);
    while (group.left)
        pthread_cond_wait(&group.over, &group.mutex);
    pthread_mutex_unlock(&group.mutex);
}

/* -- Both --------------------------------------------------------------------------------------------------------- */

typedef void submit_fn(mt_fn *fn, int count);

static void batches(submit_fn *submit, int count)
{
    for (; count > 0; count -= BATCH)
        submit(nothing, BATCH);
}

static void trips(submit_fn *submit)
{
    for (int i = 0; i < TRIPS; i++)
        submit(nothing, 1);
}

static void *one_of_several(void *submit)
{
    batches(*(submit_fn **)submit, TINY / SUBMITTERS);
    return NULL;
}

static void several(submit_fn *submit)
{
    pthread_t threads[SUBMITTERS];

    for (int i = 0; i < SUBMITTERS; i++)
        if (pthread_create(&threads[i], NULL, one_of_several, &submit))
            abort();
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
}

static void say(const char *metric, int count, mt_deadline start)
{
    printf("%s tasks/s %.0f\n", metric, count * 1e9 / (double)(mt_now() - start));
}

static void measure(submit_fn *submit, submit_fn *map)
{
    mt_deadline start;

    batches(submit, TINY / 10); /* warm */
    start = mt_now();
    batches(submit, TINY);
    say("tiny-1", TINY, start);
    start = mt_now();
    several(submit);
    say("tiny-4", TINY, start);
    start = mt_now();
    submit(work, WORK);
    say("work-1", WORK, start);
    start = mt_now();
    trips(submit);
    say("round-trip", TRIPS, start);
    start = mt_now();
    map(nothing, TINY);
    say("map", TINY, start);
}

static void measure_plain(void)
{
    pthread_t threads[WORKERS];

    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, plain_worker, NULL))
            abort();
    measure(plain_submit, plain_submit);
    pthread_mutex_lock(&plain.mutex);
    plain.closed = 1;
    pthread_cond_broadcast(&plain.more);
    pthread_mutex_unlock(&plain.mutex);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    struct mt_pool_options options = {.workers = WORKERS};

    if (argc == 2 && !strcmp(argv[1], "mt")) {
        ours = mt_pool_open(&options);
        if (!ours)
            abort();
        measure(mt_submit, mt_map);
        mt_pool_free(ours);
        return 0;
    }
    if (argc == 2 && !strcmp(argv[1], "pthread")) {
        measure_plain();
        return 0;
    }
    fprintf(stderr, "usage: threadpool mt|pthread\n");
    return 2;
}
