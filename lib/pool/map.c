/* SPDX-License-Identifier: MIT
 *
 * map: an array of items in chunks, all submitted, then read in order.
 */
#include "pool/pool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct map {
    const char *items;
    size_t item_size, count, chunk;
    char *values;
    size_t value_size;
    struct mt_outcome *outcomes;
    size_t done; /* items that have been read */
    int failed;
};

static void take_value(const struct map *map, struct mt_outcome *outcome, const void *value)
{
    if (map->value_size && !outcome->code && outcome->size != map->value_size) {
        outcome->code = -EMSGSIZE;
        snprintf(outcome->message, sizeof outcome->message, "its value has %zu bytes and not %zu", outcome->size,
                 map->value_size);
    }
    if (map->value_size && !outcome->code)
        memcpy(map->values + map->done * map->value_size, value, map->value_size);
}

static void read_chunk(struct map *map, const struct mt_future *future)
{
    size_t at = 0, count = map->count - map->done < map->chunk ? map->count - map->done : map->chunk;

    for (size_t i = 0; i < count; i++) {
        struct mt_outcome outcome;
        const void *value;
        mt__chunk_read(future, &at, &outcome, &value);
        take_value(map, &outcome, value);
        map->failed += outcome.code != 0;
        if (map->outcomes)
            map->outcomes[map->done] = outcome;
        else if (outcome.code)
            mt__failure_of(future, outcome.code, outcome.message);
        map->done++;
    }
}

static int submit_all(struct mt_pool *pool, mt_fn *fn, const struct map *map, struct mt_future **futures, size_t chunks,
                      mt_deadline deadline)
{
    size_t stride = map->item_size ? map->item_size : sizeof(void *), first = 0;

    for (size_t i = 0; i < chunks; i++, first += map->chunk) {
        size_t count = map->count - first < map->chunk ? map->count - first : map->chunk;
        futures[i] = mt__chunk_submit(pool, fn, map->items + first * stride, map->item_size, count, deadline);
        if (!futures[i])
            return -errno;
    }
    return 0;
}

static int read_all(struct map *map, struct mt_future **futures, size_t chunks, mt_deadline deadline)
{
    int result = 0;

    for (size_t i = 0; i < chunks && !result; i++) {
        result = mt_future_wait(futures[i], deadline);
        if (!result)
            read_chunk(map, futures[i]);
    }
    return result;
}

int mt_pool_map(struct mt_pool *pool, mt_fn *fn, const void *items, size_t item_size, size_t count, void *values,
                size_t value_size, struct mt_outcome *outcomes, size_t chunk, mt_deadline deadline)
{
    size_t share = 4 * (size_t)pool->wanted, chunks;
    struct map map = {.items = items, .item_size = item_size, .count = count, .outcomes = outcomes};
    struct mt_future **futures;
    int result;

    if (count > INT_MAX)
        return -EINVAL;
    if (!count)
        return 0;
    map.values = values;
    map.value_size = values ? value_size : 0;
    map.chunk = chunk ? chunk : (count + share - 1) / share;
    chunks = (count + map.chunk - 1) / map.chunk;
    futures = mt__alloc(chunks * sizeof *futures);
    if (!futures)
        return -ENOMEM;
    result = submit_all(pool, fn, &map, futures, chunks, deadline);
    if (!result)
        result = read_all(&map, futures, chunks, deadline);
    for (size_t i = 0; i < chunks && futures[i]; i++) {
        mt_future_cancel(futures[i]);
        mt_future_release(futures[i]);
    }
    free(futures);
    return result ? result : map.failed;
}
