/* SPDX-License-Identifier: MIT
 *
 * Dicts, namespaces and lists of a manager: all by requests.
 */
#include "manager/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char nowhere; /* for values that are to be copied, but have no room */

static int check_key(const struct mt_managed_dict *dict, const char *key)
{
    if (!key || !*key || (dict->of.kind == MT__MANAGED_NAMESPACE && !mt__is_attribute(key)))
        return -EINVAL;
    return strlen(key) < MT_MANAGER_KEY_MAX ? 0 : -ENAMETOOLONG;
}

static int64_t plain(struct mt__managed *managed, struct mt__pack *pack, mt_deadline deadline)
{
    return mt__call_plain(managed->manager, pack, deadline);
}

static int64_t ask(struct mt__managed *managed, enum mt__op op, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    mt__request(&pack, op, 0, managed->id);
    return plain(managed, &pack, deadline);
}

static int64_t ask_key(struct mt_managed_dict *dict, enum mt__op op, const char *key, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    int error = check_key(dict, key);

    if (error)
        return error;
    mt__request(&pack, op, 0, dict->of.id);
    mt__pack_text(&pack, key);
    return plain(&dict->of, &pack, deadline);
}

static ssize_t ask_value(struct mt__managed *managed, struct mt__pack *pack, void *value, size_t size,
                         mt_deadline deadline)
{
    struct mt__reply reply;
    int64_t result = mt__call(managed->manager, pack, &reply, deadline);

    return mt__reply_value(&reply, result, value, size);
}

/* -- Dicts -------------------------------------------------------------------------------------------------------- */

int mt_managed_dict_set(struct mt_managed_dict *dict, const char *key, const void *value, size_t size,
                        mt_deadline deadline)
{
    struct mt__pack pack = {0};
    int error = check_key(dict, key);

    if (error)
        return error;
    if (size > mt__message_max(dict->of.manager))
        return -EMSGSIZE;
    mt__request(&pack, MT__OP_DICT_SET, 0, dict->of.id);
    mt__pack_text(&pack, key);
    mt__pack_value(&pack, value, size);
    return (int)plain(&dict->of, &pack, deadline);
}

ssize_t mt_managed_dict_get(struct mt_managed_dict *dict, const char *key, void *value, size_t size,
                            mt_deadline deadline)
{
    struct mt__pack pack = {0};
    int error = check_key(dict, key);

    if (error)
        return error;
    mt__request(&pack, MT__OP_DICT_GET, 0, dict->of.id);
    mt__pack_text(&pack, key);
    return ask_value(&dict->of, &pack, value, size, deadline);
}

ssize_t mt_managed_dict_pop(struct mt_managed_dict *dict, const char *key, void *value, size_t size,
                            mt_deadline deadline)
{
    struct mt__pack pack = {0};
    int error = check_key(dict, key);

    if (error)
        return error;
    mt__request(&pack, MT__OP_DICT_POP, 0, dict->of.id);
    mt__pack_text(&pack, key);
    mt__pack_u64(&pack, size);
    return ask_value(&dict->of, &pack, value ? value : &nowhere, size, deadline);
}

ssize_t mt_managed_dict_setdefault(struct mt_managed_dict *dict, const char *key, const void *preset,
                                   size_t preset_size, void *value, size_t size, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    int error = check_key(dict, key);

    if (error)
        return error;
    if (preset_size > mt__message_max(dict->of.manager))
        return -EMSGSIZE;
    mt__request(&pack, MT__OP_DICT_SETDEFAULT, 0, dict->of.id);
    mt__pack_text(&pack, key);
    mt__pack_value(&pack, preset, preset_size);
    return ask_value(&dict->of, &pack, value, size, deadline);
}

int mt_managed_dict_replace(struct mt_managed_dict *dict, const char *key, const void *from, size_t from_size,
                            const void *to, size_t to_size, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    int error = check_key(dict, key);
    uint32_t max = mt__message_max(dict->of.manager);

    if (error)
        return error;
    if (from_size > max || to_size > max - from_size)
        return -EMSGSIZE;
    mt__request(&pack, MT__OP_DICT_REPLACE, 0, dict->of.id);
    mt__pack_text(&pack, key);
    mt__pack_u8(&pack, (from != NULL) | (to != NULL) << 1);
    mt__pack_value(&pack, from, from ? from_size : 0);
    mt__pack_value(&pack, to, to ? to_size : 0);
    return (int)plain(&dict->of, &pack, deadline);
}

int mt_managed_dict_del(struct mt_managed_dict *dict, const char *key, mt_deadline deadline)
{
    return (int)ask_key(dict, MT__OP_DICT_DEL, key, deadline);
}

int mt_managed_dict_contains(struct mt_managed_dict *dict, const char *key, mt_deadline deadline)
{
    return (int)ask_key(dict, MT__OP_DICT_CONTAINS, key, deadline);
}

