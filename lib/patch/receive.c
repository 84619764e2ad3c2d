/* SPDX-License-Identifier: MIT
 *
 * Receiving from sockets. MSG_WAITALL is waited for here, piece by piece; with MSG_PEEK, where the pieces stay, and
 * with MSG_OOB and MSG_ERRQUEUE, which never wait, it is the kernel's.
 */
#include "patch/fd.h"
#include "patch/undeclared.h"

#include <linux/io_uring.h>
#include <time.h>

#define MOST    0x7ffff000u /* bytes that the kernel takes in one call */
#define AT_ONCE (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

static int is_stream(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;

    return !mt__sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM;
}

/* Whether `got` bytes of `size` are all that the caller is to have. */
static int is_enough(const struct mt__block *block, long got, size_t size, int flags)
{
    return got <= 0 || (size_t)got >= size || !(flags & MSG_WAITALL) || !is_stream(block->fd);
}

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

long mt__receive(struct mt__block *block, void *buffer, size_t size, int flags, struct sockaddr *address,
                 socklen_t *length)
{
    size_t done = 0;
    long result;

    for (;;) {
        result =
            mt__sys(SYS_recvfrom, block->fd, (char *)buffer + done, size - done, flags | MSG_DONTWAIT, address, length);
        if (result == -EAGAIN && !address && !(flags & MSG_WAITALL) && mt__patch_has_ring()) {
            result = receive_later(block, buffer, size, flags);
        } else if (result == -EAGAIN) {
            result = mt__block(block);
            if (!result)
                continue;
        } else if (!is_enough(block, result, size - done, flags)) {
            done += (size_t)result;
            continue;
        }
        return !done ? result : (long)done + (result > 0 ? result : 0);
    }
}

long mt__receive_message(struct mt__block *block, struct msghdr *message, int flags)
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
        result = mt__sys(SYS_recvmsg, block->fd, &rest, flags | MSG_DONTWAIT);
        if (result == -EAGAIN) {
            result = mt__block(block);
            if (!result)
                continue;
        } else if (!rest.msg_controllen && !is_enough(block, result, size - done, flags)) {
            done += (size_t)result;
            mt__vectors_advance(&vectors, (size_t)result);
            rest.msg_controllen = message->msg_controllen;
            continue;
        }
        break;
    }
    mt__vectors_free(&vectors);
    if (result >= 0 || done) {
        if (result >= 0) {
            message->msg_namelen = rest.msg_namelen;
            message->msg_controllen = rest.msg_controllen;
            message->msg_flags = rest.msg_flags;
        }
        return (long)done + (result > 0 ? result : 0);
    }
    return result;
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
    long result;

    if (!mt__patched(SOCKET) || goes_to_kernel(flags))
        return mt__libc(recvfrom)(fd, buffer, size, flags, address, length);
    call = mt__patch_begin();
    if ((flags & (MSG_PEEK | MSG_WAITALL)) == (MSG_PEEK | MSG_WAITALL)) {
        result = mt__off_hub(recvfrom, fd, (long)buffer, (long)size, flags, (long)address, (long)length);
        return mt__patch_end(call, result);
    }
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
    long result;

    if (!mt__patched(SOCKET) || goes_to_kernel(flags) || !message)
        return mt__libc(recvmsg)(fd, message, flags);
    call = mt__patch_begin();
    if ((flags & (MSG_PEEK | MSG_WAITALL)) == (MSG_PEEK | MSG_WAITALL)) {
        result = mt__off_hub(recvmsg, fd, (long)message, flags);
        return mt__patch_end(call, result);
    }
    return mt__patch_end(call, mt__receive_message(&block, message, flags));
}

/* The kernel looks at the timeout after each message, and only then: a silent peer is waited for whatever it says. */
static long receive_messages(struct mt__block *block, struct mmsghdr *messages, unsigned count, int flags,
                             mt_deadline deadline)
{
    unsigned done = 0;
    long result;

    while (done < count) {
        result = mt__sys(SYS_recvmmsg, block->fd, messages + done, deadline == MT_FOREVER ? count - done : 1,
                         (flags & ~MSG_WAITFORONE) | MSG_DONTWAIT, NULL);
        if (result > 0) {
            done += (unsigned)result;
            if (flags & MSG_WAITFORONE || (deadline != MT_FOREVER && mt_now() >= deadline))
                break;
            continue;
        }
        if (result == -EAGAIN)
            result = mt__block(block);
        if (result)
            return done ? (long)done : result;
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

    if (!mt__patched(SOCKET) || goes_to_kernel(flags) || !messages || flags & (MSG_PEEK | MSG_WAITALL) ||
        (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)))
        return mt__libc(recvmmsg)(fd, messages, count, flags, timeout);
    call = mt__patch_begin();
    if (timeout && timeout->tv_sec < INT64_MAX / 2000000000)
        deadline = mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
    result = receive_messages(&block, messages, count, flags, deadline);
    if (timeout && deadline != MT_FOREVER && result > 0) {
        left = deadline - mt_now();
        *timeout = left > 0 ? (struct timespec){left / 1000000000, left % 1000000000} : (struct timespec){0, 0};
    }
    return (int)mt__patch_end(call, result);
}
