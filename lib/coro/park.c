/* SPDX-License-Identifier: MIT
 *
 * How what runs in a hub waits, and is woken.
 *
 * A word. A waiter is entered in the hub's table and then has simply not reached its system call yet: futex(2) says
 * nothing about how long that takes. Where it is:
 *
 *   entered, new     A wake by this hub finds it without any system call. A wake by anybody else is not heard,
 *                    and need not be: the word has changed, or will be found changed when it is armed.
 *   entered, armed   By mt__park_arm_new, when the hub is about to sleep or has been busy from one turn to the next:
 *                    the kernel compares the word and queues on it. A wake by others completes the arm.
 *   up               Ready to answer a summons (mt__coro_summon), and still entered: what ends its wait meanwhile finds
 *                    it, and does not make it ready once more. When it has answered it leaves again, or its wait ends.
 *   ready            Out of the table and the timers. Its arm, if there was one, lives on without it: see arm.c.
 *
 * Who begins to wait for a word that has an arm without a waiter is armed at once.
 *
 * One with MT__WAIT_KNOWN is not in the table but in the hands of whoever wakes it here, by mt__park_wake, which finds
 * it as the table would. All else is the same.
 *
 * A wait that might close a circle is looked at when it is armed, for most are over before: one that does is ended, and
 * the task looks for itself, is told, or waits again.
 *
 * A time. Timers are the hub's own; nothing is told to the kernel but the first of them, by the turn that sleeps.
 *
 * tests/model/park.pml checks that no wake is lost. Operations are in park-io.c.
 */
#include "coro/hub.h"
#include "base/clock.h"
#include "coro/tell.h"
#include "task/deadlock.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64
#define SUSPECT       1 /* the result of a park that closes a circle */

/* -- The table ---------------------------------------------------------------------------------------------------- */

static void append(struct mt__table *table, struct mt__link *link)
{
    struct mt__bucket *bucket = mt__bucket_of(table, link->word);

    link->next = NULL;
    link->previous = bucket->last;
    *(bucket->last ? &bucket->last->next : &bucket->first) = link;
    bucket->last = link;
    table->count++;
    table->shared += (link->flags & MT__WAIT_SHARED) != 0;
}

static void take_out(struct mt__table *table, struct mt__link *link)
{
    struct mt__bucket *bucket = mt__bucket_of(table, link->word);

    *(link->previous ? &link->previous->next : &bucket->first) = link->next;
    *(link->next ? &link->next->previous : &bucket->last) = link->previous;
    table->count--;
    table->shared -= (link->flags & MT__WAIT_SHARED) != 0;
}

static int is_full(const struct mt__hub *hub)
{
    return hub->table.count + hub->stale >= hub->table.size * 2;
}

/* Without memory the old one only gets slower. */
static __attribute__((noinline)) int make_room(struct mt__table *table)
{
    struct mt__table larger = {.size = table->size ? table->size * 4 : FIRST_BUCKETS};

    larger.buckets = mt__alloc(larger.size * sizeof *larger.buckets);
    if (!larger.buckets)
        return table->size ? 0 : -ENOMEM;
    for (size_t i = 0; i < table->size; i++)
        for (struct mt__link *link = table->buckets[i].first, *next; link; link = next) {
            next = link->next;
            append(&larger, link);
        }
    mt__arms_move(table, &larger);
    free(table->buckets);
    *table = larger;
    return 0;
}

/* -- New ones ----------------------------------------------------------------------------------------------------- */

static void new_add(struct mt__hub *hub, struct mt__link *link)
{
    link->next_new = hub->new_links;
    if (link->next_new)
        link->next_new->new_link = &link->next_new;
    link->new_link = &hub->new_links;
    hub->new_links = link;
}

static void new_remove(struct mt__link *link)
{
    if (!link->new_link)
        return;
    *link->new_link = link->next_new;
    if (link->next_new)
        link->next_new->new_link = link->new_link;
    link->new_link = NULL;
}

/* The first look at a wait that may close a circle: most are over before they come here. */
static int is_in_circle(struct mt__wait *wait)
{
    if (!wait->suspect)
        return 0;
    wait->suspect = 0;
    return mt__deadlock_is_near(wait);
}

