/* SPDX-License-Identifier: MIT
 *
 * Receiving from sockets. What MSG_WAITALL is here coro/receive-all.c says; SO_RCVLOWAT is the same of fewer bytes.
 * MSG_OOB and MSG_ERRQUEUE never wait, and are the kernel's, except where they mean nothing.
 *
 * A receive that waits is not one that does not, tried once more. What it finds at its end counts:
 *
 *   the socket's timeout      what has come by then, though too little to be told of (SO_RCVLOWAT)
 *   shut down for reading     of datagrams, 0; without waiting that is EAGAIN
 *   no room, of TCP           0, whatever came of the wait
 */
#include "patch/fd.h"
#include "coro/receive-all.h"
#include "patch/undeclared.h"

#include <linux/io_uring.h>
#include <netinet/in.h>
#include <time.h>

#ifndef IORING_RECVSEND_POLL_FIRST
#define IORING_RECVSEND_POLL_FIRST (1U << 0)
#endif

#define MOST    0x7ffff000u /* bytes that the kernel takes in one call */
#define AT_ONCE (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

/* -- By the ring -------------------------------------------------------------------------------------------------- */

/* A socket whose last receive has waited, and has left nothing, is likely to have nothing yet when it is asked again:
 * so it is not tried in vain. A guess, as in coro/io.c, which costs time if it is wrong, and nothing else.
 *
 * What is asked before each wait, O_NONBLOCK and SO_RCVTIMEO, is asked every time. Both belong to the open file, which
 * other processes may have as well: children, and whoever was sent it. They can change either at any moment, and
 * nothing tells. (Nor does the ring answer for a socket: it waits in spite of O_NONBLOCK, and knows no timeouts.) To
 * remember for as long as a socket is known to be ours alone is to see each fork, posix_spawn and popen, each
 * descriptor in a message, and each close by libc itself: one that is missed is a call that waits forever. */
static uint8_t *drained(int fd)
{
    struct mt__attempts *attempts = &mt__hub->attempts;

    return &attempts->drained[(unsigned)fd % sizeof attempts->drained];
}

static int is_expected(int fd)
{
    return mt__patch_has_ring() && *drained(fd) && !__atomic_load_n(&mt__running->cancel, __ATOMIC_ACQUIRE);
}

/* There is a ring: that makes the call. */
static long receive_later(struct mt__block *block, void *buffer, size_t size, int flags)
{
    struct mt__io io = {.opcode = IORING_OP_RECV,
                        .fd = block->fd,
                        .address = (uint64_t)(uintptr_t)buffer,
                        .length = size < MOST ? (uint32_t)size : MOST,
                        .flags = (uint32_t)flags,
                        .hints = IORING_RECVSEND_POLL_FIRST};
    long result = mt__patch_ring(&io, block->deadline, block->number);

    if (result == -EINVAL) { /* also the answer of a kernel that does not know the hint */
        io.hints = 0;
        result = mt__patch_ring(&io, block->deadline, block->number);
    }
    *drained(block->fd) = result > 0 && !io.left_some;
    return result == -ETIME ? -EAGAIN : result;
}

/* -- What waiting comes to ---------------------------------------------------------------------------------------- */

static int sets_least; /* somebody in this process has set SO_RCVLOWAT, of any socket */

