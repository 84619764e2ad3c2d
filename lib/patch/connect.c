/* SPDX-License-Identifier: MIT
 *
 * Connections. Neither connect nor accept has a flag for an attempt that does not block, so where there is a ring it
 * makes the call (unless the descriptor is O_NONBLOCK: a ring waits also then). Elsewhere connect begins with
 * O_NONBLOCK set for the moment, and is called once more when the socket has its result, which both tells it and brings
 * the socket into the state that a connect which waits leaves; for accept see coro/accept.c.
 */
#include "patch/fd.h"
#include "coro/accept.h"
#include "patch/undeclared.h"

#include <fcntl.h>
#include <linux/io_uring.h>

/* A connect that would wait although its socket is O_NONBLOCK now: Unix sockets, whose peer's queue is full. */
static long connect_off(int fd, const struct sockaddr *address, socklen_t length)
{
    return mt__off_hub_int(connect, fd, (long)address, length);
}

static long connect_now(int fd, long flags, const struct sockaddr *address, socklen_t length)
{
    long result;

    mt__sys(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
    result = mt__sys(SYS_connect, fd, address, length);
    mt__sys(SYS_fcntl, fd, F_SETFL, flags);
    return result;
}

static long connect_by_attempts(int fd, const struct sockaddr *address, socklen_t length)
{
    struct mt__block block = MT__BLOCK_OUT(fd, connect);
    long flags = mt__sys(SYS_fcntl, fd, F_GETFL), result;

    for (;;) {
        result = connect_now(fd, flags, address, length);
        if (result == -EAGAIN)
            return connect_off(fd, address, length);
        if (result != -EINPROGRESS && result != -EALREADY)
            return result;
        result = mt__block(&block);
        if (result)
            return result == -EAGAIN ? -EINPROGRESS : result;
    }
}

MT__PATCHED int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct mt__block block = MT__BLOCK_OUT(fd, connect);
    struct mt__patch_call call;
    struct mt__io io = {
        .opcode = IORING_OP_CONNECT, .fd = fd, .address = (uint64_t)(uintptr_t)address, .offset = length};
    long result;

    if (!mt__patched(SOCKET) || mt__fd_is_nonblocking(fd))
        return mt__libc(connect)(fd, address, length);
    call = mt__patch_begin();
    result = mt__patch_ring(&io, mt__block_deadline(&block), MT__N_connect);
    if (result == -ENOSYS)
        result = connect_by_attempts(fd, address, length);
    return (int)mt__patch_end(call, result == -ETIME ? -EINPROGRESS : result);
}

MT__PATCHED int __connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length);
}

static long accept_by_attempts(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct mt__block block = MT__BLOCK_IN(fd, accept);
    long result;

    while ((result = mt__accept_now(fd, address, length, flags)) == -EAGAIN) {
        result = mt__block(&block);
        if (result)
            break;
    }
    return result;
}

static int take(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct mt__block block = MT__BLOCK_IN(fd, accept);
    struct mt__patch_call call = mt__patch_begin();
    struct mt__io io = {.opcode = IORING_OP_ACCEPT,
                        .fd = fd,
                        .address = (uint64_t)(uintptr_t)address,
                        .offset = (uint64_t)(uintptr_t)length,
                        .flags = (uint32_t)flags};
    long result = mt__patch_ring(&io, mt__block_deadline(&block), MT__N_accept);

    if (result == -ENOSYS)
        result = accept_by_attempts(fd, address, length, flags);
    return (int)mt__patch_end(call, result == -ETIME ? -EAGAIN : result);
}

MT__PATCHED int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    if (!mt__patched(SOCKET) || mt__fd_is_nonblocking(fd))
        return mt__libc(accept)(fd, address, length);
    return take(fd, address, length, 0);
}

MT__PATCHED int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    if (!mt__patched(SOCKET) || flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) || mt__fd_is_nonblocking(fd))
        return mt__libc(accept4)(fd, address, length, flags);
    return take(fd, address, length, flags);
}
