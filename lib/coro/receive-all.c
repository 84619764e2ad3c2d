/* SPDX-License-Identifier: MIT
 *
 * MSG_WAITALL: piece by piece, as each has to be waited for in its own way. Where the kernel would stop before it has
 * all, so does this:
 *
 *   an end of the stream, a deadline, a kill    what has come by then is the result
 *   an error                                    too, and the error is left for the next call: so nothing is tried
 *                                               when there is one, and nothing to read
 *   urgent data, descriptors that are passed    end a piece, and the whole
 *   another sender (SO_PASSCRED)                ends it before his first byte
 *
 * With MSG_PEEK (of TCP; a Unix socket's takes what is there) each attempt begins at the first byte, and waiting for
 * the socket would end at once, as it is readable. So something else is waited for: an epoll(7) that has the socket
 * edge-triggered is itself readable when more has come since it was last asked.
 */
#include "coro/receive-all.h"
#include "base/own.h"
#include "base/sys.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linuxmt/io.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define FEW 8

static int option(int fd, int name)
{
    int value = 0;
    socklen_t size = sizeof value;

    return mt__sys(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int mt__waits_for_all(int fd, int flags)
{
    return flags & MSG_WAITALL && !(flags & (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)) &&
           option(fd, SO_TYPE) == SOCK_STREAM;
}

int mt__peeks_all(int fd)
{
    return option(fd, SO_DOMAIN) != AF_UNIX;
}

static int events_of(int fd, int events)
{
    const struct timespec none = {0, 0};
    struct pollfd look = {.fd = fd, .events = (short)events};

    return mt__sys(SYS_ppoll, &look, 1, &none, NULL, 0) < 0 ? POLLERR : look.revents;
}

/* -- Who sent it -------------------------------------------------------------------------------------------------- */

static int is_unix(int fd)
{
    return option(fd, SO_DOMAIN) == AF_UNIX;
}

void mt__sender_begin(struct mt__sender *sender, int fd, struct msghdr *piece)
{
    sender->tells = is_unix(fd) && option(fd, SO_PASSCRED) > 0;
    sender->is_known = sender->has_come = 0;
    sender->room = piece->msg_control ? piece->msg_controllen : 0;
    sender->told = 0;
    sender->told_name = 0;
    sender->told_flags = 0;
    mt__sender_next(sender, piece);
}

void mt__sender_next(struct mt__sender *sender, struct msghdr *piece)
{
    piece->msg_controllen = sender->room;
    if (sender->tells && !sender->room) {
        piece->msg_control = sender->control.bytes;
        piece->msg_controllen = sizeof sender->control;
    }
}

void mt__sender_end(const struct mt__sender *sender, const struct msghdr *piece, long result, struct msghdr *message)
{
    int is_ours = sender->tells && !sender->room, is_last = result > 0 || !sender->has_come;
    size_t told = is_last ? piece->msg_controllen : sender->told;

    message->msg_namelen = is_last ? piece->msg_namelen : sender->told_name;
    message->msg_flags = result > 0 ? piece->msg_flags : piece->msg_flags | sender->told_flags;
    message->msg_controllen = is_ours ? 0 : told;
    if (is_ours && told)
        message->msg_flags |= MSG_CTRUNC;
}

/* Whether nothing is told but who sent it, which is then noted. */
static int tells_only_sender(const struct msghdr *piece, struct mt__sender *sender)
{
    struct cmsghdr *first = CMSG_FIRSTHDR(piece);

    if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_CREDENTIALS ||
        first->cmsg_len < CMSG_LEN(sizeof sender->who) || CMSG_NXTHDR((struct msghdr *)(uintptr_t)piece, first))
        return 0;
    memcpy(&sender->who, CMSG_DATA(first), sizeof sender->who);
    sender->is_known = 1;
    return 1;
}

int mt__receive_goes_on(int fd, const struct msghdr *piece, struct mt__sender *sender)
{
    int at_mark = 0, left = 0;

    sender->has_come = 1;
    sender->told = piece->msg_controllen;
    sender->told_name = piece->msg_namelen;
    sender->told_flags = piece->msg_flags;
    if (piece->msg_flags & (MSG_CTRUNC | MSG_OOB | MSG_EOR))
        return 0;
    if (piece->msg_controllen && is_unix(fd) && !tells_only_sender(piece, sender))
        return 0;
    if (!mt__sys(SYS_ioctl, fd, SIOCATMARK, &at_mark) && at_mark)
        return 0;
    return !(events_of(fd, POLLIN) & POLLERR) || (!mt__sys(SYS_ioctl, fd, SIOCINQ, &left) && left > 0);
}

/* Looks at the next byte; not where looking moves what is looked at. */
static int is_same_sender(int fd, struct mt__sender *sender)
{
    char byte;
    struct iovec vector = {&byte, 1};
    struct mt__sender next = {.tells = 1};
    struct msghdr look = {.msg_iov = &vector, .msg_iovlen = 1};

    if (option(fd, SO_PEEK_OFF) >= 0)
        return 0;
    mt__sender_next(&next, &look);
    if (mt__sys(SYS_recvmsg, fd, &look, MSG_PEEK | MSG_DONTWAIT) <= 0 || !tells_only_sender(&look, &next))
        return 0;
    return next.who.pid == sender->who.pid && next.who.uid == sender->who.uid && next.who.gid == sender->who.gid;
}

int mt__receive_follows(int fd, struct mt__sender *sender)
{
    const struct msghdr none = {.msg_iov = NULL};
    struct mt__sender nobody = {.tells = 0};

    return mt__receive_goes_on(fd, &none, &nobody) && (!sender->is_known || is_same_sender(fd, sender));
}

/* -- Looking ------------------------------------------------------------------------------------------------------ */

int mt__more_watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET};
    int watch = mt__own(mt__sys(SYS_epoll_create1, EPOLL_CLOEXEC));
    long error = watch < 0 ? watch : mt__sys(SYS_epoll_ctl, watch, EPOLL_CTL_ADD, fd, &event);

    if (watch >= 0 && error < 0)
        mt__own_close(watch);
    return error < 0 ? (int)error : watch;
}

