/* SPDX-License-Identifier: MIT
 *
 * The objects of a manager's server. One is found by its name once, and by its id from then on: the number of its place
 * and, above it, how many were made before, so that an id whose object was removed is not that of a later one.
 *
 * Invariant: what all objects have been charged with is at most the limit, or was at one moment before something was
 * given back. An object is charged before it holds what it is charged for.
 */
#include "manager/server.h"
#include "base/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PLACE_BITS  20
#define OBJECT_COST 512 /* bytes that an object counts beside what it holds */

/* -- One ---------------------------------------------------------------------------------------------------------- */

int mt__object_charge(struct mt__object *object, int64_t bytes)
{
    uint64_t now = __atomic_add_fetch(&object->server->memory, (uint64_t)bytes, __ATOMIC_RELAXED);

    if (bytes > 0 && now > object->server->limits->memory) {
        __atomic_sub_fetch(&object->server->memory, (uint64_t)bytes, __ATOMIC_RELAXED);
        return -ENOSPC;
    }
    __atomic_add_fetch(&object->charged, (uint64_t)bytes, __ATOMIC_RELAXED);
    return 0;
}

struct mt__value *mt__value_new(const char *key, const void *bytes, size_t size)
{
    size_t key_size = strlen(key);
    struct mt__value *value = malloc(sizeof *value + key_size + 1 + size);

    if (!value)
        return NULL;
    value->size = size;
    value->key_size = (uint32_t)key_size;
    memcpy(value->key, key, key_size + 1);
    if (size)
        memcpy(value->key + key_size + 1, bytes, size);
    return value;
}

static void destroy(struct mt__object *object)
{
    mt__dict_end(object);
    mt__list_end(object);
    mt_queue_free(object->queue);
    mt_shm_free(object->page);
    mt__object_charge(object, -(int64_t)object->charged);
    free(object);
}

void mt__object_retain(struct mt__object *object)
{
    __atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
}

void mt__object_release(struct mt__object *object)
{
    if (__atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL) == 0)
        destroy(object);
}

static int64_t size_of_file(int fd)
{
    struct stat status;

    return fstat(fd, &status) ? 0 : status.st_size;
}

/* What lies in memory. The largest part of a queue is only there once it is used, but it may be used. */
static int make_memory(struct mt__object *object, const struct mt_queue_options *options, uint32_t value)
{
    struct mt_queue_options named = *options;

    switch (object->kind) {
    case MT__MANAGED_DICT:
    case MT__MANAGED_LIST:
    case MT__MANAGED_NAMESPACE:
        return 0;
    case MT__MANAGED_QUEUE:
        named.name = object->name;
        if (named.message_max > object->server->limits->message_max)
            return -EMSGSIZE;
        object->queue = mt_queue_new(&named);
        return object->queue ? mt__object_charge(object, size_of_file(mt_queue_fd(object->queue))) : -errno;
    default:
        object->page = mt__page_new(object->name, object->kind, value);
        return object->page ? mt__object_charge(object, (int64_t)mt_shm_size(object->page)) : -errno;
    }
}

static int make(struct mt__server *server, enum mt__managed_kind kind, const char *name,
                const struct mt_queue_options *options, uint32_t value, struct mt__object **made)
{
    struct mt__object *object = mt__alloc(sizeof *object);
    int error;

    if (!object)
        return -ENOMEM;
    object->server = server;
    object->references = 1;
    object->kind = kind;
    strcpy(object->name, name);
    mt_lock_init(&object->lock, "managed object", 0);
    error = mt__object_charge(object, OBJECT_COST);
    if (!error)
        error = make_memory(object, options, value);
    if (error)
        mt__object_release(object);
    else
        *made = object;
    return error;
}

/* -- All. With the server's lock held, but for those that take it ---------------------------------------------------
 */

static uint32_t place_of(const struct mt__server *server, const char *name)
{
    uint32_t place = 0;

    while (place < server->object_room && !(server->objects[place] && !strcmp(server->objects[place]->name, name)))
        place++;
    return place;
}

static int find_room(struct mt__server *server, uint32_t *place)
{
    uint32_t room = server->object_room ? server->object_room * 2 : 64;
    struct mt__object **objects;

    if (server->object_count >= server->limits->objects)
        return -ENOSPC;
    if (server->object_count == server->object_room) {
        objects = realloc(server->objects, room * sizeof *objects);
        if (!objects)
            return -ENOMEM;
        memset(objects + server->object_room, 0, (room - server->object_room) * sizeof *objects);
        server->objects = objects;
        server->object_room = room;
    }
    for (*place = 0; server->objects[*place];)
        ++*place;
    return 0;
}

static int open_held(struct mt__server *server, enum mt__managed_kind kind, const char *name, unsigned flags,
                     const struct mt_queue_options *options, uint32_t value, struct mt__object **object)
{
    uint32_t place = place_of(server, name);
    int error;

    if (place < server->object_room) {
        if (flags & MT_MANAGER_CREATE)
            return -EEXIST;
        if (server->objects[place]->kind != kind)
            return -EMEDIUMTYPE;
        *object = server->objects[place];
        mt__object_retain(*object);
        return 0;
    }
    if (flags & MT_MANAGER_OPEN)
        return -ENOENT;
    error = find_room(server, &place);
    if (!error)
        error = make(server, kind, name, options, value, object);
    if (error)
        return error;
    (*object)->id = server->objects_made++ << PLACE_BITS | place;
    server->objects[place] = *object;
    server->object_count++;
    mt__object_retain(*object);
    return 0;
}

int mt__object_open(struct mt__server *server, enum mt__managed_kind kind, const char *name, unsigned flags,
                    const struct mt_queue_options *options, uint32_t value, struct mt__object **object)
{
    int error = mt_lock_acquire(&server->lock, MT_FOREVER);

    if (error)
        return error;
    error = open_held(server, kind, name, flags, options, value, object);
    mt_lock_release(&server->lock);
    return error;
}

struct mt__object *mt__object_find(struct mt__server *server, uint64_t id)
{
    uint32_t place = (uint32_t)(id & ((1u << PLACE_BITS) - 1));
    struct mt__object *object = NULL;
    int error = mt_lock_acquire(&server->lock, MT_FOREVER);

    if (error) {
        errno = -error;
        return NULL;
    }
    if (place < server->object_room && server->objects[place] && server->objects[place]->id == id) {
        object = server->objects[place];
        mt__object_retain(object);
    }
    mt_lock_release(&server->lock);
    if (!object)
        errno = ESTALE;
    return object;
}

int mt__object_remove(struct mt__server *server, const char *name)
{
    struct mt__object *object = NULL;
    int error = mt_lock_acquire(&server->lock, MT_FOREVER);
    uint32_t place;

    if (error)
        return error;
    place = place_of(server, name);
    if (place < server->object_room) {
        object = server->objects[place];
        server->objects[place] = NULL;
        server->object_count--;
    }
    mt_lock_release(&server->lock);
    if (!object)
        return -ENOENT;
    mt__object_release(object);
    return 0;
}