/* Words that have changed already need no kernel. Returns whether all could be armed. */
static int arm_list(struct mt__hub *hub, struct mt__link *first)
{
    struct mt__link *next;

    for (struct mt__link *link = first; link; link = next) {
        int result = 0;
        next = link->next_new;
        if (__atomic_load_n(link->word, __ATOMIC_ACQUIRE) == link->expected) {
            if (!is_in_circle(link->parked->wait)) {
                if (mt__arm(hub, link))
                    return 0;
                new_remove(link);
                continue;
            }
            result = SUSPECT;
        }
        while (next && next->parked == link->parked) /* they go with it */
            next = next->next_new;
        mt__parked_end(hub, link->parked, result);
    }
    return 1;
}

/* A busy hub only arms what has been there for a turn: most waits for each other in one hub are over before. What
 * cannot be armed stays new: the hub then sleeps in slices. */
static void arm_new(struct mt__hub *hub, int all)
{
    if (!arm_list(hub, hub->aged_links))
        return;
    if (all) {
        arm_list(hub, hub->new_links);
    } else if (hub->new_links) {
        hub->aged_links = hub->new_links;
        hub->aged_links->new_link = &hub->aged_links;
        hub->new_links = NULL;
    }
}

void mt__park_arm_new(struct mt__hub *hub, int all)
{
    mt__arms_cancel_missed(hub);
    arm_new(hub, all);
    mt__arms_take_back(hub);
}

/* -- Parked ------------------------------------------------------------------------------------------------------- */

/* It waits no longer: off every list, and ready. */
void mt__parked_end(struct mt__hub *hub, struct mt__parked *parked, int result)
{
    struct mt__coro *coro = parked->coro;

    if (!coro)
        return;
    for (unsigned i = 0; i < parked->count; i++) {
        struct mt__link *link = &parked->links[i];
        if (!(link->flags & MT__WAIT_KNOWN))
            take_out(&hub->table, link);
        new_remove(link);
        if (link->arm)
            mt__arm_leave(hub, link);
    }
    parked->count = 0;
    if (parked->timer.place)
        mt__timers_remove(&hub->timers, &parked->timer);
    parked->coro = NULL;
    parked->result = result;
    coro->parked = NULL;
    mt__tell_unpark(coro, result);
    if (!parked->up) /* or it is there already, or runs */
        mt__hub_ready(hub, coro);
}

static int set_timer(struct mt__hub *hub, struct mt__parked *parked, mt_deadline until)
{
    if (until == MT_FOREVER)
        return 0;
    parked->timer = (struct mt__timer){.at = until, .parked = parked};
    return mt__timers_add(&hub->timers, &parked->timer);
}

void mt__parked_until(struct mt__hub *hub, struct mt__parked *parked, mt_deadline until)
{
    if (!parked->coro || (parked->timer.place && parked->timer.at <= until))
        return;
    if (parked->timer.place)
        mt__timers_remove(&hub->timers, &parked->timer);
    parked->wait->flags |= MT__WAIT_INTERRUPT_ALWAYS; /* as of all that have an end */
    if (set_timer(hub, parked, until))
        mt__parked_end(hub, parked, -ENOMEM);
}

/* Field by field, as most of it is set when it is known. */
static void prepare(struct mt__parked *parked, struct mt__wait *wait, struct mt__link *links)
{
    parked->wait = wait;
    parked->cancellable = !(wait->flags & MT__WAIT_NOCANCEL);
    parked->links = links;
    parked->count = 0;
    parked->up = 0;
    parked->timer.place = 0;
}

/* By a handler that has run in who runs: before it was parked, or while it is up. */
static __attribute__((noinline)) int is_interrupted(struct mt__hub *hub, struct mt__parked *parked)
{
    const struct mt__signalled *signals = &hub->current->signals;

    if (!parked->wait || !(parked->wait->flags & (signals->interrupted | signals->leaves)))
        return 0;
    parked->up = 1;
    mt__parked_end(hub, parked, -EINTR);
    return 1;
}

/* It is up, has answered its summons, and still waits. */
static __attribute__((noinline)) void wait_on(struct mt__hub *hub, struct mt__parked *parked)
{
    if (is_interrupted(hub, parked))
        return;
    parked->up = 0;
    mt__hub_leave(hub, NULL);
}

