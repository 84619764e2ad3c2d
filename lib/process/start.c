/* SPDX-License-Identifier: MIT
 *
 * The block that a parent shares with its child: in a memfd that can be handed over, or in memory that a fork shares.
 */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int failed(long result)
{
    return result < 0 && result > -4096;
}

static long make_memfd(size_t size)
{
    long fd = mt__sys(SYS_memfd_create, MT__START_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING), error;

    if (failed(fd))
        return fd;
    error = mt__sys(SYS_ftruncate, fd, size);
    if (!error) /* sealed, so that the child cannot take pages from under the parent */
        error = mt__sys(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (error) {
        mt__sys(SYS_close, fd);
        return error;
    }
    return fd;
}

struct mt__start *mt__start_new(size_t argument_size, int *fd, int *error)
{
    size_t size = sizeof(struct mt__start) + argument_size;
    long memfd = -1, map;

    if (fd && failed(memfd = make_memfd(size))) {
        *error = (int)memfd;
        return NULL;
    }
    map = mt__sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE | (fd ? 0 : MAP_ANONYMOUS),
                  memfd, 0);
    if (failed(map)) {
        if (fd)
            mt__sys(SYS_close, memfd);
        *error = (int)map;
        return NULL;
    }
    if (fd)
        *fd = (int)memfd;
    ((struct mt__start *)map)->magic = MT__START_MAGIC;
    ((struct mt__start *)map)->size = size;
    ((struct mt__start *)map)->argument_size = argument_size;
    return (struct mt__start *)map;
}

struct mt__start *mt__start_open(int fd)
{
    struct stat status;
    struct mt__start *start;
    long map;

    if (fstat(fd, &status) || status.st_size < (off_t)sizeof *start)
        return NULL;
    map = mt__sys(SYS_mmap, NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (failed(map))
        return NULL;
    start = (struct mt__start *)map;
    if (start->magic == MT__START_MAGIC && start->size == (uint64_t)status.st_size &&
        start->argument_size == start->size - sizeof *start)
        return start;
    mt__sys(SYS_munmap, map, status.st_size);
    return NULL;
}

void mt__start_free(struct mt__start *start, size_t size)
{
    mt__sys(SYS_munmap, start, size);
}

void mt__start_wait(struct mt__start *start)
{
    const struct timespec slice = {0, 10 * 1000 * 1000};

    mt__sys(SYS_futex, &start->settled, FUTEX_WAIT, 0, &slice);
}
