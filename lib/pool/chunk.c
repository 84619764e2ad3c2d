/* SPDX-License-Identifier: MIT
 *
 * Several items in one task. The task's argument is the chunk, bytes all of it: what to call, and the items. Its value
 * is a row of pieces, one an item, bytes too: code, message, value. Its own outcome is that of the first item that
 * failed, so that a chunk that nobody reads is no failure lost.
 */
#include "pool/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
    mt_fn *fn;
    size_t item_size; /* 0: the items are pointers */
    size_t count;
    max_align_t items[];
};

struct pieces {
    char *bytes;
    size_t used, room;
};

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static int grow(struct pieces *pieces, size_t more)
{
    size_t room = pieces->room * 2 > pieces->used + more ? pieces->room * 2 : pieces->used + more;
    char *bytes;

    if (pieces->room - pieces->used >= more)
        return 0;
    bytes = mt__alloc(room);
    if (!bytes)
        return -ENOMEM;
    if (pieces->used)
        memcpy(bytes, pieces->bytes, pieces->used);
    free(pieces->bytes);
    pieces->bytes = bytes;
    pieces->room = room;
    return 0;
}

static int add(struct pieces *pieces, int code, const char *message, const void *value, size_t size)
{
    struct mt__piece piece = {
        .code = code, .message_size = (uint32_t)(message[0] ? strlen(message) + 1 : 0), .size = size};
    char *at;

    if (grow(pieces, sizeof piece + aligned(piece.message_size) + aligned(size)))
        return -ENOMEM;
    at = pieces->bytes + pieces->used;
    memcpy(at, &piece, sizeof piece);
    at += sizeof piece;
    if (piece.message_size)
        memcpy(at, message, piece.message_size);
    at += aligned(piece.message_size);
    if (size)
        memcpy(at, value, size);
    pieces->used += sizeof piece + aligned(piece.message_size) + aligned(size);
    return 0;
}

/* One item, whose mt_pool_reply goes to *value. */
static int run_item(struct mt__worker *worker, mt_fn *fn, void *item, struct mt__value *value)
{
    struct mt__value *chunks = worker->value;
    int code;

    mt__self_if_known()->message[0] = 0;
    value->bytes = NULL;
    value->size = 0;
    worker->value = value;
    code = mt_task_killed() ? mt_fail(-ECANCELED, "its chunk was killed before its turn") : fn(item);
    worker->value = chunks;
    return code;
}

static void *item_at(struct chunk *chunk, size_t i)
{
    return chunk->item_size ? (char *)chunk->items + i * chunk->item_size : ((void **)chunk->items)[i];
}

static int run_chunk(void *arg)
{
    struct chunk *chunk = arg;
    struct mt__worker *worker = mt__worker_here();
    struct mt_task *task = mt__self_if_known();
    struct pieces pieces = {NULL, 0, 0};
    char message[MT_MESSAGE_MAX] = "";
    mt_fn *fn = mt__served_function(chunk->fn);
    int first = 0;

    if (!fn)
        return mt_fail(-ENOEXEC, "the function of a chunk of %zu items is not to be found here", chunk->count);

    for (size_t i = 0; i < chunk->count; i++) {
        struct mt__value value;
        int error, code = run_item(worker, fn, item_at(chunk, i), &value);
        if (code && !first) {
            first = code;
            memcpy(message, task->message, sizeof message);
        }
        error = add(&pieces, code, task->message, value.bytes, value.size);
        mt__value_drop(&value);
        if (error) {
            free(pieces.bytes);
            return mt_fail(-ENOMEM, "no memory for the results of a chunk of %zu items", chunk->count);
        }
    }
    mt__worker_give(worker, pieces.bytes, pieces.used);
    memcpy(task->message, message, sizeof message);
    return first;
}

mt_fn *mt__chunk_function(const struct mt_future *future)
{
    return future->fn == run_chunk ? ((const struct chunk *)mt__future_argument((struct mt_future *)future))->fn : NULL;
}

struct mt_future *mt__chunk_submit(struct mt_pool *pool, mt_fn *fn, const void *items, size_t item_size, size_t count,
                                   mt_deadline deadline)
{
    size_t stride = item_size ? item_size : sizeof(void *);
    struct mt_future *future;
    struct chunk *chunk;

    if (count > (SIZE_MAX / 2 - sizeof *chunk) / stride) {
        errno = ENOMEM;
        return NULL;
    }
    chunk = mt__alloc(sizeof *chunk + count * stride);
    if (!chunk) {
        errno = ENOMEM;
        return NULL;
    }
    chunk->fn = fn;
    chunk->item_size = item_size;
    chunk->count = count;
    memcpy(chunk->items, items, count * stride);
    future = mt_pool_apply_async(pool, run_chunk, chunk, sizeof *chunk + count * stride, deadline);
    free(chunk);
    return future;
}

void mt__chunk_read(const struct mt_future *future, size_t *at, struct mt_outcome *outcome, const void **value)
{
    size_t size;
    const char *bytes = mt_future_value(future, &size);
    struct mt__piece piece;

    *value = NULL;
    if (!bytes || *at >= size) {
        mt_future_read(future, outcome); /* the chunk's is all that there is */
        outcome->size = 0;
        return;
    }
    __atomic_store_n(&((struct mt_future *)(uintptr_t)future)->noticed, 1, __ATOMIC_RELAXED);
    memcpy(&piece, bytes + *at, sizeof piece);
    *at += sizeof piece;
    outcome->code = piece.code;
    outcome->tid = (int)future->tid;
    outcome->worker = outcome->tid ? future->by.worker_id : 0;
    outcome->message[0] = 0;
    if (piece.message_size)
        memcpy(outcome->message, bytes + *at, piece.message_size);
    *at += aligned(piece.message_size);
    outcome->size = piece.size;
    if (piece.size)
        *value = bytes + *at;
    *at += aligned(piece.size);
}
