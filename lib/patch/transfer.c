/* SPDX-License-Identifier: MIT
 *
 * read, write and their kin, on whatever the descriptor is:
 *
 *   a socket          as recvmsg and sendmsg without flags
 *   on a disk         what is in memory is read at once, and the rest off the hub; what is written goes to
 *                     memory, at once, or off the hub if it is much, or is to be on the disk by the return
 *   anything else     tried with RWF_NOWAIT and waited for; where the file does not know that flag it is the
 *                     plain call once poll says ready, which for a pipe is good for PIPE_BUF bytes
 */
#include "patch/fd.h"
#include "patch/undeclared.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

#define MUCH     65536
#define TTY_MUCH 1024

struct transfer {
    struct mt__block block;
    struct mt__vectors vectors;
    size_t size, done;
    off_t offset; /* -1: the file's own */
    int flags;
    int writes;
};

static long call(const struct transfer *transfer, int flags)
{
    off_t offset = transfer->offset < 0 ? -1 : transfer->offset + (off_t)transfer->done;

    return mt__sys(transfer->writes ? SYS_pwritev2 : SYS_preadv2, transfer->block.fd, transfer->vectors.at,
                   transfer->vectors.count, offset, offset < 0 ? -1l : 0l, transfer->flags | flags);
}

struct plain {
    const struct transfer *transfer;
    long result;
};

static void call_plainly(void *arg)
{
    struct plain *plain = arg;

    plain->result = call(plain->transfer, 0);
}

static long off_the_hub(struct transfer *transfer)
{
    struct plain plain = {.transfer = transfer};

    mt__patch_off(call_plainly, &plain, transfer->block.number);
    return plain.result;
}

/* -- What it is --------------------------------------------------------------------------------------------------- */

enum nature { DISK, PIPE, TTY, OTHER };

static enum nature nature_of(int fd)
{
    struct stat stat;

    if (fstat(fd, &stat))
        return OTHER;
    if (S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode) || S_ISDIR(stat.st_mode))
        return DISK;
    return S_ISFIFO(stat.st_mode) ? PIPE : S_ISCHR(stat.st_mode) && isatty(fd) ? TTY : OTHER;
}

/* With a timeout of its own between bytes, which only the kernel keeps. */
static int is_timed(int fd)
{
    struct termios termios;

    return !tcgetattr(fd, &termios) && !(termios.c_lflag & ICANON) && termios.c_cc[VTIME];
}

static int is_on(unsigned class)
{
    return (__atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) & class) != 0;
}

/* -- On a disk ---------------------------------------------------------------------------------------------------- */

static long from_disk(struct transfer *transfer)
{
    if (is_on(MT_PATCH_FILE))
        return off_the_hub(transfer);
    mt__patch_passes(transfer->block.number);
    return call(transfer, 0);
}

static long to_disk(struct transfer *transfer)
{
    long flags = mt__sys(SYS_fcntl, transfer->block.fd, F_GETFL);
    int slow = transfer->size > MUCH || (flags > 0 && flags & (O_SYNC | O_DSYNC | O_DIRECT));

    return is_on(MT_PATCH_FILE) && slow ? off_the_hub(transfer) : call(transfer, 0);
}

/* -- Anything else ------------------------------------------------------------------------------------------------ */

static int is_ready(const struct transfer *transfer)
{
    struct pollfd look = {.fd = transfer->block.fd, .events = transfer->block.events};
    struct timespec none = {0, 0};

    return mt__sys(SYS_ppoll, &look, 1, &none, NULL, 0) == 1;
}

static long write_piece(struct transfer *transfer, enum nature nature)
{
    struct mt__vectors *vectors = &transfer->vectors;
    size_t whole = vectors->at->iov_len, count = vectors->count;
    long result;

    if (nature != PIPE)
        return transfer->size - transfer->done > TTY_MUCH ? off_the_hub(transfer) : call(transfer, 0);
    if (transfer->size - transfer->done <= PIPE_BUF)
        return call(transfer, 0);
    vectors->count = 1;
    if (whole > PIPE_BUF)
        vectors->at->iov_len = PIPE_BUF;
    result = call(transfer, 0);
    vectors->count = count;
    vectors->at->iov_len = whole;
    return result;
}

