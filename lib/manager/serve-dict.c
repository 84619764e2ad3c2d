/* SPDX-License-Identifier: MIT
 *
 * Dicts and namespaces, in libc's balanced tree (tsearch(3)): whoever chooses the keys cannot make it slow, as one
 * could a table of hashes, and what is told of it comes in order.
 *
 * A value that takes another's place is charged before the other is given back, so a full server refuses it although it
 * would fit.
 */
#include "manager/server.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* A value's head with a key, to look for it. */
union probe {
    struct mt__value value;
    char room[sizeof(struct mt__value) + MT_MANAGER_KEY_MAX];
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct mt__value *)a)->key, ((const struct mt__value *)b)->key);
}

/* The place of the value with that key, or NULL. */
static struct mt__value **find(struct mt__object *dict, const union probe *probe)
{
    return tfind(&probe->value, &dict->tree, compare);
}

static void give_back(struct mt__object *dict, struct mt__value *value)
{
    mt__object_charge(dict, -mt__value_cost(value));
    free(value);
}

static int set(struct mt__object *dict, const union probe *probe, const void *bytes, size_t size)
{
    struct mt__value *value = mt__value_new(probe->value.key, bytes, size), **place;
    int error = value ? mt__object_charge(dict, mt__value_cost(value)) : -ENOMEM;

    if (error) {
        free(value);
        return error;
    }
    place = tsearch(value, &dict->tree, compare);
    if (!place) {
        give_back(dict, value);
        return -ENOMEM;
    }
    if (*place == value) {
        dict->count++;
    } else {
        struct mt__value *old = *place;
        *place = value;
        give_back(dict, old);
    }
    return 0;
}

static void del(struct mt__object *dict, struct mt__value *value)
{
    tdelete(value, &dict->tree, compare);
    dict->count--;
    give_back(dict, value);
}

static void clear(struct mt__object *dict)
{
    while (dict->tree)
        del(dict, *(struct mt__value **)dict->tree);
}

void mt__dict_end(struct mt__object *object)
{
    clear(object);
}

/* -- The ops. Each reads its key and then what else it wants --------------------------------------------------------
 */

struct wish {
    struct mt__value **found; /* NULL: there is none */
    union probe probe;
};

static int64_t begin(struct mt__visitor *visitor, struct mt__object *dict, const struct mt__unpack *in,
                     struct wish *wish)
{
    const char *key = wish->probe.value.key;
    int error;

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    if (dict->kind == MT__MANAGED_NAMESPACE && !mt__is_attribute(key))
        return mt__visitor_say(visitor, -EINVAL, "\"%.60s\" cannot be an attribute of namespace \"%s\"", key,
                               dict->name);
    error = mt_lock_acquire(&dict->lock, MT_FOREVER);
    if (!error)
        wish->found = find(dict, &wish->probe);
    return error;
}

static int64_t end(struct mt__object *dict, int64_t result)
{
    mt_lock_release(&dict->lock);
    return result;
}

static int missing(struct mt__visitor *visitor, struct mt__object *dict, const struct wish *wish)
{
    return mt__visitor_say(visitor, -ENOENT, "\"%s\" has no key \"%.60s\"", dict->name, wish->probe.value.key);
}

static void read_key(struct mt__unpack *in, struct wish *wish)
{
    mt__unpack_text(in, wish->probe.value.key, MT_MANAGER_KEY_MAX);
}

static int64_t dict_set(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                        struct mt__pack *out, mt_deadline deadline)
{
    struct wish wish;
    const void *bytes;
    size_t size;
    int64_t result;

    read_key(in, &wish);
    bytes = mt__unpack_value(in, &size);
    result = begin(visitor, dict, in, &wish);
    return result ? result : end(dict, set(dict, &wish.probe, bytes, size));
}

static int64_t dict_get(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                        struct mt__pack *out, mt_deadline deadline)
{
    struct wish wish;
    int64_t result;

    read_key(in, &wish);
    result = begin(visitor, dict, in, &wish);
    if (result)
        return result;
    if (!wish.found)
        return end(dict, missing(visitor, dict, &wish));
    mt__pack_value(out, mt__value_bytes(*wish.found), (*wish.found)->size);
    return end(dict, 0);
}

static int64_t dict_pop(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                        struct mt__pack *out, mt_deadline deadline)
{
    struct wish wish;
    uint64_t max;
    int64_t result;

    read_key(in, &wish);
    max = mt__unpack_u64(in);
    result = begin(visitor, dict, in, &wish);
    if (result)
        return result;
    if (!wish.found)
        return end(dict, missing(visitor, dict, &wish));
    if ((*wish.found)->size > max)
        return end(dict, -ENOBUFS);
    mt__pack_value(out, mt__value_bytes(*wish.found), (*wish.found)->size);
    if (!out->failed)
        del(dict, *wish.found);
    return end(dict, 0);
}