static int option(int fd, int name)
{
    int value = 0;
    socklen_t size = sizeof value;

    return mt__sys(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

static int has(int fd, short event)
{
    struct pollfd look = {.fd = fd, .events = event};
    struct timespec none = {0, 0};

    return mt__sys(SYS_ppoll, &look, 1, &none, NULL, 0) == 1 && look.revents & event;
}

static int is_shut(int fd)
{
    return has(fd, POLLRDHUP);
}

/* Waits after an attempt that said -EAGAIN. 0: there is to be another; 1: a last one; or the result. */
static long wait_for_more(struct mt__block *block, int *waited)
{
    long result = mt__block_ask(block);

    if (result)
        return result;
    if (*waited && is_shut(block->fd))
        return 1;
    *waited = 1;
    result = mt__block(block);
    return result == -EAGAIN ? 1 : result;
}

/* The last attempt has been made. */
static long at_last(struct mt__block *block, long result)
{
    return result == -EAGAIN && is_shut(block->fd) ? 0 : result;
}

/* Of TCP, when there is nothing: one wait, for anything. */
static long receive_nothing(struct mt__block *block)
{
    int waited = 0;
    long result = wait_for_more(block, &waited);

    return result == 1 || result == -EINTR ? 0 : result;
}

static int is_nothing(int fd, size_t size)
{
    return !size && option(fd, SO_PROTOCOL) == IPPROTO_TCP;
}

/* How much is waited for, if a part of it is not enough; else 0. */
static size_t least(int fd, size_t size, int flags)
{
    int least;

    if (mt__waits_for_all(fd, flags))
        return size;
    if (!__atomic_load_n(&sets_least, __ATOMIC_RELAXED) || option(fd, SO_TYPE) != SOCK_STREAM)
        return 0;
    least = option(fd, SO_RCVLOWAT);
    return least <= 1 || size <= 1 ? 0 : (size_t)least < size ? (size_t)least : size;
}

/* -- At once ------------------------------------------------------------------------------------------------------ */

static long receive(struct mt__block *block, void *buffer, size_t size, int flags, struct sockaddr *address,
                    socklen_t *length)
{
    long result, more = 0;
    int waited = 0;

    if (!address && is_expected(block->fd) && !mt__block_ask(block))
        return receive_later(block, buffer, size, flags);
    for (;;) {
        result = mt__sys(SYS_recvfrom, block->fd, buffer, size, flags | MSG_DONTWAIT, address, length);
        if (result != -EAGAIN)
            return result;
        if (more || is_nothing(block->fd, size)) {
            result = more ? at_last(block, result) : receive_nothing(block);
            if (!result && length)
                *length = 0;
            return result;
        }
        if (!address && mt__patch_has_ring()) {
            result = mt__block_ask(block);
            return result ? result : receive_later(block, buffer, size, flags);
        }
        more = wait_for_more(block, &waited);
        if (more < 0)
            return more;
    }
}

long mt__receive(struct mt__block *block, void *buffer, size_t size, int flags, struct sockaddr *address,
                 socklen_t *length)
{
    struct iovec vector = {buffer, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    long result;

    if (!(flags & MSG_PEEK) && !least(block->fd, size, flags))
        return receive(block, buffer, size, flags & ~MSG_WAITALL, address, length);
    if (address && length) {
        message.msg_name = address;
        message.msg_namelen = *length;
    }
    result = mt__receive_message(block, &message, flags);
    if (address && length && result >= 0)
        *length = message.msg_namelen;
    return result;
}

/* -- Messages ----------------------------------------------------------------------------------------------------- */

static void tell_nothing(struct msghdr *message, int flags)
{
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = flags & MSG_CMSG_CLOEXEC;
}

/* See coro/receive-all.c. If `enough` is 0 whatever comes is: with SO_PEEK_OFF the socket may be readable, and have
 * nothing where this looks. */
static long peek_until(int watch, struct mt__block *block, struct msghdr *message, int flags, size_t enough)
{
    struct msghdr seen = *message;
    int is_all, error = mt__block_ask(block);
    long result;

    for (;;) {
        if (error == -EBADF) /* closed meanwhile: its number may be another's */
            return error;
        is_all = mt__more_seen(watch, block->fd) || error;
        seen = *message;
        result = mt__sys(SYS_recvmsg, block->fd, &seen, flags | MSG_DONTWAIT);
        if (result != -EAGAIN && (result < 0 || (size_t)result >= enough || is_all))
            break;
        if (error)
            return error == -ETIME ? -EAGAIN : error;
        if (is_all && is_shut(block->fd)) {
            tell_nothing(message, flags);
            return 0;
        }
        error = mt__patch_wait_more(watch, block->fd, block->deadline == MT_FOREVER ? 0 : MT__WAIT_INTERRUPT_ALWAYS,
                                    block->deadline, mt__names[block->number].name);
    }
    if (result >= 0)
        *message = seen;
    return result;
}

static long peek(struct mt__block *block, struct msghdr *message, int flags, size_t enough)
{
    int watch = mt__more_watch(block->fd);
    long result;

    if (watch < 0)
        return watch;
    result = peek_until(watch, block, message, flags, enough);
    mt__own_close(watch);
    return result;
}

static long receive_piece(struct mt__block *block, struct msghdr *message, int flags)
{
    size_t size = mt__vectors_size(message->msg_iov, message->msg_iovlen);
    struct msghdr before = *message;
    long result, more = 0;
    int waited = 0;

    for (;;) {
        result = mt__sys(SYS_recvmsg, block->fd, message, (flags & ~MSG_WAITALL) | MSG_DONTWAIT);
        if (result != -EAGAIN)
            return result;
        *message = before;
        if (more || is_nothing(block->fd, size)) {
            result = more ? at_last(block, result) : receive_nothing(block);
            if (!result)
                tell_nothing(message, flags);
            return result;
        }
        if (flags & MSG_PEEK && option(block->fd, SO_PEEK_OFF) >= 0)
            return peek(block, message, flags, 0);
        more = wait_for_more(block, &waited);
        if (more < 0)
            return more;
    }
}

/* After a piece. It is waited for first, as an attempt would take an error along. 0: there is to be no more. */
static long receive_next_piece(struct mt__block *block, struct msghdr *message, int flags, struct mt__sender *sender)
{
    struct mt__block first = *block;
    long result;

    first.events |= POLLPRI;
    result = mt__block(&first);
    if (result == -EAGAIN)
        flags |= MSG_DONTWAIT;
    else if (result)
        return result;
    if (!mt__receive_follows(block->fd, sender))
        return 0;
    return flags & MSG_DONTWAIT ? mt__sys(SYS_recvmsg, block->fd, message, flags & ~MSG_WAITALL)
                                : receive_piece(block, message, flags);
}

/* As many as `enough` bytes, or until there is to be no more. */
static long receive_pieces(struct mt__block *block, struct msghdr *message, int flags, size_t enough)
{
    struct msghdr rest = *message;
    struct mt__vectors vectors;
    struct mt__sender sender;
    size_t done = 0;
    long result;

    if (mt__vectors_copy(&vectors, message->msg_iov, message->msg_iovlen))
        return -ENOMEM;
    mt__sender_begin(&sender, block->fd, &rest);
    for (;;) {
        rest.msg_iov = vectors.at;
        rest.msg_iovlen = vectors.count;
        result = done ? receive_next_piece(block, &rest, flags, &sender) : receive_piece(block, &rest, flags);
        if (result <= 0)
            break;
        done += (size_t)result;
        if (done >= enough || !mt__receive_goes_on(block->fd, &rest, &sender))
            break;
        mt__vectors_advance(&vectors, (size_t)result);
        mt__sender_next(&sender, &rest);
        rest.msg_namelen = message->msg_namelen;
    }
    mt__vectors_free(&vectors);
    if (result >= 0 || done)
        mt__sender_end(&sender, &rest, result, message);
    return done ? (long)done : result;
}

long mt__receive_message(struct mt__block *block, struct msghdr *message, int flags)
{
    size_t enough = least(block->fd, mt__vectors_size(message->msg_iov, message->msg_iovlen), flags);

    if (!enough || (flags & MSG_PEEK && !mt__peeks_all(block->fd)))
        return receive_piece(block, message, flags);
    return flags & MSG_PEEK ? peek(block, message, flags, enough) : receive_pieces(block, message, flags, enough);
}

/* -- The names ---------------------------------------------------------------------------------------------------- */

/* What the flags are to this socket. */
static int flags_of(int fd, int flags)
{
    if (flags & MSG_ERRQUEUE && option(fd, SO_DOMAIN) == AF_UNIX)
        flags &= ~MSG_ERRQUEUE;
    if (flags & MSG_OOB && option(fd, SO_TYPE) == SOCK_DGRAM && option(fd, SO_DOMAIN) != AF_UNIX)
        flags &= ~MSG_OOB;
    return flags;
}

static int goes_to_kernel(int fd, int *flags)
{
    *flags = flags_of(fd, *flags);
    return (*flags & AT_ONCE) != 0;
}

MT__PATCHED ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
    struct mt__block block = MT__BLOCK_IN(fd, recvfrom);
    struct mt__patch_call call;

    if (!mt__patched(SOCKET) || goes_to_kernel(fd, &flags))
        return mt__libc(recvfrom)(fd, buffer, size, flags, address, length);
    call = mt__patch_begin_fair();
    return mt__patch_end(call, mt__receive(&block, buffer, size, flags, address, length));
}

MT__PATCHED ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    if (!mt__patched(SOCKET))
        return mt__libc(recv)(fd, buffer, size, flags);
    return recvfrom(fd, buffer, size, flags, NULL, NULL);
}

MT__PATCHED ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags)
{
    if (!mt__patched(SOCKET) || size > room)
        return mt__libc(__recv_chk)(fd, buffer, size, room, flags);
    return recvfrom(fd, buffer, size, flags, NULL, NULL);
}

