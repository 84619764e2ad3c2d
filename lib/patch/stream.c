/* SPDX-License-Identifier: MIT
 *
 * Whether a stream's call may wait. See patch/stream.h.
 */
#include "patch/stream.h"

#include <limits.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <sys/stat.h>

/* glibc's lock of a stream, as its inline functions have had it since 2.0. */
struct stream_lock {
    int word, count;
    void *owner;
};

/* Bytes that a pipe, a socket or a terminal takes at once when poll says that it can be written. */
#define AT_ONCE     PIPE_BUF
#define AT_ONCE_TTY 1024

#define FRESH 512

static int is_mine(const FILE *stream)
{
    const struct stream_lock *lock = stream->_lock;

    return lock && lock->owner == (void *)mt__libc(pthread_self)();
}

static int way(FILE *stream, int way)
{
    if (is_mine(stream))
        return MT__DIRECT;
    if (way == MT__DIRECT) {
        if (ftrylockfile(stream))
            return MT__OFF;
        funlockfile(stream);
    }
    return way;
}

/* 0: no descriptor, a disk's, or one whose owner does not want to wait. Else how much it takes at once. */
static size_t waits(const FILE *stream)
{
    struct stat stat;

    if (stream->_fileno < 0 || fstat(stream->_fileno, &stat) || S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode) ||
        mt__fd_is_nonblocking(stream->_fileno))
        return 0;
    return S_ISCHR(stat.st_mode) ? AT_ONCE_TTY : AT_ONCE;
}

static int wait_for(FILE *stream, short events, enum mt__name_number number)
{
    return mt__patch_wait_fd(stream->_fileno, events, 0, MT_FOREVER, mt__names[number].name);
}

int mt__stream_input(FILE *stream, int enough, int one_byte, enum mt__name_number number)
{
    int error;

    if (enough || stream->_flags & _IO_EOF_SEEN || !waits(stream))
        return way(stream, MT__DIRECT);
    if (!mt__stream_available(stream)) {
        error = wait_for(stream, POLLIN, number);
        if (error)
            return error;
    }
    return way(stream, one_byte ? MT__DIRECT : MT__OFF);
}

/* As much as still goes into the buffer; 0 if each call empties it. */
static size_t room(FILE *stream)
{
    if (__flbf(stream) || __fbufsize(stream) <= 1 || !stream->_IO_write_ptr)
        return 0;
    return (size_t)(stream->_IO_buf_end - stream->_IO_write_ptr);
}

/* It has no buffer yet, and will get one of more than FRESH: on terminals, and of stderr, each call or line empties it.
 */
static int is_fresh(FILE *stream, size_t at_once)
{
    return !stream->_IO_buf_base && stream != stderr && at_once == AT_ONCE;
}

int mt__stream_output(FILE *stream, size_t size, int flush, enum mt__name_number number)
{
    size_t at_once, whole = size + mt__stream_pending(stream);
    int error;

    if (flush ? !whole : size < room(stream))
        return way(stream, MT__DIRECT);
    at_once = waits(stream);
    if (!at_once || (!flush && size < FRESH && is_fresh(stream, at_once)))
        return way(stream, MT__DIRECT);
    error = wait_for(stream, POLLOUT, number);
    return error ? error : way(stream, whole <= at_once ? MT__DIRECT : MT__OFF);
}

/* As much as still goes into the buffer; 0 if each call empties it. */
static size_t room_wide(FILE *stream)
{
    const struct mt__wide *wide = mt__wide(stream);

    if (!wide || __flbf(stream) || __fbufsize(stream) <= 1 || !wide->write_ptr)
        return 0;
    return (size_t)(wide->buf_end - wide->write_ptr);
}

int mt__stream_output_wide(FILE *stream, size_t count, enum mt__name_number number)
{
    size_t at_once;
    int error;

    if (count < room_wide(stream))
        return way(stream, MT__DIRECT);
    at_once = waits(stream);
    if (!at_once || (count < FRESH && is_fresh(stream, at_once)))
        return way(stream, MT__DIRECT);
    error = wait_for(stream, POLLOUT, number);
    if (error)
        return error;
    return way(stream, count * MB_LEN_MAX + mt__stream_pending(stream) <= at_once ? MT__DIRECT : MT__OFF);
}
