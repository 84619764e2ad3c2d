/* SPDX-License-Identifier: MIT
 *
 * Pools of processes. usage: pool mt|queue [METRIC]; prints "metric unit value" a line. The other peer is
 * bench/pool.py.
 *
 *   tiny-apply      tasks that do nothing, submitted by one thread, a thousand at a time, and waited for
 *   tiny-value      the same, each with 8 bytes to and 8 bytes back
 *   imap-1          the same through imap, one in a task, a thousand ahead; imap-100: a hundred in a task
 *   unordered-1     likewise through imap_unordered, unordered-100
 *   map-1, map-100  an array of them, so many in a task; map: as many as the pool thinks best
 *   starmap         the same of tasks that have two arguments, starmap-1, starmap-100
 *   round-trip      one task at a time, waited for
 *
 * "queue" is what the same messages cost without a pool: as many processes get requests from one queue and put answers
 * into another, a message each, a thousand of them put before the first is got. No pool that is made of such queues
 * could be faster at tasks that are submitted one by one.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, TINY = 400000, BATCH = 1000, TRIPS = 5000 };

static struct mt_pool *pool;
static struct mt_queue *requests, *answers;
static long numbers[TINY], values[TINY];
static struct pair {
    long a, b;
} pairs[TINY];

/* -- Through a pool ----------------------------------------------------------------------------------------------- */

static int nothing(void *arg)
{
    return 0;
}

static int twice(void *arg)
{
    long result = *(long *)arg * 2;

    return mt_pool_reply(&result, sizeof result);
}

static int product(void *arg)
{
    const struct pair *pair = arg;
    long result = pair->a * pair->b;

    return mt_pool_reply(&result, sizeof result);
}

static void submit(mt_fn *fn, size_t size, int count)
{
    struct mt_future *futures[BATCH];

    for (int i = 0; i < count; i++) {
        long number = i;
        futures[i] = mt_pool_apply_async(pool, fn, size ? &number : NULL, size, MT_FOREVER);
        if (!futures[i])
            abort();
    }
    for (int i = 0; i < count; i++) {
        if (mt_future_wait(futures[i], MT_FOREVER) || mt_future_outcome(futures[i]))
            abort();
        mt_future_release(futures[i]);
    }
}

static void apply(size_t unused)
{
    for (int count = TINY; count > 0; count -= BATCH)
        submit(nothing, 0, BATCH);
}

static void apply_value(size_t unused)
{
    for (int count = TINY; count > 0; count -= BATCH)
        submit(twice, sizeof(long), BATCH);
}

static void take_all(struct mt_imap *items)
{
    struct mt_item item;
    int left = TINY;

    while (items && mt_imap_next(items, &item, MT_FOREVER) == 1)
        left--;
    if (left)
        abort();
    mt_imap_free(items);
}

static void imap(size_t chunk)
{
    struct mt_source source = {.items = numbers, .item_size = sizeof *numbers, .count = TINY};
    struct mt_imap_options options = {.ahead = BATCH * chunk, .chunk = chunk};

    take_all(mt_pool_imap(pool, twice, &source, &options));
}

static void imap_unordered(size_t chunk)
{
    struct mt_source source = {.items = numbers, .item_size = sizeof *numbers, .count = TINY};
    struct mt_imap_options options = {.ahead = BATCH * chunk, .chunk = chunk};

    take_all(mt_pool_imap_unordered(pool, twice, &source, &options));
}

static void map(size_t chunk)
{
    if (mt_pool_map(pool, twice, numbers, sizeof *numbers, TINY, values, sizeof *values, NULL, chunk, MT_FOREVER))
        abort();
}

static void starmap(size_t chunk)
{
    if (mt_pool_map(pool, product, pairs, sizeof *pairs, TINY, values, sizeof *values, NULL, chunk, MT_FOREVER))
        abort();
}

static void round_trip(size_t unused)
{
    for (int i = 0; i < TRIPS; i++)
        submit(nothing, 0, 1);
}

/* -- Through bare queues ------------------------------------------------------------------------------------------ */