MT__PATCHED ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *address,
                                   socklen_t *length)
{
    if (!mt__patched(SOCKET) || size > room)
        return mt__libc(__recvfrom_chk)(fd, buffer, size, room, flags, address, length);
    return recvfrom(fd, buffer, size, flags, address, length);
}

MT__PATCHED ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    struct mt__block block = MT__BLOCK_IN(fd, recvmsg);
    struct mt__patch_call call;

    if (!mt__patched(SOCKET) || goes_to_kernel(fd, &flags) || !message)
        return mt__libc(recvmsg)(fd, message, flags);
    call = mt__patch_begin_fair();
    return mt__patch_end(call, mt__receive_message(&block, message, flags));
}

/* -- Many messages ------------------------------------------------------------------------------------------------ */

struct many {
    struct mmsghdr *messages;
    unsigned count, done;
    int flags;
    mt_deadline deadline; /* by recvmmsg's timeout */
};

static struct timespec left_until(mt_deadline deadline)
{
    int64_t left = deadline - mt_now();

    return left > 0 ? (struct timespec){left / 1000000000, left % 1000000000} : (struct timespec){0, 0};
}

/* Those that are there. The kernel looks at the time after each of them. */
static long receive_present(int fd, const struct many *many, unsigned from)
{
    struct timespec left = left_until(many->deadline);

    return mt__sys(SYS_recvmmsg, fd, many->messages + from, many->count - from,
                   (many->flags & ~MSG_WAITFORONE) | MSG_DONTWAIT, many->deadline == MT_FOREVER ? NULL : &left);
}

