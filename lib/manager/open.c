/* SPDX-License-Identifier: MIT
 *
 * Opening an object by name. What lies in memory comes as a descriptor behind the reply, if the server is on this host.
 */
#include "base/sys.h"
#include "manager/client.h"
#include "process/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLAGS (MT_MANAGER_OPEN | MT_MANAGER_CREATE | MT_MANAGER_REQUESTS)

static int check(const char *name, unsigned flags)
{
    if (!name || !*name || (flags & ~(unsigned)FLAGS) || ((flags & MT_MANAGER_OPEN) && (flags & MT_MANAGER_CREATE)))
        return -EINVAL;
    return strlen(name) < MT_MANAGER_NAME_MAX ? 0 : -ENAMETOOLONG;
}

/* A descriptor for which this process has no room is lost on the way. */
static int no_descriptor(const struct mt__line *line, int error)
{
    int fd = error == -EPROTO ? fcntl(line->conn->fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        error = mt__manager_say(-EMFILE, "no room for the object's descriptor: this process has too many open files");
    if (fd >= 0)
        close(fd);
    return error;
}

static int map(struct mt__managed *managed, int fd)
{
    if (managed->kind == MT__MANAGED_QUEUE)
        managed->queue = mt_queue_attach(fd);
    else
        managed->page = mt__page_attach(fd, managed->kind);
    return managed->queue || managed->page ? 0 : -errno;
}

static int receive_memory(struct mt__managed *managed, struct mt__line *line, mt_deadline deadline, int *broken)
{
    int fd = mt_conn_receive_fd(line->conn, deadline), error;

    if (fd < 0) {
        *broken = 1;
        return no_descriptor(line, fd);
    }
    error = map(managed, fd);
    close(fd);
    return error;
}

static int open_over(struct mt__managed *managed, struct mt__line *line, struct mt__pack *pack, mt_deadline deadline,
                     int *broken)
{
    struct mt__reply reply = {0};
    int64_t result = mt__ask(line, pack, &reply, deadline, broken);
    unsigned has_memory;

    if (result >= 0) {
        managed->id = mt__unpack_u64(&reply.body);
        has_memory = mt__unpack_u8(&reply.body);
        *broken = !mt__unpack_is_whole(&reply.body);
        result = *broken      ? mt__manager_say(-EPROTO, "the manager's answer is not what was asked for")
                 : has_memory ? receive_memory(managed, line, mt_after(MT_SEC(10)), broken)
                              : 0;
    }
    free(reply.data);
    return (int)result;
}

static int open_managed(struct mt__managed *managed, const struct mt__pack *options, unsigned flags,
                        mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__line *line;
    int broken = 0, error;

    mt__request(&pack, MT__OP_OPEN, flags, 0);
    mt__pack_u8(&pack, managed->kind);
    mt__pack_text(&pack, managed->name);
    if (options)
        mt__pack_bytes(&pack, options->data, options->size);
    error = mt__call_line(managed->manager, &line, deadline);
    if (error) {
        mt__pack_free(&pack);
        return error;
    }
    error = open_over(managed, line, &pack, deadline, &broken);
    if (broken)
        mt__line_end(line);
    else
        mt__line_give(line);
    return error;
}

struct mt__managed *mt__managed_open(struct mt_manager *manager, enum mt__managed_kind kind, const char *name,
                                     const struct mt__pack *options, unsigned flags, mt_deadline deadline)
{
    struct mt__managed *managed = NULL;
    int error = check(name, flags);

    if (!error) {
        managed = mt__alloc(sizeof *managed);
        error = managed ? 0 : -ENOMEM;
    }
    if (!error) {
        managed->kind = kind;
        managed->manager = manager;
        strcpy(managed->name, name);
        error = open_managed(managed, options, flags, deadline);
    }
    if (error) {
        free(managed);
        errno = -error;
        return NULL;
    }
    mt__manager_retain(manager);
    return managed;
}

void mt__managed_free(struct mt__managed *managed)
{
    if (!managed)
        return;
    if (managed->held && managed->forks == mt__manager_forks)
        mt__line_end(managed->held);
    mt__rw_holds_end(managed);
    mt_queue_free(managed->queue);
    mt_shm_free(managed->page);
    mt__manager_release(managed->manager);
    free(managed);
}

/* -- The kinds ---------------------------------------------------------------------------------------------------- */

struct mt_managed_queue *mt_manager_queue(struct mt_manager *manager, const char *name,
                                          const struct mt_queue_options *options, unsigned flags, mt_deadline deadline)
{
    static const struct mt_queue_options usual;
    struct mt__pack pack = {0};
    struct mt__managed *managed = NULL;

    if (!options)
        options = &usual;
    mt__pack_u32(&pack, options->order);
    mt__pack_u32(&pack, options->capacity);
    mt__pack_u32(&pack, options->message_max);
    mt__pack_u64(&pack, options->bytes);
    if (pack.failed)
        errno = ENOMEM;
    else
        managed = mt__managed_open(manager, MT__MANAGED_QUEUE, name, &pack, flags, deadline);
    mt__pack_free(&pack);
    return (struct mt_managed_queue *)managed;
}

static struct mt__managed *open_with_value(struct mt_manager *manager, enum mt__managed_kind kind, const char *name,
                                           uint32_t value, unsigned flags, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__managed *managed = NULL;

    mt__pack_u32(&pack, value);
    if (pack.failed)
        errno = ENOMEM;
    else
        managed = mt__managed_open(manager, kind, name, &pack, flags, deadline);
    mt__pack_free(&pack);
    return managed;
}

struct mt_managed_sem *mt_manager_sem(struct mt_manager *manager, const char *name, uint32_t value, unsigned flags,
                                      mt_deadline deadline)
{
    return (struct mt_managed_sem *)open_with_value(manager, MT__MANAGED_SEM, name, value, flags, deadline);
}

struct mt_managed_barrier *mt_manager_barrier(struct mt_manager *manager, const char *name, uint32_t parties,
                                              unsigned flags, mt_deadline deadline)
{
    return (struct mt_managed_barrier *)open_with_value(manager, MT__MANAGED_BARRIER, name, parties, flags, deadline);
}

/* Those that need nothing but a name. */
#define OPEN_BY_NAME(noun, type, kind)                                                                        \
    struct mt_managed_##type *mt_manager_##noun(struct mt_manager *manager, const char *name, unsigned flags, \
                                                mt_deadline deadline)                                         \
    {                                                                                                         \
        return (struct mt_managed_##type *)mt__managed_open(manager, kind, name, NULL, flags, deadline);      \
    }

OPEN_BY_NAME(cond, cond, MT__MANAGED_COND)
OPEN_BY_NAME(rwlock, rwlock, MT__MANAGED_RWLOCK)
OPEN_BY_NAME(lock, lock, MT__MANAGED_LOCK)
OPEN_BY_NAME(event, event, MT__MANAGED_EVENT)
OPEN_BY_NAME(counter, counter, MT__MANAGED_COUNTER)
OPEN_BY_NAME(dict, dict, MT__MANAGED_DICT)
OPEN_BY_NAME(namespace, dict, MT__MANAGED_NAMESPACE)
OPEN_BY_NAME(list, list, MT__MANAGED_LIST)

#define FREE(noun)                                                \
    void mt_managed_##noun##_free(struct mt_managed_##noun *noun) \
    {                                                             \
        mt__managed_free((struct mt__managed *)noun);             \
    }

FREE(queue)
FREE(lock)
FREE(event)
FREE(sem)
FREE(counter)
FREE(cond)
FREE(barrier)
FREE(rwlock)
FREE(dict)
FREE(list)
