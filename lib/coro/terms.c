/* SPDX-License-Identifier: MIT
 *
 * The terms of a wait for an operation, whether it may wait at all, and for how long, may take system calls to ask for,
 * and most waits are over before the answer matters. So who has reason to believe that it may wait for ever begins, and
 * asks when it has waited for a while: from one to two periods.
 *
 *   fresh   begun since the timer expired last: it is the hub's, and set while there are any on either list
 *   aged    begun before that: what expires it asks for these, and they are on no list any more
 *
 * What a late answer can do is to end the wait late, by two periods at the most. A deadline that it brings is counted
 * from one period ago: the wait has lasted that long at least, so that it never comes too soon.
 */
#include "base/clock.h"
#include "coro/hub.h"

#include <errno.h>

#define PERIOD MT_MS(10)

static void put(struct mt__io **first, struct mt__io *io)
{
    io->next_asked = *first;
    if (*first)
        (*first)->asked_link = &io->next_asked;
    io->asked_link = first;
    *first = io;
}

void mt__terms_end(struct mt__io *io)
{
    if (!io->asked_link)
        return;
    *io->asked_link = io->next_asked;
    if (io->next_asked)
        io->next_asked->asked_link = io->asked_link;
    io->asked_link = NULL;
}

static int set_timer(struct mt__hub *hub)
{
    struct mt__timer *timer = &hub->terms.timer;

    if (timer->place)
        return 0;
    *timer = (struct mt__timer){.at = mt_after(PERIOD)};
    return mt__timers_add(&hub->timers, timer);
}

int mt__terms_begin(struct mt__hub *hub, struct mt__io *io)
{
    io->asked_link = NULL;
    io->until = MT_FOREVER;
    if (set_timer(hub))
        return io->ask(io, &io->until);
    put(&hub->terms.fresh, io);
    return 0;
}

static void end_or_limit(struct mt__hub *hub, struct mt__io *io)
{
    int error = io->ask(io, &io->until);

    if (error) {
        mt__parked_end(hub, io->parked, error);
    } else if (io->until != MT_FOREVER) {
        io->until -= PERIOD;
        mt__parked_until(hub, io->parked, io->until);
    }
}

void mt__terms_due(struct mt__hub *hub)
{
    struct mt__terms *terms = &hub->terms;
    struct mt__io *io;

    while ((io = terms->aged)) {
        mt__terms_end(io);
        end_or_limit(hub, io);
    }
    terms->aged = terms->fresh;
    if (terms->aged)
        terms->aged->asked_link = &terms->aged;
    terms->fresh = NULL;
    if (terms->aged && set_timer(hub)) /* no memory: no later, then */
        mt__terms_due(hub);
}
