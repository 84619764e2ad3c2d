/* SPDX-License-Identifier: MIT */
#include "lookup.h"
#include <stdlib.h>

#define FIRST_ROOM 64

struct lookup_row {
    uint64_t hash;
    int older; /* with its place among `first`; + 1, 0: there is none */
};

/* The text by FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo); the mixing at the end by G. Steele, D. Lea, C. Flood, "Fast
 * splittable pseudorandom number generators", 2014. */
uint64_t lookup_hash(uint64_t number, const char *text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    hash ^= number;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
    return hash ^ hash >> 31;
}

static void enter(struct lookup *lookup, size_t row)
{
    int *first = &lookup->first[lookup->rows[row].hash & (lookup->room - 1)];
    lookup->rows[row].older = *first;
    *first = (int)row + 1;
}

static bool make_room(struct lookup *lookup)
{
    size_t room = lookup->room ? lookup->room * 2 : FIRST_ROOM;
    struct lookup_row *rows = realloc(lookup->rows, room * sizeof *rows);
    if (!rows)
        return false;
    lookup->rows = rows;
    int *first = calloc(room, sizeof *first);
    if (!first)
        return false;
    free(lookup->first);
    lookup->first = first;
    lookup->room = room;
    for (size_t row = 0; row < lookup->count; row++)
        enter(lookup, row);
    return true;
}

bool lookup_add(struct lookup *lookup, uint64_t hash)
{
    if (lookup->count == lookup->room && !make_room(lookup))
        return false;
    lookup->rows[lookup->count].hash = hash;
    enter(lookup, lookup->count++);
    return true;
}

static int with_hash(const struct lookup *lookup, int at, uint64_t hash)
{
    while (at && lookup->rows[at - 1].hash != hash)
        at = lookup->rows[at - 1].older;
    return at - 1;
}

int lookup_first(const struct lookup *lookup, uint64_t hash)
{
    return lookup->room ? with_hash(lookup, lookup->first[hash & (lookup->room - 1)], hash) : -1;
}

int lookup_next(const struct lookup *lookup, int row)
{
    return with_hash(lookup, lookup->rows[row].older, lookup->rows[row].hash);
}

void lookup_free(struct lookup *lookup)
{
    free(lookup->rows);
    free(lookup->first);
    *lookup = (struct lookup){0};
}
