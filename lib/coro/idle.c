/* SPDX-License-Identifier: MIT
 *
 * Waiting until the hub has nothing else to do. Who does sleeps until a time that has passed: so it comes back in a
 * turn, after the loop has been asked for what is done and with all whose time has come. Hubs run first come, first
 * served: whatever else is ready by the time it runs is behind it on the ready list, and if that are only others that
 * wait for the same, the hub is idle, for all of them. Else it sleeps again: so one that waits for long costs a switch
 * in each turn.
 */
#include "base/clock.h"
#include "coro/hub.h"

#include <errno.h>
#include <linuxmt/coro.h>

static const char idle; /* what those who wait here wait for */

static int waits_here(const struct mt__record *record)
{
    return record->wait_reason == MT_WAIT_SLEEP && record->wait_object == (uint64_t)(uintptr_t)&idle;
}

static int is_idle(const struct mt__hub *hub)
{
    const struct mt__coro *coro = hub->ready;

    while (coro && waits_here(coro->task->record))
        coro = coro->next;
    return !coro;
}

static int wait_until_idle(struct mt__wait *wait)
{
    int result = 0;

    while (!result) {
        mt_deadline now = mt_now();
        if (now >= wait->deadline)
            return is_idle(mt__hub) ? 0 : mt__late(wait->deadline);
        result = mt__wait_round(wait, 0, now);
        if (result == -ETIMEDOUT)
            result = 0;
        if (!result && is_idle(mt__hub))
            return 0;
    }
    return result;
}

int mt__coro_idle(mt_deadline deadline, const char *place)
{
    uint32_t never = 0;
    struct mt__wait wait = {
        .word = &never,
        .flags = MT__WAIT_TIME,
        .reason = MT_WAIT_SLEEP,
        .object = &idle,
        .name = "an idle hub",
        .place = place,
        .deadline = deadline,
    };
    int result;

    if (!mt__hub)
        return mt_coro_yield();
    result = mt__wait_begin(&wait);
    return result ? result : mt__wait_end(&wait, wait_until_idle(&wait));
}
