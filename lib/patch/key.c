/* SPDX-License-Identifier: MIT
 *
 * Keys: with the thread class on each coroutine has values of its own, all others libc's. The numbers are libc's; what
 * is kept here beside them is the destructor, of every key that is made through us, patched or not: and how often the
 * number has been given away, so that a key that is deleted and made again has no value in anybody.
 *
 * A coroutine's table is of blocks, of 32 values each, as few set more than some.
 */
#include "patch/pthreads.h"

#include <limits.h>
#include <stdlib.h>
#include <threads.h>

#define BLOCK  32
#define BLOCKS (PTHREAD_KEYS_MAX / BLOCK)

static struct key {
    void (*destroy)(void *value);
    uint32_t life; /* odd: in use */
} keys[PTHREAD_KEYS_MAX];

struct mt__key_block {
    struct value {
        void *value;
        uint32_t life;
    } values[BLOCK];
};

static uint32_t life_of(pthread_key_t key)
{
    return key < PTHREAD_KEYS_MAX ? __atomic_load_n(&keys[key].life, __ATOMIC_ACQUIRE) : 0;
}

static int make(pthread_key_t *key, void (*destroy)(void *value))
{
    int error = mt__libc(pthread_key_create)(key, destroy);

    if (error || *key >= PTHREAD_KEYS_MAX)
        return error;
    keys[*key].destroy = destroy;
    __atomic_fetch_or(&keys[*key].life, 1, __ATOMIC_RELEASE);
    return 0;
}

/* Before libc's: then the number may be another's. A key that was made behind our back is libc's to judge. */
static int delete (pthread_key_t key)
{
    if (key < PTHREAD_KEYS_MAX && keys[key].life % 2)
        __atomic_fetch_add(&keys[key].life, 1, __ATOMIC_RELEASE);
    return mt__libc(pthread_key_delete)(key);
}

/* The value's place in the thread's table; NULL: none, and none was wanted (or no memory). */
static struct value *place_of(struct mt__pthread *thread, pthread_key_t key, int wanted)
{
    struct mt__key_block **block;

    if (!thread->keys) {
        if (!wanted || !(thread->keys = calloc(BLOCKS, sizeof *thread->keys)))
            return NULL;
    }
    block = &thread->keys[key / BLOCK];
    if (!*block && (!wanted || !(*block = calloc(1, sizeof **block))))
        return NULL;
    return &(*block)->values[key % BLOCK];
}

static void *get(struct mt__pthread *thread, pthread_key_t key)
{
    struct value *place;

    if (!(place = place_of(thread, key, 0)))
        return NULL;
    return place->life == life_of(key) ? place->value : NULL;
}

static int set(struct mt__pthread *thread, pthread_key_t key, const void *value)
{
    uint32_t life = life_of(key);
    struct value *place;

    place = place_of(thread, key, value != NULL);
    if (place)
        *place = (struct value){(void *)(uintptr_t)value, life};
    return place || !value ? 0 : ENOMEM;
}

/* As libc: in the order of the numbers, in rounds, as a destructor may set others. */
static int destroy_round(struct mt__pthread *thread)
{
    int any = 0;

    for (pthread_key_t key = 0; key < PTHREAD_KEYS_MAX; key++) {
        struct value *place, was;
        if (!thread->keys[key / BLOCK]) {
            key += BLOCK - 1;
            continue;
        }
        place = place_of(thread, key, 0);
        was = *place;
        place->value = NULL;
        if (!was.value || was.life != life_of(key))
            continue;
        any = 1;
        if (keys[key].destroy)
            keys[key].destroy(was.value);
    }
    return any;
}

void mt__keys_end(struct mt__pthread *thread)
{
    if (!thread->keys)
        return;
    for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS && destroy_round(thread); round++) {
    }
    for (int block = 0; block < BLOCKS; block++)
        free(thread->keys[block]);
    free(thread->keys);
    thread->keys = NULL;
}

/* Who has values of his own for the key; NULL: the thread, as libc knows. That is so too for keys that were made behind
 * our back, and for those that there are not. */
static struct mt__pthread *holder(pthread_key_t key)
{
    return mt__pthread_is_on() && mt__hub && life_of(key) % 2 ? mt__pthread_here() : NULL;
}

/* -- libc's names ------------------------------------------------------------------------------------------------- */

MT__PATCHED int pthread_key_create(pthread_key_t *key, void (*destroy)(void *value))
{
    return make(key, destroy);
}

MT__PATCHED int pthread_key_delete(pthread_key_t key)
{
    return delete (key);
}

MT__PATCHED void *pthread_getspecific(pthread_key_t key)
{
    struct mt__pthread *thread = holder(key);

    return thread ? get(thread, key) : mt__libc(pthread_getspecific)(key);
}

MT__PATCHED int pthread_setspecific(pthread_key_t key, const void *value)
{
    struct mt__pthread *thread = holder(key);

    return thread ? set(thread, key, value) : mt__libc(pthread_setspecific)(key, value);
}

int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *value));
MT__PATCHED int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *value))
{
    return make(key, destroy);
}

void *__pthread_getspecific(pthread_key_t key);
MT__PATCHED void *__pthread_getspecific(pthread_key_t key)
{
    return pthread_getspecific(key);
}

int __pthread_setspecific(pthread_key_t key, const void *value);
MT__PATCHED int __pthread_setspecific(pthread_key_t key, const void *value)
{
    return pthread_setspecific(key, value);
}

/* -- C11's: libc's are the same numbers --------------------------------------------------------------------------- */

MT__PATCHED int tss_create(tss_t *key, tss_dtor_t destroy)
{
    return make(key, destroy) ? thrd_error : thrd_success;
}

MT__PATCHED void tss_delete(tss_t key)
{
    delete (key);
}

MT__PATCHED void *tss_get(tss_t key)
{
    return pthread_getspecific(key);
}

MT__PATCHED int tss_set(tss_t key, void *value)
{
    return pthread_setspecific(key, value) ? thrd_error : thrd_success;
}
