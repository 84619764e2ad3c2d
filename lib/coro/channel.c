/* SPDX-License-Identifier: MIT
 *
 * Channels, and the choice among several. A put or a get is a choice of one case.
 *
 * A choice that waits leaves an offer at the channel of each of its cases; both lie on its stack. Its word `taken` is
 *
 *   OPEN       it waits, and any of its offers may be taken
 *   n + 1      case n has happened
 *   GIVEN_UP   it has left by itself: none will
 *
 * and leaves OPEN once, by a compare and swap.
 *
 * 1. One case at the most: an offer is taken by whoever moves `taken` from OPEN to its number, and two cannot.
 * 2. No partner is missed: a choice holds the guards of all its channels, taken in the order of their addresses, from
 * its first look to its last offer. So of two that fit, the one that comes second to their common channel sees the
 * first one's offer. It has no offer of its own by then, so that it need take nobody's but the other's.
 * 3. An offer that is found not OPEN is as good as gone: its choice takes it away as soon as it runs.
 * 4. The item is copied under the channel's guard by whoever takes the offer, and the taken one goes through each of
 * its guards before it returns: its stack and its item are there until the copy is made. The wake after that looks at
 * no memory of its own, so it may come to somebody who has left, which does no harm (wait/wait.h).
 * 5. No hand-over is lost by a kill or a deadline: who leaves has to move `taken` himself, and if he cannot, his case
 * has happened and he returns it.
 *
 * tests/model/channel.pml checks 1 to 5.
 */
#include "base/clock.h"
#include "base/mini.h"
#include "wait/wait.h"

#include <errno.h>
#include <linuxmt/channel.h>
#include <string.h>

#define FEW      3
#define OPEN     0u
#define GIVEN_UP UINT32_MAX

struct choice {
    uint32_t taken;
};

struct mt__offer {
    struct mt_case *what;
    struct choice *choice;
    uint32_t number; /* what `taken` becomes */
    int listed;
    struct mt__offer *next, *previous;
};

void mt_channel_init(struct mt_channel *channel, size_t item_size, const char *name)
{
    memset(channel, 0, sizeof *channel);
    channel->size = item_size;
    channel->name = name;
}

/* -- The guard and the offers ------------------------------------------------------------------------------------- */

static void acquire(struct mt_channel *channel)
{
    mt__mini_acquire((struct mt__mini *)&channel->guard);
}

static void release(struct mt_channel *channel)
{
    mt__mini_release((struct mt__mini *)&channel->guard);
}

static void append(struct mt__offer *offer)
{
    struct mt__offers *offers = &offer->what->channel->offers[offer->what->kind];

    offer->next = NULL;
    offer->previous = offers->last;
    *(offers->last ? &offers->last->next : &offers->first) = offer;
    offers->last = offer;
    offer->listed = 1;
}

static void take_out(struct mt__offer *offer)
{
    struct mt__offers *offers = &offer->what->channel->offers[offer->what->kind];

    *(offer->previous ? &offer->previous->next : &offers->first) = offer->next;
    *(offer->next ? &offer->next->previous : &offers->last) = offer->previous;
    offer->listed = 0;
}

