/* SPDX-License-Identifier: MIT
 *
 * Arrays in shared memory. In the segment: a head with a robust lock, room for one item on its way in, and the items.
 *
 * A holder may be killed at any instruction. What the next one finds:
 *
 *   coming   in_place   the dead one was
 *   0        0          reading, or not begun: nothing to do
 *   i + 1    0          copying the item on its way to place i: the copy is made again, from the room that only a whole
 * item enters
 *   -        1          writing in place: the items are suspect until a holder has said that they are in order
 *
 * item_size and count are the process's own after attaching, and `coming` is checked: a peer that scribbles over the
 * head can spoil items, and makes nobody read or write outside.
 */
#include "base/sys.h"

#include <errno.h>
#include <linuxmt/lock.h>
#include <linuxmt/robust.h>
#include <linuxmt/shm.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x79617272612d746dull /* "mt-array" */
#define LINE  64

struct head {
    uint64_t magic;
    uint64_t item_size, count;
    struct mt_robust lock;
    uint64_t coming;
    uint32_t in_place;
    uint32_t suspect; /* a holder died in place, and nobody has mended it */
};

struct mt_array {
    struct mt_shm *shm;
    struct head *head;
    size_t item_size, count;
    char *room, *items;
};

static size_t lines(size_t size)
{
    return (size + LINE - 1) & ~(size_t)(LINE - 1);
}

static int bytes_of(size_t item_size, size_t count, size_t *bytes)
{
    size_t items;

    if (!item_size || !count || item_size > PTRDIFF_MAX / 4 || __builtin_mul_overflow(item_size, count, &items) ||
        __builtin_add_overflow(items, lines(sizeof(struct head)) + lines(item_size), bytes) || *bytes > PTRDIFF_MAX)
        return -EINVAL;
    return 0;
}

static struct mt_array *wrap(struct mt_shm *shm, size_t item_size, size_t count)
{
    struct mt_array *array = mt__alloc(sizeof *array);

    if (!array) {
        mt_shm_free(shm);
        errno = ENOMEM;
        return NULL;
    }
    array->shm = shm;
    array->head = mt_shm_address(shm);
    array->item_size = item_size;
    array->count = count;
    array->room = (char *)array->head + lines(sizeof(struct head));
    array->items = array->room + lines(item_size);
    return array;
}

struct mt_array *mt_array_new(const char *name, size_t item_size, size_t count)
{
    struct mt_array *array;
    struct mt_shm *shm;
    size_t bytes;

    if (bytes_of(item_size, count, &bytes)) {
        errno = EINVAL;
        return NULL;
    }
    shm = mt_shm_new(name, bytes);
    array = shm ? wrap(shm, item_size, count) : NULL;
    if (!array)
        return NULL;
    mt_robust_init(&array->head->lock, NULL, MT_SHARED);
    array->head->item_size = item_size;
    array->head->count = count;
    __atomic_store_n(&array->head->magic, MAGIC, __ATOMIC_RELEASE);
    return array;
}

struct mt_array *mt_array_attach(int fd)
{
    struct mt_shm *shm = mt_shm_attach(fd);
    const struct head *head;
    size_t item_size, count, bytes;

    if (!shm)
        return NULL;
    head = mt_shm_address(shm);
    if (mt_shm_size(shm) >= sizeof *head && __atomic_load_n(&head->magic, __ATOMIC_ACQUIRE) == MAGIC) {
        item_size = __atomic_load_n(&head->item_size, __ATOMIC_RELAXED);
        count = __atomic_load_n(&head->count, __ATOMIC_RELAXED);
        if (!bytes_of(item_size, count, &bytes) && bytes == mt_shm_size(shm))
            return wrap(shm, item_size, count);
    }
    mt_shm_free(shm);
    errno = EINVAL;
    return NULL;
}

void mt_array_free(struct mt_array *array)
{
    if (!array)
        return;
    mt_shm_free(array->shm);
    free(array);
}

/* -- Holding ------------------------------------------------------------------------------------------------------ */

/* The item in the room goes to its place, and the room is empty. */
static void arrive(struct mt_array *array)
{
    uint64_t coming = __atomic_load_n(&array->head->coming, __ATOMIC_ACQUIRE);

    if (coming && coming <= array->count)
        memcpy(array->items + (coming - 1) * array->item_size, array->room, array->item_size);
    __atomic_store_n(&array->head->coming, 0, __ATOMIC_RELEASE);
}

/* 0, or -EOWNERDEAD: held, and the items are suspect; or another error: not held. */
static int hold(struct mt_array *array, mt_deadline deadline)
{
    struct head *head = array->head;
    int result = mt_robust_acquire(&head->lock, deadline);

    if (result == -EOWNERDEAD) {
        if (head->in_place)
            head->suspect = 1;
        arrive(array);
        head->in_place = 0;
        result = mt_robust_consistent(&head->lock);
    }
    return result ? result : head->suspect ? -EOWNERDEAD : 0;
}

int mt_array_acquire(struct mt_array *array, mt_deadline deadline)
{
    int result = hold(array, deadline);

    if (!result || result == -EOWNERDEAD)
        __atomic_store_n(&array->head->in_place, 1, __ATOMIC_RELEASE);
    return result;
}

static int is_holder(const struct mt_array *array)
{
    return mt_robust_owner(&array->head->lock) == (int)mt__sys(SYS_gettid);
}

int mt_array_consistent(struct mt_array *array)
{
    if (!is_holder(array))
        return -EPERM;
    if (!array->head->suspect)
        return -EINVAL;
    array->head->suspect = 0;
    return 0;
}

int mt_array_release(struct mt_array *array)
{
    if (!is_holder(array))
        return -EPERM;
    __atomic_store_n(&array->head->in_place, 0, __ATOMIC_RELEASE);
    return mt_robust_release(&array->head->lock);
}

/* -- One item ----------------------------------------------------------------------------------------------------- */

static int let_go(struct mt_array *array, int result)
{
    if (!result || result == -EOWNERDEAD)
        (void)mt_robust_release(&array->head->lock); /* it is held */
    return result;
}

int mt_array_get(struct mt_array *array, size_t index, void *item, mt_deadline deadline)
{
    int result = index < array->count ? hold(array, deadline) : -ERANGE;

    if (!result)
        memcpy(item, array->items + index * array->item_size, array->item_size);
    return let_go(array, result);
}

int mt_array_set(struct mt_array *array, size_t index, const void *item, mt_deadline deadline)
{
    int result = index < array->count ? hold(array, deadline) : -ERANGE;

    if (!result) {
        memcpy(array->room, item, array->item_size);
        __atomic_store_n(&array->head->coming, index + 1, __ATOMIC_RELEASE);
        arrive(array);
    }
    return let_go(array, result);
}

/* -- What can be asked -------------------------------------------------------------------------------------------- */

void *mt_array_items(const struct mt_array *array)
{
    return array->items;
}

size_t mt_array_count(const struct mt_array *array)
{
    return array->count;
}

size_t mt_array_item_size(const struct mt_array *array)
{
    return array->item_size;
}

int mt_array_fd(const struct mt_array *array)
{
    return mt_shm_fd(array->shm);
}
