/* SPDX-License-Identifier: MIT
 *
 * Timeouts: a stack of them for each task, touched by that task alone, and the earliest of their times in task->limit,
 * which a wait reads (lib/wait/wait.c). A wait that reaches the limit leaves as one that was killed does, a way that
 * each has, and mt__wait_end makes -ETIMEDOUT of it: so no loop that sleeps in slices takes it for the end of a slice.
 */
#include "wait/wait.h"

#include <errno.h>
#include <linuxmt/timeout.h>

static void set_limit(struct mt_task *task)
{
    mt_deadline limit = 0;

    for (const struct mt_timeout *timeout = task->timeouts; timeout; timeout = timeout->outer)
        if (timeout->at != MT_FOREVER && (!limit || timeout->at < limit))
            limit = timeout->at;
    task->limit = limit;
}

void mt__timeout_expire(struct mt_task *task)
{
    struct mt_timeout *found = NULL;

    for (struct mt_timeout *timeout = task->timeouts; timeout; timeout = timeout->outer)
        if (timeout->at == task->limit)
            found = timeout; /* of equals the outermost */
    if (found)
        found->expired = 1;
}

int mt_timeout_start(struct mt_timeout *timeout, int64_t nanoseconds)
{
    struct mt_task *task = mt__self();

    if (!task)
        return -ENOMEM;
    *timeout = (struct mt_timeout){.at = mt_after(nanoseconds), .outer = task->timeouts};
    if (timeout->at <= 0)
        timeout->at = 1; /* long ago: 0 stands for none */
    task->timeouts = timeout;
    set_limit(task);
    return 0;
}

int mt_timeout_cancel(struct mt_timeout *timeout)
{
    struct mt_task *task = mt__self_if_known();
    struct mt_timeout *there = task ? task->timeouts : NULL;

    while (there && there != timeout)
        there = there->outer;
    if (there) {
        task->timeouts = timeout->outer;
        set_limit(task);
    }
    return timeout->expired;
}

int mt_timeout_expired(const struct mt_timeout *timeout)
{
    return timeout->expired;
}

int mt_with_timeout(int64_t nanoseconds, mt_fn *fn, void *arg)
{
    struct mt_timeout timeout;
    int result = mt_timeout_start(&timeout, nanoseconds);

    if (result)
        return result;
    result = fn(arg);
    mt_timeout_cancel(&timeout);
    return result;
}