ssize_t mt_managed_dict_len(struct mt_managed_dict *dict, mt_deadline deadline)
{
    return (ssize_t)ask(&dict->of, MT__OP_DICT_LEN, deadline);
}

int mt_managed_dict_clear(struct mt_managed_dict *dict, mt_deadline deadline)
{
    return (int)ask(&dict->of, MT__OP_DICT_CLEAR, deadline);
}

static ssize_t ask_items(struct mt_managed_dict *dict, unsigned with_values, struct mt_managed_item **items,
                         mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply;
    int64_t result;

    mt__request(&pack, MT__OP_DICT_ITEMS, 0, dict->of.id);
    mt__pack_u8(&pack, with_values);
    result = mt__call(dict->of.manager, &pack, &reply, deadline);
    return mt__reply_items(&reply, result, items);
}

ssize_t mt_managed_dict_keys(struct mt_managed_dict *dict, struct mt_managed_item **items, mt_deadline deadline)
{
    return ask_items(dict, 0, items, deadline);
}

ssize_t mt_managed_dict_items(struct mt_managed_dict *dict, struct mt_managed_item **items, mt_deadline deadline)
{
    return ask_items(dict, 1, items, deadline);
}

/* -- Lists -------------------------------------------------------------------------------------------------------- */

int mt_managed_list_append(struct mt_managed_list *list, const void *value, size_t size, mt_deadline deadline)
{
    struct iovec one = {(void *)(uintptr_t)value, size};

    return mt_managed_list_extend(list, &one, 1, deadline);
}

int mt_managed_list_extend(struct mt_managed_list *list, const struct iovec *values, size_t count, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    uint64_t size = 0, max = mt__message_max(list->of.manager);

    for (size_t i = 0; i < count && size <= max; i++)
        size += values[i].iov_len > max ? max + 1 : values[i].iov_len + (i ? 4 : 0); /* each has its size before it */
    if (size > max)
        return -EMSGSIZE;
    mt__request(&pack, MT__OP_LIST_EXTEND, 0, list->of.id);
    mt__pack_u32(&pack, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        mt__pack_value(&pack, values[i].iov_base, values[i].iov_len);
    return (int)plain(&list->of, &pack, deadline);
}

static int write_at(struct mt_managed_list *list, enum mt__op op, int64_t index, const void *value, size_t size,
                    mt_deadline deadline)
{
    struct mt__pack pack = {0};

    if (size > mt__message_max(list->of.manager))
        return -EMSGSIZE;
    mt__request(&pack, op, 0, list->of.id);
    mt__pack_u64(&pack, (uint64_t)index);
    mt__pack_value(&pack, value, size);
    return (int)plain(&list->of, &pack, deadline);
}

int mt_managed_list_insert(struct mt_managed_list *list, int64_t index, const void *value, size_t size,
                           mt_deadline deadline)
{
    return write_at(list, MT__OP_LIST_INSERT, index, value, size, deadline);
}

int mt_managed_list_set(struct mt_managed_list *list, int64_t index, const void *value, size_t size,
                        mt_deadline deadline)
{
    return write_at(list, MT__OP_LIST_SET, index, value, size, deadline);
}

ssize_t mt_managed_list_get(struct mt_managed_list *list, int64_t index, void *value, size_t size, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    mt__request(&pack, MT__OP_LIST_GET, 0, list->of.id);
    mt__pack_u64(&pack, (uint64_t)index);
    return ask_value(&list->of, &pack, value, size, deadline);
}

ssize_t mt_managed_list_pop(struct mt_managed_list *list, int64_t index, void *value, size_t size, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    mt__request(&pack, MT__OP_LIST_POP, 0, list->of.id);
    mt__pack_u64(&pack, (uint64_t)index);
    mt__pack_u64(&pack, size);
    return ask_value(&list->of, &pack, value ? value : &nowhere, size, deadline);
}

ssize_t mt_managed_list_len(struct mt_managed_list *list, mt_deadline deadline)
{
    return (ssize_t)ask(&list->of, MT__OP_LIST_LEN, deadline);
}

int mt_managed_list_clear(struct mt_managed_list *list, mt_deadline deadline)
{
    return (int)ask(&list->of, MT__OP_LIST_CLEAR, deadline);
}

ssize_t mt_managed_list_slice(struct mt_managed_list *list, int64_t from, int64_t to, struct mt_managed_item **items,
                              mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply;
    int64_t result;

    mt__request(&pack, MT__OP_LIST_SLICE, 0, list->of.id);
    mt__pack_u64(&pack, (uint64_t)from);
    mt__pack_u64(&pack, (uint64_t)to);
    result = mt__call(list->of.manager, &pack, &reply, deadline);
    return mt__reply_items(&reply, result, items);
}
