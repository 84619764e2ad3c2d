/* SPDX-License-Identifier: MIT
 *
 * The loop on epoll(7), where io_uring is not to be had. It only tells which descriptors are ready; calls are made by
 * who waits, and words are the helpers'.
 *
 * epoll knows each descriptor once, and several may wait for it: each has an entry, found by its number, with those who
 * wait. It is registered for one event at a time (EPOLLONESHOT), for all that they want together, and again for the
 * rest after each. Numbers come again after a close(2), and the kernel forgets a closed file by itself, so what the
 * entry believes is only a guess: ENOENT and EEXIST say better.
 *
 * What epoll refuses (EPERM: regular files) is always ready, as poll(2) has it.
 */
#include "base/clock.h"
#include "base/own.h"
#include "base/sys.h"
#include "coro/tell.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS 256

struct entry {
    struct mt__poll *polls;
    uint32_t wanted; /* what it is registered for; 0: not, or disabled */
};

struct epoll {
    int fd;
    struct entry *entries; /* by descriptor */
    int room;
    struct mt__poll *ended; /* to be completed in the next turn */
    struct epoll_event events[EVENTS];
};

static struct epoll *epoll_of(struct mt__hub *hub)
{
    return hub->loop_state;
}

static struct entry *entry_of(struct epoll *epoll, int fd)
{
    int room = epoll->room ? epoll->room : 64;
    struct entry *entries;

    if (fd < epoll->room)
        return &epoll->entries[fd];
    while (room <= fd)
        room *= 2;
    entries = mt__alloc((size_t)room * sizeof *entries);
    if (!entries)
        return NULL;
    for (int i = 0; i < epoll->room; i++) {
        entries[i] = epoll->entries[i];
        if (entries[i].polls)
            entries[i].polls->link = &entries[i].polls;
    }
    free(epoll->entries);
    epoll->entries = entries;
    epoll->room = room;
    return &entries[fd];
}

static void link_poll(struct mt__poll **list, struct mt__poll *poll)
{
    poll->next = *list;
    if (poll->next)
        poll->next->link = &poll->next;
    poll->link = list;
    *list = poll;
}

static void unlink_poll(struct mt__poll *poll)
{
    *poll->link = poll->next;
    if (poll->next)
        poll->next->link = poll->link;
}

static void end_poll(struct epoll *epoll, struct mt__poll *poll, int result)
{
    poll->result = result;
    link_poll(&epoll->ended, poll);
}

