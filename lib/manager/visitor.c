/* SPDX-License-Identifier: MIT
 *
 * A connection's thread in a manager's server: it greets, and then serves one request after the other, so that one who
 * waits for a message or a lock keeps nobody else waiting. Its client's going away is seen by the main task, which
 * kills it: then the call that it waits in comes back.
 *
 *   greeted -> request -> reply -> request ...
 *                         reply that hands something over -> taken -> request ...
 *                                                         -> anything else, or nothing: taken back; end
 *
 * Nothing that comes is trusted. A request that is none, or is not for the object that it names, ends the connection
 * after it was told so; there is nobody whom it disturbs.
 */
#include "manager/server.h"
#include "base/clock.h"
#include "base/sys.h"
#include "manager/client.h"
#include "process/conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER MT_SEC(10) /* how long a client may take to send what must follow, or to take what it has asked for */

int mt__visitor_say(struct mt__visitor *visitor, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(visitor->text, sizeof visitor->text, format, arguments);
    va_end(arguments);
    return code;
}

/* -- Requests about the server ------------------------------------------------------------------------------------ */

struct request {
    unsigned op, flags;
    uint64_t id;
    mt_deadline deadline;
    struct mt__unpack in;
};

static int check_user(struct mt__visitor *visitor)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof peer;

    if (!visitor->is_local)
        return 0;
    if (getsockopt(visitor->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return -errno;
    return peer.uid == geteuid()
               ? 0
               : mt__visitor_say(visitor, -EPERM, "this manager serves its own user only, uid %u", (unsigned)geteuid());
}

static int64_t hello(struct mt__visitor *visitor, struct request *request, struct mt__pack *out)
{
    uint32_t language = mt__unpack_u32(&request->in);
    int error = check_user(visitor);

    if (request->op != MT__OP_HELLO || !mt__unpack_is_whole(&request->in))
        return mt__visitor_say(visitor, -EPROTO, "a manager is greeted first");
    if (language != MT__MANAGER_LANGUAGE)
        return mt__visitor_say(visitor, -EPROTO, "this manager speaks version %d, not %u", MT__MANAGER_LANGUAGE,
                               language);
    if (error)
        return error;
    if (visitor->is_refused)
        return mt__visitor_say(visitor, -EUSERS,
                               "this manager has all the %u connections it may have: raise its option `connections`",
                               visitor->server->limits->connections);
    mt__pack_u32(out, MT__MANAGER_LANGUAGE);
    mt__pack_u32(out, visitor->server->limits->message_max);
    return 0;
}

static int explain_open(struct mt__visitor *visitor, const char *name, int error)
{
    switch (error) {
    case -ENOENT:
        return mt__visitor_say(visitor, error, "there is no \"%s\"", name);
    case -EEXIST:
        return mt__visitor_say(visitor, error, "there is a \"%s\" already", name);
    case -EMEDIUMTYPE:
        return mt__visitor_say(visitor, error, "\"%s\" is an object of another kind", name);
    case -ENOSPC:
        return mt__visitor_say(
            visitor, error, "no room for \"%s\": raise the manager's options `objects` (%u) or `memory` (%llu)", name,
            visitor->server->limits->objects, (unsigned long long)visitor->server->limits->memory);
    case -EMSGSIZE:
        return mt__visitor_say(visitor, error, "messages of \"%s\" would be larger than the manager takes (%u bytes)",
                               name, visitor->server->limits->message_max);
    default:
        return error;
    }
}

static void read_options(struct mt__unpack *in, unsigned kind, struct mt_queue_options *options, uint32_t *value)
{
    if (kind == MT__MANAGED_QUEUE) {
        options->order = (enum mt_queue_order)mt__unpack_u32(in);
        options->capacity = mt__unpack_u32(in);
        options->message_max = mt__unpack_u32(in);
        options->bytes = mt__unpack_u64(in);
    } else if (kind == MT__MANAGED_SEM || kind == MT__MANAGED_BARRIER) {
        *value = mt__unpack_u32(in);
    }
}

static int64_t open_object(struct mt__visitor *visitor, struct request *request, struct mt__pack *out,
                           struct mt__object **object)
{
    unsigned kind = mt__unpack_u8(&request->in), flags = request->flags & ~(unsigned)MT__REQUEST_NOWAIT;
    struct mt_queue_options options = {0};
    char name[MT_MANAGER_NAME_MAX];
    uint32_t value = 0;
    int error;

    mt__unpack_text(&request->in, name, sizeof name);
    read_options(&request->in, kind, &options, &value);
    if (!mt__unpack_is_whole(&request->in) || kind == MT__MANAGED_NONE || kind >= MT__MANAGED_KINDS)
        return -EPROTO;
    error = mt__object_open(visitor->server, (enum mt__managed_kind)kind, name, flags, &options, value, object);
    if (error)
        return explain_open(visitor, name, error);
    if (visitor->is_local && !(flags & MT_MANAGER_REQUESTS) && ((*object)->queue || (*object)->page))
        visitor->passed_fd = (*object)->queue ? mt_queue_fd((*object)->queue) : mt_shm_fd((*object)->page);
    mt__pack_u64(out, (*object)->id);
    mt__pack_u8(out, visitor->passed_fd >= 0);
    return 0;
}

static int64_t remove_object(struct mt__visitor *visitor, struct request *request)
{
    char name[MT_MANAGER_NAME_MAX];
    int error;

    mt__unpack_text(&request->in, name, sizeof name);
    if (!mt__unpack_is_whole(&request->in))
        return -EPROTO;
    error = mt__object_remove(visitor->server, name);
    return error ? explain_open(visitor, name, error) : 0;
}

static int64_t info(struct mt__visitor *visitor, struct request *request, struct mt__pack *out)
{
    struct mt__server *server = visitor->server;

    if (!mt__unpack_is_whole(&request->in))
        return -EPROTO;
    mt__pack_u32(out, __atomic_load_n(&server->object_count, __ATOMIC_RELAXED));
    mt__pack_u32(out, __atomic_load_n(&server->visitor_count, __ATOMIC_RELAXED));
    mt__pack_u64(out, __atomic_load_n(&server->memory, __ATOMIC_RELAXED));
    return 0;
}

/* -- Requests about an object ------------------------------------------------------------------------------------- */

static const struct mt__served_op *op_of(unsigned op)
{
    const struct mt__served_op *const rooms[] = {mt__serve_queue, mt__serve_sync, mt__serve_monitor, mt__serve_dict,
                                                 mt__serve_list};

    for (size_t i = 0; op < MT__OPS && i < sizeof rooms / sizeof *rooms; i++)
        if (rooms[i][op].serve)
            return &rooms[i][op];
    return NULL;
}

static int64_t serve_object(struct mt__visitor *visitor, struct request *request, struct mt__pack *out,
                            struct mt__object **object)
{
    const struct mt__served_op *op = op_of(request->op);

    if (!op)
        return mt__visitor_say(visitor, -EPROTO, "there is no request %u", request->op);
    *object = mt__object_find(visitor->server, request->id);
    if (!*object)
        return errno == ESTALE ? mt__visitor_say(visitor, -ESTALE, "the object was removed") : -errno;
    if (!(op->kinds & 1u << (*object)->kind))
        return mt__visitor_say(visitor, -EPROTO, "request %u is none for \"%s\"", request->op, (*object)->name);
    return op->serve(visitor, *object, &request->in, out, request->deadline);
}

static int64_t serve(struct mt__visitor *visitor, struct request *request, struct mt__pack *out,
                     struct mt__object **object)
{
    switch (request->op) {
    case MT__OP_OPEN:
        return open_object(visitor, request, out, object);
    case MT__OP_REMOVE:
        return remove_object(visitor, request);
    case MT__OP_INFO:
        return info(visitor, request, out);
    default:
        return serve_object(visitor, request, out, object);
    }
}

/* -- The talk ----------------------------------------------------------------------------------------------------- */

static void read_head(struct request *request, const unsigned char *data, size_t size)
{
    uint64_t timeout;

    request->in = (struct mt__unpack){data, size, 0};
    request->op = mt__unpack_u8(&request->in);
    mt__unpack_u8(&request->in);
    request->flags = (unsigned)mt__unpack_number(&request->in, 2);
    request->id = mt__unpack_u64(&request->in);
    timeout = mt__unpack_u64(&request->in);
    if (request->flags & MT__REQUEST_NOWAIT)
        request->deadline = MT_NOWAIT;
    else
        request->deadline = timeout > INT64_MAX ? MT_FOREVER : mt_after((int64_t)timeout);
}

/* The next message, to be freed. NULL: there will be none. */
static unsigned char *receive(struct mt__visitor *visitor, struct request *request, mt_deadline deadline)
{
    uint32_t limit = visitor->server->limits->message_max + MT__REQUEST_ROOM;
    ssize_t size;
    unsigned char *data;

    mt_conn_set_limit(visitor->conn, limit);
    size = mt_conn_next_size(visitor->conn, deadline);
    data = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!data)
        return NULL;
    size = mt_conn_receive(visitor->conn, data, (size_t)size, deadline);
    if (size < 0) {
        free(data);
        return NULL;
    }
    read_head(request, data, (size_t)size);
    return data;
}

