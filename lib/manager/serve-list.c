/* SPDX-License-Identifier: MIT
 *
 * Lists. An index below 0 counts from the end, as in Python. The array of pointers is not counted by itself: each value
 * counts more than its own bytes.
 */
#include "manager/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void give_back(struct mt__object *list, struct mt__value *value)
{
    mt__object_charge(list, -mt__value_cost(value));
    free(value);
}

static void clear(struct mt__object *list)
{
    while (list->count)
        give_back(list, list->items[--list->count]);
    free(list->items);
    list->items = NULL;
    list->room = 0;
}

void mt__list_end(struct mt__object *object)
{
    clear(object);
}

static int64_t hold(struct mt__object *list, const struct mt__unpack *in)
{
    return mt__unpack_is_whole(in) ? mt_lock_acquire(&list->lock, MT_FOREVER) : -EPROTO;
}

static int64_t end(struct mt__object *list, int64_t result)
{
    mt_lock_release(&list->lock);
    return result;
}

static int make_room(struct mt__object *list, size_t more)
{
    size_t room = list->room ? list->room : 16;
    struct mt__value **items;

    while (room - list->count < more)
        room *= 2;
    if (room == list->room)
        return 0;
    items = realloc(list->items, room * sizeof *items);
    if (!items)
        return -ENOMEM;
    list->items = items;
    list->room = room;
    return 0;
}

static struct mt__value *new_value(struct mt__object *list, const void *bytes, size_t size, int *error)
{
    struct mt__value *value = mt__value_new("", bytes, size);

    *error = value ? mt__object_charge(list, mt__value_cost(value)) : -ENOMEM;
    if (!*error)
        return value;
    free(value);
    return NULL;
}

/* 1: *place is the index of an item. */
static int is_there(const struct mt__object *list, int64_t index, size_t *place)
{
    int64_t count = (int64_t)list->count;

    if (index < -count || index >= count)
        return 0;
    *place = (size_t)(index < 0 ? index + count : index);
    return 1;
}

/* As a place between two items: what is beyond an end is that end. */
static size_t place_between(const struct mt__object *list, int64_t index)
{
    int64_t count = (int64_t)list->count;

    if (index < -count)
        return 0;
    if (index > count)
        return list->count;
    return (size_t)(index < 0 ? index + count : index);
}

static int none(struct mt__visitor *visitor, const struct mt__object *list, int64_t index)
{
    return mt__visitor_say(visitor, -ERANGE, "list \"%s\" has %zu items, and none with index %lld", list->name,
                           list->count, (long long)index);
}

/* -- The ops ------------------------------------------------------------------------------------------------------ */

/* All of them, or none. */
static int append_all(struct mt__object *list, struct mt__unpack values, uint32_t count)
{
    size_t before = list->count, size;
    int error = make_room(list, count);

    for (uint32_t i = 0; !error && i < count; i++) {
        const void *bytes = mt__unpack_value(&values, &size);
        struct mt__value *value = new_value(list, bytes, size, &error);
        if (value)
            list->items[list->count++] = value;
    }
    while (error && list->count > before)
        give_back(list, list->items[--list->count]);
    return error;
}

static int64_t extend(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in, struct mt__pack *out,
                      mt_deadline deadline)
{
    uint32_t count = mt__unpack_u32(in);
    const struct mt__unpack values = *in;
    size_t size;
    int64_t result;

    for (uint32_t i = 0; i < count && !in->bad; i++)
        mt__unpack_value(in, &size);
    result = hold(list, in);
    return result ? result : end(list, append_all(list, values, count));
}

static int64_t insert(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in, struct mt__pack *out,
                      mt_deadline deadline)
{
    int64_t index = (int64_t)mt__unpack_u64(in), result;
    size_t size, place;
    const void *bytes = mt__unpack_value(in, &size);
    struct mt__value *value;
    int error;

    result = hold(list, in);
    if (result)
        return result;
    error = make_room(list, 1);
    value = error ? NULL : new_value(list, bytes, size, &error);
    if (value) {
        place = place_between(list, index);
        memmove(list->items + place + 1, list->items + place, (list->count - place) * sizeof *list->items);
        list->items[place] = value;
        list->count++;
    }
    return end(list, error);
}

