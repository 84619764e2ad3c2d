/* SPDX-License-Identifier: MIT
 *
 * Waiting for a descriptor in a thread: poll(2) on it and on one of the task's own, which a kill makes readable for
 * good. That is a timer (timerfd_create(2)) and not an eventfd, so that a task can be killed also where a sandbox
 * forbids to write. It is made by the first such wait. A kill is not missed between the two sides, each of which writes
 * before it reads:
 *
 *   waiter   stores cancel_fd, then loads cancel      -> cancelled, or
 *   killer   stores cancel, then loads cancel_fd      -> lets the timer expire
 *
 * Without a descriptor to be had for it the poll is cut into slices of SLICE. What runs in a hub asks that.
 */
#include "base/clock.h"
#include "base/own.h"
#include "wait/wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>

#define SLICE MT_MS(50)

static int cancel_fd(struct mt_task *task)
{
    if (!task->cancel_fd) {
        int fd = mt__own(mt__sys(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        if (fd >= 0)
            __atomic_store_n(&task->cancel_fd, fd + 1, __ATOMIC_SEQ_CST);
    }
    return task->cancel_fd - 1;
}

static int is_cancelled(struct mt__wait *wait)
{
    return !(wait->flags & MT__WAIT_NOCANCEL) && __atomic_load_n(&wait->task->cancel, __ATOMIC_SEQ_CST);
}

/* > 0: an event; 0: none yet; or -errno. */
static int poll_until(struct pollfd *fds, unsigned count, mt_deadline until)
{
    struct mt__timespec left;
    int64_t now = mt_now();
    mt_deadline wait = until == MT_FOREVER ? MT_FOREVER : until > now ? until - now : 0;
    long result = mt__sys(SYS_ppoll, fds, count, mt__timespec(wait, &left), NULL, 0);

    return result == -EINTR ? 0 : (int)result;
}

static int is_late(mt_deadline until)
{
    return until != MT_FOREVER && mt_now() >= until;
}

/* fds has room for one more. */
static int thread_round(struct mt__wait *wait, struct pollfd *fds, unsigned count, mt_deadline until)
{
    mt_deadline slice = until;
    int result;

    fds[count] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (!(wait->flags & MT__WAIT_NOCANCEL)) {
        fds[count].fd = cancel_fd(wait->task);
        if (fds[count].fd < 0)
            slice = mt_after(SLICE);
        if (is_cancelled(wait))
            return -ECANCELED;
    }
    result = poll_until(fds, count + 1, until < slice ? until : slice);
    if (result < 0)
        return result;
    if (is_cancelled(wait))
        return -ECANCELED;
    return result == 0 && is_late(until) ? -ETIMEDOUT : 0;
}

int mt__wait_round_fds(struct mt__wait *wait, struct pollfd *fds, unsigned count, mt_deadline until)
{
    const struct mt__hook *hook = mt__hook();
    mt_deadline limit = mt__wait_limit(wait, until);

    if (!hook)
        return mt__wait_limited(wait, until, thread_round(wait, fds, count, limit));
    if (is_cancelled(wait)) /* before: nobody kills it again while it is parked */
        return -ECANCELED;
    return mt__wait_limited(wait, until, hook->poll(wait, fds, count, limit));
}

int mt__wait_round_fd(struct mt__wait *wait, int fd, short events, mt_deadline until)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}};

    return mt__wait_round_fds(wait, fds, 1, until);
}
