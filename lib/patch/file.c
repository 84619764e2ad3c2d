/* SPDX-License-Identifier: MIT
 *
 * Files: opening what waits for a peer, reaching the disk, and locks on files.
 *
 * A lock is tried for first, and waited for off the hub: the kernel keeps the queue, and finds circles. A lock belongs
 * to the process (fcntl) or the open file (flock, OFD), not to the thread that asks.
 */
#include "patch/fd.h"
#include "patch/belief.h"
#include "patch/undeclared.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- Opening ------------------------------------------------------------------------------------------------------ */

/* A FIFO waits for its other end, a device for its carrier. Files on a disk are opened at once. */
static int may_wait(int folder, const char *path, int flags)
{
    struct stat stat;

    if (!path || flags & (O_NONBLOCK | O_PATH | O_DIRECTORY))
        return 0;
    return !fstatat(folder, path, &stat, 0) && (S_ISFIFO(stat.st_mode) || S_ISCHR(stat.st_mode));
}

/* Lets others go, seldom: what is not there yet may be made by one of them. */
static int open_may_wait(int folder, const char *path, int flags)
{
    int error = errno, result = may_wait(folder, path, flags);

    mt__patch_look_seldom();
    errno = error;
    return result;
}

int mt__open_may_wait(const char *path)
{
    return open_may_wait(AT_FDCWD, path, 0);
}

static int open_off(enum mt__name_number number, const long arguments[6])
{
    struct mt__patch_call call = mt__patch_begin();
    long result = mt__off(number, arguments);

    return (int)mt__patch_end(call, (int)result < 0 ? -errno : (int)result);
}

#define MODE(flags)                                            \
    va_list list;                                              \
    unsigned mode = 0;                                         \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_start(list, flags);                                 \
        mode = va_arg(list, unsigned);                         \
        va_end(list);                                          \
    }

