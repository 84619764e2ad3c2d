/* SPDX-License-Identifier: MIT
 *
 * Timers: a heap of degree 4, whose entries carry their time, so that sifting reads no other memory. A timer knows its
 * place, so that one that is given up is taken out at once. After D. E. Knuth, "The Art of Computer Programming", vol.
 * 3, 5.2.3; degree 4 for the cache: four children are one line.
 */
#include "coro/hub.h"

#include <stdlib.h>

struct mt__heap_entry {
    mt_deadline at;
    struct mt__timer *timer;
};

static void put(struct mt__timers *timers, size_t place, struct mt__heap_entry entry)
{
    timers->heap[place] = entry;
    entry.timer->place = place + 1;
}

static size_t parent_of(size_t place)
{
    return (place - 1) / 4;
}

static size_t sift_up(struct mt__timers *timers, size_t place, struct mt__heap_entry entry)
{
    while (place > 0 && timers->heap[parent_of(place)].at > entry.at) {
        put(timers, place, timers->heap[parent_of(place)]);
        place = parent_of(place);
    }
    put(timers, place, entry);
    return place;
}

static size_t least_child(const struct mt__timers *timers, size_t place)
{
    size_t child = place * 4 + 1, least = child;

    for (size_t i = child + 1; i < child + 4 && i < timers->count; i++)
        if (timers->heap[i].at < timers->heap[least].at)
            least = i;
    return least;
}

static void sift_down(struct mt__timers *timers, size_t place, struct mt__heap_entry entry)
{
    while (place * 4 + 1 < timers->count) {
        size_t child = least_child(timers, place);
        if (timers->heap[child].at >= entry.at)
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, entry);
}

static int grow(struct mt__timers *timers)
{
    size_t room = timers->room ? timers->room * 2 : 64;
    struct mt__heap_entry *heap = mt__alloc(room * sizeof *heap);

    if (!heap)
        return -ENOMEM;
    for (size_t i = 0; i < timers->count; i++)
        heap[i] = timers->heap[i];
    free(timers->heap);
    timers->heap = heap;
    timers->room = room;
    return 0;
}

int mt__timers_add(struct mt__timers *timers, struct mt__timer *timer)
{
    if (timers->count == timers->room && grow(timers))
        return -ENOMEM;
    sift_up(timers, timers->count++, (struct mt__heap_entry){timer->at, timer});
    return 0;
}

void mt__timers_remove(struct mt__timers *timers, struct mt__timer *timer)
{
    size_t place = timer->place - 1;
    struct mt__heap_entry last;

    if (!timer->place)
        return;
    timer->place = 0;
    last = timers->heap[--timers->count];
    if (place == timers->count)
        return;
    if (sift_up(timers, place, last) == place)
        sift_down(timers, place, last);
}

mt_deadline mt__timers_first(const struct mt__timers *timers)
{
    return timers->count ? timers->heap[0].at : MT_FOREVER;
}

struct mt__timer *mt__timers_expired(struct mt__timers *timers, mt_deadline now)
{
    struct mt__timer *timer;

    if (!timers->count || timers->heap[0].at > now)
        return NULL;
    timer = timers->heap[0].timer;
    mt__timers_remove(timers, timer);
    return timer;
}

void mt__timers_free(struct mt__timers *timers)
{
    free(timers->heap);
    *timers = (struct mt__timers){0};
}
