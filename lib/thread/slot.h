/* SPDX-License-Identifier: MIT */
#ifndef THREAD_SLOT_H
#define THREAD_SLOT_H

#include <resolv.h>
#include <stddef.h>
#include <stdint.h>

struct mt_task;

/* What one raw thread at a time runs on: a mapping that holds, from below, the guard, the stack, TLS and control block,
 * and this. */
struct mt__slot {
    struct mt__slot *next;
    char *map;
    size_t map_size;
    char *stack; /* lowest usable byte */
    size_t stack_size;
    size_t guard_size;
    char *thread_pointer;
    int *tid;  /* the kernel's word: not 0 while the thread exists */
    int fresh; /* no thread has run on it yet */
    struct mt_task *task;
    int named;
    uint64_t signals; /* the mask that the thread is to have */
    struct __res_state resolver;
};

/* A slot with at least that much stack and just that guard (bytes, multiples of the page). NULL with *error = -errno.
 */
struct mt__slot *mt__slot_take(size_t stack_size, size_t guard_size, int *error);

/* Gives a slot back. Its thread need not have ended: it is used again when the kernel has cleared its tid. */
void mt__slot_give(struct mt__slot *slot);

#endif
