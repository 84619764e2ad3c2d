/* SPDX-License-Identifier: MIT
 *
 * Where items come from: ranges, arrays, the lines of a file.
 */
#include "base/sys.h"
#include "coro/iter.h"

#include <errno.h>
#include <linuxmt/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is one allocation is closed by this. */
static void just_free(struct mt_iter *iter)
{
    free(iter); /* the first member of each */
}

static void *make(size_t size, int (*next)(struct mt_iter *, void *), size_t item_size)
{
    struct mt_iter *iter = mt__alloc(size);

    if (!iter) {
        errno = ENOMEM;
        return NULL;
    }
    *iter = (struct mt_iter){.next = next, .close = just_free, .item_size = item_size};
    return iter;
}

/* -- Ranges ------------------------------------------------------------------------------------------------------- */

struct range {
    struct mt_iter iter;
    int64_t next;
    uint64_t left, step; /* step is added modulo 2^64 */
};

static int range_next(struct mt_iter *iter, void *item)
{
    struct range *self = mt_container_of(iter, struct range, iter);

    if (!self->left)
        return MT_STOP;
    *(int64_t *)item = self->next;
    self->next = (int64_t)((uint64_t)self->next + self->step);
    self->left--;
    return 0;
}

/* In unsigned numbers, where the distance between the ends of int64_t has room. */
static uint64_t steps(int64_t from, int64_t to, int64_t step)
{
    uint64_t distance = step > 0 ? (uint64_t)to - (uint64_t)from : (uint64_t)from - (uint64_t)to;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;

    if (step > 0 ? from >= to : from <= to)
        return 0;
    return (distance - 1) / stride + 1;
}

struct mt_iter *mt_iter_range(int64_t from, int64_t to, int64_t step)
{
    struct range *self;

    if (!step) {
        errno = EINVAL;
        return NULL;
    }
    self = make(sizeof *self, range_next, sizeof(int64_t));
    if (!self)
        return NULL;
    self->next = from;
    self->step = (uint64_t)step;
    self->left = steps(from, to, step);
    return &self->iter;
}

struct mt_iter *mt__range_iter(const struct mt_iterable *self)
{
    const struct mt_range *range = mt_container_of(self, const struct mt_range, iterable);

    return mt_iter_range(range->from, range->to, range->step);
}

/* -- Arrays ------------------------------------------------------------------------------------------------------- */

struct array {
    struct mt_iter iter;
    const char *next;
    size_t left;
};

static int array_next(struct mt_iter *iter, void *item)
{
    struct array *self = mt_container_of(iter, struct array, iter);

    if (!self->left)
        return MT_STOP;
    memcpy(item, self->next, iter->item_size);
    self->next += iter->item_size;
    self->left--;
    return 0;
}

struct mt_iter *mt_iter_array(const void *items, size_t count, size_t item_size)
{
    struct array *self = make(sizeof *self, array_next, item_size);

    if (!self)
        return NULL;
    self->next = items;
    self->left = count;
    return &self->iter;
}

struct mt_iter *mt__items_iter(const struct mt_iterable *self)
{
    const struct mt_items *items = mt_container_of(self, const struct mt_items, iterable);

    return mt_iter_array(items->items, items->count, self->item_size);
}

/* -- Lines -------------------------------------------------------------------------------------------------------- */

struct lines {
    struct mt_iter iter;
    FILE *file;
    char *text;
    size_t room;
};

static int lines_next(struct mt_iter *iter, void *item)
{
    struct lines *self = mt_container_of(iter, struct lines, iter);
    ssize_t length;

    errno = 0;
    length = getline(&self->text, &self->room, self->file);
    if (length < 0)
        return errno ? -errno : ferror(self->file) ? -EIO : MT_STOP;
    if (length && self->text[length - 1] == '\n')
        self->text[--length] = 0;
    *(struct mt_line *)item = (struct mt_line){self->text, (size_t)length};
    return 0;
}

static void lines_close(struct mt_iter *iter)
{
    struct lines *self = mt_container_of(iter, struct lines, iter);

    if (self->file != stdin)
        fclose(self->file); /* it was only read: nothing is lost */
    free(self->text);
    free(self);
}

struct mt_iter *mt_iter_lines(const char *path)
{
    struct lines *self = make(sizeof *self, lines_next, sizeof(struct mt_line));

    if (!self)
        return NULL;
    self->iter.close = lines_close;
    self->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!self->file) {
        free(self);
        return NULL;
    }
    return &self->iter;
}
