/* SPDX-License-Identifier: MIT
 *
 * First in, first out: a ring of bytes, mapped twice in a row so that no message is cut by its end.
 *
 * A message is a header of 8 bytes and its bytes, rounded up to 8. Positions count messages and units of 8 bytes at
 * once:
 *
 *   freed <= head <= tail        freed..head: taken, in somebody's view; head..tail: there to be taken
 *
 * 1. A message is put by the one store that moves tail, and taken by the one that moves head: a user that dies before
 * it has done nothing, and one that dies after it has done all. Producers write beyond tail, which nobody reads.
 * 2. freed follows from head and the views: it is head, or the position of the oldest view. A user that dies between
 * moving head and moving freed leaves room unused; the next to acquire `get` moves it.
 * 3. tail belongs to the producers and head to the consumers. What each knows of the other's position it keeps beside
 * its guard and asks again only when that is not enough: so the two sides seldom touch the same line of the cache.
 */
#include "queue/segment.h"

#include <errno.h>
#include <string.h>

#define UNIT 8u

struct header {
    uint32_t size;
    uint32_t count; /* of the message, to know a ring that was written over */
};

static uint32_t units_of(uint32_t size)
{
    return 1 + size / UNIT + (size % UNIT != 0);
}

static uint32_t all_units(const struct mt_queue *queue)
{
    return (uint32_t)(queue->data_size / UNIT);
}

static unsigned char *at(const struct mt_queue *queue, uint32_t units)
{
    return queue->data + (size_t)(units & (all_units(queue) - 1)) * UNIT;
}

/* A power of two, because positions wrap at 2^32. */
static uint64_t ring_size(const struct mt_queue_options *options)
{
    uint64_t message = (uint64_t)units_of(options->message_max) * UNIT, size = 4096;
    uint64_t wanted = options->bytes ? options->bytes : message * options->capacity;

    if (wanted < message)
        wanted = message;
    while (size < wanted && size < (uint64_t)1 << 34)
        size *= 2;
    return size >= wanted && size / UNIT < UINT32_MAX / 2 ? size : 0;
}

static int ring_init(struct mt_queue *queue)
{
    uint64_t size = queue->data_size;

    return size && !(size & (size - 1)) && size / UNIT < UINT32_MAX / 2 &&
           (uint64_t)units_of(queue->message_max) * UNIT <= size;
}

/* Whether there may be two such positions, the later one given first. */
static int fits(const struct mt_queue *queue, union mt__position later, union mt__position earlier)
{
    uint32_t count = later.count - earlier.count, units = later.units - earlier.units;

    return count <= queue->capacity && units <= all_units(queue) && units >= count;
}

/* -- Put ---------------------------------------------------------------------------------------------------------- */

static int has_room(const struct mt_queue *queue, union mt__position tail, union mt__position freed, uint32_t units)
{
    return tail.count - freed.count < queue->capacity && all_units(queue) - (tail.units - freed.units) >= units;
}

static int ring_put(struct mt_queue *queue, const struct iovec *messages, size_t count, int32_t priority)
{
    struct mt__segment *shared = queue->shared;
    union mt__position tail = mt__position(&shared->tail), freed = mt__position(&shared->put_freed);
    size_t done;

    if (!fits(queue, tail, freed))
        return -EUCLEAN;
    for (done = 0; done < count; done++) {
        uint32_t size = (uint32_t)messages[done].iov_len, units = units_of(size);
        struct header header = {size, tail.count};
        if (!has_room(queue, tail, freed, units)) {
            freed = mt__position(&shared->freed);
            if (!fits(queue, tail, freed))
                return -EUCLEAN;
            mt__store64(&shared->put_freed, freed.both);
            if (!has_room(queue, tail, freed, units))
                break;
        }
        mt__aim_put(queue, tail.count + 1);
        memcpy(at(queue, tail.units), &header, sizeof header);
        if (size)
            memcpy(at(queue, tail.units) + UNIT, messages[done].iov_base, size);
        tail.count++;
        tail.units += units;
    }
    if (done)
        mt__store64(&shared->tail, tail.both);
    return (int)done;
}

/* -- Get ---------------------------------------------------------------------------------------------------------- */

static uint32_t ring_gone(const struct mt_queue *queue)
{
    return mt__position(&queue->shared->head).count - __atomic_load_n(&queue->shared->out, __ATOMIC_RELAXED);
}

/* The message at a position, which the ring may lie about: its size, or -EUCLEAN. */
static int64_t message_at(const struct mt_queue *queue, union mt__position position, union mt__position tail)
{
    const struct header *header = (const struct header *)at(queue, position.units);
    uint32_t size = __atomic_load_n(&header->size, __ATOMIC_RELAXED);
    uint32_t count = __atomic_load_n(&header->count, __ATOMIC_RELAXED);

    if (size > queue->message_max || count != position.count || units_of(size) > tail.units - position.units)
        return -EUCLEAN;
    return size;
}

/* Where the consumers are, and up to where they may go: 1; 0: there is nothing. */
static int span(struct mt_queue *queue, union mt__position *head, union mt__position *tail)
{
    struct mt__segment *shared = queue->shared;

    *head = mt__position(&shared->head);
    *tail = mt__position(&shared->get_tail);
    if (head->count == tail->count) {
        *tail = mt__position(&shared->tail);
        mt__store64(&shared->get_tail, tail->both);
    }
    if (!fits(queue, *tail, *head))
        return -EUCLEAN;
    return head->count != tail->count;
}

