/* SPDX-License-Identifier: MIT
 *
 * Receiving from sockets: at once, by the ring, or by attempts. What receives have in common is in receive-wait.c, and
 * recvmmsg in receive-many.c.
 */
#include "patch/receive.h"
#include "patch/belief.h"
#include "coro/receive-all.h"
#include "patch/undeclared.h"

#include <linux/io_uring.h>

#ifndef IORING_RECVSEND_POLL_FIRST
#define IORING_RECVSEND_POLL_FIRST (1U << 0)
#endif

#define MOST 0x7ffff000u /* bytes that the kernel takes in one call */

/* -- By the ring -------------------------------------------------------------------------------------------------- */

/* A socket whose last receive has waited, and has left nothing, is likely to have nothing yet when it is asked again:
 * so it is not tried in vain. A guess, as in coro/io.c, which costs time if it is wrong, and nothing else. */
static uint8_t *drained(int fd)
{
    struct mt__attempts *attempts = &mt__hub->attempts;

    return &attempts->drained[(unsigned)fd % sizeof attempts->drained];
}

static int is_expected(int fd)
{
    return mt__patch_has_ring() && *drained(fd) && !__atomic_load_n(&mt__running->cancel, __ATOMIC_ACQUIRE);
}

/* 0: it may wait, until block->deadline, or so it is believed; else the result. */
static int may_wait(struct mt__block *block)
{
    uint32_t version = mt__beliefs_version();
    int error;

    if (block->known)
        return 0;
    block->deadline = MT_FOREVER;
    if (mt__is_believed(block->fd))
        return 0;
    error = mt__block_ask(block);
    if (!error && block->deadline == MT_FOREVER)
        mt__believe(block->fd, version);
    return error;
}

/* See coro/terms.c. */
static int ask(const struct mt__io *io, mt_deadline *until)
{
    struct mt__block block = {.fd = io->fd, .events = POLLIN};
    int error;

    *until = MT_FOREVER;
    if (mt__belief_is_over(io->fd))
        return 0;
    error = mt__block_ask(&block);
    if (!error)
        *until = block.deadline;
    if (error || *until != MT_FOREVER)
        mt__refute(io->fd);
    return error;
}

/* There is a ring: that makes the call. */
static long receive_later(struct mt__block *block, void *buffer, size_t size, int flags)
{
    struct mt__io io = {.opcode = IORING_OP_RECV,
                        .fd = block->fd,
                        .address = (uint64_t)(uintptr_t)buffer,
                        .length = size < MOST ? (uint32_t)size : MOST,
                        .flags = (uint32_t)flags,
                        .hints = IORING_RECVSEND_POLL_FIRST,
                        .ask = block->known ? NULL : ask};
    long result = mt__patch_ring(&io, block->deadline, block->number);

    if (result == -EINVAL) { /* also the answer of a kernel that does not know the hint */
        io.hints = 0;
        result = mt__patch_ring(&io, block->deadline, block->number);
    }
    *drained(block->fd) = result > 0 && !io.left_some;
    return mt__receive_at_last(block->fd, result == -ETIME ? -EAGAIN : result);
}

/* -- At once ------------------------------------------------------------------------------------------------------ */

static long receive(struct mt__block *block, void *buffer, size_t size, int flags, struct sockaddr *address,
                    socklen_t *length)
{
    long result, more = 0;
    int waited = 0;

    if (!address && is_expected(block->fd) && !may_wait(block))
        return receive_later(block, buffer, size, flags);
    for (;;) {
        result = mt__sys(SYS_recvfrom, block->fd, buffer, size, flags | MSG_DONTWAIT, address, length);
        if (result != -EAGAIN)
            return result;
        if (more || mt__receive_is_nothing(block->fd, size)) {
            result = more ? mt__receive_at_last(block->fd, result) : mt__receive_nothing(block);
            if (!result && length)
                *length = 0;
            return result;
        }
        if (!address && mt__patch_has_ring()) {
            result = may_wait(block);
            return result ? result : receive_later(block, buffer, size, flags);
        }
        more = mt__receive_wait(block, &waited);
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

    if (!(flags & MSG_PEEK) && !mt__receive_least(block->fd, size, flags))
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
        if (is_all && mt__socket_is_shut(block->fd)) {
            mt__receive_tell_nothing(message, flags);
            return 0;
        }
        if (error)
            return error == -ETIME ? -EAGAIN : error;
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
        if (more || mt__receive_is_nothing(block->fd, size)) {
            result = more ? mt__receive_at_last(block->fd, result) : mt__receive_nothing(block);
            if (!result)
                mt__receive_tell_nothing(message, flags);
            return result;
        }
        if (flags & MSG_PEEK && mt__socket_option(block->fd, SO_PEEK_OFF) >= 0)
            return peek(block, message, flags, 0);
        more = mt__receive_wait(block, &waited);
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
    size_t enough = mt__receive_least(block->fd, mt__vectors_size(message->msg_iov, message->msg_iovlen), flags);

    if (!enough || (flags & MSG_PEEK && !mt__peeks_all(block->fd)))
        return receive_piece(block, message, flags);
    return flags & MSG_PEEK ? peek(block, message, flags, enough) : receive_pieces(block, message, flags, enough);
}

/* -- The names ---------------------------------------------------------------------------------------------------- */

MT__PATCHED ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
    struct mt__block block = MT__BLOCK_IN(fd, recvfrom);
    struct mt__patch_call call;

    if (!mt__patched(SOCKET) || mt__receive_is_kernels(fd, &flags))
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

    if (!mt__patched(SOCKET) || mt__receive_is_kernels(fd, &flags) || !message)
        return mt__libc(recvmsg)(fd, message, flags);
    call = mt__patch_begin_fair();
    return mt__patch_end(call, mt__receive_message(&block, message, flags));
}
