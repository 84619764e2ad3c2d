/* SPDX-License-Identifier: MIT
 *
 * Making and attaching the memfd of a queue. It is sealed against growing and shrinking, so that nobody can make an
 * access fault by truncating it, and all its memory is taken when it is made, so that none can be missing later.
 */
#include "queue/segment.h"
#include "base/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int failed(long map)
{
    return map < 0 && map > -4096;
}

static uint64_t page_up(uint64_t size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return (size + page - 1) & ~(page - 1);
}

static uint64_t pid_namespace(void)
{
    struct stat status;

    return stat("/proc/self/ns/pid", &status) ? 0 : (uint64_t)status.st_ino;
}

static const struct mt__store *store_of(uint32_t order)
{
    return order == MT_QUEUE_FIFO ? &mt__ring : &mt__heap;
}

static struct mt_queue *fail(struct mt_queue *queue, int error)
{
    if (queue)
        mt_queue_free(queue);
    errno = -error;
    return NULL;
}

static struct mt_queue *new_handle(void)
{
    struct mt_queue *queue = mt__alloc(sizeof *queue);

    if (queue)
        queue->fd = -1;
    return queue;
}

/* -- Mapping ------------------------------------------------------------------------------------------------------ */

/* The segment, and for a ring its data once more behind it. */
static int map(struct mt_queue *queue)
{
    size_t once = queue->head_size + queue->data_size, all = once + (queue->store->single ? 0 : queue->data_size);
    long base = mt__sys(SYS_mmap, NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), part;

    if (failed(base))
        return (int)base;
    queue->shared = (void *)base;
    queue->mapped = all;
    queue->data = (unsigned char *)base + queue->head_size;
    part = mt__sys(SYS_mmap, base, once, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, queue->fd, 0);
    if (!failed(part) && all > once)
        part = mt__sys(SYS_mmap, base + (long)once, queue->data_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                       queue->fd, queue->head_size);
    return failed(part) ? (int)part : 0;
}

/* For tracers: the same queue is at other addresses in other processes. */
static struct mt_queue *opened(struct mt_queue *queue)
{
    if (MT__PROBED(queue__open))
        MT__PROBE5(queue__open, queue->shared, queue->name, mt__load64(&queue->shared->inode), queue->capacity,
                   queue->order);
    return queue;
}

/* -- Making ------------------------------------------------------------------------------------------------------- */

static int make_file(struct mt_queue *queue)
{
    char name[sizeof MT__QUEUE_PREFIX + MT_NAME_MAX];
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    long fd, result;

    snprintf(name, sizeof name, MT__QUEUE_PREFIX "%s", queue->name);
    fd = mt__sys(SYS_memfd_create, name, flags | MFD_NOEXEC_SEAL);
    if (fd == -EINVAL) /* Linux before 6.3 */
        fd = mt__sys(SYS_memfd_create, name, flags);
    if (fd < 0)
        return (int)fd;
    queue->fd = (int)fd;
    result = mt__sys(SYS_ftruncate, fd, queue->head_size + queue->data_size);
    if (!result)
        do
            result = mt__sys(SYS_fallocate, fd, 0, 0, queue->head_size + queue->data_size);
        while (result == -EINTR);
    if (!result)
        result = mt__sys(SYS_fcntl, fd, F_ADD_SEALS, SEALS);
    return (int)result;
}

static void fill_head(struct mt_queue *queue, uint64_t inode)
{
    struct mt__segment *shared = queue->shared;

    shared->version = MT__QUEUE_VERSION;
    shared->order = queue->order;
    shared->capacity = queue->capacity;
    shared->message_max = queue->message_max;
    shared->head_size = queue->head_size;
    shared->data_size = queue->data_size;
    shared->space = queue->space;
    shared->inode = inode;
    memcpy(shared->name, queue->name, sizeof shared->name);
    if (queue->store->fill)
        queue->store->fill(queue);
    mt__store64(&shared->magic, MT__QUEUE_MAGIC);
}

struct mt_queue *mt_queue_new(const struct mt_queue_options *options)
{
    struct mt_queue_options full = options ? *options : (struct mt_queue_options){0};
    struct mt_queue *queue;
    struct stat status;
    int error;

    full.capacity = full.capacity ? full.capacity : 256;
    full.message_max = full.message_max ? full.message_max : 4096;
    if ((unsigned)full.order > MT_QUEUE_PRIORITY || full.capacity > INT32_MAX / 2 || full.message_max > INT32_MAX / 2)
        return fail(NULL, -EINVAL);
    queue = new_handle();
    if (!queue)
        return fail(NULL, -ENOMEM);
    queue->order = full.order;
    queue->capacity = full.capacity;
    queue->message_max = full.message_max;
    queue->store = store_of(full.order);
    queue->head_size = page_up(sizeof(struct mt__segment));
    queue->data_size = page_up(queue->store->data_size(&full));
    queue->space = pid_namespace();
    queue->notes = 1;
    strncpy(queue->name, full.name ? full.name : "", sizeof queue->name - 1);
    if (!queue->store->init(queue))
        return fail(queue, -EINVAL);
    error = make_file(queue);
    if (!error)
        error = map(queue);
    if (!error && fstat(queue->fd, &status) < 0)
        error = -errno;
    if (error)
        return fail(queue, error);
    fill_head(queue, status.st_ino);
    return opened(queue);
}

