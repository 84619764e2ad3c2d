/* SPDX-License-Identifier: MIT
 *
 * How a call on a descriptor waits. In a hub with a ring the ring makes the call. Everywhere else, and on the ring when
 * it says -EAGAIN (it does for O_NONBLOCK), it is tried without blocking, and the descriptor waited for in between.
 *
 * A task that has been killed still gets what can be had at once: it tries, and is only refused the wait.
 */
#include "coro/io.h"
#include "base/clock.h"

#include <linuxmt/io.h>
#include <poll.h>
#include <stdlib.h>

#if HAVE_URING
#include <liburing.h>
#endif

static int wait_for_fd(struct mt__wait *wait, struct mt__call *call)
{
    struct pollfd look[2] = {{.fd = call->io.fd, .events = call->events}};
    int result = mt__wait_round_fds(wait, look, 1, wait->deadline);

    return !result && look[0].revents & POLLNVAL ? -EBADF : result; /* closed: its number may be another's by now */
}

/* One way to the result: -EAGAIN to go the other. */
static long by_ring(struct mt__wait *wait, struct mt__call *call)
{
    struct mt__hub *hub = mt__hub;
    long result;

    if (!hub || !hub->loop->io || !call->io.opcode)
        return -EAGAIN;
    if (__atomic_load_n(&wait->task->cancel, __ATOMIC_ACQUIRE))
        return -EAGAIN;
    result = mt__park_io(hub, &call->io, wait, mt__wait_limit(wait, wait->deadline));
    return result < 0 ? mt__wait_limited(wait, wait->deadline, (int)result) : result;
}

static long by_attempts(struct mt__wait *wait, struct mt__call *call)
{
    long result;
    int error;

    while ((result = call->attempt(call)) == -EAGAIN || result == -EINTR) {
        error = wait_for_fd(wait, call);
        if (error)
            return error;
    }
    return result;
}

long mt__io_call(struct mt__call *call, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .reason = MT_WAIT_IO, .object = (const void *)(intptr_t)call->io.fd, .place = place, .deadline = deadline};
    long result;
    int error;

    if (deadline == MT_NOWAIT) {
        result = call->attempt(call);
        return result == -EAGAIN || result == -EINTR ? -EBUSY : result;
    }
    if (!mt__hub) { /* a wait is only one if it comes to it */
        result = call->attempt(call);
        if (result != -EAGAIN && result != -EINTR)
            return result;
    }
    error = mt__wait_begin(&wait);
    if (error)
        return error;
    result = by_ring(&wait, call);
    if (result == -EAGAIN || result == -EOPNOTSUPP || result == -EINVAL)
        result = by_attempts(&wait, call);
    error = mt__wait_end(&wait, result < 0 ? (int)result : 0);
    return error ? error : result;
}

int mt__poll(struct pollfd *fds, unsigned count, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {.reason = MT_WAIT_IO, .place = place, .deadline = deadline};
    struct pollfd few[8], *copy = few;
    int ready = poll(fds, count, 0), error;

    if (ready)
        return ready < 0 ? -errno : ready;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    if (count + 1 > sizeof few / sizeof *few && !(copy = mt__alloc((count + 1) * sizeof *copy)))
        return -ENOMEM; /* the wait needs room for one more */
    error = mt__wait_begin(&wait);
    if (!error) {
        do {
            for (unsigned i = 0; i < count; i++)
                copy[i] = fds[i];
            error = mt__wait_round_fds(&wait, copy, count, deadline);
            ready = poll(fds, count, 0);
        } while (!error && !ready);
        error = mt__wait_end(&wait, error);
    }
    if (copy != few)
        free(copy);
    return ready > 0 ? ready : error ? error : -errno;
}
