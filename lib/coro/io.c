/* SPDX-License-Identifier: MIT
 *
 * How a call on a descriptor waits. In a hub with a ring the ring makes the call. Everywhere else, and on the ring when
 * it says -EAGAIN (it does for O_NONBLOCK), it is tried without blocking, and the descriptor waited for in between.
 *
 * On the ring, too, what needs no wait should not become one, and what needs one should not be tried in vain:
 *
 *   sends       are tried first, as nearly all succeed: one system call is cheaper than to leave and come back
 *   receives    wait first where the last one has emptied the socket, as it is with a peer that asks and is answered;
 *               else they are tried first. The ring is told not to try by itself what has just failed, or would
 *
 * What the hub believes about a descriptor is a guess, which costs time if it is wrong and nothing else. A task whose
 * attempts all succeed lets the others run from time to time.
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
#else
enum { IORING_RECVSEND_POLL_FIRST = 0 };
#endif

#define AT_ONCE 16 /* attempts that may succeed before others run */

/* -- What is worth an attempt -------------------------------------------------------------------------------------- */

static uint8_t *drained(struct mt__hub *hub, int fd)
{
    return &hub->attempts.drained[(unsigned)fd % sizeof hub->attempts.drained];
}

void mt__io_forget(struct mt__hub *hub, int fd)
{
    *drained(hub, fd) = 0;
}

static int is_worth_it(struct mt__hub *hub, const struct mt__call *call)
{
    if (!hub || call->direct == MT__DIRECT_SEND)
        return 1;
    if (call->direct == MT__DIRECT_RECEIVE)
        return !*drained(hub, call->io.fd) || __atomic_load_n(&hub->current->task->cancel, __ATOMIC_ACQUIRE);
    return !hub->loop->io;
}

static void note(struct mt__hub *hub, const struct mt__call *call, long result, int left_some)
{
    if (call->direct == MT__DIRECT_RECEIVE && result > 0)
        *drained(hub, call->io.fd) = !left_some;
}

/* Another attempt has succeeded. */
static void be_fair(struct mt__hub *hub)
{
    struct mt__attempts *attempts = &hub->attempts;

    if (attempts->switches != hub->switches) {
        attempts->switches = hub->switches;
        attempts->in_a_row = 0;
    }
    if (++attempts->in_a_row < AT_ONCE)
        return;
    attempts->in_a_row = 0;
    mt__hook()->yield();
}

static long attempt(struct mt__hub *hub, struct mt__call *call)
{
    long result;

    do
        result = call->attempt(call);
    while (result == -EINTR);
    if (hub)
        note(hub, call, result, (size_t)result == call->size);
    return result;
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

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

    if (!call->io.opcode)
        return -EAGAIN;
    if (__atomic_load_n(&wait->task->cancel, __ATOMIC_ACQUIRE))
        return -EAGAIN;
    if (call->direct)
        call->io.hints = IORING_RECVSEND_POLL_FIRST;
    result = mt__park_io(hub, &call->io, wait, mt__wait_limit(wait, wait->deadline));
    note(hub, call, result, call->io.left_some);
    return result < 0 ? mt__wait_limited(wait, wait->deadline, (int)result) : result;
}

/* Datagrams: poll(2) says of what is shut for reading that it is ready, and the call that does not wait says -EAGAIN.
 */
static int is_at_end(const struct mt__call *call)
{
    struct pollfd look = {.fd = call->io.fd, .events = POLLRDHUP};

    return call->events & POLLIN && poll(&look, 1, 0) == 1 && look.revents & POLLRDHUP;
}

static long by_attempts(struct mt__wait *wait, struct mt__call *call, int tried)
{
    long result = tried ? -EAGAIN : attempt(mt__hub, call);
    int error;

    while (result == -EAGAIN && call->events) { /* else it is an answer: of a file that is leased, to open */
        error = wait_for_fd(wait, call);
        if (error)
            return error;
        result = attempt(mt__hub, call);
        if (result == -EAGAIN && is_at_end(call))
            return 0;
    }
    return result;
}

long mt__io_call(struct mt__call *call, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .reason = MT_WAIT_IO, .object = (const void *)(intptr_t)call->io.fd, .place = place, .deadline = deadline};
    struct mt__hub *hub = mt__hub;
    int by_loop = hub && hub->loop->io, error;
    long result;

    if (deadline == MT_NOWAIT) {
        result = attempt(hub, call);
        return result == -EAGAIN && call->events ? -EBUSY : result;
    }
    if (is_worth_it(hub, call)) { /* a wait is only one if it comes to it */
        result = attempt(hub, call);
        if (result != -EAGAIN) {
            if (hub)
                be_fair(hub);
            return result;
        }
    }
    error = mt__wait_begin(&wait);
    if (error)
        return error;
    result = by_loop ? by_ring(&wait, call) : -EAGAIN;
    if (result == -EAGAIN || result == -EOPNOTSUPP || result == -EINVAL)
        result = by_attempts(&wait, call, !by_loop);
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
