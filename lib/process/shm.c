/* SPDX-License-Identifier: MIT
 *
 * Shared memory: a memfd, sealed so that nobody can make it smaller under another who reads it.
 */
#include "base/sys.h"
#include "wait/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linuxmt/shm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct mt_shm {
    int fd;
    size_t size;
    void *address;
};

static int is_error(long result)
{
    return result < 0 && result > -4096;
}

/* Owns fd from here on. */
static struct mt_shm *map(int fd, size_t size)
{
    struct mt_shm *shm = mt__alloc(sizeof *shm);
    long address = shm ? mt__sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : -ENOMEM;

    if (is_error(address)) {
        free(shm);
        close(fd);
        errno = (int)-address;
        return NULL;
    }
    *shm = (struct mt_shm){fd, size, (void *)address};
    return shm;
}

struct mt_shm *mt_shm_new(const char *name, size_t size)
{
    char full[64];
    long fd, error;

    if (!size || size > PTRDIFF_MAX) {
        errno = EINVAL;
        return NULL;
    }
    snprintf(full, sizeof full, "linuxmt-shm:%.40s", name ? name : "");
    fd = mt__sys(SYS_memfd_create, full, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (is_error(fd)) {
        errno = (int)-fd;
        return NULL;
    }
    error = mt__sys(SYS_ftruncate, fd, size);
    if (!error)
        error = mt__sys(SYS_fcntl, fd, F_ADD_SEALS, SEALS);
    if (error) {
        close((int)fd);
        errno = (int)-error;
        return NULL;
    }
    return map((int)fd, size);
}

struct mt_shm *mt_shm_attach(int fd)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    long own;

    if (fcntl(fd, F_GETFD) < 0)
        return NULL; /* EBADF */
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &status) || status.st_size <= 0) {
        errno = EINVAL;
        return NULL;
    }
    own = mt__sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
    if (is_error(own)) {
        errno = (int)-own;
        return NULL;
    }
    return map((int)own, (size_t)status.st_size);
}

void *mt_shm_address(const struct mt_shm *shm)
{
    return shm->address;
}

size_t mt_shm_size(const struct mt_shm *shm)
{
    return shm->size;
}

int mt_shm_fd(const struct mt_shm *shm)
{
    return shm->fd;
}

void mt_shm_free(struct mt_shm *shm)
{
    if (!shm)
        return;
    mt__wait_settle();
    munmap(shm->address, shm->size);
    close(shm->fd);
    free(shm);
}
