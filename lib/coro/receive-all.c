/* SPDX-License-Identifier: MIT
 *
 * MSG_WAITALL: piece by piece, as each has to be waited for in its own way. Where the kernel would stop before it has
 * all, so does this:
 *
 *   an end of the stream, a deadline, a kill    what has come by then is the result
 *   an error                                    too, and the error is left for the next call: so nothing is tried
 *                                               when there is one, and nothing to read
 *   urgent data, descriptors that are passed    end a piece, and the whole
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

int mt__receive_goes_on(int fd, const struct msghdr *piece)
{
    int at_mark = 0, left = 0;

    if (piece->msg_controllen || piece->msg_flags & (MSG_CTRUNC | MSG_OOB | MSG_EOR))
        return 0;
    if (!mt__sys(SYS_ioctl, fd, SIOCATMARK, &at_mark) && at_mark)
        return 0;
    return !(events_of(fd, POLLIN) & POLLERR) || (!mt__sys(SYS_ioctl, fd, SIOCINQ, &left) && left > 0);
}

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
static ssize_t receive_next_piece(int fd, struct msghdr *message, int flags, mt_deadline deadline, const char *place)
{
    const struct msghdr none = {.msg_iov = NULL};
    struct pollfd look = {.fd = fd, .events = POLLIN | POLLPRI};
    int result = mt__poll(&look, 1, deadline, place);

    if (result < 0)
        return result;
    if (look.revents & POLLNVAL)
        return -EBADF; /* closed: its number may be another's by now */
    return mt__receive_goes_on(fd, &none) ? mt__recvmsg(fd, message, flags, deadline, place) : 0;
}

/* rest's vectors are used up; *message gets what came with the last piece that did come. */
static ssize_t receive_pieces(int fd, struct msghdr *rest, struct msghdr *message, int flags, mt_deadline deadline,
                              const char *place)
{
    size_t done = 0, size = size_of(rest);
    ssize_t got;

    for (;;) {
        rest->msg_namelen = message->msg_namelen;
        got = (done ? receive_next_piece : mt__recvmsg)(fd, rest, flags & ~MSG_WAITALL, deadline, place);
        if (got <= 0)
            break;
        done += (size_t)got;
        if (done >= size || !mt__receive_goes_on(fd, rest))
            break;
        advance(rest, (size_t)got);
        rest->msg_controllen = message->msg_controllen;
    }
    if (got < 0 && done) /* what it was told before holds */
        rest->msg_controllen = 0;
    if (got >= 0 || done) {
        message->msg_namelen = rest->msg_namelen;
        message->msg_controllen = rest->msg_controllen;
        message->msg_flags = rest->msg_flags;
    }
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
