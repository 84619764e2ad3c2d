/* SPDX-License-Identifier: MIT
 *
 * Sockets. Their calls have a flag of their own for an attempt that does not block, MSG_DONTWAIT, but for two: for
 * accept see coro/accept.c, and connect needs O_NONBLOCK while it begins.
 */
#include "coro/accept.h"
#include "coro/io.h"
#include "coro/receive-all.h"

#include <fcntl.h>
#include <linuxmt/io.h>
#include <poll.h>
#include <sys/socket.h>

#if HAVE_URING
#include <liburing.h>
#else
enum {
    IORING_OP_RECV = 0,
    IORING_OP_SEND = 0,
    IORING_OP_RECVMSG = 0,
    IORING_OP_SENDMSG = 0,
    IORING_OP_ACCEPT = 0,
    IORING_OP_CONNECT = 0
};
#endif

/* Flags with which to receive says nothing about what is left, or an attempt does not do the same. */
#define UNUSUAL (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_WAITALL)

static long receive(struct mt__call *call)
{
    return mt__sys(SYS_recvfrom, call->io.fd, call->buffer, call->size, call->flags | MSG_DONTWAIT, NULL, NULL);
}

static long transmit(struct mt__call *call)
{
    return mt__sys(SYS_sendto, call->io.fd, call->buffer, call->size, call->flags | MSG_DONTWAIT, NULL, 0);
}

static uint32_t length_of(size_t size)
{
    return size < 0x7ffff000 ? (uint32_t)size : 0x7ffff000u;
}

ssize_t mt__recv(int fd, void *buffer, size_t size, int flags, mt_deadline deadline, const char *place)
{
    struct mt__call call = {
        .io = {.opcode = IORING_OP_RECV,
               .fd = fd,
               .address = (uintptr_t)buffer,
               .length = length_of(size),
               .flags = (uint32_t)flags},
        .events = POLLIN,
        .attempt = receive,
        .direct = flags & UNUSUAL ? MT__DIRECT_NOT : MT__DIRECT_RECEIVE,
        .buffer = buffer,
        .size = size,
        .flags = flags,
    };

    if (deadline != MT_NOWAIT && mt__waits_for_all(fd, flags)) {
        struct iovec vector = {buffer, size};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        return mt__receive_all(fd, &message, flags, deadline, place);
    }
    return mt__io_call(&call, flags & MSG_DONTWAIT ? MT_NOWAIT : deadline, place);
}

ssize_t mt__send(int fd, const void *buffer, size_t size, int flags, mt_deadline deadline, const char *place)
{
    struct mt__call call = {
        .io = {.opcode = IORING_OP_SEND,
               .fd = fd,
               .address = (uintptr_t)buffer,
               .length = length_of(size),
               .flags = (uint32_t)flags | MSG_NOSIGNAL},
        .events = POLLOUT,
        .attempt = transmit,
        .direct = MT__DIRECT_SEND,
        .buffer = buffer,
        .size = size,
        .flags = flags | MSG_NOSIGNAL,
    };

    return mt__io_call(&call, flags & MSG_DONTWAIT ? MT_NOWAIT : deadline, place);
}

static long receive_message(struct mt__call *call)
{
    return mt__sys(SYS_recvmsg, call->io.fd, call->buffer, call->flags | MSG_DONTWAIT);
}

static long transmit_message(struct mt__call *call)
{
    return mt__sys(SYS_sendmsg, call->io.fd, call->buffer, call->flags | MSG_DONTWAIT);
}

ssize_t mt__recvmsg(int fd, struct msghdr *message, int flags, mt_deadline deadline, const char *place)
{
    struct mt__call call = {
        .io = {.opcode = IORING_OP_RECVMSG,
               .fd = fd,
               .address = (uintptr_t)message,
               .length = 1,
               .flags = (uint32_t)flags},
        .events = POLLIN,
        .attempt = receive_message,
        .direct = flags & UNUSUAL ? MT__DIRECT_NOT : MT__DIRECT_RECEIVE,
        .buffer = message,
        .flags = flags,
    };

    if (deadline != MT_NOWAIT && mt__waits_for_all(fd, flags))
        return mt__receive_all(fd, message, flags, deadline, place);
    return mt__io_call(&call, flags & MSG_DONTWAIT ? MT_NOWAIT : deadline, place);
}

ssize_t mt__sendmsg(int fd, const struct msghdr *message, int flags, mt_deadline deadline, const char *place)
{
    struct mt__call call = {
        .io = {.opcode = IORING_OP_SENDMSG,
               .fd = fd,
               .address = (uintptr_t)message,
               .length = 1,
               .flags = (uint32_t)flags | MSG_NOSIGNAL},
        .events = POLLOUT,
        .attempt = transmit_message,
        .direct = MT__DIRECT_SEND,
        .buffer = message,
        .flags = flags | MSG_NOSIGNAL,
    };

    return mt__io_call(&call, flags & MSG_DONTWAIT ? MT_NOWAIT : deadline, place);
}

/* -- Connections -------------------------------------------------------------------------------------------------- */

static long take_connection(struct mt__call *call)
{
    return mt__accept_now(call->io.fd, (struct sockaddr *)(uintptr_t)call->io.address,
                          (unsigned *)(uintptr_t)call->io.offset, call->flags);
}

int mt__accept(int fd, struct sockaddr *address, unsigned *size, int flags, mt_deadline deadline, const char *place)
{
    struct mt__call call = {
        .io = {.opcode = IORING_OP_ACCEPT,
               .fd = fd,
               .address = (uintptr_t)address,
               .offset = (uintptr_t)size,
               .flags = (uint32_t)flags},
        .events = POLLIN,
        .attempt = take_connection,
        .flags = flags,
    };

    return (int)mt__io_call(&call, deadline, place);
}

/* Begins, or looks how far it has come: `flags` says which. */
static long try_to_connect(struct mt__call *call)
{
    int error = 0, flags;
    socklen_t size = sizeof error;
    struct pollfd look = {.fd = call->io.fd, .events = POLLOUT};
    long result;

    if (call->flags) {
        if (poll(&look, 1, 0) == 0)
            return -EAGAIN;
        result = mt__sys(SYS_getsockopt, call->io.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        return result < 0 ? result : -error;
    }
    flags = fcntl(call->io.fd, F_GETFL);
    if (flags < 0)
        return -errno;
    if (!(flags & O_NONBLOCK))
        fcntl(call->io.fd, F_SETFL, flags | O_NONBLOCK);
    result = mt__sys(SYS_connect, call->io.fd, call->buffer, call->size);
    if (!(flags & O_NONBLOCK))
        fcntl(call->io.fd, F_SETFL, flags);
    if (result != -EINPROGRESS && result != -EALREADY)
        return result;
    call->flags = 1;
    return -EAGAIN;
}

int mt__connect(int fd, const struct sockaddr *address, unsigned size, mt_deadline deadline, const char *place)
{
    struct mt__call call = {
        .io = {.opcode = IORING_OP_CONNECT, .fd = fd, .address = (uintptr_t)address, .offset = size},
        .events = POLLOUT,
        .attempt = try_to_connect,
        .buffer = address,
        .size = size,
    };

    return (int)mt__io_call(&call, deadline, place);
}
