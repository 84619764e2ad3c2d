/* SPDX-License-Identifier: MIT
 *
 * imap: items are taken from a source, chunk by chunk, while fewer than `ahead` are on their way to the consumer, and
 * handed out one by one. The consumer's calls do all that: no other task touches the source, and nothing is taken from
 * it while nobody asks.
 *
 * Chunks lie in `slots`, each used from its submission until its last item has been handed out. In order, they are a
 * ring, of which the oldest is read; unordered, whichever has ended first, which a set tells, and the others are a
 * list.
 *
 * Slots are filled again some at a time, so that a consumer of many tiny chunks and the workers do not take turns for
 * each of them: but before the consumer sleeps, and before a worker could run out of chunks.
 */
#include "pool/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    struct mt__note note;
    struct mt_future *future; /* NULL: free */
    struct slot *next;        /* then, unordered */
    size_t first, count;
};

struct mt_imap {
    struct mt_pool *pool;
    mt_fn *fn;
    struct mt_source source;
    int ordered;
    size_t chunk, taken; /* items taken from the source so far */
    int end;             /* of the source: 1, or -errno; 0: there may be more */
    int error;           /* a chunk could not be submitted, for good */

    struct slot *reading; /* whose items are being handed out, */
    size_t given, at;     /* how many have been, and where the next one lies */

    struct mt__set set;
    size_t oldest, slots, in_use;
    struct slot *unused;     /* unordered */
    struct mt__note **notes; /* of the slots in use, for mt__set_wait */
    char *items;             /* room for a chunk */
    size_t pending;          /* items in it that could not be submitted yet: the backlog was full */
    struct slot slot[];
};

static size_t stride(const struct mt_imap *imap)
{
    return imap->source.item_size ? imap->source.item_size : sizeof(void *);
}

/* -- The source --------------------------------------------------------------------------------------------------- */

/* Takes up to a chunk of items. Returns how many. */
static size_t take_items(struct mt_imap *imap)
{
    struct mt_source *source = &imap->source;
    size_t count = 0;

    while (count < imap->chunk && !imap->end) {
        char *to = imap->items + count * stride(imap);
        if (source->next) {
            int result = source->next(source->arg, to);
            if (result <= 0)
                imap->end = result ? result : 1;
            else
                count++;
        } else if (imap->taken + count < source->count) {
            memcpy(to, (const char *)source->items + (imap->taken + count) * stride(imap), stride(imap));
            count++;
        } else {
            imap->end = 1;
        }
    }
    return count;
}

static int submit(struct mt_imap *imap, struct slot *slot, mt_deadline deadline)
{
    slot->future = mt__chunk_submit(imap->pool, imap->fn, imap->items, imap->source.item_size, imap->pending, deadline);
    if (!slot->future)
        return -errno;
    slot->first = imap->taken;
    slot->count = imap->pending;
    imap->taken += imap->pending;
    imap->pending = 0;
    imap->in_use++;
    if (!imap->ordered) {
        imap->unused = slot->next;
        mt__set_add(&imap->set, &slot->note, slot->future);
    }
    return 0;
}

static struct slot *unused_slot(struct mt_imap *imap)
{
    return imap->ordered ? &imap->slot[(imap->oldest + imap->in_use) % imap->slots] : imap->unused;
}

/* Fills free slots. Waits for room in the pool's backlog only if there is nothing else to wait for. */
static int fill(struct mt_imap *imap, mt_deadline deadline)
{
    int result = 0;

    while (imap->in_use < imap->slots && !result && !imap->error) {
        if (!imap->pending)
            imap->pending = take_items(imap);
        if (!imap->pending)
            break;
        result = submit(imap, unused_slot(imap), imap->in_use ? MT_NOWAIT : deadline);
    }
    if (result == -EBUSY && imap->in_use)
        return 0;
    if (result && result != -EBUSY && result != -ETIMEDOUT && result != -ECANCELED)
        imap->error = result;
    return imap->error ? 0 : result;
}

/* -- The consumer ------------------------------------------------------------------------------------------------- */

static int can_wait_with_filling(const struct mt_imap *imap)
{
    return imap->slots - imap->in_use < imap->slots / 4 && imap->in_use > 2 * (size_t)imap->pool->wanted;
}

static int wait_for_oldest(struct mt_imap *imap, mt_deadline deadline)
{
    struct slot *slot = &imap->slot[imap->oldest];
    int result = mt_future_wait(slot->future, deadline);

    if (!result)
        imap->reading = slot;
    return result;
}

static int wait_for_any(struct mt_imap *imap, mt_deadline deadline)
{
    struct mt__note *note;

    while (!(note = mt__set_take(&imap->set))) {
        size_t count = 0;
        int result;
        for (size_t i = 0; i < imap->slots; i++)
            if (imap->slot[i].future)
                imap->notes[count++] = &imap->slot[i].note;
        result = mt__set_wait(&imap->set, imap->notes, count, deadline);
        if (result)
            return result;
    }
    imap->reading = mt_container_of(note, struct slot, note);
    return 0;
}