/* -- Attaching ---------------------------------------------------------------------------------------------------- */

static int has_magic(int fd, struct mt__segment *head)
{
    long length = mt__sys(SYS_pread64, fd, head, sizeof *head, 0);

    if (length < 0)
        return (int)length == -ESPIPE || (int)length == -EISDIR ? -EINVAL : (int)length;
    if (length != (long)sizeof *head || head->magic != MT__QUEUE_MAGIC)
        return -EINVAL;
    return head->version == MT__QUEUE_VERSION ? 0 : -EPROTO;
}

/* From a private copy of the head into the handle, as far as it can be true. */
static int believe(struct mt_queue *queue, const struct mt__segment *head)
{
    struct stat status;

    if (fstat(queue->fd, &status) < 0)
        return -errno;
    if (head->order > MT_QUEUE_PRIORITY || !head->capacity || head->capacity > INT32_MAX / 2 ||
        head->message_max > INT32_MAX / 2 || head->head_size != page_up(sizeof *head) ||
        head->data_size != page_up(head->data_size) || head->data_size > (uint64_t)1 << 40 ||
        (uint64_t)status.st_size != head->head_size + head->data_size)
        return -EUCLEAN;
    queue->order = head->order;
    queue->capacity = head->capacity;
    queue->message_max = head->message_max;
    queue->head_size = head->head_size;
    queue->data_size = head->data_size;
    queue->store = store_of(head->order);
    queue->space = pid_namespace();
    queue->notes = queue->space && queue->space == head->space;
    memcpy(queue->name, head->name, sizeof queue->name - 1);
    return queue->store->init(queue) ? 0 : -EUCLEAN;
}

struct mt_queue *mt_queue_attach(int fd)
{
    struct mt__segment head;
    struct mt_queue *queue = new_handle();
    long own, seals;
    int error;

    if (!queue)
        return fail(NULL, -ENOMEM);
    own = mt__sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return fail(queue, own == -EINVAL ? -EMFILE : (int)own);
    queue->fd = (int)own;
    seals = mt__sys(SYS_fcntl, own, F_GET_SEALS);
    error = seals < 0 ? -EINVAL : has_magic(queue->fd, &head);
    if (!error && (seals & SEALS) != SEALS)
        error = -EPERM;
    if (!error)
        error = believe(queue, &head);
    if (!error)
        error = map(queue);
    if (error)
        return fail(queue, error == -EACCES ? -EPERM : error);
    return opened(queue);
}

struct mt_queue *mt_queue_attach_from(int pidfd, int fd)
{
    struct mt_queue *queue;
    long copy = mt__sys(SYS_pidfd_getfd, pidfd, fd, 0);

    if (copy < 0)
        return fail(NULL, (int)copy);
    queue = mt_queue_attach((int)copy);
    mt__sys(SYS_close, copy); /* errno stays: this is not libc's close */
    return queue;
}

void mt_queue_free(struct mt_queue *queue)
{
    if (!queue)
        return;
    if (queue->mapped) {
        mt__wait_settle();
        mt__sys(SYS_munmap, queue->shared, queue->mapped);
    }
    if (queue->fd >= 0)
        mt__sys(SYS_close, queue->fd);
    free(queue);
}

/* -- Questions ---------------------------------------------------------------------------------------------------- */

int mt_queue_fd(const struct mt_queue *queue)
{
    return queue->fd;
}

uint32_t mt_queue_capacity(const struct mt_queue *queue)
{
    return queue->capacity;
}

uint32_t mt_queue_message_max(const struct mt_queue *queue)
{
    return queue->message_max;
}

const char *mt_queue_name(const struct mt_queue *queue)
{
    return queue->name;
}

uint32_t mt_queue_size(const struct mt_queue *queue)
{
    return queue->store->size(queue);
}

int mt_queue_is_empty(const struct mt_queue *queue)
{
    return mt_queue_size(queue) == 0;
}

int mt_queue_is_full(const struct mt_queue *queue)
{
    return !queue->store->has_room(queue, queue->message_max);
}

int mt_queue_is_closed(const struct mt_queue *queue)
{
    return __atomic_load_n(&queue->shared->closed, __ATOMIC_ACQUIRE) != 0;
}
