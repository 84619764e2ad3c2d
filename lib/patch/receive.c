/* SPDX-License-Identifier: MIT
 *
 * Receiving from sockets. What MSG_WAITALL is here coro/receive-all.c says; MSG_OOB and MSG_ERRQUEUE never wait, and
 * are the kernel's.
 */
#include "patch/fd.h"
#include "coro/receive-all.h"
#include "patch/undeclared.h"

#include <linux/io_uring.h>
#include <time.h>

#define MOST    0x7ffff000u /* bytes that the kernel takes in one call */
#define AT_ONCE (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

/* It would block, and there is a ring: that makes the call. */
static long receive_later(struct mt__block *block, void *buffer, size_t size, int flags)
{
    struct mt__io io = {.opcode = IORING_OP_RECV,
                        .fd = block->fd,
                        .address = (uint64_t)(uintptr_t)buffer,
                        .length = size < MOST ? (uint32_t)size : MOST,
                        .flags = (uint32_t)flags};
    long result = mt__block_ask(block);

    if (result)
        return result;
    result = mt__patch_ring(&io, block->deadline, block->number);
    return result == -ETIME ? -EAGAIN : result;
}

/* Without MSG_WAITALL. */
static long receive(struct mt__block *block, void *buffer, size_t size, int flags, struct sockaddr *address,
                    socklen_t *length)
{
    long result;

    for (;;) {
        result = mt__sys(SYS_recvfrom, block->fd, buffer, size, flags | MSG_DONTWAIT, address, length);
        if (result != -EAGAIN)
            return result;
        if (!address && mt__patch_has_ring())
            return receive_later(block, buffer, size, flags);
        result = mt__block(block);
        if (result)
            return result;
    }
}

