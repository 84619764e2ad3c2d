/* SPDX-License-Identifier: MIT
 *
 * A ring that has no room for cancels. The kernel gives room as soon as it is asked, but for a moment without memory:
 * so here a loop stands before the hub's own that drops the first ones.
 */
#ifndef TESTS_FULL_RING_H
#define TESTS_FULL_RING_H

#include "coro/hub.h"

static const struct mt__loop *own_loop;
static int to_drop;

static inline void cancel_later(struct mt__hub *hub, struct mt__arm *arm)
{
    if (to_drop)
        to_drop--;
    else
        own_loop->futex_cancel(hub, arm);
}

static inline void drop_cancels(int count)
{
    static struct mt__loop full;

    own_loop = mt__hub->loop;
    full = *own_loop;
    full.futex_cancel = cancel_later;
    to_drop = count;
    mt__hub->loop = &full;
}

static inline void drop_no_more(void)
{
    mt__hub->loop = own_loop;
}

#endif
