/* SPDX-License-Identifier: MIT
 *
 * A request and its reply. The server keeps the deadline; the client waits a little longer, so that as a rule the
 * server says first that it has passed, and the line stays good. A server that says nothing leaves the client with a
 * line over which an answer may still come: it is broken off, and what the server would have handed over it takes back.
 * But what was put may stay put, so the slack is long enough for a busy machine.
 *
 * MT_NOWAIT is about the object: for the way to the server and back there is always some time, ANSWER.
 */
#include "base/clock.h"
#include "manager/client.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SLACK         MT_MS(250)
#define ANSWER        MT_SEC(2)
#define REQUEST_FLAGS 2  /* where in a request its flags are, */
#define TIMEOUT_AT    12 /* and its timeout */

void mt__request(struct mt__pack *pack, enum mt__op op, unsigned flags, uint64_t id)
{
    mt__pack_u8(pack, op);
    mt__pack_u8(pack, 0);
    mt__pack_number(pack, flags, 2);
    mt__pack_u64(pack, id);
    mt__pack_u64(pack, MT__TIMEOUT_NEVER);
}

static mt_deadline end_of_answer(mt_deadline deadline)
{
    mt_deadline now = mt_now();

    if (deadline == MT_FOREVER || deadline > MT_FOREVER - SLACK)
        return MT_FOREVER;
    if (deadline == MT_NOWAIT)
        return now + ANSWER;
    return (deadline > now ? deadline : now) + SLACK;
}

static void set_timeout(struct mt__pack *pack, mt_deadline deadline)
{
    mt_deadline now = mt_now();
    uint64_t left = deadline > now ? (uint64_t)(deadline - now) : 0;

    if (pack->failed || deadline == MT_FOREVER)
        return;
    if (deadline == MT_NOWAIT)
        pack->data[REQUEST_FLAGS + 1] |= MT__REQUEST_NOWAIT >> 8;
    for (int i = 0; i < 8; i++)
        pack->data[TIMEOUT_AT + i] = (unsigned char)(left >> 8 * i);
}

static int gone(const struct mt__line *line, int error, mt_deadline deadline)
{
    const char *where = line->manager->address;

    switch (error) {
    case -EPIPE:
    case -ECONNRESET:
        return mt__manager_say(-EPIPE, "the manager at %s has ended, or has broken off the connection", where);
    case -EBADMSG:
    case -EPROTO:
    case -EMSGSIZE:
        return mt__manager_say(-EPROTO, "what came from the manager at %s is no answer", where);
    case -ETIMEDOUT:
    case -EBUSY:
        return mt__manager_say(mt__late(deadline), "the manager at %s has not answered in time", where);
    default:
        return error;
    }
}

static int receive(struct mt__line *line, struct mt__reply *reply, mt_deadline until)
{
    ssize_t size = mt_conn_next_size(line->conn, until);

    if (size < 0)
        return (int)size;
    reply->data = malloc((size_t)size + 1);
    if (!reply->data)
        return -ENOMEM;
    size = mt_conn_receive(line->conn, reply->data, (size_t)size, until);
    if (size < 0)
        return (int)size;
    reply->body = (struct mt__unpack){reply->data, (size_t)size, 0};
    reply->result = (int64_t)mt__unpack_u64(&reply->body);
    return reply->body.bad || reply->result < -4095 ? -EPROTO : 0;
}

static void keep_text(struct mt__reply *reply)
{
    size_t size;
    const char *text = mt__unpack_value(&reply->body, &size);

    if (size)
        mt__manager_say(0, "%.*s", (int)(size < INT_MAX ? size : INT_MAX), text);
    else
        mt__manager_say(0, "%s", strerror((int)-reply->result));
}

static int64_t ask(struct mt__line *line, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline,
                   mt_deadline until, int *broken)
{
    int error;

    set_timeout(pack, deadline);
    error = pack->failed ? -ENOMEM : mt_conn_send(line->conn, pack->data, pack->size, until);
    *broken = error && error != -ENOMEM;
    mt__pack_free(pack);
    if (!error) {
        error = receive(line, reply, until);
        *broken = error != 0;
    }
    if (error)
        return gone(line, error, deadline);
    if (reply->result < 0)
        keep_text(reply);
    return reply->result;
}

int64_t mt__ask(struct mt__line *line, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline,
                int *broken)
{
    return ask(line, pack, reply, deadline, end_of_answer(deadline), broken);
}

int64_t mt__ask_patiently(struct mt__line *line, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline,
                          int *broken)
{
    return ask(line, pack, reply, deadline, MT_FOREVER, broken);
}

int mt__taken(struct mt__line *line, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    int error;

    mt__request(&pack, MT__OP_TAKEN, 0, 0);
    error = pack.failed ? -ENOMEM : mt_conn_send(line->conn, pack.data, pack.size, end_of_answer(deadline));
    mt__pack_free(&pack);
    return error ? gone(line, error, deadline) : 0;
}