int mt__more_seen(int watch, int fd)
{
    struct epoll_event event;

    mt__sys(SYS_epoll_pwait, watch, &event, 1, 0, NULL, 8);
    return events_of(fd, POLLPRI | POLLRDHUP) != 0;
}

/* -- Pieces ------------------------------------------------------------------------------------------------------- */

static size_t size_of(const struct msghdr *message)
{
    size_t size = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    return size;
}

static void advance(struct msghdr *rest, size_t bytes)
{
    while (rest->msg_iovlen && bytes >= rest->msg_iov->iov_len) {
        bytes -= rest->msg_iov->iov_len;
        rest->msg_iov++;
        rest->msg_iovlen--;
    }
    if (rest->msg_iovlen) {
        rest->msg_iov->iov_base = (char *)rest->msg_iov->iov_base + bytes;
        rest->msg_iov->iov_len -= bytes;
    }
}

/* It is waited for first, as an attempt would take an error along. 0: there is to be no more. */
static ssize_t receive_next_piece(int fd, struct msghdr *message, int flags, struct mt__sender *sender,
                                  mt_deadline deadline, const char *place)
{
    struct pollfd look = {.fd = fd, .events = POLLIN | POLLPRI};
    int result = mt__poll(&look, 1, deadline, place);

    if (result < 0)
        return result;
    if (look.revents & POLLNVAL)
        return -EBADF; /* closed: its number may be another's by now */
    return mt__receive_follows(fd, sender) ? mt__recvmsg(fd, message, flags, deadline, place) : 0;
}

/* rest's vectors are used up; *message gets what came with the last piece that did come. */
static ssize_t receive_pieces(int fd, struct msghdr *rest, struct msghdr *message, int flags, mt_deadline deadline,
                              const char *place)
{
    size_t done = 0, size = size_of(rest);
    struct mt__sender sender;
    ssize_t got;

    flags &= ~MSG_WAITALL;
    mt__sender_begin(&sender, fd, rest);
    for (;;) {
        rest->msg_namelen = message->msg_namelen;
        got = done ? receive_next_piece(fd, rest, flags, &sender, deadline, place)
                   : mt__recvmsg(fd, rest, flags, deadline, place);
        if (got <= 0)
            break;
        done += (size_t)got;
        if (done >= size || !mt__receive_goes_on(fd, rest, &sender))
            break;
        advance(rest, (size_t)got);
        mt__sender_next(&sender, rest);
    }
    if (got >= 0 || done)
        mt__sender_end(&sender, rest, got, message);
    return done ? (ssize_t)done : got;
}

static ssize_t peek_until_all(int watch, int fd, struct msghdr *message, int flags, mt_deadline deadline,
                              const char *place)
{
    struct pollfd look[2] = {{.fd = watch, .events = POLLIN}, {.fd = fd}};
    size_t size = size_of(message);
    struct msghdr seen = *message;
    long result;
    int is_all, error = 0;

    for (;;) {
        is_all = mt__more_seen(watch, fd) || error;
        seen = *message;
        result = mt__sys(SYS_recvmsg, fd, &seen, flags | MSG_DONTWAIT);
        if (result == -EINTR)
            continue;
        if (result != -EAGAIN && (result < 0 || (size_t)result >= size || is_all))
            break;
        if (error)
            return error;
        error = mt__poll(look, 2, deadline, place);
        if (error >= 0 && look[1].revents & POLLNVAL)
            return -EBADF; /* closed: its number may be another's by now */
        error = error < 0 ? error : 0;
    }
    if (result >= 0)
        *message = seen;
    return result;
}

static ssize_t peek_all(int fd, struct msghdr *message, int flags, mt_deadline deadline, const char *place)
{
    int watch = mt__more_watch(fd);
    ssize_t result;

    if (watch < 0)
        return watch;
    result = peek_until_all(watch, fd, message, flags, deadline, place);
    mt__own_close(watch);
    return result;
}

ssize_t mt__receive_all(int fd, struct msghdr *message, int flags, mt_deadline deadline, const char *place)
{
    struct iovec few[FEW], *all = few;
    struct msghdr rest = *message;
    ssize_t result;

    if (flags & MSG_PEEK)
        return mt__peeks_all(fd) ? peek_all(fd, message, flags, deadline, place)
                                 : mt__recvmsg(fd, message, flags & ~MSG_WAITALL, deadline, place);
    if (rest.msg_iovlen > FEW && !(all = mt__alloc(rest.msg_iovlen * sizeof *all)))
        return -ENOMEM;
    for (size_t i = 0; i < rest.msg_iovlen; i++)
        all[i] = message->msg_iov[i];
    rest.msg_iov = all;
    result = receive_pieces(fd, &rest, message, flags, deadline, place);
    if (all != few)
        free(all);
    return result;
}
