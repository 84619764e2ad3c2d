/* SPDX-License-Identifier: MIT
 *
 * Memory that several processes share, and values and arrays in it, each with its lock. See mt_shm(3) and mt_array(3).
 */
#ifndef LINUXMT_SHM_H
#define LINUXMT_SHM_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

struct mt_shm;

/* A segment of `size` bytes, zeroed, which nobody can make smaller. It has no name that others could find or remove:
 * they get its descriptor, and with its last user it is gone. NULL with errno: EINVAL (size 0), ENOMEM, EMFILE, ENFILE,
 * ENOSPC. */
struct mt_shm *mt_shm_new(const char *name, size_t size);

/* The same segment in another process: fd is duplicated, and still the caller's. NULL with errno: EBADF; EINVAL (no
 * memfd that is sealed against shrinking); ENOMEM, EMFILE. */
struct mt_shm *mt_shm_attach(int fd);

void *mt_shm_address(const struct mt_shm *shm); /* aligned to a page */
size_t mt_shm_size(const struct mt_shm *shm);
int mt_shm_fd(const struct mt_shm *shm); /* the segment's */
void mt_shm_free(struct mt_shm *shm);    /* only here: others keep it. NULL is allowed */

/* `count` items of item_size bytes in a segment, zeroed, with a robust lock. NULL with errno as mt_shm_new. */
struct mt_array;
struct mt_array *mt_array_new(const char *name, size_t item_size, size_t count);

/* NULL with errno as mt_shm_attach; EINVAL: it is no array. */
struct mt_array *mt_array_attach(int fd);

/* Copies one item out, or in: whole, whoever is killed meanwhile. 0; -ERANGE: there is no such item; -ETIMEDOUT
 * (-EBUSY), -ECANCELED, -EDEADLK as mt_robust_acquire; -EOWNERDEAD: somebody died who held the array by
 * mt_array_acquire, and nobody has mended it yet; -ENOTRECOVERABLE: and never will. */
int mt_array_get(struct mt_array *array, size_t index, void *item, mt_deadline deadline) MT__MUST_CHECK;
int mt_array_set(struct mt_array *array, size_t index, const void *item, mt_deadline deadline) MT__MUST_CHECK;

/* Holds the array, to read and write several items in place. 0; -EOWNERDEAD: held too, but the last holder died in the
 * middle: mend the items and call mt_array_consistent; else errors as above. */
int mt_array_acquire(struct mt_array *array, mt_deadline deadline) MT__MUST_CHECK;
int mt_array_consistent(struct mt_array *array); /* 0; -EPERM: not the holder; -EINVAL: nobody had died */
int mt_array_release(struct mt_array *array);    /* 0; -EPERM */

void *mt_array_items(const struct mt_array *array); /* aligned to 64 bytes */
size_t mt_array_count(const struct mt_array *array);
size_t mt_array_item_size(const struct mt_array *array);
int mt_array_fd(const struct mt_array *array);
void mt_array_free(struct mt_array *array);

/* A value is an array of one. */
#define mt_value_new(name, size)           mt_array_new(name, size, 1)
#define mt_value_get(value, out, deadline) mt_array_get(value, 0, out, deadline)
#define mt_value_set(value, in, deadline)  mt_array_set(value, 0, in, deadline)

MT__END

#endif