static int answer_all(void *arg)
{
    long message[2];
    ssize_t size;

    while ((size = mt_queue_get(requests, message, sizeof message, MT_FOREVER)) >= 0) {
        message[0] *= 2;
        if (mt_queue_put(answers, message, (size_t)size, MT_FOREVER))
            return -1;
    }
    return 0;
}

static void exchange(int count)
{
    long message = 3;

    for (int i = 0; i < count; i++)
        if (mt_queue_put(requests, &message, sizeof message, MT_FOREVER))
            abort();
    for (int i = 0; i < count; i++)
        if (mt_queue_get(answers, &message, sizeof message, MT_FOREVER) < 0)
            abort();
}

static void exchange_batches(size_t unused)
{
    for (int count = TINY; count > 0; count -= BATCH)
        exchange(BATCH);
}

static void exchange_one_by_one(size_t unused)
{
    for (int i = 0; i < TRIPS; i++)
        exchange(1);
}

/* -- Measuring ---------------------------------------------------------------------------------------------------- */

struct metric {
    const char *name;
    int count;
    void (*run)(size_t chunk);
    size_t chunk;
};

static const struct metric of_pool[] = {
    {"tiny-apply", TINY, apply, 0},
    {"tiny-value", TINY, apply_value, 0},
    {"imap-1", TINY, imap, 1},
    {"imap-100", TINY, imap, 100},
    {"unordered-1", TINY, imap_unordered, 1},
    {"unordered-100", TINY, imap_unordered, 100},
    {"map-1", TINY, map, 1},
    {"map-100", TINY, map, 100},
    {"map", TINY, map, 0},
    {"starmap-1", TINY, starmap, 1},
    {"starmap-100", TINY, starmap, 100},
    {"starmap", TINY, starmap, 0},
    {"round-trip", TRIPS, round_trip, 0},
    {NULL, 0, NULL, 0},
};

static const struct metric of_queues[] = {
    {"tiny-apply", TINY, exchange_batches, 0},
    {"tiny-value", TINY, exchange_batches, 0},
    {"round-trip", TRIPS, exchange_one_by_one, 0},
    {NULL, 0, NULL, 0},
};

static void measure(const struct metric *metric, const char *only)
{
    metric->run(metric->chunk); /* warm */
    for (; metric->name; metric++) {
        mt_deadline start = mt_now();
        if (only && strcmp(only, metric->name) != 0)
            continue;
        metric->run(metric->chunk);
        printf("%s tasks/s %.0f\n", metric->name, metric->count * 1e9 / (double)(mt_now() - start));
    }
}

static void measure_pool(const char *only)
{
    struct mt_pool_options options = {.kind = MT_PROCESS, .workers = WORKERS};

    pool = mt_pool_open(&options);
    if (!pool) {
        perror("mt_pool_open");
        exit(EXIT_FAILURE);
    }
    measure(of_pool, only);
    mt_pool_free(pool);
}

static void measure_queues(const char *only)
{
    struct mt_queue_options options = {.capacity = BATCH, .message_max = 2 * sizeof(long)};
    struct mt_task *workers[WORKERS];

    requests = mt_queue_new(&options);
    answers = mt_queue_new(&options);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = requests && answers ? mt_process_spawn(answer_all, NULL, 0, NULL) : NULL;
        if (!workers[i]) {
            perror("mt_process_spawn");
            exit(EXIT_FAILURE);
        }
    }
    measure(of_queues, only);
    mt_queue_close(requests);
    for (int i = 0; i < WORKERS; i++) {
        if (mt_task_join(workers[i], MT_FOREVER))
            abort();
        mt_task_release(workers[i]);
    }
    mt_queue_free(requests);
    mt_queue_free(answers);
}

int main(int argc, char **argv)
{
    const char *variant = argc == 2 || argc == 3 ? argv[1] : "", *only = argc == 3 ? argv[2] : NULL;

    if (strcmp(variant, "mt") == 0) {
        measure_pool(only);
    } else if (strcmp(variant, "queue") == 0) {
        measure_queues(only);
    } else {
        fprintf(stderr, "usage: pool mt|queue [METRIC]\n");
        return 2;
    }
    return 0;
}
