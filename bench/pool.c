/* SPDX-License-Identifier: MIT
 *
 * Pools of processes. usage: pool mt; prints "metric unit value" a line. The peer is bench/pool.py.
 *
 *   tiny-apply    tasks that do nothing, submitted by one thread, a thousand at a time, and waited for
 *   tiny-value    the same, each with 8 bytes to and 8 bytes back
 *   tiny-imap     the same through imap_unordered, one in a task
 *   map           the same by map, in chunks
 *   round-trip    one task at a time, waited for
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, TINY = 400000, BATCH = 1000, TRIPS = 5000 };

static struct mt_pool *pool;

static int nothing(void *arg)
{
    return 0;
}

static int twice(void *arg)
{
    long result = *(long *)arg * 2;

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

static void batches(mt_fn *fn, size_t size, int count)
{
    for (; count > 0; count -= BATCH)
        submit(fn, size, BATCH);
}

static void imap(long *numbers, int count)
{
    struct mt_source source = {.items = numbers, .item_size = sizeof *numbers, .count = (size_t)count};
    struct mt_imap_options options = {.ahead = BATCH};
    struct mt_imap *items = mt_pool_imap_unordered(pool, twice, &source, &options);
    struct mt_item item;
    int left = count;

    while (items && mt_imap_next(items, &item, MT_FOREVER) == 1)
        left--;
    if (left)
        abort();
    mt_imap_free(items);
}

static void say(const char *metric, int count, mt_deadline start)
{
    printf("%s tasks/s %.0f\n", metric, count * 1e9 / (double)(mt_now() - start));
}

static void measure(void)
{
    long *numbers = calloc(TINY, sizeof *numbers), *values = calloc(TINY, sizeof *values);
    mt_deadline start;

    if (!numbers || !values)
        abort();
    batches(nothing, 0, TINY / 10); /* warm */
    start = mt_now();
    batches(nothing, 0, TINY);
    say("tiny-apply", TINY, start);
    start = mt_now();
    batches(twice, sizeof(long), TINY);
    say("tiny-value", TINY, start);
    start = mt_now();
    imap(numbers, TINY);
    say("tiny-imap", TINY, start);
    start = mt_now();
    if (mt_pool_map(pool, twice, numbers, sizeof *numbers, TINY, values, sizeof *values, NULL, 0, MT_FOREVER))
        abort();
    say("map", TINY, start);
    start = mt_now();
    for (int i = 0; i < TRIPS; i++)
        submit(nothing, 0, 1);
    say("round-trip", TRIPS, start);
    free(numbers);
    free(values);
}

int main(int argc, char **argv)
{
    struct mt_pool_options options = {.kind = MT_PROCESS, .workers = WORKERS};

    if (argc != 2 || strcmp(argv[1], "mt") != 0) {
        fprintf(stderr, "usage: pool mt\n");
        return 2;
    }
    pool = mt_pool_open(&options);
    if (!pool) {
        perror("mt_pool_open");
        return 1;
    }
    measure();
    mt_pool_free(pool);
    return 0;
}
