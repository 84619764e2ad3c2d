/* SPDX-License-Identifier: MIT
 *
 * Two hostile clients of a manager: each step of the input is a request of one of them, to one of a dozen objects, with
 * what the input says in it; it is answered before the next. A client may come and go, may not say that it has taken
 * what it was handed, and may send what is no request at all. Nothing may be held by both where one alone may hold it;
 * and when both have gone all is free again, nobody waits any more, and the server has no byte left that it counts.
 *
 * The visitors' threads are the server's own, without the main task that would receive them. No request waits for long.
 *
 * Built by tests/fuzz.t with libFuzzer.
 */
#include "input.h"
#include "manager/client.h"
#include "manager/server.h"
#include "process/conn.h"

#include <errno.h>
#include <linuxmt/thread.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS = 2, BRIEF = 50000, FIRST = MT__MANAGED_QUEUE };

#define SOON mt_after(MT_SEC(8))

static struct mt__server server;
static struct mt__server_start limits = {.connections = CLIENTS, .objects = 20, .message_max = 300, .memory = 1 << 20};
static struct mt_listener *listener;

static struct mt__object *objects[MT__MANAGED_KINDS];

static struct client {
    struct mt__visitor visitor;
    struct mt_task *task; /* NULL: it has not come */
    struct mt_conn *conn;
    int spoilt;                /* the connection has ended, or is about to */
    enum mt__managed_kind has; /* what it holds: a lock, a condition's, a read-write lock; NONE: nothing */
    int writes;
} clients[CLIENTS];

/* -- Coming and going --------------------------------------------------------------------------------------------- */

static int64_t receive(struct client *client)
{
    unsigned char reply[8192];
    ssize_t size = mt_conn_receive(client->conn, reply, sizeof reply, SOON);
    struct mt__unpack body = {reply, size < 0 ? 0 : (size_t)size, 0};
    int64_t result = (int64_t)mt__unpack_u64(&body);

    must(size != -ETIMEDOUT, "no answer");
    if (size < 0) {
        client->spoilt = 1;
        return size;
    }
    must(!body.bad && result >= -4095, "a reply that is none");
    return result;
}

static void send_pack(struct client *client, struct mt__pack *pack)
{
    int error = mt_conn_send(client->conn, pack->data, pack->size, SOON);

    must(error != -ETIMEDOUT, "a request that is not read");
    client->spoilt |= error != 0;
    mt__pack_free(pack);
}

static int receive_visitor(void *visitor)
{
    struct mt__visitor *this = visitor;

    this->fd = mt__listener_take(listener, SOON);
    must(this->fd >= 0, "nobody has come");
    return mt__visitor_main(this);
}

static void come(struct client *client)
{
    struct mt__pack hello = {0};

    memset(client, 0, sizeof *client);
    client->visitor = (struct mt__visitor){.server = &server, .listener = listener, .passed_fd = -1};
    client->task = mt_thread_spawn(receive_visitor, &client->visitor, NULL);
    must(client->task != NULL, "no memory");
    client->conn = mt_conn_connect(mt_listener_address(listener), NULL, 0, SOON);
    must(client->conn != NULL, "nobody listens");
    mt__request(&hello, MT__OP_HELLO, 0, 0);
    mt__pack_u32(&hello, MT__MANAGER_LANGUAGE);
    send_pack(client, &hello);
    must(receive(client) == 0, "no greeting");
}

static void go(struct client *client)
{
    if (!client->task)
        return;
    mt_conn_close(client->conn);
    must(mt_task_join(client->task, SOON) == 0, "a visitor that does not end");
    mt_task_release(client->task);
    mt_conn_close(client->visitor.conn);
    if (client->visitor.held)
        mt__object_release(client->visitor.held);
    client->task = NULL;
    client->has = MT__MANAGED_NONE;
}

/* -- Requests ----------------------------------------------------------------------------------------------------- */

static int is_mutual(enum mt__managed_kind kind)
{
    return kind == MT__MANAGED_LOCK || kind == MT__MANAGED_COND || kind == MT__MANAGED_RWLOCK;
}

