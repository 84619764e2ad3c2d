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
 * and leaves OPEN once: by a compare and swap if there are several cases. A choice of one case has one guard, under
 * which its offer is listed as long as it is open, and whoever takes it off that list decides. Its word is written
 * after that guard has been released, and tells that the other one has done with everything.
 *
 * 1. One case at the most: an offer is taken by whoever moves `taken` from OPEN to its number, and two cannot; or the
 * only one by who takes it off its list.
 * 2. No partner is missed: a choice holds the guards of all its channels, taken in the order of their addresses, from
 * its first look to its last offer. So of two that fit, the one that comes second to their common channel sees the
 * first one's offer. It has no offer of its own by then, so that it need take nobody's but the other's.
 * 3. An offer that is found not OPEN is as good as gone: its choice takes it away as soon as it runs.
 * 4. The item is copied under the channel's guard by whoever takes the offer, and the taken one goes through each of
 * its guards before it returns: its stack and its item are there until the copy is made. One of one case returns when
 * its word is written, which is later than the copy and the last that the other one does to its memory or the channel.
 * The wake after that looks at no memory of its own, so it may come to somebody who has left, which does no harm
 * (wait/wait.h).
 * 5. No hand-over is lost by a kill or a deadline: who leaves has to move `taken`, or take the offer off the list,
 * himself, and if he cannot, his case has happened and he returns it.
 *
 * In the child of a fork the guard may be held, and offers listed, by who is not there. Nobody knows which channels
 * there are, as they need no destruction; so it is the user who initialises them anew.
 *
 * tests/model/channel.pml checks 1 to 5.
 */
#include "base/clock.h"
#include "base/mini.h"
#include "coro/hub.h"
#include "wait/wait.h"

#include <errno.h>
#include <linuxmt/channel.h>
#include <string.h>

#define FEW      3
#define OPEN     0u
#define GIVEN_UP UINT32_MAX

struct choice {
    uint32_t taken;
    uint32_t single;     /* it has one case, */
    struct mt__hub *hub; /* and waits in that hub as that one of it. NULL: it does not */
    struct mt__coro *coro;
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

    return choice->single ||
           __atomic_compare_exchange_n(&choice->taken, &open, number, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Whose offer was taken, as it is to be known without the guard: one of several cases may be gone then. */
struct partner {
    uint32_t *word;
    struct choice *single; /* it has one case, and stays until it is told */
};

/* Without the guard. */
static void tell(struct partner partner)
{
    struct choice *single = partner.single;

    if (single && single->hub && single->hub == mt__hub) {
        __atomic_store_n(partner.word, 1, __ATOMIC_RELEASE);
        mt__park_wake(single->coro, partner.word);
        return;
    }
    if (single)
        __atomic_store_n(partner.word, 1, __ATOMIC_RELEASE);
    mt__wake(partner.word, 1, 0);
}

static struct partner partner_of(const struct mt__offer *offer)
{
    return (struct partner){&offer->choice->taken, offer->choice->single ? offer->choice : NULL};
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

static void copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t)) /* the usual ones without a call */
        memcpy(to, from, sizeof(uint64_t));
    else if (size == sizeof(uint32_t))
        memcpy(to, from, sizeof(uint32_t));
    else if (size)
        memcpy(to, from, size);
}

static void hand_over(const struct mt_channel *channel, struct mt_case *one, struct mt_case *other)
{
    if (one->kind == MT_CASE_PUT)
        copy(other->item, one->item, channel->size);
    else
        copy(one->item, other->item, channel->size);
    one->result = other->result = 0;
}