static int64_t dict_setdefault(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                               struct mt__pack *out, mt_deadline deadline)
{
    struct wish wish;
    const void *preset;
    size_t size;
    int64_t result;

    read_key(in, &wish);
    preset = mt__unpack_value(in, &size);
    result = begin(visitor, dict, in, &wish);
    if (result)
        return result;
    if (wish.found)
        mt__pack_value(out, mt__value_bytes(*wish.found), (*wish.found)->size);
    else if (!(result = set(dict, &wish.probe, preset, size)))
        mt__pack_value(out, preset, size);
    return end(dict, result);
}

/* bits: 1, the value must be `from`, else missing; 2, it becomes `to`, else nothing. */
static int64_t dict_replace(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                            struct mt__pack *out, mt_deadline deadline)
{
    struct wish wish;
    size_t from_size, to_size;
    const void *from, *to;
    const struct mt__value *now;
    unsigned bits;
    int64_t result;
    int as_expected;

    read_key(in, &wish);
    bits = mt__unpack_u8(in);
    from = mt__unpack_value(in, &from_size);
    to = mt__unpack_value(in, &to_size);
    result = begin(visitor, dict, in, &wish);
    if (result)
        return result;
    now = wish.found ? *wish.found : NULL;
    as_expected =
        !now ? !(bits & 1) : (bits & 1) && now->size == from_size && !memcmp(mt__value_bytes(now), from, from_size);
    if (!as_expected)
        return end(dict, -EAGAIN);
    if (bits & 2)
        result = set(dict, &wish.probe, to, to_size);
    else if (wish.found)
        del(dict, *wish.found);
    return end(dict, result);
}

static int64_t dict_del(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                        struct mt__pack *out, mt_deadline deadline)
{
    struct wish wish;
    int64_t result;

    read_key(in, &wish);
    result = begin(visitor, dict, in, &wish);
    if (result)
        return result;
    if (!wish.found)
        return end(dict, missing(visitor, dict, &wish));
    del(dict, *wish.found);
    return end(dict, 0);
}

static int64_t dict_contains(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                             struct mt__pack *out, mt_deadline deadline)
{
    struct wish wish;
    int64_t result;

    read_key(in, &wish);
    result = begin(visitor, dict, in, &wish);
    return result ? result : end(dict, wish.found != NULL);
}

/* -- The whole dict ----------------------------------------------------------------------------------------------- */

static int64_t hold(struct mt__object *dict, const struct mt__unpack *in)
{
    return mt__unpack_is_whole(in) ? mt_lock_acquire(&dict->lock, MT_FOREVER) : -EPROTO;
}

static int64_t dict_len(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                        struct mt__pack *out, mt_deadline deadline)
{
    int64_t result = hold(dict, in);

    return result ? result : end(dict, (int64_t)dict->count);
}

static int64_t dict_clear(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                          struct mt__pack *out, mt_deadline deadline)
{
    int64_t result = hold(dict, in);

    if (result)
        return result;
    clear(dict);
    return end(dict, 0);
}

struct teller {
    struct mt__pack *out;
    unsigned with_values;
};

static void tell(const void *node, VISIT visit, void *arg)
{
    const struct mt__value *value = *(struct mt__value *const *)node;
    const struct teller *teller = arg;

    if ((visit != postorder && visit != leaf) || teller->out->size > MT_CONN_LIMIT)
        return;
    mt__pack_text(teller->out, value->key);
    mt__pack_value(teller->out, mt__value_bytes(value), teller->with_values ? value->size : 0);
}

static int64_t dict_items(struct mt__visitor *visitor, struct mt__object *dict, struct mt__unpack *in,
                          struct mt__pack *out, mt_deadline deadline)
{
    struct teller teller = {out, mt__unpack_u8(in)};
    int64_t result = hold(dict, in);

    if (result)
        return result;
    mt__pack_u32(out, (uint32_t)dict->count);
    twalk_r(dict->tree, tell, &teller);
    return end(dict, 0);
}

#define DICT (1 << MT__MANAGED_DICT | 1 << MT__MANAGED_NAMESPACE)

const struct mt__served_op mt__serve_dict[MT__OPS] = {
    [MT__OP_DICT_SET] = {DICT, dict_set},           [MT__OP_DICT_GET] = {DICT, dict_get},
    [MT__OP_DICT_POP] = {DICT, dict_pop},           [MT__OP_DICT_SETDEFAULT] = {DICT, dict_setdefault},
    [MT__OP_DICT_REPLACE] = {DICT, dict_replace},   [MT__OP_DICT_DEL] = {DICT, dict_del},
    [MT__OP_DICT_CONTAINS] = {DICT, dict_contains}, [MT__OP_DICT_LEN] = {DICT, dict_len},
    [MT__OP_DICT_CLEAR] = {DICT, dict_clear},       [MT__OP_DICT_ITEMS] = {DICT, dict_items},
};
