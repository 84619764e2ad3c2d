/* SPDX-License-Identifier: MIT
 *
 * Closing, and what moves bytes between two descriptors. Before a descriptor goes, the operations of this hub on it are
 * cancelled: they hold its file, so that the peer would hear nothing, and its number may come again. The library's own
 * descriptors (base/own.h) stay open whatever is closed by number.
 */
#include "patch/fd.h"
#include "patch/belief.h"
#include "patch/undeclared.h"

#include <fcntl.h>
#include <limits.h>
#include <linuxmt/io.h>
#include <sys/sendfile.h>
#include <unistd.h>

void mt__fd_closing(int fd)
{
    struct mt__hub *hub = mt__hub;

    mt__belief_ends(fd);
    hub->attempts.drained[(unsigned)fd % sizeof hub->attempts.drained] = 0;
    if (fd >= 0 && hub->ops && hub->loop->closing)
        hub->loop->closing(hub, fd);
}

/* With bytes still to be sent it waits for as long as SO_LINGER says. */
static int lingers(int fd)
{
    struct linger linger = {0, 0};
    socklen_t size = sizeof linger;

    return !mt__sys(SYS_getsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, &size) && linger.l_onoff && linger.l_linger;
}

/* The library's own descriptors are none of the program's: to it they are numbers that are not open. That holds in each
 * thread, for another one's hub may be behind it. */
static int is_ours(int fd)
{
    return __atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) && mt__own_has(fd);
}

static int refuse(int error)
{
    errno = -error;
    return -1;
}

MT__PATCHED int close(int fd)
{
    struct mt__patch_call call;
    long result;

    if (is_ours(fd))
        return refuse(-EBADF);
    if (!mt__patched(SOCKET)) {
        mt__belief_ends(fd);
        return mt__libc(close)(fd);
    }
    call = mt__patch_begin();
    mt__fd_closing(fd);
    result = lingers(fd) ? mt__off_hub_int(close, fd) : mt__or_errno(mt__libc(close)(fd));
    mt__belief_ends(fd); /* which somebody may have come to have meanwhile */
    return (int)mt__patch_end(call, result);
}

MT__PATCHED int __close(int fd)
{
    return close(fd);
}

/* -- Ranges ------------------------------------------------------------------------------------------------------- */

static void closing_range(unsigned first, unsigned last)
{
    long most = sysconf(_SC_OPEN_MAX);

    for (unsigned fd = first; fd <= last && (long)fd < most && mt__hub->ops; fd++)
        if (!mt__own_has((int)fd))
            mt__fd_closing((int)fd);
}

/* The first of the library's own in the range, or -1. */
static long own_between(unsigned first, unsigned last)
{
    int own = mt__own_next(first);

    return own >= 0 && (unsigned)own <= last ? own : -1;
}

/* Piece by piece around the library's own. Called once at least, for what it says of the flags, and does by them. */
static int close_pieces(unsigned first, unsigned last, int flags)
{
    int result = mt__libc(close_range)(~0u, ~0u, flags);
    long own;

    while (!result && (own = own_between(first, last)) >= 0) {
        if ((unsigned)own > first)
            result = mt__libc(close_range)(first, (unsigned)own - 1, flags);
        first = (unsigned)own + 1;
    }
    return result || first > last ? result : mt__libc(close_range)(first, last, flags);
}

static int close_others(unsigned first, unsigned last, int flags)
{
    if (first > last || flags & CLOSE_RANGE_CLOEXEC || !__atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED))
        return mt__libc(close_range)(first, last, flags);
    return close_pieces(first, last, flags);
}

MT__PATCHED int close_range(unsigned first, unsigned last, int flags)
{
    struct mt__patch_call call;

    mt__beliefs_drop((int)first);
    if (!mt__patched(SOCKET) || flags)
        return close_others(first, last, flags);
    call = mt__patch_begin();
    closing_range(first, last);
    return (int)mt__patch_end(call, mt__or_errno(close_others(first, last, flags)));
}

static void close_each(unsigned first, unsigned last)
{
    if (mt__sys(SYS_close_range, first, last, 0) >= 0)
        return;
    for (unsigned fd = first; fd <= last; fd++)
        mt__sys(SYS_close, fd);
}

