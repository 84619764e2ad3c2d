/* SPDX-License-Identifier: MIT
 *
 * Classes of locks, and in which orders they have been acquired. See lockgraph.c.
 */
#ifndef SYNC_LOCKGRAPH_H
#define SYNC_LOCKGRAPH_H

#include <stdint.h>

#define MT__CLASSES    4095 /* what fits beside the flags of a lock */
#define MT__EDGES      8192
#define MT__LABEL      64
#define MT__LABEL_SAID (MT__LABEL + 40)

/* One lock of a class was held, acquired at one place, when one of another class was wanted at another. */
struct mt__edge {
    uint32_t key;  /* held << 16 | wanted; 0: free */
    uint32_t next; /* edge from the same class, index + 1 */
    char held_at[MT__LABEL], wanted_at[MT__LABEL];
};

enum mt__edge_news { MT__EDGE_KNOWN, MT__EDGE_NEW, MT__EDGE_INVERTED, MT__EDGE_NO_ROOM };

/* Makes room for the tables. 0, or -ENOMEM. */
int mt__lockgraph_start(void);

/* The number of a class, from 1: that with this name, or of this key if the name is NULL; 0: there is no room. `place`
 * is kept of the first time. */
unsigned mt__lockgraph_class(const char *name, const void *key, const char *place);

/* What to call it in a report: label has MT__LABEL_SAID bytes. */
void mt__lockgraph_label(unsigned class, char *label);

/* Learns an order. MT__EDGE_INVERTED: new, and the tables hold a way from wanted to held, whose edges go into path, up
 * to *length of them. */
enum mt__edge_news mt__lockgraph_learn(unsigned held, unsigned wanted, const char *held_at, const char *wanted_at,
                                       const struct mt__edge **path, unsigned *length);

/* Two locks of one class, of which the one at the higher address is wanted while the lower is held, or the other way
 * round. MT__EDGE_INVERTED: both have now been seen, for the first time; *other is where the other was. */
enum mt__edge_news mt__lockgraph_nest(unsigned class, int descending, const char *held_at, const char *wanted_at,
                                      const struct mt__edge **other);

void mt__lockgraph_count(uint32_t *classes, uint32_t *edges);

#endif
