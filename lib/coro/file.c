/* SPDX-License-Identifier: MIT
 *
 * Reading, writing, opening and closing.
 *
 * An attempt that does not block, on a descriptor whose O_NONBLOCK is the user's own affair: preadv2(2) with RWF_NOWAIT
 * where the file knows it. Where it does not (EOPNOTSUPP), and where "would block" comes from the disk and poll(2) says
 * ready nonetheless (regular files), it is the ordinary call, after poll has said that it will not wait.
 */
#include "coro/io.h"
#include "base/own.h"

#include <fcntl.h>
#include <linuxmt/io.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#if HAVE_URING
#include <liburing.h>
#else
enum { IORING_OP_READ = 0, IORING_OP_WRITE = 0, IORING_OP_OPENAT = 0, IORING_OP_FSYNC = 0 };
#endif

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

static int is_ready(const struct mt__call *call)
{
    struct pollfd look = {.fd = call->io.fd, .events = call->events};

    return poll(&look, 1, 0) == 1;
}

static long plainly(const struct mt__call *call)
{
    if (call->events == POLLIN)
        return call->offset < 0 ? mt__sys(SYS_read, call->io.fd, call->buffer, call->size)
                                : mt__sys(SYS_pread64, call->io.fd, call->buffer, call->size, call->offset);
    return call->offset < 0 ? mt__sys(SYS_write, call->io.fd, call->buffer, call->size)
                            : mt__sys(SYS_pwrite64, call->io.fd, call->buffer, call->size, call->offset);
}

static long transfer(struct mt__call *call)
{
    struct iovec vector = {(void *)(uintptr_t)call->buffer, call->size};
    long result = mt__sys(call->events == POLLIN ? SYS_preadv2 : SYS_pwritev2, call->io.fd, &vector, 1, call->offset,
                          call->offset < 0 ? -1l : 0l, RWF_NOWAIT);

    if (result != -EOPNOTSUPP && result != -EAGAIN && result != -ENOSYS)
        return result;
    if (call->size && !is_ready(call))
        return -EAGAIN;
    return plainly(call);
}

static long move(int fd, const void *buffer, size_t size, off_t offset, int reads, mt_deadline deadline,
                 const char *place)
{
    struct mt__call call = {
        .io = {.opcode = reads ? IORING_OP_READ : IORING_OP_WRITE,
               .fd = fd,
               .address = (uintptr_t)buffer,
               .length = size < 0x7ffff000 ? (uint32_t)size : 0x7ffff000u,
               .offset = (uint64_t)offset},
        .events = reads ? POLLIN : POLLOUT,
        .attempt = transfer,
        .buffer = buffer,
        .size = size,
        .offset = offset,
    };

    return mt__io_call(&call, deadline, place);
}

ssize_t mt__read(int fd, void *buffer, size_t size, mt_deadline deadline, const char *place)
{
    return move(fd, buffer, size, -1, 1, deadline, place);
}

ssize_t mt__write(int fd, const void *buffer, size_t size, mt_deadline deadline, const char *place)
{
    return move(fd, buffer, size, -1, 0, deadline, place);
}

ssize_t mt__pread(int fd, void *buffer, size_t size, off_t offset, mt_deadline deadline, const char *place)
{
    return offset < 0 ? -EINVAL : move(fd, buffer, size, offset, 1, deadline, place);
}

ssize_t mt__pwrite(int fd, const void *buffer, size_t size, off_t offset, mt_deadline deadline, const char *place)
{
    return offset < 0 ? -EINVAL : move(fd, buffer, size, offset, 0, deadline, place);
}

int mt__read_all(int fd, void *buffer, size_t size, size_t *done, mt_deadline deadline, const char *place)
{
    size_t at = 0;
    ssize_t result = 0;

    while (at < size && (result = mt__read(fd, (char *)buffer + at, size - at, deadline, place)) > 0)
        at += (size_t)result;
    if (done)
        *done = at;
    return at == size ? 0 : result == 0 ? -EPIPE : (int)result;
}

int mt__write_all(int fd, const void *buffer, size_t size, size_t *done, mt_deadline deadline, const char *place)
{
    size_t at = 0;
    ssize_t result = 0;

    while (at < size && (result = mt__write(fd, (const char *)buffer + at, size - at, deadline, place)) >= 0)
        at += (size_t)result;
    if (done)
        *done = at;
    return at == size ? 0 : (int)result;
}

/* -- Files -------------------------------------------------------------------------------------------------------- */

static long open_now(struct mt__call *call)
{
    return mt__sys(SYS_openat, AT_FDCWD, call->buffer, call->flags, call->size);
}

int mt__open(const char *path, int flags, unsigned mode, mt_deadline deadline, const char *place)
{
    struct mt__call call = {
        .io = {.opcode = IORING_OP_OPENAT,
               .fd = AT_FDCWD,
               .address = (uintptr_t)path,
               .length = mode,
               .flags = (uint32_t)(flags | O_CLOEXEC)},
        .attempt = open_now,
        .buffer = path,
        .size = mode,
        .flags = flags | O_CLOEXEC,
    };

    return (int)mt__io_call(&call, deadline, place);
}

static long sync_now(struct mt__call *call)
{
    return mt__sys(SYS_fsync, call->io.fd);
}

int mt__fsync(int fd, mt_deadline deadline, const char *place)
{
    struct mt__call call = {.io = {.opcode = IORING_OP_FSYNC, .fd = fd}, .attempt = sync_now};

    return (int)mt__io_call(&call, deadline, place);
}

int mt_close(int fd)
{
    if (mt__own_has(fd))
        return -EBADF;
    if (mt__hub) {
        mt__io_forget(mt__hub, fd);
        mt__hub->loop->closing(mt__hub, fd);
    }
    return (int)mt__sys(SYS_close, fd);
}
