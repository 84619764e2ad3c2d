/* SPDX-License-Identifier: MIT
 *
 * A manager's handle: starting a server, connecting to one, and the end of both.
 *
 * The server is a daemon (mt_process_spawn(3)): the kernel or its own watcher ends it when its owner's process has
 * ended, however that ends. A handle is counted, by whoever has it and by each object that is open.
 */
#include "base/clock.h"
#include "base/sys.h"
#include "manager/client.h"
#include "manager/server.h"
#include "process/conn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CONNECTIONS     256
#define CONNECTIONS_MAX 65536
#define OBJECTS         1024
#define OBJECTS_MAX     (1u << 20)
#define MESSAGE_MAX     (1u << 20)
#define MESSAGE_MOST    (32u << 20)
#define MEMORY          ((uint64_t)256 << 20)
#define PATIENCE        MT_SEC(2) /* with a server that is to end, before it is killed */

/* -- The handle --------------------------------------------------------------------------------------------------- */

void mt__manager_retain(struct mt_manager *manager)
{
    __atomic_add_fetch(&manager->references, 1, __ATOMIC_RELAXED);
}

void mt__manager_release(struct mt_manager *manager)
{
    if (__atomic_sub_fetch(&manager->references, 1, __ATOMIC_ACQ_REL))
        return;
    if (manager->key)
        explicit_bzero(manager->key, manager->key_size);
    free(manager->key);
    free(manager->address);
    free(manager->tcp);
    free(manager);
}

static struct mt_manager *new_manager(const char *address, const void *key, size_t key_size)
{
    struct mt_manager *manager = mt__alloc(sizeof *manager);

    if (!manager)
        return NULL;
    manager->references = 1;
    manager->forks = mt__manager_forks;
    manager->address = strdup(address);
    manager->key = key ? malloc(key_size + 1) : NULL;
    if (manager->address && (manager->key || !key)) {
        manager->key_size = key_size;
        if (key)
            memcpy(manager->key, key, key_size);
        return manager;
    }
    mt__manager_release(manager);
    return NULL;
}

static int is_owner(const struct mt_manager *manager)
{
    return manager->task && manager->forks == mt__manager_forks;
}

const char *mt_manager_address(const struct mt_manager *manager)
{
    return manager->address;
}

const char *mt_manager_tcp_address(const struct mt_manager *manager)
{
    return manager->tcp;
}

struct mt_task *mt_manager_task(const struct mt_manager *manager)
{
    return is_owner(manager) ? manager->task : NULL;
}

/* -- Connecting --------------------------------------------------------------------------------------------------- */

/* The first line: whether there is a manager, and lets us in. */
static int try(struct mt_manager *manager, mt_deadline deadline)
{
    struct mt__line *line;
    int error = mt__line_take(manager, &line, deadline);

    if (!error)
        mt__line_give(line);
    return error;
}

struct mt_manager *mt_manager_connect(const char *address, const void *key, size_t key_size, mt_deadline deadline)
{
    struct mt_manager *manager;
    int error;

    if (!address || (!key && key_size) || key_size > MT__KEY_MAX) {
        errno = EINVAL;
        return NULL;
    }
    manager = new_manager(address, key, key_size);
    error = manager ? try(manager, deadline) : -ENOMEM;
    if (!error)
        return manager;
    mt_manager_close(manager);
    errno = -error;
    return NULL;
}

/* -- Starting ----------------------------------------------------------------------------------------------------- */