/* RWF_NOWAIT has said `error`. The result, or 0 with *again: it is to be tried once more. */
static long would_block(struct transfer *transfer, long error, int *again)
{
    enum nature nature = nature_of(transfer->block.fd);
    long result = 0;

    *again = 0;
    if (nature == DISK)
        return from_disk(transfer);
    if (!is_on(MT_PATCH_SOCKET) || mt__fd_is_nonblocking(transfer->block.fd))
        return call(transfer, 0);
    if (nature == TTY && !transfer->writes && is_timed(transfer->block.fd))
        return off_the_hub(transfer);
    if (error == -EAGAIN) {
        result = mt__block(&transfer->block);
        *again = !result;
    } else { /* who waits too may have been first: the plain call would then block */
        while (!result && !is_ready(transfer))
            result = mt__block(&transfer->block);
    }
    if (result || *again)
        return result;
    return transfer->writes ? write_piece(transfer, nature) : call(transfer, 0);
}

static int is_refused(long result)
{
    return result == -EAGAIN || result == -EOPNOTSUPP || result == -ENOSYS;
}

/* Whether what has been read is only what was in memory of it. */
static int has_more(const struct transfer *transfer)
{
    return transfer->writes || nature_of(transfer->block.fd) == DISK;
}

static long by_attempts(struct transfer *transfer)
{
    long result;
    int again;

    while (transfer->done < transfer->size) {
        again = 0;
        result = call(transfer, RWF_NOWAIT);
        if (is_refused(result))
            result = would_block(transfer, result, &again);
        if (again)
            continue;
        if (result <= 0)
            return transfer->done ? (long)transfer->done : result;
        transfer->done += (size_t)result;
        if (transfer->done < transfer->size && !has_more(transfer))
            break;
        mt__vectors_advance(&transfer->vectors, (size_t)result);
    }
    return (long)transfer->done;
}

static long by_message(struct transfer *transfer)
{
    struct msghdr message = {.msg_iov = transfer->vectors.at, .msg_iovlen = transfer->vectors.count};
    struct iovec *one = transfer->vectors.at;

    if (transfer->writes)
        return message.msg_iovlen == 1 ? mt__transmit(&transfer->block, one->iov_base, one->iov_len, 0, NULL, 0)
                                       : mt__transmit_message(&transfer->block, &message, 0);
    return message.msg_iovlen == 1 ? mt__receive(&transfer->block, one->iov_base, one->iov_len, 0, NULL, NULL)
                                   : mt__receive_message(&transfer->block, &message, 0);
}

static long transfer_all(struct transfer *transfer)
{
    long result = -ENOTSOCK;

    if (transfer->offset < 0 && !transfer->flags && is_on(MT_PATCH_SOCKET))
        result = by_message(transfer);
    if (result != -ENOTSOCK)
        return result;
    if (transfer->writes && nature_of(transfer->block.fd) == DISK)
        return to_disk(transfer);
    return by_attempts(transfer);
}

/* What has nothing to transfer, or cannot be right, is the kernel's to answer. */
static int is_plain(int fd, const struct iovec *vectors, int count, int flags)
{
    return fd < 0 || count <= 0 || count > IOV_MAX || flags & RWF_NOWAIT || !vectors;
}

/* -1 with errno, or the result, of a call whose arguments are good. */
static long move(enum mt__name_number number, int writes, int fd, const struct iovec *vectors, int count, off_t offset,
                 int flags)
{
    struct mt__patch_call patch = mt__patch_begin_fair();
    struct transfer transfer = {
        .block = {.fd = fd, .events = writes ? POLLOUT : POLLIN, .number = number},
        .size = mt__vectors_size(vectors, (size_t)count),
        .offset = offset,
        .flags = flags,
        .writes = writes,
    };
    long result = mt__vectors_copy(&transfer.vectors, vectors, (size_t)count);

    if (!result) {
        result = transfer.size ? transfer_all(&transfer) : call(&transfer, 0);
        mt__vectors_free(&transfer.vectors);
    }
    return mt__patch_end(patch, result);
}

/* -- The names ---------------------------------------------------------------------------------------------------- */

#define ON mt__patched_classes(MT_PATCH_SOCKET | MT_PATCH_FILE)

