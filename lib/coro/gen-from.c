/* SPDX-License-Identifier: MIT
 *
 * A generator that hands out what another, or any iterator, has.
 */
#include <errno.h>
#include <linuxmt/generator.h>
#include <stdlib.h>

#define SMALL 128 /* bytes of an item for which no memory is asked for */

struct buffer {
    void *item;
    union {
        char bytes[SMALL];
        max_align_t align;
    } small;
};

static int buffer_open(struct buffer *buffer, size_t size)
{
    buffer->item = size <= SMALL ? buffer->small.bytes : malloc(size);
    return buffer->item ? 0 : -ENOMEM;
}

static void buffer_close(struct buffer *buffer)
{
    if (buffer->item != buffer->small.bytes)
        free(buffer->item);
}

int mt_yield_from(struct mt_generator *self, struct mt_iter *iter)
{
    struct buffer buffer;
    int result;

    if (!iter)
        return mt__foreach_error();
    result = iter->item_size != mt_generator_iter(self)->item_size ? -EINVAL : buffer_open(&buffer, iter->item_size);
    if (!result) {
        while (!result && !(result = mt_iter_next(iter, buffer.item)))
            result = mt_yield(self, buffer.item, NULL);
        buffer_close(&buffer);
    }
    mt_iter_close(iter);
    return result == MT_STOP ? 0 : result;
}

/* What the pending mt_yield returned, and was sent, goes on to the inner one. */
static int pass_on(struct mt_generator *from, int error, void *sent, void *item)
{
    if (error == -ECANCELED) {
        int closed = mt_generator_close(from);
        return closed ? closed : error;
    }
    return error ? mt_generator_throw(from, error, item) : mt_generator_send(from, sent, item);
}

int mt_yield_from_generator(struct mt_generator *self, struct mt_generator *from, void **value)
{
    size_t size = mt_generator_iter(from)->item_size;
    struct buffer buffer;
    int result = size != mt_generator_iter(self)->item_size ? -EINVAL : buffer_open(&buffer, size);

    if (result)
        return result;
    result = mt_generator_next(from, buffer.item);
    while (!result) {
        void *sent = NULL;
        int error = mt_yield(self, buffer.item, &sent);
        result = pass_on(from, error, sent, buffer.item);
    }
    buffer_close(&buffer);
    if (result != MT_STOP)
        return result;
    if (value)
        *value = mt_generator_value(from);
    return 0;
}