static int make_up_address(char *address, size_t size)
{
    uint64_t random[2];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -EIO;
    snprintf(address, size, "unix:@linuxmt-manager-%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    return 0;
}

static int wrong(const char *what)
{
    return mt__manager_say(-EINVAL, "a manager's options: %s", what);
}

static int copy_addresses(const struct mt_manager_options *options, struct mt__server_start *start)
{
    if (options->tcp) {
        if (strncmp(options->tcp, "tcp:", 4) || strlen(options->tcp) >= sizeof start->tcp)
            return wrong("`tcp` is to be \"tcp:HOST:PORT\"");
        if (!options->key || !options->key_size)
            return wrong("`tcp` needs a `key`, or anybody could come in");
        strcpy(start->tcp, options->tcp);
    }
    if (!options->address)
        return make_up_address(start->address, sizeof start->address);
    if (strncmp(options->address, "unix:", 5) || strlen(options->address) >= sizeof start->address)
        return wrong("`address` is to be \"unix:PATH\" or \"unix:@NAME\"");
    strcpy(start->address, options->address);
    return 0;
}

static int read_options(const struct mt_manager_options *options, struct mt__server_start *start)
{
    start->connections = options->connections ? options->connections : CONNECTIONS;
    start->objects = options->objects ? options->objects : OBJECTS;
    start->message_max = options->message_max ? options->message_max : MESSAGE_MAX;
    start->memory = options->memory ? options->memory : MEMORY;
    if (start->connections > CONNECTIONS_MAX || start->objects > OBJECTS_MAX || start->message_max > MESSAGE_MOST ||
        start->memory > INT64_MAX)
        return wrong("at most 65536 `connections`, 1048576 `objects`, 32 MiB `message_max`");
    if ((!options->key && options->key_size) || options->key_size > sizeof start->key)
        return wrong("a `key` has 4096 bytes at most");
    start->key_size = (uint32_t)options->key_size;
    if (options->key)
        memcpy(start->key, options->key, options->key_size);
    return copy_addresses(options, start);
}

static int spawn(struct mt_manager *manager, const struct mt_manager_options *options,
                 const struct mt__server_start *start)
{
    struct mt_process_options process = {
        .name = options->name ? options->name : "manager", .start = options->start, .daemon = 1, .fd_count = 1};
    struct mt_conn *pair[2];
    int error = mt_conn_pair(pair), fd;

    if (error)
        return error;
    manager->control = mt__line_new(manager, pair[0]);
    if (!manager->control) {
        mt_conn_close(pair[1]);
        return -ENOMEM;
    }
    fd = mt_conn_fd(pair[1]);
    process.fds = &fd;
    manager->task = mt_process_spawn(mt__server_main, start, sizeof *start, &process);
    error = manager->task ? 0 : mt__manager_say(-errno, "the server's process does not start: %s", strerror(errno));
    mt_conn_close(pair[1]);
    return error;
}

/* It has ended before it was ready. */
static int ended_early(struct mt_manager *manager)
{
    const char *message;

    if (mt_task_join(manager->task, mt_after(PATIENCE)) < 0)
        return -EPIPE;
    message = mt_task_message(manager->task);
    return mt__manager_say(-EPIPE, "the server's process has ended at once%s%s", *message ? ": " : "", message);
}

static int unpack_report(struct mt_manager *manager, struct mt__unpack report)
{
    int64_t result = (int64_t)mt__unpack_u64(&report);
    size_t size, tcp_size;
    const char *text = mt__unpack_value(&report, &size), *tcp;

    if (result < 0 && result > -4096 && !report.bad)
        return mt__manager_say((int)result, "%.*s", (int)size, text);
    tcp = mt__unpack_value(&report, &tcp_size);
    if (!mt__unpack_is_whole(&report) || result)
        return -EPROTO;
    free(manager->address);
    manager->address = strndup(text, size);
    manager->tcp = tcp_size ? strndup(tcp, tcp_size) : NULL;
    return manager->address && (manager->tcp || !tcp_size) ? 0 : -ENOMEM;
}

static int hear_report(struct mt_manager *manager, mt_deadline deadline)
{
    unsigned char report[2 * MT__ADDRESS_MAX + 64];
    ssize_t size = mt_conn_receive(manager->control->conn, report, sizeof report, deadline);

    if (size == -EPIPE)
        return ended_early(manager);
    if (size < 0)
        return (int)size;
    return unpack_report(manager, (struct mt__unpack){report, (size_t)size, 0});
}

static int start_server(struct mt_manager *manager, const struct mt_manager_options *options, mt_deadline deadline)
{
    struct mt__server_start *start = mt__alloc(sizeof *start);
    int error = start ? read_options(options, start) : -ENOMEM;

    if (!error)
        error = spawn(manager, options, start);
    if (start)
        explicit_bzero(start, sizeof *start);
    free(start);
    if (!error)
        error = hear_report(manager, deadline);
    return error ? error : try(manager, deadline);
}

/* This call reports it: nobody else has to. */
static void forget_failure(struct mt_manager *manager)
{
    if (manager->task && mt_manager_shutdown(manager, mt_after(PATIENCE)) == 0)
        (void)mt_task_outcome(manager->task);
}

struct mt_manager *mt_manager_start(const struct mt_manager_options *options, mt_deadline deadline)
{
    static const struct mt_manager_options usual;
    struct mt_manager *manager;
    int error;

    if (!options)
        options = &usual;
    manager = new_manager("", options->key, options->key_size);
    error = manager ? start_server(manager, options, deadline) : -ENOMEM;
    if (!error)
        return manager;
    if (manager)
        forget_failure(manager);
    mt_manager_close(manager);
    errno = -error;
    return NULL;
}

/* -- Ending ------------------------------------------------------------------------------------------------------- */

int mt_manager_shutdown(struct mt_manager *manager, mt_deadline deadline)
{
    if (!is_owner(manager))
        return -EPERM;
    if (manager->control)
        mt__line_end(manager->control);
    manager->control = NULL;
    return mt_task_join(manager->task, deadline);
}

static void end_by_force(struct mt_manager *manager)
{
    int result = mt_process_signal(manager->task, SIGKILL);

    if (!result)
        result = mt_task_join(manager->task, mt_after(PATIENCE));
    (void)result;                         /* whether it could be waited for or not, it ends */
    (void)mt_task_outcome(manager->task); /* which is no news */
}

void mt_manager_close(struct mt_manager *manager)
{
    if (!manager)
        return;
    __atomic_store_n(&manager->closed, 1, __ATOMIC_RELEASE);
    mt__lines_end(manager);
    if (is_owner(manager) && mt_manager_shutdown(manager, mt_after(PATIENCE)) < 0)
        end_by_force(manager);
    if (manager->control)
        mt__line_end(manager->control);
    if (manager->task)
        mt_task_release(manager->task);
    manager->control = NULL;
    manager->task = NULL;
    mt__manager_release(manager);
}

/* -- Questions ---------------------------------------------------------------------------------------------------- */

int mt_manager_remove(struct mt_manager *manager, const char *name, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    if (!name || !*name)
        return -EINVAL;
    if (strlen(name) >= MT_MANAGER_NAME_MAX)
        return -ENAMETOOLONG;
    mt__request(&pack, MT__OP_REMOVE, 0, 0);
    mt__pack_text(&pack, name);
    return (int)mt__call_plain(manager, &pack, deadline);
}

int mt_manager_info(struct mt_manager *manager, struct mt_manager_info *info, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply;
    struct mt_manager_info got;
    int64_t result;

    mt__request(&pack, MT__OP_INFO, 0, 0);
    result = mt__call(manager, &pack, &reply, deadline);
    if (result >= 0) {
        got.objects = mt__unpack_u32(&reply.body);
        got.connections = mt__unpack_u32(&reply.body);
        got.memory = mt__unpack_u64(&reply.body);
        if (mt__unpack_is_whole(&reply.body))
            *info = got;
        else
            result = -EPROTO;
    }
    free(reply.data);
    return (int)result;
}
