/* SPDX-License-Identifier: MIT
 *
 * Locks that are taken in both orders, reported before two tasks ever meet in them. See mt_lockorder(7).
 */
#ifndef LINUXMT_LOCKORDER_H
#define LINUXMT_LOCKORDER_H

#include <linuxmt/compiler.h>
#include <stdint.h>

MT__BEGIN

enum mt_lockorder_policy {
    MT_LOCKORDER_OFF = 0,    /* the order is not watched: the default */
    MT_LOCKORDER_REPORT = 1, /* it is, and an inversion is reported, once for each pair */
};

/* Sets the policy of this process and returns the one before. Each time it is turned on, watching begins anew with what
 * is acquired from then on; what has been learned of orders is kept. The environment's LINUXMT_LOCKORDER=off|report
 * sets it at start. */
enum mt_lockorder_policy mt_lockorder_policy(enum mt_lockorder_policy policy);

/* Where reports go: text of several lines, in the task that is about to acquire the lock. NULL: standard error, the
 * default. Returns the function set before, or NULL. */
typedef void mt_lockorder_fn(const char *report);
mt_lockorder_fn *mt_lockorder_hook(mt_lockorder_fn *hook);

struct mt_lockorder_stats {
    uint32_t classes;    /* kinds of locks that have been seen, */
    uint32_t orders;     /* pairs of them that were held one and wanted the other, */
    uint32_t inversions; /* and those reported */
    uint32_t forgotten;  /* how often the tables had no room: an inversion may have been missed */
};
void mt_lockorder_stats(struct mt_lockorder_stats *stats);

MT__END

#endif