static size_t size_of(const struct mmsghdr *message)
{
    return mt__vectors_size(message->msg_hdr.msg_iov, message->msg_hdr.msg_iovlen);
}

static long receive_some(struct mt__block *block, const struct many *many)
{
    struct mmsghdr *message = many->messages + many->done;
    unsigned next = many->done + 1;
    long result;

    if ((!(many->flags & MSG_WAITALL) && !__atomic_load_n(&sets_least, __ATOMIC_RELAXED)) ||
        !least(block->fd, size_of(message), many->flags))
        return receive_present(block->fd, many, many->done);
    result = mt__receive_message(block, &message->msg_hdr, many->flags & ~MSG_WAITFORONE);
    if (result < 0)
        return result == -EAGAIN ? -ETIME : result; /* it has waited as long as it may */
    message->msg_len = (unsigned)result;
    if (!(many->flags & MSG_WAITFORONE) || next == many->count || has(block->fd, POLLERR))
        return 1;
    result = receive_present(block->fd, many, next);
    return 1 + (result > 0 ? result : 0);
}

/* As receive_some, but waits, as long as the socket's own timeout says: for each message anew. An error that comes
 * behind a message is the next call's, and an attempt would take it along. */
static long receive_some_later(struct mt__block *block, const struct many *many)
{
    struct mmsghdr *message = many->messages + many->done;
    long result, more = 0;
    int waited = 0;

    block->known = 0;
    for (;;) {
        if (many->done && has(block->fd, POLLERR))
            return 0;
        result = receive_some(block, many);
        if (result != -EAGAIN)
            return result;
        if (more || is_nothing(block->fd, size_of(message)))
            break;
        more = wait_for_more(block, &waited);
        if (more < 0)
            return more;
    }
    result = more ? at_last(block, result) : receive_nothing(block);
    if (result)
        return result;
    message->msg_len = 0;
    tell_nothing(&message->msg_hdr, many->flags);
    return 1;
}

/* The kernel looks at the timeout after each message, and only then: a silent peer is waited for whatever it says, and
 * what is left of it is what was left after the last one. */
static long receive_messages(struct mt__block *block, struct many *many, struct timespec *timeout)
{
    while (many->done < many->count) {
        long result = receive_some_later(block, many);
        if (result <= 0)
            return many->done ? (long)many->done : result == -ETIME ? -EAGAIN : result;
        many->done += (unsigned)result;
        if (many->deadline != MT_FOREVER)
            *timeout = left_until(many->deadline);
        if (many->flags & MSG_WAITFORONE || (many->deadline != MT_FOREVER && !timeout->tv_sec && !timeout->tv_nsec))
            break;
    }
    return (long)many->done;
}

MT__PATCHED int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    struct mt__block block = MT__BLOCK_IN(fd, recvmmsg);
    struct many many = {messages, count, 0, 0, MT_FOREVER};
    struct mt__patch_call call;

    if (!mt__patched(SOCKET) || goes_to_kernel(fd, &flags) || !messages || !count ||
        (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)))
        return mt__libc(recvmmsg)(fd, messages, count, flags, timeout);
    call = mt__patch_begin_fair();
    many.flags = flags;
    if (timeout && timeout->tv_sec < INT64_MAX / 2000000000)
        many.deadline = mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
    return (int)mt__patch_end(call, receive_messages(&block, &many, timeout));
}

/* Does not wait. That there are sockets which ask for more than one byte is remembered, as each receive would have to
 * ask its socket otherwise; one that comes with the option from another program, by exec or in a message, is not known.
 */
MT__PATCHED int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    if (level == SOL_SOCKET && name == SO_RCVLOWAT)
        __atomic_store_n(&sets_least, 1, __ATOMIC_RELAXED);
    return mt__libc(setsockopt)(fd, level, name, value, size);
}
