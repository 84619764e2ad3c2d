/* SPDX-License-Identifier: MIT
 *
 * Which rows of an array have a hash: for arrays that may have 100,000 rows. A row's number is how many were added
 * before it; what the hash stands for is compared by who asks.
 */
#ifndef MTRACE_LOOKUP_H
#define MTRACE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lookup {
    struct lookup_row *rows;
    int *first;         /* by hash: the newest row + 1, 0: there is none */
    size_t count, room; /* room: a power of two, or 0 */
};

uint64_t lookup_hash(uint64_t number, const char *text);

bool lookup_add(struct lookup *lookup, uint64_t hash); /* false: no memory */

/* The rows with that hash, the newest first. -1: there is none (more). */
int lookup_first(const struct lookup *lookup, uint64_t hash);
int lookup_next(const struct lookup *lookup, int row);

/* Makes it empty. */
void lookup_free(struct lookup *lookup);

#endif