int64_t mt__ask_result(struct mt__line *line, struct mt__pack *pack, mt_deadline deadline, int *broken)
{
    struct mt__reply reply = {0};
    int64_t result = mt__ask(line, pack, &reply, deadline, broken);

    free(reply.data);
    return result;
}

int64_t mt__ask_to_hold(struct mt__line *line, struct mt__pack *pack, mt_deadline deadline, int *broken)
{
    int64_t result = mt__ask_result(line, pack, deadline, broken);
    int error;

    if (*broken || (result && result != -EOWNERDEAD))
        return result;
    error = mt__taken(line, deadline);
    *broken = error != 0;
    return error ? error : result;
}

/* In a call, a server that cannot be reached any more is one that is gone. */
int mt__call_line(struct mt_manager *manager, struct mt__line **line, mt_deadline deadline)
{
    int error = mt__line_take(manager, line, end_of_answer(deadline));

    if (error == -ECONNREFUSED || error == -ECONNRESET || error == -ENOENT)
        return -EPIPE;
    return error == -ETIMEDOUT ? mt__late(deadline) : error;
}

static int64_t call(struct mt_manager *manager, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline,
                    int taking)
{
    struct mt__line *line;
    int broken = 0;
    int64_t result;

    memset(reply, 0, sizeof *reply);
    result = mt__call_line(manager, &line, deadline);
    if (result) {
        mt__pack_free(pack);
        return result;
    }
    result = mt__ask(line, pack, reply, deadline, &broken);
    if (taking && result >= 0) {
        int error = mt__taken(line, deadline);
        broken = error != 0;
        result = error ? error : result;
    }
    if (broken)
        mt__line_end(line);
    else
        mt__line_give(line);
    return result;
}

int64_t mt__call(struct mt_manager *manager, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline)
{
    return call(manager, pack, reply, deadline, 0);
}

int64_t mt__call_taking(struct mt_manager *manager, struct mt__pack *pack, struct mt__reply *reply,
                        mt_deadline deadline)
{
    return call(manager, pack, reply, deadline, 1);
}

int64_t mt__call_plain(struct mt_manager *manager, struct mt__pack *pack, mt_deadline deadline)
{
    struct mt__reply reply;
    int64_t result = call(manager, pack, &reply, deadline, 0);

    free(reply.data);
    return result;
}

/* -- What came ---------------------------------------------------------------------------------------------------- */

static ssize_t bad_reply(void)
{
    return mt__manager_say(-EPROTO, "the manager's answer is not what was asked for");
}

ssize_t mt__reply_value(struct mt__reply *reply, int64_t result, void *value, size_t size)
{
    size_t got = 0;
    const void *from = result < 0 ? NULL : mt__unpack_value(&reply->body, &got);

    if (result >= 0 && !mt__unpack_is_whole(&reply->body))
        result = bad_reply();
    else if (result >= 0 && value && got > size)
        result = -ENOBUFS;
    else if (result >= 0 && value && got)
        memcpy(value, from, got);
    free(reply->data);
    return result < 0 ? (ssize_t)result : (ssize_t)got;
}

/* In front the items, behind them the bytes that they point to: each key with its end, each value aligned. */
static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

#define NO_ITEMS SIZE_MAX

/* Where the bytes end, NO_ITEMS if these are no items. They begin at `at`. */
static size_t unpack_items(struct mt__unpack body, struct mt_managed_item *items, char *memory, size_t at, size_t count)
{
    for (size_t i = 0; i < count && !body.bad; i++) {
        size_t key_size, size;
        const void *key = mt__unpack_value(&body, &key_size), *value = mt__unpack_value(&body, &size);
        if (items) {
            memcpy(memory + at, key, key_size);
            memory[at + key_size] = 0;
            items[i].key = key_size ? memory + at : NULL;
            items[i].value = memcpy(memory + at + aligned(key_size + 1), value, size);
            items[i].size = size;
        }
        at += aligned(key_size + 1) + aligned(size);
    }
    return mt__unpack_is_whole(&body) ? at : NO_ITEMS;
}

ssize_t mt__reply_items(struct mt__reply *reply, int64_t result, struct mt_managed_item **items)
{
    size_t count = 0, head = 0, end = NO_ITEMS;
    char *memory = NULL;

    if (result >= 0) {
        count = mt__unpack_u32(&reply->body);
        head = aligned(count * sizeof **items);
        if (count <= reply->body.left / 8) /* an item has two sizes at least */
            end = unpack_items(reply->body, NULL, NULL, head, count);
        if (end == NO_ITEMS)
            result = bad_reply();
        else if (count && !(memory = malloc(end)))
            result = -ENOMEM;
    }
    if (result >= 0) {
        if (count)
            unpack_items(reply->body, (struct mt_managed_item *)(void *)memory, memory, head, count);
        *items = (struct mt_managed_item *)(void *)memory;
        result = (int64_t)count;
    }
    free(reply->data);
    return (ssize_t)result;
}
