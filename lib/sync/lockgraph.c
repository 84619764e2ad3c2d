/* SPDX-License-Identifier: MIT
 *
 * The graph of held -> wanted between classes of locks. Both tables are open hash tables of a fixed size that only ever
 * grow: a class or an edge, once in, stays where it is and does not change, but for `first` and `next`, the list of
 * edges from one class.
 *
 * 1. Lookups take no lock: a slot is filled in under the guard and then published by its key (release), and a lookup
 * that meets an unpublished slot takes it for free, and asks again under the guard.
 * 2. An edge is searched for the way back just when it is put in, under the guard. So of the edges that close a circle
 * the last one to come finds it, whatever the threads' speeds; and each edge finds one at the most once.
 * 3. At most half of the slots of a table are used: so a search for what is not there ends.
 *
 * The guard is the registry's lock, which a fork takes care of.
 */
#include "sync/lockgraph.h"
#include "base/task.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CLASS_SLOTS 8192 /* powers of two */
#define EDGE_SLOTS  16384

struct class
{
    char label[MT__LABEL]; /* the name; of nameless ones, where one was first acquired */
    const void *key;       /* of nameless ones */
    int named;
    uint32_t first;            /* edge from here, index + 1 */
    struct mt__edge nested[2]; /* of two of this class: upwards, downwards */
    uint32_t nested_reported;
};

static struct tables {
    struct class classes[MT__CLASSES + 1]; /* by number, from 1 */
    uint32_t class_slots[CLASS_SLOTS];     /* numbers; 0: free */
    uint32_t class_count;
    struct mt__edge edges[EDGE_SLOTS];
    uint32_t edge_count;
    uint16_t came_by[MT__CLASSES + 1]; /* a search's: how a class was reached, edge slot + 1 */
    uint16_t queue[MT__CLASSES + 1];
} * tables;

_Static_assert(EDGE_SLOTS <= UINT16_MAX, "slots of edges fit into came_by");

int mt__lockgraph_start(void)
{
    int result = 0;

    mt__tasks_acquire();
    if (!tables) {
        struct tables *fresh = mt__alloc(sizeof *fresh);
        result = fresh ? 0 : -ENOMEM;
        __atomic_store_n(&tables, fresh, __ATOMIC_RELEASE);
    }
    mt__tasks_release();
    return result;
}

void mt__lockgraph_count(uint32_t *classes, uint32_t *edges)
{
    mt__tasks_acquire();
    *classes = tables ? tables->class_count : 0;
    *edges = tables ? tables->edge_count : 0;
    mt__tasks_release();
}

/* The end of a name or place says more than its beginning. */
static void keep_tail(char *to, const char *from)
{
    size_t length = from ? strlen(from) : 0;

    if (length >= MT__LABEL)
        from += length - (MT__LABEL - 1);
    snprintf(to, MT__LABEL, "%s", from ? from : "");
}

/* -- Classes ------------------------------------------------------------------------------------------------------ */

static uint32_t mix(uint32_t hash, uint32_t value)
{
    return (hash ^ value) * 0x9e3779b1u;
}

static uint32_t hash_of(const char *name, const void *key)
{
    uint32_t hash = name ? 1 : 2;

    if (!name)
        return mix(mix(hash, (uint32_t)(uintptr_t)key), (uint32_t)((uintptr_t)key >> 32));
    while (*name)
        hash = mix(hash, (unsigned char)*name++);
    return mix(hash, hash >> 15);
}

static int is_it(const struct class *class, const char *name, const void *key)
{
    char label[MT__LABEL];

    if (!name)
        return !class->named && class->key == key;
    if (!class->named)
        return 0;
    keep_tail(label, name);
    return !strcmp(class->label, label);
}

/* The number, or 0 with *slot where it would be. */
static unsigned find_class(const char *name, const void *key, uint32_t *slot)
{
    uint32_t at = hash_of(name, key) & (CLASS_SLOTS - 1), number;

    while ((number = __atomic_load_n(&tables->class_slots[at], __ATOMIC_ACQUIRE)) != 0) {
        if (is_it(&tables->classes[number], name, key))
            return number;
        at = (at + 1) & (CLASS_SLOTS - 1);
    }
    *slot = at;
    return 0;
}

unsigned mt__lockgraph_class(const char *name, const void *key, const char *place)
{
    uint32_t slot;
    unsigned number = find_class(name, key, &slot);

    if (number)
        return number;
    mt__tasks_acquire();
    number = find_class(name, key, &slot);
    if (!number && tables->class_count < MT__CLASSES) {
        struct class *class;
        number = ++tables->class_count;
        class = &tables->classes[number];
        class->key = key;
        class->named = name != NULL;
        keep_tail(class->label, name ? name : place);
        __atomic_store_n(&tables->class_slots[slot], number, __ATOMIC_RELEASE);
    }
    mt__tasks_release();
    return number;
}