static int take(struct choice *choice, uint32_t number)
{
    uint32_t open = OPEN;

    return __atomic_compare_exchange_n(&choice->taken, &open, number, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* With the guard: the first offer of that kind that can be had, taken and off the list. NULL: none. */
static struct mt__offer *take_first(struct mt_channel *channel, enum mt_case_kind kind)
{
    for (struct mt__offer *offer = channel->offers[kind].first; offer; offer = offer->next)
        if (take(offer->choice, offer->number)) {
            take_out(offer);
            return offer;
        }
    return NULL;
}

/* -- Looking ------------------------------------------------------------------------------------------------------ */

static void hand_over(const struct mt_channel *channel, struct mt_case *one, struct mt_case *other)
{
    if (channel->size && one->kind == MT_CASE_PUT)
        memcpy(other->item, one->item, channel->size);
    else if (channel->size)
        memcpy(one->item, other->item, channel->size);
    one->result = other->result = 0;
}

/* With the guard. Whether the case has happened; *wake: the word of the one it happened with. */
static int try_case(struct mt_case *what, uint32_t **wake)
{
    struct mt_channel *channel = what->channel;
    struct mt__offer *partner;

    if (!channel)
        return 0;
    if (channel->closed) {
        what->result = -EPIPE;
        return 1;
    }
    partner = take_first(channel, what->kind == MT_CASE_PUT ? MT_CASE_GET : MT_CASE_PUT);
    if (!partner)
        return 0;
    hand_over(channel, what, partner->what);
    *wake = &partner->choice->taken;
    return 1;
}

/* Where to begin among n: a linear congruence is random enough for turns. */
static unsigned somewhere(unsigned n)
{
    static __thread uint32_t state __attribute__((tls_model("initial-exec")));

    state = state * 1664525u + 1013904223u;
    return (unsigned)(((uint64_t)state * n) >> 32);
}

/* Its number, or -EBUSY. */
static int try_all(struct mt_case *cases, unsigned count, uint32_t **wake)
{
    unsigned first = count > 1 ? somewhere(count) : 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned number = first + i < count ? first + i : first + i - count;
        if (try_case(&cases[number], wake))
            return (int)number;
    }
    return -EBUSY;
}

/* -- Choosing ----------------------------------------------------------------------------------------------------- */

/* The channels of the cases in the order of their addresses, each once. Returns how many. */
static unsigned sort(const struct mt_case *cases, unsigned count, struct mt_channel **channels)
{
    unsigned n = 0, at;

    for (unsigned i = 0; i < count; i++) {
        struct mt_channel *channel = cases[i].channel;
        for (at = n; at > 0 && (uintptr_t)channels[at - 1] > (uintptr_t)channel; at--)
            ;
        if (!channel || (at > 0 && channels[at - 1] == channel))
            continue;
        memmove(&channels[at + 1], &channels[at], (n - at) * sizeof *channels);
        channels[at] = channel;
        n++;
    }
    return n;
}

/* 2. Looks at all and, if none can happen and offers is not NULL, leaves one for each. */
static int look(struct mt_case *cases, unsigned count, struct mt_channel **channels, struct mt__offer *offers,
                struct choice *choice)
{
    unsigned n = sort(cases, count, channels);
    uint32_t *wake = NULL;
    int happened;

    for (unsigned i = 0; i < n; i++)
        acquire(channels[i]);
    happened = try_all(cases, count, &wake);
    for (unsigned i = 0; i < count && happened < 0 && offers; i++) {
        offers[i] = (struct mt__offer){.what = &cases[i], .choice = choice, .number = i + 1};
        if (cases[i].channel)
            append(&offers[i]);
    }
    for (unsigned i = 0; i < n; i++)
        release(channels[i]);
    if (wake)
        mt__wake(wake, 1, 0);
    return happened;
}

static void withdraw(struct mt__offer *offers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct mt_channel *channel = offers[i].what->channel;
        if (!channel)
            continue;
        acquire(channel);
        if (offers[i].listed)
            take_out(&offers[i]);
        release(channel);
    }
}

static int wait_to_be_taken(struct choice *choice, struct mt_case *cases, unsigned count, mt_deadline deadline,
                            const char *place)
{
    struct mt__wait wait = {
        .word = &choice->taken,
        .reason = MT_WAIT_CHANNEL,
        .object = count == 1 ? cases->channel : NULL,
        .name = count && cases->channel ? cases->channel->name : NULL,
        .place = place,
        .deadline = deadline,
    };
    int result = mt__wait_begin(&wait);

    while (!result && __atomic_load_n(&choice->taken, __ATOMIC_ACQUIRE) == OPEN)
        result = mt__wait_round(&wait, OPEN, deadline);
    if (result && !take(choice, GIVEN_UP))
        result = 0;
    return mt__wait_end(&wait, result);
}