/* With the guard. Whether the case has happened; *with: the one it happened with, who is to be told. */
static int try_case(struct mt_case *what, struct partner *with)
{
    struct mt_channel *channel = what->channel;
    struct mt__offer *partner;

    if (channel->closed) {
        what->result = -EPIPE;
        return 1;
    }
    partner = take_first(channel, what->kind == MT_CASE_PUT ? MT_CASE_GET : MT_CASE_PUT);
    if (!partner)
        return 0;
    hand_over(channel, what, partner->what);
    *with = partner_of(partner);
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
static int try_all(struct mt_case *cases, unsigned count, struct partner *with)
{
    unsigned first = count > 1 ? somewhere(count) : 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned number = first + i < count ? first + i : first + i - count;
        if (cases[number].channel && try_case(&cases[number], with))
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
    struct partner with = {NULL, NULL};
    int happened;

    for (unsigned i = 0; i < n; i++)
        acquire(channels[i]);
    happened = try_all(cases, count, &with);
    for (unsigned i = 0; i < count && happened < 0 && offers; i++) {
        offers[i] = (struct mt__offer){.what = &cases[i], .choice = choice, .number = i + 1};
        if (cases[i].channel)
            append(&offers[i]);
    }
    for (unsigned i = 0; i < n; i++)
        release(channels[i]);
    if (with.word)
        tell(with);
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

static int wait_to_be_taken(struct choice *choice, const struct mt_case *cases, unsigned count, mt_deadline deadline,
                            const char *place)
{
    struct mt__wait wait = {
        .word = &choice->taken,
        .reason = MT_WAIT_CHANNEL,
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
    struct choice choice = {OPEN, 0, NULL, NULL};
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

/* -- One case ----------------------------------------------------------------------------------------------------- */

/* It is to leave without having been taken. Returns whether it may; else it is taken, and told so any moment. */
static int withdraw_only(struct mt__offer *offer, struct mt__wait *wait)
{
    struct mt_channel *channel = offer->what->channel;
    int listed;

    acquire(channel);
    listed = offer->listed;
    if (listed)
        take_out(offer);
    release(channel);
    wait->flags |= MT__WAIT_NOCANCEL;
    while (!listed && __atomic_load_n(wait->word, __ATOMIC_ACQUIRE) == OPEN)
        if (mt__wait_round(wait, OPEN, MT_FOREVER))
            mt__sys(SYS_sched_yield);
    return listed;
}

static int wait_for_partner(struct mt__offer *offer, struct choice *choice, mt_deadline deadline, const char *place)
{
    struct mt_channel *channel = offer->what->channel;
    struct mt__wait wait = {
        .word = &choice->taken,
        .flags = MT__WAIT_KNOWN,
        .reason = MT_WAIT_CHANNEL,
        .object = channel,
        .name = channel->name,
        .place = place,
        .deadline = deadline,
    };
    int result = mt__wait_begin(&wait);

    while (!result && __atomic_load_n(&choice->taken, __ATOMIC_ACQUIRE) == OPEN)
        result = mt__wait_round(&wait, OPEN, deadline);
    if (result && !withdraw_only(offer, &wait))
        result = 0;
    return mt__wait_end(&wait, result);
}

/* As choose, without what several cases need. Not inlined, so that its callers end in a jump to it. */
static __attribute__((noinline)) int choose_one(struct mt_channel *channel, void *item, mt_deadline deadline,
                                                const char *place, enum mt_case_kind kind)
{
    struct mt_case one = {kind, channel, item, 0};
    struct choice choice = {OPEN, 1, mt__hub, mt__hub ? mt__hub->current : NULL};
    struct partner with = {NULL, NULL};
    struct mt__offer offer;
    int happened, result;

    if (deadline != MT_NOWAIT && !mt__self())
        return -ENOMEM;
    acquire(channel);
    happened = try_case(&one, &with);
    if (!happened && deadline != MT_NOWAIT) {
        offer.what = &one;
        offer.choice = &choice;
        offer.number = 1;
        append(&offer);
    }
    release(channel);
    if (with.word)
        tell(with);
    if (happened)
        return one.result;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    result = wait_for_partner(&offer, &choice, deadline, place);
    return result ? result : one.result;
}

int mt__channel_put(struct mt_channel *channel, const void *item, mt_deadline deadline, const char *place)
{
    return choose_one(channel, (void *)(uintptr_t)item, deadline, place, MT_CASE_PUT);
}

int mt__channel_get(struct mt_channel *channel, void *item, mt_deadline deadline, const char *place)
{
    return choose_one(channel, item, deadline, place, MT_CASE_GET);
}

/* -- Closing and counting ----------------------------------------------------------------------------------------- */

/* With the guard. One of several cases is woken under it: without it the offer may be gone. Those of one case are told
 * later; they are put on a list until then. */
static void turn_away(struct mt_channel *channel, enum mt_case_kind kind, struct mt__offer **singles)
{
    struct mt__offer *offer;

    while ((offer = take_first(channel, kind)) != NULL) {
        offer->what->result = -EPIPE;
        if (offer->choice->single) {
            offer->next = *singles;
            *singles = offer;
        } else {
            mt__wake(&offer->choice->taken, 1, 0);
        }
    }
}

void mt_channel_close(struct mt_channel *channel)
{
    struct mt__offer *singles = NULL, *next;

    acquire(channel);
    __atomic_store_n(&channel->closed, 1, __ATOMIC_RELEASE);
    turn_away(channel, MT_CASE_GET, &singles);
    turn_away(channel, MT_CASE_PUT, &singles);
    release(channel);
    for (struct mt__offer *offer = singles; offer; offer = next) {
        next = offer->next;
        tell(partner_of(offer));
    }
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
