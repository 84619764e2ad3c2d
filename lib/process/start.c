/* SPDX-License-Identifier: MIT
 *
 * The block that a parent shares with its child: in a memfd that can be handed over, or in memory that a fork shares.
 *
 * To map and unmap memory of its own for each child of a fork took an eighth of the time of starting one and waiting
 * for it. So small blocks come from sheets of several, a page each. A block is used once: a child of the child's, who
 * may believe to be it and outlive it, has nobody else's block to write to. A sheet goes with the last of its blocks,
 * and what a process has of its parent's sheets it does not use: see `pid` and `age`. Which block lies where is noted
 * in private memory.
 *
 * Its futex words are waited for by system calls of who has the block, not by lib/wait: no hub still knows of one when
 * it is unmapped.
 */
#include "process/process.h"
#include "base/mini.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <stdlib.h>
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

static long map_shared(size_t size, long memfd)
{
    return mt__sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_POPULATE | (memfd < 0 ? MAP_ANONYMOUS : 0), memfd, 0);
}

/* -- Sheets ------------------------------------------------------------------------------------------------------- */

#define BLOCK  4096u
#define BLOCKS 16u /* of a sheet */

struct sheet {
    char *base;
    struct sheet *next;
    int pid;             /* of who made it, */
    unsigned age;        /* and how many forks had led to that */
    unsigned used, live; /* blocks that have been given out, and those of them that are not back */
};

static struct mt__mini guard; /* of what follows */
static struct sheet *sheets;  /* the newest is first, and the only one whose unused blocks are given out */

/* Of this process: raised in each child. Beside the other variables that a child writes to, which spares it a page. */
static unsigned age __attribute__((section(".data")));

static struct sheet *new_sheet(int pid, int *error)
{
    struct sheet *sheet = mt__alloc(sizeof *sheet);
    long map = sheet ? map_shared((size_t)BLOCK * BLOCKS, -1) : -ENOMEM;

    if (failed(map)) {
        free(sheet);
        *error = (int)map;
        return NULL;
    }
    sheet->base = (char *)map;
    sheet->pid = pid;
    sheet->age = age;
    return sheet;
}

/* Of the newest sheet, with the guard. NULL: there is none. */
static char *next_block(int pid)
{
    struct sheet *sheet = sheets;

    if (!sheet || sheet->pid != pid || sheet->age != age || sheet->used == BLOCKS)
        return NULL;
    sheet->live++;
    return sheet->base + (size_t)BLOCK * sheet->used++;
}

/* An address, or -errno. */
static long take_block(int pid)
{
    int error;
    struct sheet *sheet;
    char *block;

    mt__mini_acquire(&guard);
    block = next_block(pid);
    mt__mini_release(&guard);
    if (block)
        return (long)block;
    sheet = new_sheet(pid, &error);
    if (!sheet)
        return error;
    mt__mini_acquire(&guard);
    sheet->next = sheets;
    sheets = sheet;
    block = next_block(pid);
    mt__mini_release(&guard);
    return (long)block;
}

static int is_on(const struct sheet *sheet, const void *block)
{
    return (uintptr_t)block - (uintptr_t)sheet->base < (size_t)BLOCK * BLOCKS;
}

/* Whether it was one. */
static int give_block_back(const void *block)
{
    struct sheet **at, *sheet;
    int is_last = 0;

    mt__mini_acquire(&guard);
    for (at = &sheets; (sheet = *at) != NULL && !is_on(sheet, block);)
        at = &sheet->next;
    if (sheet && --sheet->live == 0 && (sheet->used == BLOCKS || sheet != sheets)) {
        *at = sheet->next;
        is_last = 1;
    }
    mt__mini_release(&guard);
    if (is_last) {
        mt__sys(SYS_munmap, sheet->base, (size_t)BLOCK * BLOCKS);
        free(sheet);
    }
    return sheet != NULL;
}

void mt__starts_unlock(void)
{
    if (guard.word) /* another thread of the parent held it */
        guard.word = 0;
}

/* Of what is written here the child copies a page, so nothing is without need. The pid alone tells sheets that come
 * from a fork which went by here unseen; but it may have been an ancestor's, whose other children go on, or be the same
 * in a pid namespace of its own. */
void mt__starts_forked(void)
{
    mt__starts_unlock();
    age++;
}

/* -- Blocks ------------------------------------------------------------------------------------------------------- */

struct mt__start *mt__start_new(size_t argument_size, int *fd, int *error)
{
    size_t size = sizeof(struct mt__start) + argument_size;
    long memfd = -1, map;
    int pid = getpid();

    if (fd && failed(memfd = make_memfd(size))) {
        *error = (int)memfd;
        return NULL;
    }
    map = !fd && size <= BLOCK ? take_block(pid) : map_shared(size, memfd);
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
    ((struct mt__start *)map)->parent = pid;
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
    if (!give_block_back(start))
        mt__sys(SYS_munmap, start, size);
}

void mt__start_wait(struct mt__start *start)
{
    const struct timespec slice = {0, 10 * 1000 * 1000};

    mt__sys(SYS_futex, &start->settled, FUTEX_WAIT, 0, &slice);
}