static int send_reply(struct mt__visitor *visitor, int64_t result, struct mt__pack *out)
{
    struct mt__pack reply = {0};
    int error;

    mt__pack_u64(&reply, (uint64_t)result);
    if (result < 0)
        mt__pack_text(&reply, visitor->text[0] ? visitor->text : strerror((int)-result));
    else
        mt__pack_bytes(&reply, out->data, out->size);
    mt_conn_set_limit(visitor->conn, MT_CONN_LIMIT);
    error = reply.failed ? -ENOMEM : mt_conn_send(visitor->conn, reply.data, reply.size, mt_after(ANSWER));
    if (!error && result >= 0 && visitor->passed_fd >= 0)
        error = mt_conn_send_fd(visitor->conn, visitor->passed_fd, mt_after(ANSWER));
    mt__pack_free(&reply);
    return error;
}

/* A client that goes away at once after its word kills this thread, perhaps before the word was seen: it is there. */
static int is_taken(struct mt__visitor *visitor)
{
    struct request request;
    unsigned char *data = receive(visitor, &request, mt_after(ANSWER));
    int taken;

    if (!data)
        data = receive(visitor, &request, MT_NOWAIT);
    taken = data && request.op == MT__OP_TAKEN && mt__unpack_is_whole(&request.in);
    free(data);
    return taken;
}

