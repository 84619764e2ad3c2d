/* SPDX-License-Identifier: MIT
 *
 * A channel: tasks hand items over to each other, from one hand to the other. See mt_channel_put(3).
 *
 * It holds nothing: a put waits until somebody gets, and a get until somebody puts. Both sides may be threads and
 * coroutines of one process, in any mixture. mt_select waits for whichever of several puts and gets comes first. In the
 * child of a fork one has to be initialised anew.
 */
#ifndef LINUXMT_CHANNEL_H
#define LINUXMT_CHANNEL_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

struct mt__offer;

struct mt__offers {
    struct mt__offer *first, *last;
};

struct mt_channel {
    uint32_t guard;
    uint32_t closed;
    size_t size; /* of an item, in bytes */
    const char *name;
    struct mt__offers offers[2]; /* those who wait to get, and to put */
};

/* clang-format off */
#define MT_CHANNEL_INIT(size) {0, 0, size, 0, {{0, 0}, {0, 0}}}
#define MT_CHANNEL_INIT_NAMED(size, name) {0, 0, size, name, {{0, 0}, {0, 0}}}
/* clang-format on */

/* item_size may be 0: then the hand-over itself is the message, and items are not looked at. */
void mt_channel_init(struct mt_channel *channel, size_t item_size, const char *name);

/* Gives a copy of the item to one who gets, first come, first served; waits until there is one. 0; -EPIPE: the channel
 * is closed; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -ENOMEM (a thread that is new to the library). Where it
 * is not 0 nobody has got the item. */
int mt__channel_put(struct mt_channel *channel, const void *item, mt_deadline deadline,
                    const char *place) MT__MUST_CHECK;
#define mt_channel_put(channel, item, deadline) mt__channel_put(channel, item, deadline, MT__HERE)

/* The other side: the same errors. */
int mt__channel_get(struct mt_channel *channel, void *item, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_channel_get(channel, item, deadline) mt__channel_get(channel, item, deadline, MT__HERE)

/* Whoever waits at the channel, or comes to it from now on, gets -EPIPE. */
void mt_channel_close(struct mt_channel *channel);
int mt_channel_is_closed(const struct mt_channel *channel);

/* How many wait to put, and to get, at this moment. */
size_t mt_channel_putting(struct mt_channel *channel);
size_t mt_channel_getting(struct mt_channel *channel);

enum mt_case_kind { MT_CASE_GET = 0, MT_CASE_PUT = 1 };

struct mt_case {
    enum mt_case_kind kind;
    struct mt_channel *channel; /* NULL: this case never happens */
    void *item;                 /* to be put (it is only read), or where to */
    int result;                 /* of the case that happened: 0, or -EPIPE */
};

#define MT_SELECT_MAX 64

/* Waits until one of the cases can happen, lets that one happen and no other, and returns its number. If several can,
 * any of them is as likely. -ETIMEDOUT, with MT_NOWAIT -EBUSY: none; -ECANCELED; -ENOMEM; -EINVAL: more than
 * MT_SELECT_MAX. */
int mt__select(struct mt_case *cases, unsigned count, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_select(cases, count, deadline) mt__select(cases, count, deadline, MT__HERE)

MT__END

#endif
