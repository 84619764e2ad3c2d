/* SPDX-License-Identifier: MIT
 *
 * Iterators: things that are asked for one item after the other, and iterables, that make them. See mt_iter(3).
 */
#ifndef LINUXMT_ITER_H
#define LINUXMT_ITER_H

#include <linuxmt/compiler.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

/* No more items. Errors are less than 0. */
#define MT_STOP 1

/* To be embedded in whatever iterates: mt_container_of finds that from self. */
struct mt_iter {
    /* Writes the next item, item_size bytes, to *item. 0; MT_STOP; -errno. */
    int (*next)(struct mt_iter *self, void *item);
    /* Frees what the iterator holds, and itself if it was allocated; called once. NULL: there is nothing to free. */
    void (*close)(struct mt_iter *self);
    size_t item_size;
    int ended; /* mt_iter_next's own: 0 to begin with */
};

/* What can be iterated over again and again. iter makes a fresh iterator, which the caller closes, or returns NULL with
 * errno. */
struct mt_iterable {
    struct mt_iter *(*iter)(const struct mt_iterable *self);
    size_t item_size;
};

/* 0: *item is written. MT_STOP: there are no more. -errno: an error of the iterator's, after which it has ended.
 * Once it has ended: MT_STOP. Each leaves *item alone but for 0. */
int mt_iter_next(struct mt_iter *iter, void *item);

/* Closes it, and what it was made from. NULL is nothing. */
void mt_iter_close(struct mt_iter *iter);

struct mt_iter *mt_iter_of(const struct mt_iterable *iterable);

/* -- Sources: NULL with errno ENOMEM ------------------------------------------------------------------------------ */

/* int64_t: from, from + step, and so on, up to but without `to`. EINVAL: step is 0. */
struct mt_iter *mt_iter_range(int64_t from, int64_t to, int64_t step);

/* The items of an array, which must stay there. */
struct mt_iter *mt_iter_array(const void *items, size_t count, size_t item_size);

/* The lines of a file, as struct mt_line; its text is good until the next call. Errors of fopen(3); "-": standard
 * input.
 */
struct mt_line {
    const char *text; /* ends with a 0 byte, without its newline */
    size_t length;
};
struct mt_iter *mt_iter_lines(const char *path);

/* -- Adaptors ------------------------------------------------------------------------------------------------------
 *
 * Each takes over the iterators that it is given: closing it closes them, and so does its failure, which is NULL with
 * errno ENOMEM. Given NULL, it returns NULL and leaves errno alone, so that calls nest and one check is enough. */

/* Each item through fn, which makes an item of item_size bytes of it. fn returns 0; or MT_STOP or -errno, which end it.
 */
typedef int mt_iter_map_fn(void *arg, const void *item, void *result);
struct mt_iter *mt_iter_map(struct mt_iter *source, mt_iter_map_fn *fn, void *arg, size_t item_size);

/* The items for which fn returns more than 0; 0: not this one; -errno ends it. */
typedef int mt_iter_test_fn(void *arg, const void *item);
struct mt_iter *mt_iter_filter(struct mt_iter *source, mt_iter_test_fn *fn, void *arg);

/* The items up to, and without, the first for which fn returns 0. */
struct mt_iter *mt_iter_take_while(struct mt_iter *source, mt_iter_test_fn *fn, void *arg);

/* The items number start, start + step, and so on, from 0, up to but without `stop` (SIZE_MAX: all). EINVAL: step is 0.
 */
struct mt_iter *mt_iter_slice(struct mt_iter *source, size_t start, size_t stop, size_t step);

/* The items with their numbers, as struct mt_numbered; the item is good until the next call. */
struct mt_numbered {
    size_t number;
    const void *item;
};
struct mt_iter *mt_iter_enumerate(struct mt_iter *source, size_t first);

/* All of the first, then all of the second, and so on. EINVAL: their item sizes differ, or count is 0. */
struct mt_iter *mt_iter_chain(struct mt_iter *const *sources, size_t count);

/* One of each at a time, until one has ended. The item is const void *[count], good until the next call. EINVAL: count
 * is 0. */
struct mt_iter *mt_iter_zip(struct mt_iter *const *sources, size_t count);

/* Every item of the first with every one of the second, and so on, the last running fastest. The item is const void
 * *[count], good until the next call. The iterables must stay there. EINVAL: count is 0. */
struct mt_iter *mt_iter_product(const struct mt_iterable *const *iterables, size_t count);

/* -- Iterables ---------------------------------------------------------------------------------------------------- */

struct mt_range {
    struct mt_iterable iterable;
    int64_t from, to, step;
};
#define MT_RANGE(from, to, step)                                \
    {                                                           \
        {mt__range_iter, sizeof(int64_t)}, (from), (to), (step) \
    }

struct mt_items {
    struct mt_iterable iterable;
    const void *items;
    size_t count;
};
#define MT_ITEMS(array)                                                             \
    {                                                                               \
        {mt__items_iter, sizeof *(array)}, (array), sizeof(array) / sizeof *(array) \
    }

struct mt_iter *mt__range_iter(const struct mt_iterable *self);
struct mt_iter *mt__items_iter(const struct mt_iterable *self);

/* -- Using them up -------------------------------------------------------------------------------------------------
 *
 * These close the iterator. Given NULL, they return -errno. */

/* All the items, in memory that is yours to free: *items, NULL if there are none, and *count. 0; -ENOMEM; the
 * iterator's errors. */
int mt_iter_collect(struct mt_iter *iter, void **items, size_t *count);

/* Drops all the items and returns how many there were, or the iterator's error. */
int64_t mt_iter_count(struct mt_iter *iter);

/* mt_foreach (int64_t, number, mt_iter_range(0, 10, 1), &err) { ... }
 * runs the block for each item. The iterator is closed however the block is left: at its end, by break, return or goto.
 * *error is 0, or what ended it if that was not MT_STOP; -errno if iter is NULL. */
struct mt__foreach {
    struct mt_iter *iter;
    int *error;
    int going;
};

int mt__foreach_error(void);

static inline struct mt__foreach mt__foreach_begin(struct mt_iter *iter, int *error)
{
    struct mt__foreach each;

    each.iter = iter;
    each.error = error;
    each.going = 1;
    *error = iter ? 0 : mt__foreach_error();
    return each;
}

static inline int mt__foreach_next(struct mt__foreach *each, void *item)
{
    int result = each->iter ? mt_iter_next(each->iter, item) : MT_STOP;

    if (result < 0)
        *each->error = result;
    return result == 0;
}

static inline void mt__foreach_end(struct mt__foreach *each)
{
    mt_iter_close(each->iter);
}

#define MT__JOIN2(a, b) a##b
#define MT__JOIN(a, b)  MT__JOIN2(a, b)
#define mt_foreach(type, item, iter, error)                                              \
    for (struct mt__foreach MT__JOIN(mt__each, __LINE__)                                 \
             __attribute__((cleanup(mt__foreach_end))) = mt__foreach_begin(iter, error); \
         MT__JOIN(mt__each, __LINE__).going; MT__JOIN(mt__each, __LINE__).going = 0)     \
        for (type item; mt__foreach_next(&MT__JOIN(mt__each, __LINE__), &item);)

MT__END

#endif
