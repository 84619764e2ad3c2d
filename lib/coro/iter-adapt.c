/* SPDX-License-Identifier: MIT
 *
 * Adaptors of one iterator. All are one struct: the source, which they own, the function, two numbers, and room for one
 * item of the source, so that the caller's is only written when there is something to hand out.
 */
#include "base/sys.h"
#include "coro/iter.h"

#include <errno.h>
#include <linuxmt/thread.h>
#include <stdlib.h>
#include <string.h>

struct adaptor {
    struct mt_iter iter;
    struct mt_iter *source;
    union {
        mt_iter_map_fn *map;
        mt_iter_test_fn *test;
    } fn;
    void *arg;
    size_t skip, left, step; /* of a slice: to skip before the next, how far it goes on, its step */
    size_t number;           /* of enumerate */
    max_align_t item[];
};

static void adaptor_close(struct mt_iter *iter)
{
    struct adaptor *self = mt_container_of(iter, struct adaptor, iter);

    mt_iter_close(self->source);
    free(self);
}

/* item_size 0: the source's. */
static struct adaptor *adapt(struct mt_iter *source, int (*next)(struct mt_iter *, void *), size_t item_size)
{
    struct adaptor *self;

    if (!source)
        return NULL;
    self = mt__alloc(sizeof *self + mt__iter_room(source->item_size));
    if (!self) {
        mt_iter_close(source);
        errno = ENOMEM;
        return NULL;
    }
    self->iter =
        (struct mt_iter){.next = next, .close = adaptor_close, .item_size = item_size ? item_size : source->item_size};
    self->source = source;
    return self;
}

static int give(struct adaptor *self, void *item)
{
    memcpy(item, self->item, self->iter.item_size);
    return 0;
}

/* -- map, filter, take_while -------------------------------------------------------------------------------------- */

static int map_next(struct mt_iter *iter, void *item)
{
    struct adaptor *self = mt_container_of(iter, struct adaptor, iter);
    int result = mt_iter_next(self->source, self->item);

    return result ? result : self->fn.map(self->arg, self->item, item);
}

struct mt_iter *mt_iter_map(struct mt_iter *source, mt_iter_map_fn *fn, void *arg, size_t item_size)
{
    struct adaptor *self = adapt(source, map_next, item_size);

    if (!self)
        return NULL;
    self->fn.map = fn;
    self->arg = arg;
    return &self->iter;
}

static int filter_next(struct mt_iter *iter, void *item)
{
    struct adaptor *self = mt_container_of(iter, struct adaptor, iter);
    int wanted = 0;

    while (!wanted) {
        int result = mt_iter_next(self->source, self->item);
        if (result)
            return result;
        wanted = self->fn.test(self->arg, self->item);
    }
    return wanted < 0 ? wanted : give(self, item);
}

static int take_next(struct mt_iter *iter, void *item)
{
    struct adaptor *self = mt_container_of(iter, struct adaptor, iter);
    int result = mt_iter_next(self->source, self->item);

    if (!result)
        result = self->fn.test(self->arg, self->item);
    else
        return result;
    if (result < 0)
        return result;
    return result ? give(self, item) : MT_STOP;
}

static struct mt_iter *test_each(struct mt_iter *source, int (*next)(struct mt_iter *, void *), mt_iter_test_fn *fn,
                                 void *arg)
{
    struct adaptor *self = adapt(source, next, 0);

    if (!self)
        return NULL;
    self->fn.test = fn;
    self->arg = arg;
    return &self->iter;
}

struct mt_iter *mt_iter_filter(struct mt_iter *source, mt_iter_test_fn *fn, void *arg)
{
    return test_each(source, filter_next, fn, arg);
}

struct mt_iter *mt_iter_take_while(struct mt_iter *source, mt_iter_test_fn *fn, void *arg)
{
    return test_each(source, take_next, fn, arg);
}

/* -- slice, enumerate --------------------------------------------------------------------------------------------- */

/* Never asks the source for an item at `stop` or behind it. */
static int slice_next(struct mt_iter *iter, void *item)
{
    struct adaptor *self = mt_container_of(iter, struct adaptor, iter);

    for (;;) {
        int result;
        if (!self->left)
            return MT_STOP;
        result = mt_iter_next(self->source, self->item);
        if (result)
            return result;
        if (self->left != SIZE_MAX)
            self->left--;
        if (!self->skip)
            break;
        self->skip--;
    }
    self->skip = self->step - 1;
    return give(self, item);
}

struct mt_iter *mt_iter_slice(struct mt_iter *source, size_t start, size_t stop, size_t step)
{
    struct adaptor *self;

    if (source && !step) {
        mt_iter_close(source);
        errno = EINVAL;
        return NULL;
    }
    self = adapt(source, slice_next, 0);
    if (!self)
        return NULL;
    self->skip = start;
    self->left = start < stop ? stop : 0;
    self->step = step;
    return &self->iter;
}

static int enumerate_next(struct mt_iter *iter, void *item)
{
    struct adaptor *self = mt_container_of(iter, struct adaptor, iter);
    int result = mt_iter_next(self->source, self->item);

    if (!result)
        *(struct mt_numbered *)item = (struct mt_numbered){self->number++, self->item};
    return result;
}

struct mt_iter *mt_iter_enumerate(struct mt_iter *source, size_t first)
{
    struct adaptor *self = adapt(source, enumerate_next, sizeof(struct mt_numbered));

    if (!self)
        return NULL;
    self->number = first;
    return &self->iter;
}