static void check_holders(const struct client *client, enum mt__managed_kind kind, int writes)
{
    const struct client *other = &clients[client == clients];

    if (kind && other->task && !other->spoilt && other->has == kind)
        must(kind == MT__MANAGED_RWLOCK && !writes && !other->writes, "two hold what one alone may hold");
}

static void note_handed(struct client *client, enum mt__managed_kind kind, unsigned op, int writes)
{
    if ((op != MT__OP_ACQUIRE && op != MT__OP_RW_ACQUIRE) || !is_mutual(kind))
        return;
    check_holders(client, kind, writes);
    client->has = kind;
    client->writes = writes;
}

/* A wait for a condition gives up the lock, and has it again. */
static void note_done(struct client *client, enum mt__managed_kind kind, unsigned op, int64_t result)
{
    if (client->has != kind)
        return;
    if ((!result && (op == MT__OP_RELEASE || op == MT__OP_RW_RELEASE)) ||
        (op == MT__OP_COND_WAIT && result == -ENOTRECOVERABLE))
        client->has = MT__MANAGED_NONE;
    else if (op == MT__OP_COND_WAIT)
        check_holders(client, kind, 1);
}

static int hands_over(unsigned op, int64_t result)
{
    return (op == MT__OP_GET || op == MT__OP_ACQUIRE || op == MT__OP_SEM_ACQUIRE || op == MT__OP_RW_ACQUIRE) &&
           (result >= 0 || result == -EOWNERDEAD);
}

/* The ops of conditions, barriers and read-write locks, and of their locks, more often than all others. */
static unsigned take_op(struct input *input)
{
    static const unsigned char ops[] = {MT__OP_ACQUIRE,       MT__OP_CONSISTENT,    MT__OP_RELEASE,
                                        MT__OP_COND_WAIT,     MT__OP_COND_NOTIFY,   MT__OP_BARRIER_WAIT,
                                        MT__OP_BARRIER_STOP,  MT__OP_BARRIER_STATE, MT__OP_RW_ACQUIRE,
                                        MT__OP_RW_CONSISTENT, MT__OP_RW_RELEASE};
    unsigned which = take(input);

    return which % 4 ? ops[which % sizeof ops] : which / 4;
}

static unsigned kind_of(unsigned op)
{
    return op >= MT__OP_RW_ACQUIRE     ? MT__MANAGED_RWLOCK
           : op >= MT__OP_BARRIER_WAIT ? MT__MANAGED_BARRIER
           : op >= MT__OP_COND_WAIT    ? MT__MANAGED_COND
                                       : MT__MANAGED_LOCK;
}

/* Bytes of the number behind the head. */
static unsigned width_of(unsigned op)
{
    switch (op) {
    case MT__OP_RW_ACQUIRE:
    case MT__OP_RW_RELEASE:
    case MT__OP_BARRIER_STOP:
        return 1;
    case MT__OP_COND_NOTIFY:
    case MT__OP_SEM_RELEASE:
        return 4;
    case MT__OP_COUNT_ADD:
    case MT__OP_COUNT_SET:
    case MT__OP_LIST_GET:
        return 8;
    default:
        return 0;
    }
}

/* Mostly what the op wants, else what the input says. */
static void pack_body(struct mt__pack *pack, struct input *input, unsigned op, unsigned shape)
{
    switch (shape % 8) {
    case 0:
        for (unsigned left = take(input) % 24; left; left--)
            mt__pack_u8(pack, take(input));
        break;
    case 1:
        mt__pack_text(pack, (const char[]){(char)('a' + take(input) % 3), 0});
        mt__pack_number(pack, take(input), take(input) % 9);
        break;
    default:
        mt__pack_number(pack, shape / 8 % 2, width_of(op));
    }
}