#define OPEN(name)                                                               \
    MT__PATCHED int name(const char *path, int flags, ...)                       \
    {                                                                            \
        MODE(flags)                                                              \
        if (!mt__patched(FILE) || !open_may_wait(AT_FDCWD, path, flags))         \
            return mt__libc(name)(path, flags, mode);                            \
        return open_off(MT__N_##name, (const long[6]){(long)path, flags, mode}); \
    }
OPEN(open)
OPEN(open64)
OPEN(__open)
OPEN(__open64)

#define OPENAT(name)                                                                     \
    MT__PATCHED int name(int folder, const char *path, int flags, ...)                   \
    {                                                                                    \
        MODE(flags)                                                                      \
        if (!mt__patched(FILE) || !open_may_wait(folder, path, flags))                   \
            return mt__libc(name)(folder, path, flags, mode);                            \
        return open_off(MT__N_##name, (const long[6]){folder, (long)path, flags, mode}); \
    }
OPENAT(openat)
OPENAT(openat64)

#define OPEN_2(name)                                                       \
    MT__PATCHED int name(const char *path, int flags)                      \
    {                                                                      \
        if (!mt__patched(FILE) || !open_may_wait(AT_FDCWD, path, flags))   \
            return mt__libc(name)(path, flags);                            \
        return open_off(MT__N_##name, (const long[6]){(long)path, flags}); \
    }
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define OPENAT_2(name)                                                             \
    MT__PATCHED int name(int folder, const char *path, int flags)                  \
    {                                                                              \
        if (!mt__patched(FILE) || !open_may_wait(folder, path, flags))             \
            return mt__libc(name)(folder, path, flags);                            \
        return open_off(MT__N_##name, (const long[6]){folder, (long)path, flags}); \
    }
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

#define CREAT(name)                                                             \
    MT__PATCHED int name(const char *path, mode_t mode)                         \
    {                                                                           \
        if (!mt__patched(FILE) || !open_may_wait(AT_FDCWD, path, O_WRONLY))     \
            return mt__libc(name)(path, mode);                                  \
        return open_off(MT__N_##name, (const long[6]){(long)path, (long)mode}); \
    }
CREAT(creat)
CREAT(creat64)

/* -- To the disk -------------------------------------------------------------------------------------------------- */

static int to_disk(enum mt__name_number number, const long arguments[6])
{
    struct mt__patch_call call = mt__patch_begin();
    int result = (int)mt__off(number, arguments);

    return (int)mt__patch_end(call, result < 0 ? -errno : result);
}

#define TO_DISK(name, parameters, arguments, ...)                   \
    MT__PATCHED int name parameters                                 \
    {                                                               \
        if (!mt__patched(FILE))                                     \
            return mt__libc(name) arguments;                        \
        return to_disk(MT__N_##name, (const long[6]){__VA_ARGS__}); \
    }
TO_DISK(fsync, (int fd), (fd), fd)
TO_DISK(fdatasync, (int fd), (fd), fd)
TO_DISK(syncfs, (int fd), (fd), fd)
TO_DISK(msync, (void *address, size_t size, int flags), (address, size, flags), (long)address, (long)size, flags)
TO_DISK(sync_file_range, (int fd, off64_t offset, off64_t size, unsigned flags), (fd, offset, size, flags), fd, offset,
        size, (long)flags)
TO_DISK(fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size), fd, mode, offset, size)
TO_DISK(fallocate64, (int fd, int mode, off64_t offset, off64_t size), (fd, mode, offset, size), fd, mode, offset, size)
TO_DISK(posix_fallocate, (int fd, off_t offset, off_t size), (fd, offset, size), fd, offset, size)
TO_DISK(posix_fallocate64, (int fd, off64_t offset, off64_t size), (fd, offset, size), fd, offset, size)

MT__PATCHED void sync(void)
{
    if (!mt__patched(FILE))
        mt__libc(sync)();
    else
        to_disk(MT__N_sync, (const long[6]){0});
}

/* -- Locks -------------------------------------------------------------------------------------------------------- */

MT__PATCHED int flock(int fd, int operation)
{
    struct mt__patch_call call;
    long result;

    if (!mt__patched(FILE) || operation & (LOCK_NB | LOCK_UN))
        return mt__libc(flock)(fd, operation);
    call = mt__patch_begin();
    result = mt__or_errno(mt__libc(flock)(fd, operation | LOCK_NB));
    if (result == -EWOULDBLOCK)
        result = mt__off_hub_int(flock, fd, operation);
    return (int)mt__patch_end(call, result);
}

#define LOCKF(name, type)                                         \
    MT__PATCHED int name(int fd, int command, type size)          \
    {                                                             \
        struct mt__patch_call call;                               \
        long result;                                              \
        if (!mt__patched(FILE) || command != F_LOCK)              \
            return mt__libc(name)(fd, command, size);             \
        call = mt__patch_begin();                                 \
        result = mt__or_errno(mt__libc(name)(fd, F_TLOCK, size)); \
        if (result == -EACCES || result == -EAGAIN)               \
            result = mt__off_hub_int(name, fd, command, size);    \
        return (int)mt__patch_end(call, result);                  \
    }
LOCKF(lockf, off_t)
LOCKF(lockf64, off64_t)

static int change(int result, int fd, int command)
{
    if (command == F_SETFL)
        mt__beliefs_drop(fd);
    return result;
}

/* Of fcntl only what waits is ours; a command that nobody here has heard of is the kernel's. */
#define FCNTL(name)                                                                                       \
    MT__PATCHED int name(int fd, int command, ...)                                                        \
    {                                                                                                     \
        struct mt__patch_call call;                                                                       \
        va_list list;                                                                                     \
        void *argument;                                                                                   \
        long result;                                                                                      \
        va_start(list, command);                                                                          \
        argument = va_arg(list, void *);                                                                  \
        va_end(list);                                                                                     \
        if (!mt__patched(FILE) || (command != F_SETLKW && command != F_OFD_SETLKW))                       \
            return change(mt__libc(name)(fd, command, argument), fd, command);                            \
        call = mt__patch_begin();                                                                         \
        result = mt__or_errno(mt__libc(name)(fd, command == F_SETLKW ? F_SETLK : F_OFD_SETLK, argument)); \
        if (result == -EACCES || result == -EAGAIN)                                                       \
            result = mt__off_hub_int(name, fd, command, (long)argument);                                  \
        return (int)mt__patch_end(call, result);                                                          \
    }
FCNTL(fcntl)
FCNTL(fcntl64)
FCNTL(__fcntl)
