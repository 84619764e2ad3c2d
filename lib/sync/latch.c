/* SPDX-License-Identifier: MIT
 *
 * The latch:   n      n to go, nobody sleeps      n|W    somebody may sleep      0    open, for good
 *
 * A waiter sets W by the compare-and-swap after which it sleeps. A count-down keeps W until it comes to 0, which it
 * stores without: that one wakes all. Nothing is touched after the 0, as a waiter may free the latch.
 */
#include "base/clock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/latch.h>
#include <string.h>

#define WAITERS 0x80000000u

int mt_latch_init(struct mt_latch *latch, uint32_t count, const char *name, unsigned flags)
{
    if (count > MT_LATCH_MAX)
        return -EINVAL;
    memset(latch, 0, sizeof *latch);
    latch->word = count;
    latch->name = name;
    latch->flags = flags;
    return 0;
}

uint32_t mt_latch_count(const struct mt_latch *latch)
{
    return __atomic_load_n(&latch->word, __ATOMIC_ACQUIRE) & ~WAITERS;
}

int mt_latch_count_down(struct mt_latch *latch, uint32_t n)
{
    uint32_t word = __atomic_load_n(&latch->word, __ATOMIC_RELAXED), next;
    unsigned flags = latch->flags & MT_SHARED ? MT__WAIT_SHARED : 0;

    if (!n)
        return 0;
    do {
        if (n > (word & ~WAITERS))
            return -EINVAL;
        next = word - n == WAITERS ? 0 : word - n;
    } while (!__atomic_compare_exchange_n(&latch->word, &word, next, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (!next && word & WAITERS)
        mt__wake(&latch->word, UINT_MAX, flags);
    return 0;
}

static int wait_until_open(struct mt_latch *latch, struct mt__wait *wait)
{
    int result = 0;

    for (;;) {
        uint32_t word = __atomic_load_n(&latch->word, __ATOMIC_ACQUIRE);
        if (!word || result)
            return word ? result : 0;
        if (!(word & WAITERS) &&
            !__atomic_compare_exchange_n(&latch->word, &word, word | WAITERS, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        result = mt__wait_round(wait, word | WAITERS, wait->deadline);
    }
}

int mt__latch_wait(struct mt_latch *latch, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = &latch->word,
        .flags = latch->flags & MT_SHARED ? MT__WAIT_SHARED : 0,
        .reason = MT_WAIT_LATCH,
        .object = latch,
        .name = latch->name,
        .place = place,
        .deadline = deadline,
    };
    int result;

    if (!mt_latch_count(latch))
        return 0;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    result = mt__wait_begin(&wait);
    return result ? result : mt__wait_end(&wait, wait_until_open(latch, &wait));
}
