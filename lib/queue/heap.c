/* SPDX-License-Identifier: MIT
 *
 * Orders other than first in, first out: slots of one size, a binary heap of those that are full and a list of those
 * that are free, all under one guard, `put`.
 *
 * The slots' states are the truth; heap and list follow from them, and are made anew when a user has died in here.
 *
 *   FREE     on the list              put: written, then -> FULL, then on the heap
 *   FULL     in the heap              got: read, then -> FREE, then on the list.   viewed: entry OUT, then -> VIEWED
 *   VIEWED   has an entry of view.c   given back: entry FREE, then -> FREE
 *
 * So a put or get is done when the state says so, and a slot that is VIEWED without an entry was given back.
 *
 * The indices in heap and list may have been written over: slot() makes one of any number.
 */
#include "queue/segment.h"

#include <errno.h>
#include <string.h>

enum { FREE = 0, FULL = 1, VIEWED = 2 };

struct slot {
    uint32_t state;
    uint32_t size;
    int32_t priority;
    uint32_t unused;
    uint64_t serial; /* of the put */
    unsigned char data[];
};

static uint64_t stride(uint32_t message_max)
{
    return (sizeof(struct slot) + message_max + 63) & ~(uint64_t)63;
}

static uint64_t arrays_size(uint32_t capacity)
{
    return ((uint64_t)capacity * 2 * sizeof(uint32_t) + 63) & ~(uint64_t)63;
}

static uint64_t heap_data_size(const struct mt_queue_options *options)
{
    uint64_t size = arrays_size(options->capacity) + stride(options->message_max) * options->capacity;

    return size < (uint64_t)1 << 40 ? size : 0;
}

static uint32_t *heap(const struct mt_queue *queue)
{
    return (uint32_t *)queue->data;
}

static uint32_t *list(const struct mt_queue *queue)
{
    return heap(queue) + queue->capacity;
}

static struct slot *slot(const struct mt_queue *queue, uint32_t index)
{
    if (index >= queue->capacity)
        index = 0;
    return (struct slot *)(queue->data + arrays_size(queue->capacity) + stride(queue->message_max) * index);
}

/* Where a view is, for its entry: the slot, and which put it was, so that an old view is not taken for a new one. */
static uint64_t place_of(const struct mt_queue *queue, uint32_t index)
{
    return (uint64_t)index << 32 | (uint32_t)slot(queue, index)->serial;
}

static uint32_t index_of(uint64_t at)
{
    return (uint32_t)(at >> 32);
}