static long move_one(enum mt__name_number number, int writes, int fd, void *buffer, size_t size, off_t offset)
{
    const struct iovec vector = {buffer, size};

    return move(number, writes, fd, &vector, 1, offset, 0);
}

MT__PATCHED ssize_t read(int fd, void *buffer, size_t size)
{
    if (!ON || fd < 0 || !size)
        return mt__libc(read)(fd, buffer, size);
    return move_one(MT__N_read, 0, fd, buffer, size, -1);
}

MT__PATCHED ssize_t __read(int fd, void *buffer, size_t size)
{
    return read(fd, buffer, size);
}

MT__PATCHED ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
    if (!ON || size > room)
        return mt__libc(__read_chk)(fd, buffer, size, room);
    return read(fd, buffer, size);
}

MT__PATCHED ssize_t write(int fd, const void *buffer, size_t size)
{
    if (!ON || fd < 0 || !size)
        return mt__libc(write)(fd, buffer, size);
    return move_one(MT__N_write, 1, fd, (void *)(uintptr_t)buffer, size, -1);
}

MT__PATCHED ssize_t __write(int fd, const void *buffer, size_t size)
{
    return write(fd, buffer, size);
}

#define VECTORS(name, writes)                                                \
    MT__PATCHED ssize_t name(int fd, const struct iovec *vectors, int count) \
    {                                                                        \
        if (!ON || is_plain(fd, vectors, count, 0))                          \
            return mt__libc(name)(fd, vectors, count);                       \
        return move(MT__N_##name, writes, fd, vectors, count, -1, 0);        \
    }
VECTORS(readv, 0)
VECTORS(writev, 1)

/* The 64 forms are the same call here: the offset is 64 bits wide in both. */
#define AT(name, constant, writes)                                                          \
    MT__PATCHED ssize_t name(int fd, constant void *buffer, size_t size, off_t offset)      \
    {                                                                                       \
        if (!ON || fd < 0 || !size || offset < 0)                                           \
            return mt__libc(name)(fd, buffer, size, offset);                                \
        return move_one(MT__N_##name, writes, fd, (void *)(uintptr_t)buffer, size, offset); \
    }
#define NOTHING
AT(pread, NOTHING, 0)
AT(pread64, NOTHING, 0)
AT(__pread64, NOTHING, 0)
AT(pwrite, const, 1)
AT(pwrite64, const, 1)
AT(__pwrite64, const, 1)

#define AT_CHECKED(name, plain)                                                            \
    MT__PATCHED ssize_t name(int fd, void *buffer, size_t size, off_t offset, size_t room) \
    {                                                                                      \
        if (!ON || size > room)                                                            \
            return mt__libc(name)(fd, buffer, size, offset, room);                         \
        return plain(fd, buffer, size, offset);                                            \
    }
AT_CHECKED(__pread_chk, pread)
AT_CHECKED(__pread64_chk, pread64)

#define VECTORS_AT(name, writes)                                                           \
    MT__PATCHED ssize_t name(int fd, const struct iovec *vectors, int count, off_t offset) \
    {                                                                                      \
        if (!ON || offset < 0 || is_plain(fd, vectors, count, 0))                          \
            return mt__libc(name)(fd, vectors, count, offset);                             \
        return move(MT__N_##name, writes, fd, vectors, count, offset, 0);                  \
    }
VECTORS_AT(preadv, 0)
VECTORS_AT(preadv64, 0)
VECTORS_AT(pwritev, 1)
VECTORS_AT(pwritev64, 1)

#define VECTORS_FLAGS(name, writes)                                                                   \
    MT__PATCHED ssize_t name(int fd, const struct iovec *vectors, int count, off_t offset, int flags) \
    {                                                                                                 \
        if (!ON || offset < -1 || is_plain(fd, vectors, count, flags))                                \
            return mt__libc(name)(fd, vectors, count, offset, flags);                                 \
        return move(MT__N_##name, writes, fd, vectors, count, offset, flags);                         \
    }
VECTORS_FLAGS(preadv2, 0)
VECTORS_FLAGS(preadv64v2, 0)
VECTORS_FLAGS(pwritev2, 1)
VECTORS_FLAGS(pwritev64v2, 1)