/* Registers the entry for what its waiters want. 0 or -errno. */
static int watch(struct epoll *epoll, int fd, struct entry *entry)
{
    struct epoll_event event = {.data.fd = fd};
    long result;

    for (struct mt__poll *poll = entry->polls; poll; poll = poll->next)
        event.events |= (uint32_t)poll->events;
    if (entry->wanted == event.events)
        return 0;
    entry->wanted = event.events;
    if (!event.events) {
        mt__sys(SYS_epoll_ctl, epoll->fd, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    event.events |= EPOLLONESHOT;
    result = mt__sys(SYS_epoll_ctl, epoll->fd, EPOLL_CTL_MOD, fd, &event);
    if (result == -ENOENT)
        result = mt__sys(SYS_epoll_ctl, epoll->fd, EPOLL_CTL_ADD, fd, &event);
    if (result < 0)
        entry->wanted = 0;
    return (int)result;
}

static int epoll_poll(struct mt__hub *hub, struct mt__poll *poll)
{
    struct epoll *epoll = epoll_of(hub);
    struct entry *entry = entry_of(epoll, poll->fd);
    int error;

    if (!entry)
        return -ENOMEM;
    link_poll(&entry->polls, poll);
    entry->wanted = 0; /* the file may be another by now: say it again */
    error = watch(epoll, poll->fd, entry);
    if (!error || error == -EPERM || error == -EBADF)
        mt__tell_begin(hub, &poll->op, MT__OP_POLL, (uint64_t)poll->fd, hub->current);
    if (!error)
        return 0;
    unlink_poll(poll);
    if (error != -EPERM && error != -EBADF)
        return error;
    end_poll(epoll, poll, error == -EPERM ? poll->events & (POLLIN | POLLOUT) : -EBADF);
    return 0;
}

static void poll_cancel(struct mt__hub *hub, struct mt__poll *poll)
{
    struct epoll *epoll = epoll_of(hub);
    struct entry *entry = &epoll->entries[poll->fd];

    if (poll->result) /* it is among the ended already */
        return;
    unlink_poll(poll);
    watch(epoll, poll->fd, entry);
    end_poll(epoll, poll, -ECANCELED);
}

static void closing(struct mt__hub *hub, int fd)
{
    struct epoll *epoll = epoll_of(hub);
    struct mt__poll *poll;

    if (fd < 0 || fd >= epoll->room)
        return;
    while ((poll = epoll->entries[fd].polls)) {
        unlink_poll(poll);
        end_poll(epoll, poll, -EBADF);
    }
    watch(epoll, fd, &epoll->entries[fd]);
}

static void tell(struct epoll *epoll, const struct epoll_event *event)
{
    struct entry *entry = &epoll->entries[event->data.fd];
    struct mt__poll *next;

    entry->wanted = 0;
    for (struct mt__poll *poll = entry->polls; poll; poll = next) {
        int found = (int)event->events & ((unsigned short)poll->events | POLLERR | POLLHUP);
        next = poll->next;
        if (!found)
            continue;
        unlink_poll(poll);
        end_poll(epoll, poll, found);
    }
    if (entry->polls)
        watch(epoll, event->data.fd, entry);
}

static void complete_ended(struct mt__hub *hub, struct epoll *epoll)
{
    struct mt__poll *poll;

    while ((poll = epoll->ended)) {
        unlink_poll(poll);
        mt__tell_end(hub, &poll->op, poll->result);
        poll->op.complete(hub, &poll->op, poll->result);
    }
}

static long wait_for_events(struct epoll *epoll, mt_deadline until)
{
    struct mt__timespec left;
    int64_t now = mt_now(), rest = until == MT_FOREVER || until < now ? until : until - now;
    long count;

    if (until < now)
        rest = 0;
    count = mt__sys(SYS_epoll_pwait2, epoll->fd, epoll->events, EVENTS, mt__timespec(rest, &left), NULL, 0);
    if (count == -ENOSYS) /* before Linux 5.11: in milliseconds, rounded up */
        count = mt__sys(SYS_epoll_pwait, epoll->fd, epoll->events, EVENTS,
                        rest == MT_FOREVER ? -1 : (int)(rest / 1000000 + (rest % 1000000 != 0)), NULL, 8);
    return count;
}

static int turn(struct mt__hub *hub, mt_deadline until)
{
    struct epoll *epoll = epoll_of(hub);
    uint64_t rings;
    long count;

    if (until == MT_NOWAIT && !hub->ops)
        return 0;
    if (epoll->ended)
        until = MT_NOWAIT;
    count = wait_for_events(epoll, until);
    for (long i = 0; i < count; i++) {
        if (epoll->events[i].data.fd == hub->letters.bell)
            mt__sys(SYS_read, hub->letters.bell, &rings, sizeof rings);
        else
            tell(epoll, &epoll->events[i]);
    }
    complete_ended(hub, epoll);
    return 0;
}

/* -- Beginning and end -------------------------------------------------------------------------------------------- */

static int has_futex(struct mt__hub *hub)
{
    return 0;
}

static int epoll_open(struct mt__hub *hub)
{
    struct epoll *epoll = mt__alloc(sizeof *epoll);
    struct epoll_event event = {.events = EPOLLIN};
    long result;

    if (!epoll)
        return -ENOMEM;
    hub->letters.bell = event.data.fd = mt__own(hub->letters.bell);
    result = epoll->fd = mt__own(mt__sys(SYS_epoll_create1, EPOLL_CLOEXEC));
    if (result >= 0) {
        result = mt__sys(SYS_epoll_ctl, epoll->fd, EPOLL_CTL_ADD, hub->letters.bell, &event);
        if (result < 0)
            mt__own_close(epoll->fd);
    }
    if (result < 0) {
        mt__own_forget(hub->letters.bell);
        free(epoll);
        return (int)result;
    }
    hub->loop_state = epoll;
    return 0;
}

static void epoll_close(struct mt__hub *hub, int forked)
{
    struct epoll *epoll = epoll_of(hub);

    (void)forked;
    mt__own_close(epoll->fd);
    mt__own_forget(hub->letters.bell); /* which the hub closes */
    free(epoll->entries);
    free(epoll);
    hub->loop_state = NULL;
}

const struct mt__loop mt__loop_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .has_futex = has_futex,
    .poll = epoll_poll,
    .poll_cancel = poll_cancel,
    .closing = closing,
    .turn = turn,
};
