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
 *
 * Those that wait are on a thousand stacks. The lists are apart from them, so that to begin and to end touches no
 * other's.
 */
#include "base/clock.h"
#include "coro/hub.h"

#include <errno.h>
#include <stdlib.h>

#define PERIOD     MT_MS(25)
#define FIRST_ROOM 64

static int append(struct mt__term_list *list, struct mt__io *io)
{
    struct mt__io **larger;

    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : FIRST_ROOM;
        larger = realloc(list->entries, room * sizeof *larger);
        if (!larger)
            return -ENOMEM;
        list->entries = larger;
        list->room = room;
    }
    list->entries[list->count++] = io;
    io->asked_at = list->count;
    return 0;
}

void mt__terms_end(struct mt__hub *hub, struct mt__io *io)
{
    struct mt__term_list *list = &hub->terms.lists[io->asked_in];

    if (!io->asked_at)
        return;
    list->entries[io->asked_at - 1] = NULL;
    if (io->asked_at == list->count)
        list->count--;
    io->asked_at = 0;
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
    io->until = MT_FOREVER;
    io->asked_at = 0;
    io->asked_in = hub->terms.fresh;
    if (set_timer(hub) || append(&hub->terms.lists[io->asked_in], io))
        return io->ask(io, &io->until);
    return 0;
}

/* It has waited for so long at least. */
static void end_or_limit(struct mt__hub *hub, struct mt__io *io, mt_deadline waited)
{
    int error = io->ask(io, &io->until);

    if (error) {
        mt__parked_end(hub, io->parked, error);
    } else if (io->until != MT_FOREVER) {
        io->until -= waited;
        mt__parked_until(hub, io->parked, io->until);
    }
}

/* No memory for the timer: then it is time for the fresh ones, too. */
void mt__terms_due(struct mt__hub *hub)
{
    struct mt__terms *terms = &hub->terms;
    mt_deadline waited = PERIOD;

    do {
        struct mt__term_list *aged = &terms->lists[!terms->fresh];
        for (uint32_t i = 0; i < aged->count; i++)
            if (aged->entries[i]) {
                aged->entries[i]->asked_at = 0;
                end_or_limit(hub, aged->entries[i], waited);
            }
        aged->count = 0;
        terms->fresh = !terms->fresh;
        waited = 0;
    } while (terms->lists[!terms->fresh].count && set_timer(hub));
}

void mt__terms_forget(struct mt__hub *hub)
{
    hub->terms.lists[0].count = hub->terms.lists[1].count = 0;
    hub->terms.timer.place = 0;
}

void mt__terms_free(struct mt__hub *hub)
{
    free(hub->terms.lists[0].entries);
    free(hub->terms.lists[1].entries);
}