static void request(struct client *client, struct input *input)
{
    unsigned op = take_op(input), shape = take(input),
             which = (shape & 0x90) == 0x90 ? take(input) % MT__MANAGED_KINDS : kind_of(op);
    uint64_t id = which ? objects[which]->id : take(input);
    struct mt__pack pack = {0};
    size_t head;
    int64_t result;
    int writes;

    mt__pack_u8(&pack, op);
    mt__pack_u8(&pack, 0);
    mt__pack_number(&pack, shape & 32 ? MT__REQUEST_NOWAIT : take(input) % 4, 2);
    mt__pack_u64(&pack, id);
    mt__pack_u64(&pack, (uint64_t)take(input) * BRIEF / 255);
    head = pack.size;
    pack_body(&pack, input, op, shape);
    writes = pack.size > head && pack.data[head];
    if (shape >= 250)
        pack.size = pack.size * (shape - 249) / 8;
    send_pack(client, &pack);
    result = receive(client);
    if (client->spoilt || (client->spoilt = result == -EPROTO))
        return;
    note_done(client, (enum mt__managed_kind)which, op, result);
    if (!hands_over(op, result))
        return;
    if (shape % 64 == 7) {
        client->spoilt = 1; /* whatever comes next is not the word that it waits for */
        return;
    }
    mt__request(&pack, MT__OP_TAKEN, 0, 0);
    send_pack(client, &pack);
    note_handed(client, (enum mt__managed_kind)which, op, writes);
}

static void step(struct input *input)
{
    unsigned what = take(input);
    struct client *client = &clients[what % CLIENTS];

    if (client->spoilt || what >= 240)
        go(client);
    if (!client->task)
        come(client);
    request(client, input);
}

/* -- A run -------------------------------------------------------------------------------------------------------- */

static void set_up(void)
{
    static const struct mt_queue_options queue = {.capacity = 4, .message_max = 100};

    mt_lock_init(&server.lock, "manager", 0);
    server.limits = &limits;
    server.ended = -1;
    for (unsigned kind = FIRST; kind < MT__MANAGED_KINDS; kind++) {
        char name[] = {'A' + (char)kind, 0};
        must(mt__object_open(&server, (enum mt__managed_kind)kind, name, 0, &queue, 2, &objects[kind]) == 0,
             "no object");
    }
}

/* Whether the next one gets it, mended if it must be; what can never be mended is free too. */
static void check_lock(struct mt_robust *lock)
{
    int result = mt_robust_acquire(lock, MT_NOWAIT);

    must(result == 0 || result == -EOWNERDEAD || result == -ENOTRECOVERABLE, "a lock of nobody's that is held");
    if (result == -EOWNERDEAD)
        must(mt_robust_consistent(lock) == 0, "a lock that cannot be mended");
    if (result != -ENOTRECOVERABLE)
        must(mt_robust_release(lock) == 0, "a lock that is not held");
}

static void check_free(void)
{
    struct mt__page *page = mt__page(objects[MT__MANAGED_RWLOCK]->page);
    int result = mt__page_rw_acquire(page, 1, MT_NOWAIT, NULL);

    check_lock(&mt__page(objects[MT__MANAGED_LOCK]->page)->lock);
    check_lock(&mt__page(objects[MT__MANAGED_COND]->page)->lock);
    must(result == 0 || result == -EOWNERDEAD, "a read-write lock of nobody's that is held");
    must(mt__page_rw_release(page, 1) == 0, "a read-write lock that is not held");
    must(mt__page(objects[MT__MANAGED_BARRIER]->page)->barrier.waiting == 0,
         "somebody at the barrier, and nobody there");
}

static void tear_down(void)
{
    for (unsigned kind = FIRST; kind < MT__MANAGED_KINDS; kind++)
        mt__object_release(objects[kind]);
    for (uint32_t place = 0; place < server.object_room; place++)
        if (server.objects[place])
            must(mt__object_remove(&server, server.objects[place]->name) == 0, "an object without a name");
    must(server.memory == 0 && server.object_count == 0, "memory of objects that are gone");
    free(server.objects);
    memset(&server, 0, sizeof server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    if (!listener) {
        char address[64];
        snprintf(address, sizeof address, "unix:@linuxmt-fuzz-%d", (int)getpid());
        listener = mt_listen(address, NULL, 0);
    }
    must(listener != NULL, "nowhere to listen");
    set_up();
    while (input.size)
        step(&input);
    for (unsigned i = 0; i < CLIENTS; i++)
        go(&clients[i]);
    check_free();
    tear_down();
    return 0;
}
