/* SPDX-License-Identifier: MIT
 *
 * A client connects to a server, sends it bytes through a socket with little room and gets them back; it tells a
 * consumer by a queue how many have come, who hands that on to a sink by a channel; they share a lock, sleep, join, and
 * wait for a promise.
 */
#include "cancel-session.h"

#include <sys/socket.h>

enum { BLOCK = 4096, ROOM = 4608 };

static void fill(const struct stream *stream, unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((stream->sent + (long)i) * 7);
}

static void check(struct stream *stream, const unsigned char *bytes, ssize_t size)
{
    for (ssize_t i = 0; i < size; i++)
        stream->broken |= bytes[i] != (unsigned char)((stream->received + i) * 7);
    if (size > 0)
        stream->received += size;
}

/* Whoever fails ends it for all. */
static int give_up(struct session *session, int error)
{
    if (session->listener >= 0) {
        mt_close(session->listener);
        session->listener = -1;
    }
    if (session->server_fd >= 0)
        shutdown(session->server_fd, SHUT_RDWR);
    if (session->client_fd >= 0)
        shutdown(session->client_fd, SHUT_RDWR);
    mt_queue_close(session->queue);
    mt_channel_close(&session->channel);
    mt_promise_fail(session->total, error, "the session was given up");
    return error;
}

/* Some bytes, with the lock, which others want meanwhile. */
static ssize_t send_some(struct session *session, int fd, struct stream *stream, long until)
{
    unsigned char bytes[BLOCK];
    size_t size = until - stream->sent < BLOCK ? (size_t)(until - stream->sent) : BLOCK;
    ssize_t count;
    int result = mt_lock_acquire(&session->lock, END);

    if (result)
        return result;
    mt_coro_yield();
    result = mt_lock_release(&session->lock);
    if (result)
        return result;
    fill(stream, bytes, size);
    count = mt_send(fd, bytes, size, 0, END);
    if (count > 0)
        stream->sent += count;
    return count;
}

static int serve(struct session *session)
{
    unsigned char bytes[BLOCK];
    ssize_t count = mt_accept(session->listener, NULL, NULL, SOCK_CLOEXEC, END);
    int room = ROOM;

    if (count < 0)
        return (int)count;
    session->server_fd = (int)count;
    if (setsockopt(session->server_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room))
        return -errno;
    while ((count = mt_recv(session->server_fd, bytes, sizeof bytes, 0, END)) > 0) {
        check(&session->there, bytes, count);
        while (count > 0 && session->back.sent < session->there.received)
            count = send_some(session, session->server_fd, &session->back, session->there.received);
        if (count < 0)
            break;
    }
    return count < 0 ? (int)count : shutdown(session->server_fd, SHUT_WR) ? -errno : 0;
}

static int server(void *arg)
{
    int result = serve(arg);

    return result ? give_up(arg, result) : 0;
}

static int write_all(struct session *session)
{
    ssize_t count = mt_sleep(1000);

    while (count >= 0 && session->there.sent < BYTES)
        count = send_some(session, session->client_fd, &session->there, BYTES);
    return count < 0 ? (int)count : shutdown(session->client_fd, SHUT_WR) ? -errno : 0;
}

static int writer(void *arg)
{
    int result = write_all(arg);

    return result ? give_up(arg, result) : 0;
}

static int read_back(struct session *session)
{
    unsigned char bytes[BLOCK];
    ssize_t count;

    while ((count = mt_recv(session->client_fd, bytes, sizeof bytes, 0, END)) > 0) {
        long number = count;
        int result;
        check(&session->back, bytes, count);
        result = mt_queue_put(session->queue, &number, sizeof number, END);
        if (result)
            return result;
        session->put += number;
    }
    return (int)count;
}

static int talk(struct session *session)
{
    long total = 0;
    int room = ROOM, result;

    session->client_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (session->client_fd < 0 || setsockopt(session->client_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room))
        return -errno;
    result = mt_connect(session->client_fd, (struct sockaddr *)&session->address, session->address_size, END);
    if (result)
        return result;
    session->writer = mt_coro_spawn(writer, session, NULL);
    if (!session->writer)
        return -errno;
    result = read_back(session);
    if (!result)
        result = mt_task_join(session->writer, END);
    if (result)
        return result;
    mt_queue_close(session->queue);
    result = mt_future_get(session->total, &total, sizeof total, END);
    return result ? result : total == BYTES ? 0 : -EPROTO;
}