static inline __attribute__((always_inline)) int park(struct mt__hub *hub, struct mt__parked *parked)
{
    parked->coro = hub->current;
    hub->current->parked = parked;
    mt__tell_park(hub->current, parked);
    if (__builtin_expect(hub->current->signals.waits | hub->current->signals.leaves, 0) && is_interrupted(hub, parked))
        return parked->result;
    mt__hub_leave(hub, NULL);
    while (__builtin_expect(parked->coro != NULL, 0))
        wait_on(hub, parked);
    hub->current->owed = NULL;
    return parked->result;
}

/* Without memory to park with, it still waits: by looking again each time that it is its turn. */
static __attribute__((noinline)) int poll_by_turns(struct mt__hub *hub, mt_deadline until)
{
    mt__hub_ready(hub, hub->current);
    mt__hub_leave(hub, NULL);
    return until != MT_FOREVER && mt_now() >= until ? -ETIMEDOUT : 0;
}

static void enter(struct mt__hub *hub, struct mt__parked *parked, struct mt__link *link)
{
    link->parked = parked;
    link->arm = NULL;
    if (!(link->flags & MT__WAIT_KNOWN))
        append(&hub->table, link);
    if (parked->wait->suspect || !mt__arm_adopt(hub, link)) /* a suspect is looked at when it is armed */
        new_add(hub, link);
}

/* What came of it, for the one that waited: he looks for himself at a circle that was found. */
static int outcome(struct mt__wait *wait, int result)
{
    return result == SUSPECT ? mt__deadlock_check_now(wait) : result;
}

int mt__park_word(struct mt__wait *wait, uint32_t expected, mt_deadline until)
{
    struct mt__hub *hub = mt__hub;
    struct mt__link link = {.word = wait->word, .expected = expected, .flags = wait->flags};
    struct mt__parked parked;

    if (__atomic_load_n(wait->word, __ATOMIC_ACQUIRE) != expected)
        return 0;
    prepare(&parked, wait, &link);
    if ((is_full(hub) && make_room(&hub->table)) || set_timer(hub, &parked, until))
        return poll_by_turns(hub, until);
    if (!(wait->flags & MT__WAIT_TIME)) {
        enter(hub, &parked, &link);
        parked.count = 1;
    }
    return outcome(wait, park(hub, &parked));
}

int mt__park_any(struct mt__wait *wait, uint32_t *const *words, const uint32_t *expected, const unsigned *flags,
                 unsigned count, mt_deadline until)
{
    struct mt__hub *hub = mt__hub;
    struct mt__link links[MT__WAIT_ANY_MAX];
    struct mt__parked parked;

    for (unsigned i = 0; i < count; i++)
        if (__atomic_load_n(words[i], __ATOMIC_ACQUIRE) != expected[i])
            return 0;
    prepare(&parked, wait, links);
    if ((is_full(hub) && make_room(&hub->table)) || set_timer(hub, &parked, until))
        return poll_by_turns(hub, until);
    for (unsigned i = 0; i < count; i++) {
        links[i] = (struct mt__link){.word = words[i], .expected = expected[i], .flags = flags[i]};
        enter(hub, &parked, &links[i]);
    }
    parked.count = count;
    return outcome(wait, park(hub, &parked));
}

int mt__park_time(struct mt__hub *hub, struct mt__parked *parked, mt_deadline until)
{
    int error = set_timer(hub, parked, until);

    return error ? error : park(hub, parked);
}

void mt__park_pause(struct mt__hub *hub, struct mt__parked *parked, mt_deadline until)
{
    if (mt__park_time(hub, parked, until) == -ENOMEM)
        poll_by_turns(hub, until);
}

unsigned mt__unpark(uint32_t *word, unsigned n)
{
    struct mt__hub *hub = mt__hub;
    struct mt__link *next;
    unsigned found = 0;

    if (!hub->table.count)
        return 0;
    for (struct mt__link *link = mt__bucket_of(&hub->table, word)->first; link && found < n; link = next) {
        next = link->next;
        if (link->word != word)
            continue;
        while (next && next->parked == link->parked) /* they go with it */
            next = next->next;
        found++;
        if (link->flags & MT__WAIT_SHARED)
            link->parked->coro->owed = word;
        mt__parked_end(hub, link->parked, 0);
    }
    return found;
}

void mt__park_wake(struct mt__coro *coro, const uint32_t *word)
{
    if (coro->parked && coro->parked->wait && coro->parked->wait->word == word)
        mt__parked_end(mt__hub, coro->parked, 0);
}