MT__PATCHED void closefrom(int first)
{
    struct mt__patch_call call;
    unsigned at = first < 0 ? 0 : (unsigned)first;
    long own;

    mt__beliefs_drop((int)at);
    if (mt__patched(SOCKET)) {
        call = mt__patch_begin();
        closing_range(at, ~0u);
        mt__patch_end(call, 0);
    }
    while (__atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) && (own = own_between(at, INT_MAX)) >= 0) {
        if ((unsigned)own > at)
            close_each(at, (unsigned)own - 1);
        at = (unsigned)own + 1;
    }
    mt__libc(closefrom)((int)at);
}

/* -- Onto a number ------------------------------------------------------------------------------------------------ */

/* The new number may be a descriptor's that is closed by this. One of the library's own is not given up. 0 or -errno.
 */
static int take_number(int fd, int number)
{
    if (fd == number || mt__sys(SYS_fcntl, fd, F_GETFD) < 0)
        return 0; /* nothing is closed */
    if (is_ours(number))
        return -EBUSY;
    if (mt__patched(SOCKET))
        mt__fd_closing(number);
    mt__belief_ends(number);
    return 0;
}

MT__PATCHED int dup2(int fd, int number)
{
    int error = __atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) ? take_number(fd, number) : 0;

    return error ? refuse(error) : mt__libc(dup2)(fd, number);
}

MT__PATCHED int __dup2(int fd, int number)
{
    return dup2(fd, number);
}

MT__PATCHED int dup3(int fd, int number, int flags)
{
    int error = __atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) ? take_number(fd, number) : 0;

    return error ? refuse(error) : mt__libc(dup3)(fd, number, flags);
}

/* -- From one to another ------------------------------------------------------------------------------------------ */

/* Whether neither would make it wait. */
static int is_plain(int from, int to)
{
    return mt__fd_is_nonblocking(to) && mt__fd_is_nonblocking(from);
}

#define SENDFILE(name)                                                     \
    MT__PATCHED ssize_t name(int to, int from, off_t *offset, size_t size) \
    {                                                                      \
        struct mt__patch_call call;                                        \
        long result;                                                       \
        if (!mt__patched(SOCKET) || mt__fd_is_nonblocking(to))             \
            return mt__libc(name)(to, from, offset, size);                 \
        call = mt__patch_begin();                                          \
        result = mt__off_hub(name, to, from, (long)offset, (long)size);    \
        return mt__patch_end(call, result);                                \
    }
SENDFILE(sendfile)
SENDFILE(sendfile64)

MT__PATCHED ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
    struct mt__patch_call call;
    long result;

    if (!mt__patched(SOCKET) || is_plain(from, to))
        return mt__libc(splice)(from, from_offset, to, to_offset, size, flags);
    call = mt__patch_begin();
    result = mt__off_hub(splice, from, (long)from_offset, to, (long)to_offset, (long)size, flags);
    return mt__patch_end(call, result);
}

MT__PATCHED ssize_t tee(int from, int to, size_t size, unsigned flags)
{
    struct mt__patch_call call;
    long result;

    if (!mt__patched(SOCKET) || flags & SPLICE_F_NONBLOCK || is_plain(from, to))
        return mt__libc(tee)(from, to, size, flags);
    call = mt__patch_begin();
    result = mt__off_hub(tee, from, to, (long)size, flags);
    return mt__patch_end(call, result);
}

MT__PATCHED ssize_t vmsplice(int fd, const struct iovec *vectors, size_t count, unsigned flags)
{
    struct mt__patch_call call;
    long result;

    if (!mt__patched(SOCKET) || flags & SPLICE_F_NONBLOCK || mt__fd_is_nonblocking(fd))
        return mt__libc(vmsplice)(fd, vectors, count, flags);
    call = mt__patch_begin();
    result = mt__off_hub(vmsplice, fd, (long)vectors, (long)count, flags);
    return mt__patch_end(call, result);
}

MT__PATCHED ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size,
                                    unsigned flags)
{
    struct mt__patch_call call;
    long result;

    if (!mt__patched(FILE))
        return mt__libc(copy_file_range)(from, from_offset, to, to_offset, size, flags);
    call = mt__patch_begin();
    result = mt__off_hub(copy_file_range, from, (long)from_offset, to, (long)to_offset, (long)size, flags);
    return mt__patch_end(call, result);
}