static int wait_for_one(struct mt_imap *imap, mt_deadline deadline)
{
    return imap->ordered ? wait_for_oldest(imap, deadline) : wait_for_any(imap, deadline);
}

static void give_back(struct mt_imap *imap, struct slot *slot)
{
    mt_future_release(slot->future);
    slot->future = NULL;
    if (imap->ordered) {
        imap->oldest = (imap->oldest + 1) % imap->slots;
    } else {
        slot->next = imap->unused;
        imap->unused = slot;
    }
    imap->in_use--;
    imap->reading = NULL;
    imap->given = imap->at = 0;
}

static int find_chunk(struct mt_imap *imap, mt_deadline deadline)
{
    int result;

    if (can_wait_with_filling(imap) && !wait_for_one(imap, MT_NOWAIT))
        return 1;
    result = fill(imap, deadline);
    if (result)
        return result;
    if (!imap->in_use)
        return imap->error ? imap->error : imap->end < 0 ? imap->end : 0;
    result = wait_for_one(imap, deadline);
    return result ? result : 1;
}

int mt_imap_next(struct mt_imap *imap, struct mt_item *item, mt_deadline deadline)
{
    struct slot *slot = imap->reading;

    if (slot && imap->given == slot->count)
        give_back(imap, slot);
    if (!imap->reading) {
        int result = find_chunk(imap, deadline);
        if (result <= 0)
            return result;
    }
    slot = imap->reading;
    item->index = slot->first + imap->given++;
    mt__chunk_read(slot->future, &imap->at, &item->outcome, &item->value);
    return 1;
}

/* -- Making and ending -------------------------------------------------------------------------------------------- */

static struct mt_imap *make(struct mt_pool *pool, mt_fn *fn, const struct mt_source *source,
                            const struct mt_imap_options *options, int ordered)
{
    size_t chunk = options && options->chunk ? options->chunk : 1;
    size_t ahead = options && options->ahead ? options->ahead : 4 * chunk * pool->wanted;
    size_t slots = ahead / chunk ? ahead / chunk : 1, item = source->item_size ? source->item_size : sizeof(void *);
    struct mt_imap *imap = NULL;

    if ((!source->next && !source->items && source->count) || ahead < chunk) {
        errno = EINVAL;
        return NULL;
    }
    if (slots <= SIZE_MAX / 4 / (sizeof(struct slot) + sizeof(void *)) && chunk <= SIZE_MAX / 4 / item)
        imap = mt__alloc(sizeof *imap + slots * (sizeof *imap->slot + sizeof *imap->notes) + chunk * item);
    if (!imap) {
        errno = ENOMEM;
        return NULL;
    }
    imap->pool = pool;
    imap->fn = fn;
    imap->source = *source;
    imap->ordered = ordered;
    imap->chunk = chunk;
    imap->slots = slots;
    imap->notes = (struct mt__note **)(imap->slot + slots);
    imap->items = (char *)(imap->notes + slots);
    mt__set_init(&imap->set);
    for (size_t i = slots; i-- > 0;) {
        imap->slot[i].next = imap->unused;
        imap->unused = &imap->slot[i];
    }
    return imap;
}

static struct mt_imap *begin(struct mt_imap *imap)
{
    int result = imap ? fill(imap, MT_NOWAIT) : 0;

    if (imap && (imap->error || (result && result != -EBUSY))) {
        errno = -(imap->error ? imap->error : result);
        mt_imap_free(imap);
        return NULL;
    }
    return imap;
}

struct mt_imap *mt_pool_imap(struct mt_pool *pool, mt_fn *fn, const struct mt_source *source,
                             const struct mt_imap_options *options)
{
    return begin(make(pool, fn, source, options, 1));
}

struct mt_imap *mt_pool_imap_unordered(struct mt_pool *pool, mt_fn *fn, const struct mt_source *source,
                                       const struct mt_imap_options *options)
{
    return begin(make(pool, fn, source, options, 0));
}

/* Items of a chunk that is being handed out and that nobody has seen. */
static void tell_of_unseen(struct mt_imap *imap)
{
    struct slot *slot = imap->reading;

    while (slot && imap->given < slot->count) {
        struct mt_outcome outcome;
        const void *value;
        mt__chunk_read(slot->future, &imap->at, &outcome, &value);
        imap->given++;
        if (outcome.code)
            mt__failure_of(slot->future, outcome.code, outcome.message);
    }
}

void mt_imap_free(struct mt_imap *imap)
{
    if (!imap)
        return;
    tell_of_unseen(imap);
    for (size_t i = 0; i < imap->slots; i++) {
        if (!imap->slot[i].future)
            continue;
        if (!imap->ordered)
            mt__set_remove(&imap->slot[i].note);
        mt_future_cancel(imap->slot[i].future);
        mt_future_release(imap->slot[i].future);
    }
    free(imap);
}