/* What a reply cannot say, it says. */
static int64_t check_reply(struct mt__visitor *visitor, int64_t result, const struct mt__pack *out)
{
    if (out->failed)
        return -ENOMEM;
    if (result >= 0 && out->size > MT_CONN_LIMIT - MT__REQUEST_ROOM)
        return mt__visitor_say(visitor, -EMSGSIZE, "all of it together is more than a message may have");
    return result;
}

/* 1: go on. */
static int answer(struct mt__visitor *visitor, struct mt__object *object, int64_t result, struct mt__pack *out)
{
    int64_t checked = check_reply(visitor, result, out);
    int error = send_reply(visitor, checked, out), taken;

    if (!visitor->settle)
        return !error && checked != -EPROTO;
    taken = !error && checked == result && is_taken(visitor);
    visitor->handed = result;
    visitor->settle(visitor, object, taken);
    return taken;
}

/* One request. 1: go on. */
static int serve_next(struct mt__visitor *visitor, int is_first)
{
    struct request request;
    unsigned char *data = receive(visitor, &request, is_first ? mt_after(ANSWER) : MT_FOREVER);
    struct mt__object *object = NULL;
    struct mt__pack out = {0};
    int64_t result;
    int go_on;

    if (!data)
        return 0;
    visitor->text[0] = 0;
    visitor->settle = NULL;
    visitor->passed_fd = -1;
    if (request.in.bad)
        result = mt__visitor_say(visitor, -EPROTO, "what came is too short for a request");
    else
        result = is_first ? hello(visitor, &request, &out) : serve(visitor, &request, &out, &object);
    go_on = answer(visitor, object, result, &out) && !(is_first && result);
    if (object)
        mt__object_release(object);
    mt__pack_free(&out);
    free(data);
    return go_on;
}

int mt__visitor_main(void *arg)
{
    struct mt__visitor *visitor = arg;
    uint64_t one = 1;

    visitor->conn = mt__listener_greet(visitor->listener, visitor->fd);
    if (visitor->conn) {
        mt__keep_alive(visitor->conn);
        for (int is_first = 1; serve_next(visitor, is_first);)
            is_first = 0;
    }
    __atomic_store_n(&visitor->ended, 1, __ATOMIC_RELEASE);
    mt__sys(SYS_write, visitor->server->ended, &one, sizeof one);
    return 0; /* holding the lock that it holds */
}
