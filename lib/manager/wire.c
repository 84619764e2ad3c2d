/* SPDX-License-Identifier: MIT
 *
 * Messages of a manager, written and read piece by piece. Neither stops at the first fault: the fault is remembered,
 * and whoever writes or reads looks once, at the end.
 */
#include "manager/wire.h"

#include <stdlib.h>
#include <string.h>

/* -- Writing ------------------------------------------------------------------------------------------------------ */

static int make_room(struct mt__pack *pack, size_t size)
{
    size_t room = pack->room ? pack->room : 256;
    unsigned char *data;

    if (pack->failed)
        return 0;
    while (room - pack->size < size)
        room *= 2;
    if (room == pack->room)
        return 1;
    data = realloc(pack->data, room);
    if (!data) {
        pack->failed = 1;
        return 0;
    }
    pack->data = data;
    pack->room = room;
    return 1;
}

void mt__pack_bytes(struct mt__pack *pack, const void *bytes, size_t size)
{
    if (!size || !make_room(pack, size))
        return;
    memcpy(pack->data + pack->size, bytes, size);
    pack->size += size;
}

void mt__pack_number(struct mt__pack *pack, uint64_t number, unsigned bytes)
{
    unsigned char little[8];

    for (unsigned i = 0; i < bytes; i++)
        little[i] = (unsigned char)(number >> 8 * i);
    mt__pack_bytes(pack, little, bytes);
}

void mt__pack_value(struct mt__pack *pack, const void *value, size_t size)
{
    mt__pack_u32(pack, (uint32_t)size);
    mt__pack_bytes(pack, value, size);
}

void mt__pack_text(struct mt__pack *pack, const char *text)
{
    mt__pack_value(pack, text, strlen(text));
}

void mt__pack_free(struct mt__pack *pack)
{
    free(pack->data);
    memset(pack, 0, sizeof *pack);
}

/* -- Reading ------------------------------------------------------------------------------------------------------ */

static const unsigned char *take(struct mt__unpack *unpack, size_t size)
{
    const unsigned char *at = unpack->at;

    if (size > unpack->left) {
        unpack->bad = 1;
        unpack->left = 0;
        return NULL;
    }
    unpack->at += size;
    unpack->left -= size;
    return at;
}

uint64_t mt__unpack_number(struct mt__unpack *unpack, unsigned bytes)
{
    const unsigned char *little = take(unpack, bytes);
    uint64_t number = 0;

    for (unsigned i = 0; little && i < bytes; i++)
        number |= (uint64_t)little[i] << 8 * i;
    return number;
}

const void *mt__unpack_value(struct mt__unpack *unpack, size_t *size)
{
    const void *value;

    *size = mt__unpack_u32(unpack);
    value = take(unpack, *size);
    if (!value)
        *size = 0;
    return value;
}

void mt__unpack_text(struct mt__unpack *unpack, char *to, size_t room)
{
    size_t size;
    const void *text = mt__unpack_value(unpack, &size);

    to[0] = 0;
    if (!size || size >= room || memchr(text, 0, size)) {
        unpack->bad = 1;
        return;
    }
    memcpy(to, text, size);
    to[size] = 0;
}

int mt__unpack_is_whole(const struct mt__unpack *unpack)
{
    return !unpack->bad && !unpack->left;
}

int mt__is_attribute(const char *key)
{
    static const char letters[] = "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    return *key && !(*key >= '0' && *key <= '9') && key[strspn(key, letters)] == 0;
}
