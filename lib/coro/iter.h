/* SPDX-License-Identifier: MIT */
#ifndef CORO_ITER_H
#define CORO_ITER_H

#include <linuxmt/iter.h>
#include <stddef.h>

/* Bytes that an item takes where several lie one behind the other, each aligned for anything. */
static inline size_t mt__iter_room(size_t item_size)
{
    return (item_size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

#endif