static int64_t set(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in, struct mt__pack *out,
                   mt_deadline deadline)
{
    int64_t index = (int64_t)mt__unpack_u64(in), result;
    size_t size, place;
    const void *bytes = mt__unpack_value(in, &size);
    struct mt__value *value;
    int error;

    result = hold(list, in);
    if (result)
        return result;
    if (!is_there(list, index, &place))
        return end(list, none(visitor, list, index));
    value = new_value(list, bytes, size, &error);
    if (value) {
        give_back(list, list->items[place]);
        list->items[place] = value;
    }
    return end(list, error);
}

static int64_t get(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in, struct mt__pack *out,
                   mt_deadline deadline)
{
    int64_t index = (int64_t)mt__unpack_u64(in), result = hold(list, in);
    size_t place;

    if (result)
        return result;
    if (!is_there(list, index, &place))
        return end(list, none(visitor, list, index));
    mt__pack_value(out, mt__value_bytes(list->items[place]), list->items[place]->size);
    return end(list, 0);
}

static int64_t pop(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in, struct mt__pack *out,
                   mt_deadline deadline)
{
    int64_t index = (int64_t)mt__unpack_u64(in), result;
    uint64_t max = mt__unpack_u64(in);
    size_t place;

    result = hold(list, in);
    if (result)
        return result;
    if (!is_there(list, index, &place))
        return end(list, none(visitor, list, index));
    if (list->items[place]->size > max)
        return end(list, -ENOBUFS);
    mt__pack_value(out, mt__value_bytes(list->items[place]), list->items[place]->size);
    if (!out->failed) {
        give_back(list, list->items[place]);
        list->count--;
        memmove(list->items + place, list->items + place + 1, (list->count - place) * sizeof *list->items);
    }
    return end(list, 0);
}

static int64_t len(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in, struct mt__pack *out,
                   mt_deadline deadline)
{
    int64_t result = hold(list, in);

    return result ? result : end(list, (int64_t)list->count);
}

static int64_t clear_list(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in,
                          struct mt__pack *out, mt_deadline deadline)
{
    int64_t result = hold(list, in);

    if (result)
        return result;
    clear(list);
    return end(list, 0);
}

static int64_t slice(struct mt__visitor *visitor, struct mt__object *list, struct mt__unpack *in, struct mt__pack *out,
                     mt_deadline deadline)
{
    int64_t from = (int64_t)mt__unpack_u64(in), to = (int64_t)mt__unpack_u64(in), result = hold(list, in);
    size_t first, last;

    if (result)
        return result;
    first = place_between(list, from);
    last = place_between(list, to);
    mt__pack_u32(out, first < last ? (uint32_t)(last - first) : 0);
    for (size_t i = first; i < last && out->size <= MT_CONN_LIMIT; i++) {
        mt__pack_value(out, NULL, 0);
        mt__pack_value(out, mt__value_bytes(list->items[i]), list->items[i]->size);
    }
    return end(list, 0);
}

#define LIST (1 << MT__MANAGED_LIST)

const struct mt__served_op mt__serve_list[MT__OPS] = {
    [MT__OP_LIST_EXTEND] = {LIST, extend},    [MT__OP_LIST_INSERT] = {LIST, insert}, [MT__OP_LIST_SET] = {LIST, set},
    [MT__OP_LIST_GET] = {LIST, get},          [MT__OP_LIST_POP] = {LIST, pop},       [MT__OP_LIST_LEN] = {LIST, len},
    [MT__OP_LIST_CLEAR] = {LIST, clear_list}, [MT__OP_LIST_SLICE] = {LIST, slice},
};
