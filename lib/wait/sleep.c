/* SPDX-License-Identifier: MIT
 *
 * Sleeping is waiting on a word that nobody wakes.
 */
#include "wait/wait.h"

#include <errno.h>

int mt__sleep(int64_t nanoseconds, const char *place)
{
    struct mt__wait wait = {.flags = MT__WAIT_TIME, .reason = MT_WAIT_SLEEP, .place = place};
    uint32_t never = 0;
    int result;

    if (nanoseconds <= 0) {
        struct mt_task *task = mt__self_if_known();
        if (mt__hook())
            mt__hook()->yield();
        else
            mt__sys(SYS_sched_yield);
        return task && __atomic_load_n(&task->cancel, __ATOMIC_ACQUIRE) ? -ECANCELED : 0;
    }
    wait.word = &never;
    wait.deadline = mt_after(nanoseconds);
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    while (!result)
        result = mt__wait_round(&wait, 0, wait.deadline);
    return mt__wait_end(&wait, result == -ETIMEDOUT ? 0 : result);
}
