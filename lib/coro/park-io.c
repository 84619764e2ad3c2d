/* SPDX-License-Identifier: MIT
 *
 * How what runs in a hub waits for what the loop does: a system call that the ring makes, or descriptors to be ready.
 *
 * Whoever gives up asks the loop to cancel it and waits for its completion all the same: until then the
 * kernel may write to the buffer, and an operation that has been done after all is not lost but returned. That wait is
 * nobody's to end, or it would be tried again at once, and again: who is summoned meanwhile answers after it.
 */
#include "base/clock.h"
#include "coro/hub.h"

#include <errno.h>
#include <stdlib.h>

#define CANCEL_AGAIN MT_MS(5)

static void io_complete(struct mt__hub *hub, struct mt__op *op, int result)
{
    struct mt__io *io = (struct mt__io *)op;

    hub->ops--;
    io->result = result;
    io->done = 1;
    mt__parked_end(hub, io->parked, 0);
}

int mt__park_io(struct mt__hub *hub, struct mt__io *io, struct mt__wait *wait, mt_deadline until)
{
    struct mt__parked parked = {.wait = wait, .cancellable = !(wait->flags & MT__WAIT_NOCANCEL)};
    int error, why;

    io->op.complete = io_complete;
    io->parked = &parked;
    io->done = 0;
    error = hub->loop->io(hub, io);
    if (error)
        return error;
    hub->ops++;
    why = io->ask ? mt__terms_begin(hub, io) : 0;
    if (!why)
        why = mt__park_time(hub, &parked, io->ask && io->until < until ? io->until : until);
    if (io->ask)
        mt__terms_end(hub, io);
    if (io->done)
        return io->result == -ECANCELED ? -EBADF : io->result; /* nobody but mt_close cancels what waits */
    while (!io->done) { /* more than once: a cancel may find no room, or the call at its very start */
        hub->loop->io_cancel(hub, io);
        parked = (struct mt__parked){0};
        mt__park_pause(hub, &parked, mt_after(CANCEL_AGAIN));
    }
    return io->result == -ECANCELED || io->result == -EINTR ? why : io->result;
}

static void poll_complete(struct mt__hub *hub, struct mt__op *op, int result)
{
    struct mt__poll *poll = (struct mt__poll *)op;

    hub->ops--;
    poll->done = 1;
    if (result == -ECANCELED && !poll->given_up)
        result = -EBADF;
    if (result != -ECANCELED)
        *poll->found = result < 0 ? (result == -EBADF ? POLLNVAL : POLLERR) : (short)result;
    mt__parked_end(hub, poll->parked, 0);
}

/* Starts one a descriptor. Returns how many are under way, or -errno. */
static int start_polls(struct mt__hub *hub, struct mt__poll *polls, struct pollfd *fds, unsigned count,
                       struct mt__parked *parked)
{
    int error;

    for (unsigned i = 0; i < count; i++) {
        polls[i] = (struct mt__poll){.op.complete = poll_complete,
                                     .fd = fds[i].fd,
                                     .events = fds[i].events,
                                     .parked = parked,
                                     .found = &fds[i].revents};
        fds[i].revents = 0;
        polls[i].done = fds[i].fd < 0;
        if (polls[i].done)
            continue;
        hub->ops++;
        error = hub->loop->poll(hub, &polls[i]);
        if (error) {
            hub->ops--;
            polls[i].done = 1;
            for (unsigned j = i + 1; j < count; j++)
                polls[j].done = 1;
            return error;
        }
    }
    return 0;
}

static void end_polls(struct mt__hub *hub, struct mt__poll *polls, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!polls[i].done) {
            polls[i].given_up = 1;
            hub->loop->poll_cancel(hub, &polls[i]);
        }
    for (unsigned i = 0; i < count; i++)
        while (!polls[i].done) {
            struct mt__parked parked = {0};
            polls[i].parked = &parked;
            mt__park_pause(hub, &parked, mt_after(CANCEL_AGAIN));
            if (!polls[i].done)
                hub->loop->poll_cancel(hub, &polls[i]);
        }
}

/* As mt__wait_round_fds. Its array of polls is on the stack for the usual few, as stacks are small. */
int mt__park_poll(struct mt__wait *wait, struct pollfd *fds, unsigned count, mt_deadline until)
{
    struct mt__hub *hub = mt__hub;
    struct mt__parked parked = {.wait = wait, .cancellable = !(wait->flags & MT__WAIT_NOCANCEL)};
    struct mt__poll few[4], *polls = few;
    int result;

    if (count > sizeof few / sizeof *few && !(polls = mt__alloc(count * sizeof *polls)))
        return -ENOMEM;
    result = start_polls(hub, polls, fds, count, &parked);
    if (!result)
        result = mt__park_time(hub, &parked, until);
    end_polls(hub, polls, count);
    for (unsigned i = 0; i < count && result == -ETIMEDOUT; i++)
        if (fds[i].revents)
            result = 0;
    if (polls != few)
        free(polls);
    return result;
}