static void store(uint32_t *to, uint32_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* -- The heap ----------------------------------------------------------------------------------------------------- */

static int goes_before(const struct mt_queue *queue, uint32_t one, uint32_t other)
{
    const struct slot *a = slot(queue, one), *b = slot(queue, other);

    if (queue->order == MT_QUEUE_LIFO)
        return a->serial > b->serial;
    return a->priority != b->priority ? a->priority < b->priority : a->serial < b->serial;
}

static void push(struct mt_queue *queue, uint32_t used, uint32_t index)
{
    uint32_t *entries = heap(queue), place = used;

    while (place && goes_before(queue, index, entries[(place - 1) / 2])) {
        entries[place] = entries[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    entries[place] = index;
    store(&queue->shared->used, used + 1);
}

static void pop(struct mt_queue *queue, uint32_t used)
{
    uint32_t *entries = heap(queue), last = entries[used - 1], place = 0, child;

    while ((child = 2 * place + 1) < used - 1) {
        if (child + 1 < used - 1 && goes_before(queue, entries[child + 1], entries[child]))
            child++;
        if (!goes_before(queue, entries[child], last))
            break;
        entries[place] = entries[child];
        place = child;
    }
    entries[place] = last;
    store(&queue->shared->used, used - 1);
}

static uint32_t heap_put_count(const struct mt_queue *queue)
{
    return (uint32_t)mt__load64(&queue->shared->tail);
}

static uint32_t heap_gone(const struct mt_queue *queue)
{
    return heap_put_count(queue) - mt__load32(&queue->shared->used) - mt__load32(&queue->shared->out);
}

/* -- Put and get -------------------------------------------------------------------------------------------------- */

static int put_one(struct mt_queue *queue, const struct iovec *message, int32_t priority)
{
    struct mt__segment *shared = queue->shared;
    uint32_t unused = mt__load32(&shared->unused), used = mt__load32(&shared->used), index;
    uint64_t serial = mt__load64(&shared->tail) + 1;
    struct slot *place;

    if (!unused)
        return 0;
    if (unused > queue->capacity || used >= queue->capacity)
        return -EUCLEAN;
    index = mt__load32(&list(queue)[unused - 1]);
    place = slot(queue, index);
    if (index >= queue->capacity || mt__load32(&place->state) != FREE)
        return -EUCLEAN;
    mt__aim_put(queue, (uint32_t)serial);
    place->size = (uint32_t)message->iov_len;
    place->priority = priority;
    place->serial = serial;
    if (message->iov_len)
        memcpy(place->data, message->iov_base, message->iov_len);
    store(&place->state, FULL);
    store(&shared->unused, unused - 1);
    push(queue, used, index);
    mt__store64(&shared->tail, serial);
    return 1;
}

static int heap_put(struct mt_queue *queue, const struct iovec *messages, size_t count, int32_t priority)
{
    int result = 0;
    size_t done = 0;

    while (done < count && (result = put_one(queue, &messages[done], priority)) > 0)
        done++;
    return done ? (int)done : result;
}

static void list_slot(struct mt_queue *queue, uint32_t index)
{
    uint32_t unused = mt__load32(&queue->shared->unused);

    store(&slot(queue, index)->state, FREE);
    if (unused < queue->capacity) {
        store(&list(queue)[unused], index);
        store(&queue->shared->unused, unused + 1);
    }
}

static void free_slot(struct mt_queue *queue, uint32_t index)
{
    list_slot(queue, index);
    mt__store64(&queue->shared->freed, mt__load64(&queue->shared->freed) + 1);
}

/* The message to be got next: 1, and its slot, and the view that it comes from or -1; 0: none. */
static int next(struct mt_queue *queue, uint32_t *index, int *entry)
{
    struct mt__segment *shared = queue->shared;
    uint32_t used = mt__load32(&shared->used);
    uint64_t at;

    *entry = mt__load32(&shared->out) ? mt__view_again(queue, &at) : -1;
    if (*entry < 0 && !used)
        return 0;
    if (*entry < 0 && used > queue->capacity)
        return -EUCLEAN;
    *index = *entry < 0 ? mt__load32(heap(queue)) : index_of(at);
    if (*index >= queue->capacity || mt__load32(&slot(queue, *index)->state) != (*entry < 0 ? FULL : VIEWED))
        return -EUCLEAN;
    return 1;
}

static int get_one(struct mt_queue *queue, struct iovec *message, int taking)
{
    uint32_t index, size;
    int entry, result = next(queue, &index, &entry);

    if (result <= 0)
        return result;
    size = mt__load32(&slot(queue, index)->size);
    if (size > queue->message_max)
        return -EUCLEAN;
    if (size > message->iov_len)
        return -EMSGSIZE;
    if (size)
        memcpy(message->iov_base, slot(queue, index)->data, size);
    message->iov_len = size;
    if (!taking)
        return 1;
    if (entry >= 0)
        mt__view_end(queue, entry);
    free_slot(queue, index);
    if (entry < 0)
        pop(queue, mt__load32(&queue->shared->used));
    return 1;
}

static int heap_get(struct mt_queue *queue, struct iovec *messages, size_t count, int taking)
{
    int result = 0;
    size_t done = 0;

    mt__aim_take(queue, taking, heap_gone(queue));
    while (done < count && (result = get_one(queue, &messages[done], taking)) > 0)
        done++;
    return done ? (int)done : result;
}

static int heap_view(struct mt_queue *queue, struct mt_queue_view *view)
{
    uint32_t index, size;
    int entry, result = next(queue, &index, &entry), again = entry >= 0;

    if (result <= 0)
        return result;
    size = mt__load32(&slot(queue, index)->size);
    if (size > queue->message_max)
        return -EUCLEAN;
    if (again)
        mt__view_adopt(queue, entry);
    else if ((entry = mt__view_begin(queue, place_of(queue, index))) < 0)
        return entry;
    *view = (struct mt_queue_view){slot(queue, index)->data, size, (uint32_t)entry, (uint32_t)place_of(queue, index)};
    if (!again) {
        store(&slot(queue, index)->state, VIEWED);
        pop(queue, mt__load32(&queue->shared->used));
    }
    return 1;
}

static void heap_freed(struct mt_queue *queue, uint64_t at)
{
    if (index_of(at) < queue->capacity && mt__load32(&slot(queue, index_of(at))->state) == VIEWED)
        free_slot(queue, index_of(at));
}

/* -- After a death ------------------------------------------------------------------------------------------------ */

static int never_taken(const struct mt_queue *queue, uint64_t at)
{
    return index_of(at) >= queue->capacity || mt__load32(&slot(queue, index_of(at))->state) != VIEWED;
}

static int has_entry(const struct mt_queue *queue, uint32_t index)
{
    for (int i = 0; i < MT_QUEUE_VIEWS; i++)
        if (mt__load32(&queue->shared->views[i].state) != MT__VIEW_FREE &&
            index_of(mt__load64(&queue->shared->views[i].at)) == index)
            return 1;
    return 0;
}

static void heap_repair(struct mt_queue *queue, const struct mt__guard *guard)
{
    struct mt__segment *shared = queue->shared;
    uint64_t last = mt__load64(&shared->tail);
    uint32_t used = 0;

    if (guard != &shared->put)
        return;
    mt__view_recount(queue, never_taken);
    store(&shared->unused, 0);
    for (uint32_t i = 0; i < queue->capacity; i++) {
        struct slot *place = slot(queue, i);
        uint32_t state = mt__load32(&place->state);
        if (state == FULL) {
            push(queue, used++, i);
            last = place->serial == last + 1 ? last + 1 : last; /* at most one put was under way */
        } else if (state != VIEWED || !has_entry(queue, i)) {
            list_slot(queue, i);
        }
    }
    store(&shared->used, used);
    mt__store64(&shared->tail, last);
    mt__store64(&shared->freed, last - used - mt__load32(&shared->out)); /* a slot that was free is not freed again */
}

static int heap_init(struct mt_queue *queue)
{
    struct mt_queue_options options = {.capacity = queue->capacity, .message_max = queue->message_max};
    uint64_t size = heap_data_size(&options);

    return size && size <= queue->data_size && queue->data_size - size < 65536;
}

static void heap_fill(struct mt_queue *queue)
{
    for (uint32_t i = 0; i < queue->capacity; i++)
        list(queue)[i] = queue->capacity - 1 - i;
    queue->shared->unused = queue->capacity;
}

static uint32_t heap_size(const struct mt_queue *queue)
{
    uint32_t used = mt__load32(&queue->shared->used);

    return used > queue->capacity ? 0 : used;
}

static int heap_has_room(const struct mt_queue *queue, uint32_t size)
{
    return mt__load32(&queue->shared->unused) != 0;
}

const struct mt__store mt__heap = {
    .data_size = heap_data_size,
    .init = heap_init,
    .fill = heap_fill,
    .put = heap_put,
    .get = heap_get,
    .view = heap_view,
    .freed = heap_freed,
    .repair = heap_repair,
    .size = heap_size,
    .put_count = heap_put_count,
    .gone = heap_gone,
    .has_room = heap_has_room,
    .single = 1,
};
