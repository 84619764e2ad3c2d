/* SPDX-License-Identifier: MIT
 *
 * The event:   0 clear   1 set   2 clear, and somebody may sleep
 *
 * A waiter makes a 0 a 2 before it sleeps on the 2; a set makes either a 1, and wakes all if it was a 2. A clear makes
 * only a 1 a 0. A waiter that was woken and finds the event cleared again goes on waiting: it has waited for a state,
 * not for a moment.
 */
#include "base/clock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/event.h>
#include <string.h>

enum { CLEAR, SET, AWAITED };

void mt_event_init(struct mt_event *event, const char *name, unsigned flags)
{
    memset(event, 0, sizeof *event);
    event->name = name;
    event->flags = flags;
}

void mt_event_set(struct mt_event *event)
{
    unsigned flags = event->flags & MT_SHARED ? MT__WAIT_SHARED : 0;

    if (__atomic_exchange_n(&event->word, SET, __ATOMIC_SEQ_CST) == AWAITED)
        mt__wake(&event->word, UINT_MAX, flags);
}

void mt_event_clear(struct mt_event *event)
{
    uint32_t word = SET;

    __atomic_compare_exchange_n(&event->word, &word, CLEAR, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

int mt_event_is_set(const struct mt_event *event)
{
    return __atomic_load_n(&event->word, __ATOMIC_ACQUIRE) == SET;
}

static int wait_until_set(struct mt_event *event, struct mt__wait *wait)
{
    int result = 0;

    for (;;) {
        uint32_t word = __atomic_load_n(&event->word, __ATOMIC_ACQUIRE);
        if (word == SET)
            return 0;
        if (result)
            return result;
        if (word == CLEAR &&
            !__atomic_compare_exchange_n(&event->word, &word, AWAITED, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        result = mt__wait_round(wait, AWAITED, wait->deadline);
    }
}

int mt__event_wait(struct mt_event *event, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = &event->word,
        .flags = event->flags & MT_SHARED ? MT__WAIT_SHARED : 0,
        .reason = MT_WAIT_EVENT,
        .object = event,
        .name = event->name,
        .place = place,
        .deadline = deadline,
    };
    int result;

    if (mt_event_is_set(event))
        return 0;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    result = mt__wait_begin(&wait);
    return result ? result : mt__wait_end(&wait, wait_until_set(event, &wait));
}