static int client(void *arg)
{
    int result = talk(arg);

    return result ? give_up(arg, result) : 0;
}

static int consume(struct session *session)
{
    long number;
    ssize_t size;

    while ((size = mt_queue_get(session->queue, &number, sizeof number, END)) == sizeof number) {
        int result;
        session->got += number;
        result = mt_channel_put(&session->channel, &number, END);
        if (result)
            return result;
        session->given += number;
    }
    if (size == -EPIPE)
        mt_channel_close(&session->channel);
    return size == -EPIPE ? 0 : (int)size;
}

static int consumer(void *arg)
{
    int result = consume(arg);

    return result ? give_up(arg, result) : 0;
}

static int sink(void *arg)
{
    struct session *session = arg;
    long number;
    struct mt_case cases[] = {{MT_CASE_GET, &session->never, NULL, 0}, {MT_CASE_GET, &session->channel, &number, 0}};
    int result;

    while ((result = mt_select(cases, 2, END)) == 1 && !cases[1].result)
        session->taken += number;
    if (result != 1)
        return give_up(session, result);
    mt_promise_set(session->total, &session->taken, sizeof session->taken);
    return 0;
}

mt_fn *const session_parties[PARTIES] = {server, client, consumer, sink};

/* -- Beginning and end -------------------------------------------------------------------------------------------- */

void session_begin(struct session *session)
{
    struct mt_queue_options options = {.capacity = 1, .message_max = sizeof(long)};

    *session = (struct session){.server_fd = -1, .client_fd = -1, .address = {.sun_family = AF_UNIX}};
    session->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(session->listener >= 0); /* the kernel makes up a name: */
    assert_int_equal(bind(session->listener, (struct sockaddr *)&session->address, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(session->listener, 1), 0);
    session->address_size = sizeof session->address;
    assert_int_equal(getsockname(session->listener, (struct sockaddr *)&session->address, &session->address_size), 0);
    mt_lock_init(&session->lock, "session", 0);
    mt_channel_init(&session->channel, sizeof(long), "session");
    mt_channel_init(&session->never, 0, "never");
    session->queue = mt_queue_new(&options);
    session->total = mt_promise_new("total");
    assert_non_null(session->queue);
    assert_non_null(session->total);
}

/* What a stream's reader has left, which nobody but this test wants. */
static void drain(struct stream *stream, int fd)
{
    unsigned char bytes[BLOCK];
    ssize_t count;

    while (fd >= 0 && (count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        check(stream, bytes, count);
}

static void drain_queue(struct session *session)
{
    long number;

    while (mt_queue_get(session->queue, &number, sizeof number, MT_NOWAIT) == sizeof number)
        session->got += number;
}

void session_end(struct session *session)
{
    drain(&session->there, session->server_fd);
    drain(&session->back, session->client_fd);
    drain_queue(session);
    assert_false(session->there.broken || session->back.broken);
    if (session->server_fd >= 0)
        assert_int_equal(session->there.received, session->there.sent);
    assert_int_equal(session->back.received, session->back.sent);
    assert_int_equal(session->got, session->put);
    assert_int_equal(session->given, session->taken);
    assert_int_equal(mt_lock_acquire(&session->lock, MT_NOWAIT), 0);
    assert_int_equal(mt_lock_release(&session->lock), 0);
    assert_int_equal(mt_channel_putting(&session->channel) + mt_channel_getting(&session->channel), 0);
    assert_int_equal(mt_channel_getting(&session->never), 0);
    mt_queue_free(session->queue);
    (void)mt_future_outcome(session->total);
    mt_future_release(session->total);
    if (session->listener >= 0)
        close(session->listener);
    if (session->server_fd >= 0)
        close(session->server_fd);
    if (session->client_fd >= 0)
        close(session->client_fd);
}
