/* SPDX-License-Identifier: MIT
 *
 * The face's semaphores. A named one is a file in shared memory that holds a struct face_sem.
 */
#include "face.h"
#include "base/mini.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int answer(int result)
{
    if (result >= 0)
        return 0;
    errno = -result;
    return -1;
}

int face_sem_init(sem_t *sem, int shared, unsigned value)
{
    return answer(mt_sem_init(&sem->sem, value, NULL, shared ? MT_SHARED : 0));
}

int face_sem_destroy(sem_t *sem)
{
    return answer(sem->sem.state >> 32 ? -EBUSY : 0);
}

int face_sem_wait(sem_t *sem)
{
    face_point_begin();
    return answer(face_point_end(mt_sem_acquire(&sem->sem, MT_FOREVER)));
}

int face_sem_trywait(sem_t *sem)
{
    int result = mt_sem_acquire(&sem->sem, MT_NOWAIT);

    return answer(result == -EBUSY ? -EAGAIN : result);
}

/* The time is only looked at if there is something to wait for. */
int face_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    int result;
    mt_deadline deadline;

    face_point_begin();
    result = mt_sem_acquire(&sem->sem, MT_NOWAIT);
    if (result == -EBUSY) {
        result = -face_deadline(clock, until, &deadline);
        if (!result)
            result = mt_sem_acquire(&sem->sem, deadline);
    }
    return answer(face_point_end(result));
}

int face_sem_timedwait(sem_t *sem, const struct timespec *until)
{
    return face_sem_clockwait(sem, CLOCK_REALTIME, until);
}

int face_sem_post(sem_t *sem)
{
    return answer(mt_sem_release(&sem->sem, 1));
}

int face_sem_getvalue(sem_t *sem, int *value)
{
    *value = (int)mt_sem_value(&sem->sem);
    return 0;
}

/* -- Named ones --------------------------------------------------------------------------------------------------- */

/* A semaphore that this process has open: opened again, it is the same address. */
struct opened {
    struct opened *next;
    dev_t device;
    ino_t file;
    unsigned count;
    sem_t *sem;
};

static struct opened *list;
static struct mt__mini list_guard;

static int path_of(const char *name, char *path, size_t size)
{
    if (*name == '/')
        name++;
    if (!*name || strchr(name, '/'))
        return -EINVAL;
    if (strlen(name) > NAME_MAX - 8)
        return -ENAMETOOLONG;
    snprintf(path, size, "/dev/shm/face.%s", name);
    return 0;
}

/* A file that is complete before it has its name. */
static int create(const char *path, mode_t mode, unsigned value)
{
    char temporary[PATH_MAX + 32];
    sem_t sem;
    int fd, error = mt_sem_init(&sem.sem, value, NULL, MT_SHARED);

    if (error)
        return error;
    snprintf(temporary, sizeof temporary, "%s.%d", path, (int)syscall(SYS_gettid));
    fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    if (write(fd, &sem, sizeof sem) != (ssize_t)sizeof sem)
        error = -ENOSPC;
    else if (link(temporary, path))
        error = -errno;
    unlink(temporary);
    close(fd);
    return error;
}

static sem_t *map(int fd, const struct stat *status)
{
    struct opened *entry;
    void *address = MAP_FAILED;

    mt__mini_acquire(&list_guard);
    for (entry = list; entry; entry = entry->next)
        if (entry->device == status->st_dev && entry->file == status->st_ino)
            break;
    if (!entry && (entry = calloc(1, sizeof *entry)) != NULL) {
        address = mmap(NULL, sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (address == MAP_FAILED) {
            free(entry);
            entry = NULL;
        } else {
            *entry = (struct opened){list, status->st_dev, status->st_ino, 0, address};
            list = entry;
        }
    }
    if (entry)
        entry->count++;
    mt__mini_release(&list_guard);
    return entry ? entry->sem : SEM_FAILED;
}

static sem_t *open_path(const char *path, int flags, mode_t mode, unsigned value)
{
    struct stat status;
    sem_t *sem = SEM_FAILED;
    int fd, error = 0;

    if (flags & O_CREAT)
        error = create(path, mode, value);
    if (error && (error != -EEXIST || flags & O_EXCL)) {
        errno = -error;
        return SEM_FAILED;
    }
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return SEM_FAILED;
    if (fstat(fd, &status) == 0)
        sem = map(fd, &status);
    close(fd);
    return sem;
}

sem_t *face_sem_open(const char *name, int flags, ...)
{
    char path[PATH_MAX];
    int error = path_of(name, path, sizeof path);
    unsigned value = 0;
    mode_t mode = 0;
    va_list args;

    if (error) {
        errno = -error;
        return SEM_FAILED;
    }
    if (flags & O_CREAT) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        value = va_arg(args, unsigned);
        va_end(args);
    }
    return open_path(path, flags, mode, value);
}

int face_sem_close(sem_t *sem)
{
    struct opened **link, *entry;
    int result = -EINVAL;

    mt__mini_acquire(&list_guard);
    for (link = &list; (entry = *link) != NULL; link = &entry->next) {
        if (entry->sem != sem)
            continue;
        result = 0;
        if (!--entry->count) {
            *link = entry->next;
            munmap(entry->sem, sizeof *entry->sem);
            free(entry);
        }
        break;
    }
    mt__mini_release(&list_guard);
    return answer(result);
}

int face_sem_unlink(const char *name)
{
    char path[PATH_MAX];
    int error = path_of(name, path, sizeof path);

    return error ? answer(error) : unlink(path);
}