void mt__lockgraph_label(unsigned number, char *label)
{
    const struct class *class = &tables->classes[number];

    if (class->named)
        snprintf(label, MT__LABEL_SAID, "lock \"%s\"", class->label);
    else if (class->label[0])
        snprintf(label, MT__LABEL_SAID, "the lock first acquired at %s", class->label);
    else
        snprintf(label, MT__LABEL_SAID, "the lock at %p", class->key);
}

/* -- Edges -------------------------------------------------------------------------------------------------------- */

/* The slot of that edge, or the free one where it would be. */
static struct mt__edge *find_edge(uint32_t key)
{
    uint32_t at = mix(mix(0, key), key >> 16) >> 18, seen;

    while ((seen = __atomic_load_n(&tables->edges[at].key, __ATOMIC_ACQUIRE)) != 0 && seen != key)
        at = (at + 1) & (EDGE_SLOTS - 1);
    return &tables->edges[at];
}

static void fill(struct mt__edge *edge, uint32_t key, const char *held_at, const char *wanted_at)
{
    keep_tail(edge->held_at, held_at);
    keep_tail(edge->wanted_at, wanted_at);
    __atomic_store_n(&edge->key, key, __ATOMIC_RELEASE);
}

static unsigned slot_of(const struct mt__edge *edge)
{
    return (unsigned)(edge - tables->edges);
}

/* Breadth first, with the guard: whether there is a way. came_by says which. */
static int search(unsigned from, unsigned to)
{
    unsigned read = 0, written = 0;

    memset(tables->came_by, 0, sizeof tables->came_by);
    tables->queue[written++] = (uint16_t)from;
    while (read < written) {
        unsigned at = tables->queue[read++];
        for (uint32_t i = tables->classes[at].first; i; i = tables->edges[i - 1].next) {
            unsigned next = tables->edges[i - 1].key & 0xffff;
            if (next == from || tables->came_by[next])
                continue;
            tables->came_by[next] = (uint16_t)i;
            if (next == to)
                return 1;
            tables->queue[written++] = (uint16_t)next;
        }
    }
    return 0;
}

/* What search has found, from its beginning; of a longer one, the end. */
static void tell_path(unsigned from, unsigned to, const struct mt__edge **path, unsigned *length)
{
    unsigned room = *length, count = 0;

    for (unsigned at = to; at != from && count < room; count++) {
        const struct mt__edge *edge = &tables->edges[tables->came_by[at] - 1];
        path[count] = edge;
        at = edge->key >> 16;
    }
    *length = count;
    for (unsigned i = 0; i < count / 2; i++) {
        const struct mt__edge *swapped = path[i];
        path[i] = path[count - 1 - i];
        path[count - 1 - i] = swapped;
    }
}

static enum mt__edge_news add_edge(struct mt__edge *edge, unsigned held, unsigned wanted, const char *held_at,
                                   const char *wanted_at)
{
    struct class *from = &tables->classes[held];

    if (tables->edge_count == MT__EDGES)
        return MT__EDGE_NO_ROOM;
    tables->edge_count++;
    edge->next = from->first;
    from->first = slot_of(edge) + 1;
    fill(edge, held << 16 | wanted, held_at, wanted_at);
    return search(wanted, held) ? MT__EDGE_INVERTED : MT__EDGE_NEW;
}

enum mt__edge_news mt__lockgraph_learn(unsigned held, unsigned wanted, const char *held_at, const char *wanted_at,
                                       const struct mt__edge **path, unsigned *length)
{
    uint32_t key = held << 16 | wanted;
    enum mt__edge_news news = MT__EDGE_KNOWN;
    struct mt__edge *edge = find_edge(key);

    if (__atomic_load_n(&edge->key, __ATOMIC_RELAXED) == key)
        return MT__EDGE_KNOWN;
    mt__tasks_acquire();
    edge = find_edge(key);
    if (!edge->key)
        news = add_edge(edge, held, wanted, held_at, wanted_at);
    if (news == MT__EDGE_INVERTED)
        tell_path(wanted, held, path, length);
    mt__tasks_release();
    return news;
}

enum mt__edge_news mt__lockgraph_nest(unsigned number, int descending, const char *held_at, const char *wanted_at,
                                      const struct mt__edge **other)
{
    struct class *class = &tables->classes[number];
    struct mt__edge *edge = &class->nested[descending];
    enum mt__edge_news news = MT__EDGE_KNOWN;

    if (__atomic_load_n(&edge->key, __ATOMIC_ACQUIRE))
        return MT__EDGE_KNOWN;
    mt__tasks_acquire();
    if (!edge->key) {
        fill(edge, number << 16 | number, held_at, wanted_at);
        *other = &class->nested[!descending];
        news = (*other)->key ? MT__EDGE_INVERTED : MT__EDGE_NEW;
    }
    mt__tasks_release();
    return news;
}