static int choose(struct mt_case *cases, unsigned count, struct mt_channel **channels, struct mt__offer *offers,
                  mt_deadline deadline, const char *place)
{
    struct choice choice = {OPEN};
    int result;

    if (deadline == MT_NOWAIT)
        return look(cases, count, channels, NULL, NULL);
    if (!mt__self())
        return -ENOMEM;
    result = look(cases, count, channels, offers, &choice);
    if (result >= 0)
        return result;
    result = wait_to_be_taken(&choice, cases, count, deadline, place);
    withdraw(offers, count);
    return result ? result : (int)choice.taken - 1;
}

/* Not inlined, so that a coroutine that waits for one channel has no more on its stack than that takes. */
static __attribute__((noinline)) int choose_of_many(struct mt_case *cases, unsigned count, mt_deadline deadline,
                                                    const char *place)
{
    struct mt_channel *channels[MT_SELECT_MAX];
    struct mt__offer offers[MT_SELECT_MAX];

    return choose(cases, count, channels, offers, deadline, place);
}

static int choose_of_few(struct mt_case *cases, unsigned count, mt_deadline deadline, const char *place)
{
    struct mt_channel *channels[FEW];
    struct mt__offer offers[FEW];

    return choose(cases, count, channels, offers, deadline, place);
}

int mt__select(struct mt_case *cases, unsigned count, mt_deadline deadline, const char *place)
{
    if (count > MT_SELECT_MAX)
        return -EINVAL;
    return count > FEW ? choose_of_many(cases, count, deadline, place) : choose_of_few(cases, count, deadline, place);
}

static int choose_one(struct mt_case *what, mt_deadline deadline, const char *place)
{
    int result = mt__select(what, 1, deadline, place);

    return result < 0 ? result : what->result;
}

int mt__channel_put(struct mt_channel *channel, const void *item, mt_deadline deadline, const char *place)
{
    struct mt_case put = {MT_CASE_PUT, channel, (void *)(uintptr_t)item, 0};

    return choose_one(&put, deadline, place);
}

int mt__channel_get(struct mt_channel *channel, void *item, mt_deadline deadline, const char *place)
{
    struct mt_case get = {MT_CASE_GET, channel, item, 0};

    return choose_one(&get, deadline, place);
}

/* -- Closing and counting ----------------------------------------------------------------------------------------- */

/* The wake is under the guard: without it the offer may be gone. */
static void turn_away(struct mt_channel *channel, enum mt_case_kind kind)
{
    struct mt__offer *offer;

    while ((offer = take_first(channel, kind)) != NULL) {
        offer->what->result = -EPIPE;
        mt__wake(&offer->choice->taken, 1, 0);
    }
}

void mt_channel_close(struct mt_channel *channel)
{
    acquire(channel);
    __atomic_store_n(&channel->closed, 1, __ATOMIC_RELEASE);
    turn_away(channel, MT_CASE_GET);
    turn_away(channel, MT_CASE_PUT);
    release(channel);
}

int mt_channel_is_closed(const struct mt_channel *channel)
{
    return (int)__atomic_load_n(&channel->closed, __ATOMIC_ACQUIRE);
}

static size_t count(struct mt_channel *channel, enum mt_case_kind kind)
{
    size_t n = 0;

    acquire(channel);
    for (const struct mt__offer *offer = channel->offers[kind].first; offer; offer = offer->next)
        n += __atomic_load_n(&offer->choice->taken, __ATOMIC_ACQUIRE) == OPEN;
    release(channel);
    return n;
}

size_t mt_channel_putting(struct mt_channel *channel)
{
    return count(channel, MT_CASE_PUT);
}

size_t mt_channel_getting(struct mt_channel *channel)
{
    return count(channel, MT_CASE_GET);
}
