/* SPDX-License-Identifier: MIT
 *
 * Adaptors of several iterators: chain, zip, and product, which makes its own from iterables.
 */
#include "base/sys.h"
#include "coro/iter.h"

#include <errno.h>
#include <linuxmt/thread.h>
#include <stdlib.h>
#include <string.h>

struct place {
    struct mt_iter *source;
    const struct mt_iterable *iterable; /* of a product */
    void *item;                         /* of zip and product: its last one */
};

struct joined {
    struct mt_iter iter;
    size_t count;
    size_t now; /* of a chain: which one is asked; of a product: 1 once all have begun */
    struct place places[];
};

static void joined_close(struct mt_iter *iter)
{
    struct joined *self = mt_container_of(iter, struct joined, iter);

    for (size_t i = 0; i < self->count; i++) {
        mt_iter_close(self->places[i].source);
        free(self->places[i].item);
    }
    free(self);
}

/* The iterators are the caller's no more, whatever comes of it. */
static void *refuse(struct mt_iter *const *sources, size_t count, int error)
{
    for (size_t i = 0; i < count; i++)
        mt_iter_close(sources[i]);
    if (error)
        errno = error;
    return NULL;
}

static struct joined *join(size_t count, int (*next)(struct mt_iter *, void *), size_t item_size)
{
    struct joined *self = mt__alloc(sizeof *self + count * sizeof *self->places);

    if (!self)
        return NULL;
    self->iter = (struct mt_iter){.next = next, .close = joined_close, .item_size = item_size};
    self->count = count;
    return self;
}

/* The same with the iterators in their places. NULL with errno; they are closed then. */
static struct joined *join_sources(struct mt_iter *const *sources, size_t count, int (*next)(struct mt_iter *, void *),
                                   size_t item_size)
{
    struct joined *self;

    if (!count)
        return refuse(sources, count, EINVAL);
    for (size_t i = 0; i < count; i++)
        if (!sources[i])
            return refuse(sources, count, 0);
    self = join(count, next, item_size);
    if (!self)
        return refuse(sources, count, ENOMEM);
    for (size_t i = 0; i < count; i++)
        self->places[i].source = sources[i];
    return self;
}

static int make_item(struct place *place, size_t item_size)
{
    place->item = mt__alloc(item_size ? item_size : 1);
    return place->item ? 0 : -ENOMEM;
}

static int give(struct joined *self, void *item)
{
    for (size_t i = 0; i < self->count; i++)
        ((const void **)item)[i] = self->places[i].item;
    return 0;
}

/* -- chain -------------------------------------------------------------------------------------------------------- */

static int chain_next(struct mt_iter *iter, void *item)
{
    struct joined *self = mt_container_of(iter, struct joined, iter);

    while (self->now < self->count) {
        int result = mt_iter_next(self->places[self->now].source, item);
        if (result != MT_STOP)
            return result;
        self->now++;
    }
    return MT_STOP;
}

struct mt_iter *mt_iter_chain(struct mt_iter *const *sources, size_t count)
{
    struct joined *self;

    for (size_t i = 1; i < count; i++)
        if (sources[0] && sources[i] && sources[i]->item_size != sources[0]->item_size)
            return refuse(sources, count, EINVAL);
    self = join_sources(sources, count, chain_next, count && sources[0] ? sources[0]->item_size : 0);
    return self ? &self->iter : NULL;
}

/* -- zip ---------------------------------------------------------------------------------------------------------- */

static int zip_next(struct mt_iter *iter, void *item)
{
    struct joined *self = mt_container_of(iter, struct joined, iter);

    for (size_t i = 0; i < self->count; i++) {
        int result = mt_iter_next(self->places[i].source, self->places[i].item);
        if (result)
            return result;
    }
    return give(self, item);
}

struct mt_iter *mt_iter_zip(struct mt_iter *const *sources, size_t count)
{
    struct joined *self = join_sources(sources, count, zip_next, count * sizeof(void *));

    for (size_t i = 0; self && i < count; i++)
        if (make_item(&self->places[i], sources[i]->item_size)) {
            mt_iter_close(&self->iter);
            errno = ENOMEM;
            return NULL;
        }
    return self ? &self->iter : NULL;
}

/* -- product ------------------------------------------------------------------------------------------------------ */

/* From its first item on again. */
static int rewind_place(struct place *place)
{
    mt_iter_close(place->source);
    place->source = mt_iter_of(place->iterable);
    return place->source ? mt_iter_next(place->source, place->item) : mt__foreach_error();
}

static int product_begin(struct joined *self)
{
    for (size_t i = 0; i < self->count; i++) {
        int result = rewind_place(&self->places[i]);
        if (result)
            return result;
    }
    self->now = 1;
    return 0;
}

/* As a counter does: the last place one on; one that is through begins again, and the one before goes on. */
static int product_step(struct joined *self)
{
    for (size_t i = self->count; i-- > 0;) {
        struct place *place = &self->places[i];
        int result = mt_iter_next(place->source, place->item);
        if (result != MT_STOP)
            return result;
        if (i == 0)
            return MT_STOP;
        result = rewind_place(place);
        if (result)
            return result;
    }
    return MT_STOP;
}

static int product_next(struct mt_iter *iter, void *item)
{
    struct joined *self = mt_container_of(iter, struct joined, iter);
    int result = self->now ? product_step(self) : product_begin(self);

    return result ? result : give(self, item);
}

struct mt_iter *mt_iter_product(const struct mt_iterable *const *iterables, size_t count)
{
    struct joined *self;

    if (!count) {
        errno = EINVAL;
        return NULL;
    }
    self = join(count, product_next, count * sizeof(void *));
    if (!self) {
        errno = ENOMEM;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        self->places[i].iterable = iterables[i];
        if (make_item(&self->places[i], iterables[i]->item_size)) {
            mt_iter_close(&self->iter);
            errno = ENOMEM;
            return NULL;
        }
    }
    return &self->iter;
}
