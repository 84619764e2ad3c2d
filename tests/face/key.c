/* SPDX-License-Identifier: MIT
 *
 * The face's keys: each stands on a local of ours.
 */
#include "face.h"
#include "base/mini.h"

#include <errno.h>

/* A key that is deleted and made again must be without a value in every thread: values are kept in boxes that know
 * which life of the key they belong to. */
#define KEYS (MT_LOCAL_MAX - 8)

struct box {
    unsigned key, life;
    void *value;
};

static void end_box(void *arg);

static struct {
    struct mt_local local;
    unsigned life; /* odd: in use */
    void (*destroy)(void *);
} keys[KEYS];
static struct mt__mini keys_guard;

static int is_current(const struct box *box)
{
    return box && __atomic_load_n(&keys[box->key].life, __ATOMIC_ACQUIRE) == box->life;
}

static void end_box(void *arg)
{
    struct box box = *(struct box *)arg;

    free(arg);
    if (is_current(&box) && box.value && keys[box.key].destroy)
        keys[box.key].destroy(box.value);
}

int face_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    int error = EAGAIN;

    mt__mini_acquire(&keys_guard);
    for (unsigned i = 0; i < KEYS; i++) {
        if (keys[i].life % 2)
            continue;
        keys[i].local.destroy = end_box;
        keys[i].destroy = destroy;
        __atomic_fetch_add(&keys[i].life, 1, __ATOMIC_ACQ_REL);
        *key = i;
        error = 0;
        break;
    }
    mt__mini_release(&keys_guard);
    return error;
}

int face_key_delete(pthread_key_t key)
{
    int error = EINVAL;

    mt__mini_acquire(&keys_guard);
    if (key < KEYS && keys[key].life % 2) {
        __atomic_fetch_add(&keys[key].life, 1, __ATOMIC_ACQ_REL);
        error = 0;
    }
    mt__mini_release(&keys_guard);
    return error;
}

void *face_getspecific(pthread_key_t key)
{
    struct box *box = key < KEYS ? mt_local_get(&keys[key].local) : NULL;

    return is_current(box) ? box->value : NULL;
}

int face_setspecific(pthread_key_t key, const void *value)
{
    unsigned life = key < KEYS ? __atomic_load_n(&keys[key].life, __ATOMIC_ACQUIRE) : 0;
    struct box *box;
    int error;

    if (life % 2 == 0)
        return EINVAL;
    face_self();
    box = mt_local_get(&keys[key].local);
    if (!box && !value)
        return 0;
    if (!box) {
        box = calloc(1, sizeof *box);
        error = box ? mt_local_set(&keys[key].local, box) : -ENOMEM;
        if (error) {
            free(box);
            return -error;
        }
    }
    *box = (struct box){key, life, (void *)(uintptr_t)value};
    return 0;
}