long mt__receive(struct mt__block *block, void *buffer, size_t size, int flags, struct sockaddr *address,
                 socklen_t *length)
{
    struct iovec vector = {buffer, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    long result;

    if (!mt__waits_for_all(block->fd, flags))
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

static long receive_piece(struct mt__block *block, struct msghdr *message, int flags)
{
    struct msghdr before = *message;
    long result;

    while ((result = mt__sys(SYS_recvmsg, block->fd, message, (flags & ~MSG_WAITALL) | MSG_DONTWAIT)) == -EAGAIN) {
        *message = before;
        result = mt__block(block);
        if (result)
            break;
    }
    return result;
}

/* After a piece. It is waited for first, as an attempt would take an error along. 0: there is to be no more. */
static long receive_next_piece(struct mt__block *block, struct msghdr *message, int flags)
{
    const struct msghdr none = {.msg_iov = NULL};
    struct mt__block first = *block;
    long result;

    first.events |= POLLPRI;
    result = mt__block(&first);
    if (result || !mt__receive_goes_on(block->fd, &none))
        return result;
    return receive_piece(block, message, flags);
}

static long receive_pieces(struct mt__block *block, struct msghdr *message, int flags)
{
    struct msghdr rest = *message;
    struct mt__vectors vectors;
    size_t done = 0, size = mt__vectors_size(message->msg_iov, message->msg_iovlen);
    long result;

    if (mt__vectors_copy(&vectors, message->msg_iov, message->msg_iovlen))
        return -ENOMEM;
    for (;;) {
        rest.msg_iov = vectors.at;
        rest.msg_iovlen = vectors.count;
        result = (done ? receive_next_piece : receive_piece)(block, &rest, flags);
        if (result <= 0)
            break;
        done += (size_t)result;
        if (done >= size || !mt__receive_goes_on(block->fd, &rest))
            break;
        mt__vectors_advance(&vectors, (size_t)result);
        rest.msg_controllen = message->msg_controllen;
        rest.msg_namelen = message->msg_namelen;
    }
    mt__vectors_free(&vectors);
    if (result < 0 && done)
        rest.msg_controllen = 0;
    if (result >= 0 || done) {
        message->msg_namelen = rest.msg_namelen;
        message->msg_controllen = rest.msg_controllen;
        message->msg_flags = rest.msg_flags;
    }
    return done ? (long)done : result;
}

/* See coro/receive-all.c. */
static long peek_until_all(int watch, struct mt__block *block, struct msghdr *message, int flags)
{
    size_t size = mt__vectors_size(message->msg_iov, message->msg_iovlen);
    struct msghdr seen = *message;
    int is_all, error = mt__block_ask(block);
    long result;

    for (;;) {
        if (error == -EBADF) /* closed meanwhile: its number may be another's */
            return error;
        is_all = mt__more_seen(watch, block->fd) || error;
        seen = *message;
        result = mt__sys(SYS_recvmsg, block->fd, &seen, flags | MSG_DONTWAIT);
        if (result != -EAGAIN && (result < 0 || (size_t)result >= size || is_all))
            break;
        if (error)
            return error == -ETIME ? -EAGAIN : error;
        error = mt__patch_wait_more(watch, block->fd, block->deadline == MT_FOREVER ? 0 : MT__WAIT_INTERRUPT_ALWAYS,
                                    block->deadline, mt__names[block->number].name);
    }
    if (result >= 0)
        *message = seen;
    return result;
}

static long peek_all(struct mt__block *block, struct msghdr *message, int flags)
{
    int watch = mt__more_watch(block->fd);
    long result;

    if (watch < 0)
        return watch;
    result = peek_until_all(watch, block, message, flags);
    mt__own_close(watch);
    return result;
}

long mt__receive_message(struct mt__block *block, struct msghdr *message, int flags)
{
    if (!mt__waits_for_all(block->fd, flags))
        return receive_piece(block, message, flags);
    if (!(flags & MSG_PEEK))
        return receive_pieces(block, message, flags);
    return mt__peeks_all(block->fd) ? peek_all(block, message, flags) : receive_piece(block, message, flags);
}

/* -- The names ---------------------------------------------------------------------------------------------------- */

static int goes_to_kernel(int flags)
{
    return (flags & AT_ONCE) != 0;
}

MT__PATCHED ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
    struct mt__block block = MT__BLOCK_IN(fd, recvfrom);
    struct mt__patch_call call;

    if (!mt__patched(SOCKET) || goes_to_kernel(flags))
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

    if (!mt__patched(SOCKET) || goes_to_kernel(flags) || !message)
        return mt__libc(recvmsg)(fd, message, flags);
    call = mt__patch_begin_fair();
    return mt__patch_end(call, mt__receive_message(&block, message, flags));
}

static long receive_some(struct mt__block *block, struct mmsghdr *messages, unsigned count, int flags)
{
    long result;

    if (!(flags & MSG_WAITALL))
        return mt__sys(SYS_recvmmsg, block->fd, messages, count, (flags & ~MSG_WAITFORONE) | MSG_DONTWAIT, NULL);
    result = mt__receive_message(block, &messages->msg_hdr, flags & ~MSG_WAITFORONE);
    if (result < 0)
        return result == -EAGAIN ? -ETIME : result; /* it has waited as long as it may */
    messages->msg_len = (unsigned)result;
    if (!(flags & MSG_WAITFORONE) || count < 2)
        return 1;
    result = mt__sys(SYS_recvmmsg, block->fd, messages + 1, count - 1, flags | MSG_DONTWAIT, NULL);
    return 1 + (result > 0 ? result : 0);
}

/* The kernel looks at the timeout after each message, and only then: a silent peer is waited for whatever it says. */
static long receive_messages(struct mt__block *block, struct mmsghdr *messages, unsigned count, int flags,
                             mt_deadline deadline)
{
    unsigned done = 0;
    long result;

    while (done < count) {
        result = receive_some(block, messages + done, deadline == MT_FOREVER ? count - done : 1, flags);
        if (result > 0) {
            done += (unsigned)result;
            if (flags & MSG_WAITFORONE || (deadline != MT_FOREVER && mt_now() >= deadline))
                break;
            continue;
        }
        if (result == -EAGAIN)
            result = mt__block(block);
        if (result)
            return done ? (long)done : result == -ETIME ? -EAGAIN : result;
    }
    return (long)done;
}

MT__PATCHED int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    struct mt__block block = MT__BLOCK_IN(fd, recvmmsg);
    struct mt__patch_call call;
    mt_deadline deadline = MT_FOREVER;
    int64_t left;
    long result;

    if (!mt__patched(SOCKET) || goes_to_kernel(flags) || !messages ||
        (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)))
        return mt__libc(recvmmsg)(fd, messages, count, flags, timeout);
    call = mt__patch_begin_fair();
    if (timeout && timeout->tv_sec < INT64_MAX / 2000000000)
        deadline = mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
    result = receive_messages(&block, messages, count, flags, deadline);
    if (timeout && deadline != MT_FOREVER && result > 0) {
        left = deadline - mt_now();
        *timeout = left > 0 ? (struct timespec){left / 1000000000, left % 1000000000} : (struct timespec){0, 0};
    }
    return (int)mt__patch_end(call, result);
}