/* The oldest position that somebody's view holds back, or head: see 2. */
static void free_room(struct mt_queue *queue)
{
    struct mt__segment *shared = queue->shared;
    union mt__position freed = mt__position(&shared->freed), oldest = mt__position(&shared->head);

    if (__atomic_load_n(&shared->out, __ATOMIC_RELAXED))
        for (int i = 0; i < MT_QUEUE_VIEWS; i++) {
            union mt__position place = mt__position(&shared->views[i].at);
            if (__atomic_load_n(&shared->views[i].state, __ATOMIC_RELAXED) != MT__VIEW_FREE &&
                place.count - freed.count < oldest.count - freed.count)
                oldest = place;
        }
    if (oldest.both != freed.both)
        mt__store64(&shared->freed, oldest.both);
}

static int copy_out(const struct mt_queue *queue, union mt__position position, union mt__position tail,
                    struct iovec *message, uint32_t *units)
{
    int64_t size = message_at(queue, position, tail);

    if (size < 0)
        return (int)size;
    if ((uint64_t)size > message->iov_len)
        return -EMSGSIZE;
    if (size)
        memcpy(message->iov_base, at(queue, position.units) + UNIT, (size_t)size);
    message->iov_len = (size_t)size;
    *units = units_of((uint32_t)size);
    return 0;
}

/* One that was in the view of a user that died, or gave it back to be got again. */
static int get_again(struct mt_queue *queue, struct iovec *message, int taking)
{
    union mt__position place, head = mt__position(&queue->shared->head);
    uint32_t units;
    int entry = mt__view_again(queue, &place.both), result;

    if (entry < 0)
        return 0;
    result = copy_out(queue, place, head, message, &units);
    if (result)
        return result;
    if (taking) {
        mt__view_end(queue, entry);
        free_room(queue);
    }
    return 1;
}

static int ring_get(struct mt_queue *queue, struct iovec *messages, size_t count, int taking)
{
    struct mt__segment *shared = queue->shared;
    union mt__position head, tail;
    size_t done = 0;
    int result;

    mt__aim_take(queue, taking, ring_gone(queue));
    if (__atomic_load_n(&shared->out, __ATOMIC_RELAXED) && (result = get_again(queue, messages, taking)) != 0)
        return result;
    result = span(queue, &head, &tail);
    if (result <= 0)
        return result;
    for (; done < count && head.count != tail.count; done++) {
        uint32_t units;
        result = copy_out(queue, head, tail, &messages[done], &units);
        if (result)
            break;
        head.count++;
        head.units += units;
    }
    if (done && taking) {
        mt__store64(&shared->head, head.both);
        free_room(queue);
    }
    return done ? (int)done : result;
}

static int ring_view(struct mt_queue *queue, struct mt_queue_view *view)
{
    struct mt__segment *shared = queue->shared;
    union mt__position place, end;
    int entry = -1, again, result;
    int64_t size;

    again = __atomic_load_n(&shared->out, __ATOMIC_RELAXED) && (entry = mt__view_again(queue, &place.both)) >= 0;
    if (again)
        end = mt__position(&shared->head);
    else if ((result = span(queue, &place, &end)) <= 0)
        return result;
    size = message_at(queue, place, end);
    if (size < 0)
        return (int)size;
    if (again)
        mt__view_adopt(queue, entry);
    else if ((entry = mt__view_begin(queue, place.both)) < 0)
        return entry;
    *view = (struct mt_queue_view){at(queue, place.units) + UNIT, (size_t)size, (uint32_t)entry, place.count};
    if (!again) {
        place.count++;
        place.units += units_of((uint32_t)size);
        mt__store64(&shared->head, place.both);
    }
    return 1;
}

static void ring_freed(struct mt_queue *queue, uint64_t place)
{
    free_room(queue);
}

/* A view that was noted down, but the store of head did not follow. */
static int never_taken(const struct mt_queue *queue, uint64_t place)
{
    union mt__position view = {.both = place}, head = mt__position(&queue->shared->head),
                       freed = mt__position(&queue->shared->freed);

    return view.count - freed.count >= head.count - freed.count;
}

static void ring_repair(struct mt_queue *queue, const struct mt__guard *guard)
{
    if (guard != &queue->shared->get)
        return; /* see 1 */
    mt__view_recount(queue, never_taken);
    free_room(queue);
}

static uint32_t ring_size_now(const struct mt_queue *queue)
{
    union mt__position head = mt__position(&queue->shared->head), tail = mt__position(&queue->shared->tail);
    uint32_t size = tail.count - head.count;

    return size > queue->capacity ? 0 : size; /* head has moved on between the two looks */
}

static uint32_t ring_put_count(const struct mt_queue *queue)
{
    return mt__position(&queue->shared->tail).count;
}

static int ring_has_room(const struct mt_queue *queue, uint32_t size)
{
    return has_room(queue, mt__position(&queue->shared->tail), mt__position(&queue->shared->freed), units_of(size));
}

const struct mt__store mt__ring = {
    .data_size = ring_size,
    .init = ring_init,
    .put = ring_put,
    .get = ring_get,
    .view = ring_view,
    .freed = ring_freed,
    .repair = ring_repair,
    .size = ring_size_now,
    .put_count = ring_put_count,
    .gone = ring_gone,
    .has_room = ring_has_room,
};
