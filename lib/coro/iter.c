/* SPDX-License-Identifier: MIT
 *
 * Iterators: asking, closing and using up.
 */
#include "coro/iter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With -EBUSY and -EXDEV a generator has not been asked: it has not ended. */
int mt_iter_next(struct mt_iter *iter, void *item)
{
    int result;

    if (iter->ended)
        return MT_STOP;
    result = iter->next(iter, item);
    if (result && result != -EBUSY && result != -EXDEV)
        iter->ended = 1;
    return result > 0 ? MT_STOP : result;
}

void mt_iter_close(struct mt_iter *iter)
{
    int error = errno;

    if (iter && iter->close)
        iter->close(iter);
    errno = error;
}

struct mt_iter *mt_iter_of(const struct mt_iterable *iterable)
{
    return iterable->iter(iterable);
}

int mt__foreach_error(void)
{
    return errno ? -errno : -ENOMEM;
}

/* Room for one more. */
static int make_room(char **items, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 16;
    char *more;

    if (count < *room)
        return 0;
    more = wanted < *room ? NULL : reallocarray(*items, wanted, size ? size : 1);
    if (!more)
        return -ENOMEM;
    *items = more;
    *room = wanted;
    return 0;
}

int mt_iter_collect(struct mt_iter *iter, void **items, size_t *count)
{
    size_t number = 0, room = 0, size;
    char *all = NULL;
    int result = 0;

    if (!iter)
        return mt__foreach_error();
    size = iter->item_size;
    while (!result) {
        result = make_room(&all, number, &room, size);
        if (!result)
            result = mt_iter_next(iter, all + number * size);
        number += !result;
    }
    mt_iter_close(iter);
    if (result != MT_STOP || !number) {
        free(all);
        all = NULL;
    }
    if (result != MT_STOP)
        return result;
    *items = all;
    *count = number;
    return 0;
}

int64_t mt_iter_count(struct mt_iter *iter)
{
    int64_t count = 0;
    void *item;
    int result;

    if (!iter)
        return mt__foreach_error();
    item = malloc(iter->item_size ? iter->item_size : 1);
    result = item ? 0 : -ENOMEM;
    while (!result && !(result = mt_iter_next(iter, item)))
        count++;
    free(item);
    mt_iter_close(iter);
    return result == MT_STOP ? count : result;
}
