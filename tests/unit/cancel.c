/* SPDX-License-Identifier: MIT
 *
 * A kill, or a time that has come, at each await of a session, or a failure of each of its system calls of a kind: the
 * first, the second, and so on until the session ends before it. Each time nothing may be lost: of the bytes, messages
 * and items that went in, each has come out or is still there; no descriptor, coroutine or memory stays behind, and no
 * lock is held. tests/loops.t runs this on each loop.
 *
 * The session: a client connects to a server, sends it bytes through a socket with little room and gets them back; it
 * tells a consumer by a queue how many have come, who hands that on to a sink by a channel; they share a lock, sleep,
 * join, and wait for a promise. Each await begins with mt__wait_begin, which the linker puts a count around.
 */
#include "hub.h"
#include "base/sys.h"
#include "wait/wait.h"

#include <malloc.h>
#include <sys/socket.h>
#include <sys/un.h>

#define END mt_after(MT_SEC(60))

enum { BYTES = 20000, BLOCK = 4096, ROOM = 4608 };

/* What is done to the chosen await. */
enum how { KILL_AT_ONCE, KILL_AFTER_A_TURN, TIME_AT_ONCE, TIME_AFTER_A_TURN, CALL_FAILS };

/* Calls that fail instead, and how. */
struct failure {
    long call;
    int error;
};

/* -- The chosen await --------------------------------------------------------------------------------------------- */

static struct mt_task *killer;
static struct mt_event go = MT_EVENT_INIT_NAMED("go");
static enum how how;
static struct failure failure;
static long awaits, chosen;
static struct mt__wait *chosen_wait; /* while it lasts */
static int over;

int __real_mt__wait_begin(struct mt__wait *wait);
int __real_mt__wait_end(struct mt__wait *wait, int result);
int __wrap_mt__wait_begin(struct mt__wait *wait);
int __wrap_mt__wait_end(struct mt__wait *wait, int result);

static int is_party(const struct mt_task *task)
{
    return task && task != killer && mt_task_kind(task) == MT_COROUTINE;
}

int __wrap_mt__wait_begin(struct mt__wait *wait)
{
    int result = __real_mt__wait_begin(wait);

    if (result || !chosen || !is_party(wait->task) || ++awaits != chosen)
        return result;
    chosen_wait = wait;
    if (how == TIME_AT_ONCE)
        wait->task->limit = 1;
    else if (how == TIME_AFTER_A_TURN)
        wait->task->limit = mt_after(1000);
    else
        mt_event_set(&go);
    return 0;
}

int __wrap_mt__wait_end(struct mt__wait *wait, int result)
{
    result = __real_mt__wait_end(wait, result);
    if (wait == chosen_wait) {
        chosen_wait = NULL;
        wait->task->limit = 0;
    }
    return result;
}

static int kill_the_chosen(void *arg)
{
    int result = mt_event_wait(&go, END);

    if (!result && !over && how == KILL_AFTER_A_TURN)
        result = mt_sleep(1);
    if (!result && !over && chosen_wait)
        result = mt_task_kill(chosen_wait->task);
    return result;
}

/* -- The session -------------------------------------------------------------------------------------------------- */

/* Bytes of one direction: the one at offset k has the value k * 7. */
struct stream {
    long sent, received;
    int broken;
};

struct session {
    int listener, server_fd, client_fd;
    struct stream there, back;
    struct mt_lock lock;
    struct mt_queue *queue;
    struct mt_channel channel, never;
    struct mt_future *total;
    long put, got, given, taken; /* sums of what went through the queue and the channel */
    struct mt_task *writer;
    struct sockaddr_un address;
    unsigned address_size;
};

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

/* -- One run ------------------------------------------------------------------------------------------------------ */

static void begin(struct session *session)
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

static void end(struct session *session)
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

static int join(struct mt_task *task)
{
    int outcome;

    while ((outcome = mt_task_join(task, END)) != 0) /* it may be this call that fails, once */
        assert_int_not_equal(outcome, -ETIMEDOUT);
    outcome = mt_task_outcome(task);
    mt_task_release(task);
    assert_int_not_equal(outcome, -EPROTO);
    return outcome;
}

/* Whether the chosen await was reached. */
static int run(long nth)
{
    static mt_fn *const bodies[] = {server, client, consumer, sink};
    struct session session;
    struct mt_task *tasks[4];
    int failed = 0, reached;

    begin(&session);
    mt_event_clear(&go);
    over = 0;
    awaits = 0;
    killer = spawn_coro(kill_the_chosen, NULL);
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn_coro(bodies[i], &session);
    if (how == CALL_FAILS)
        mt__sys_fail(failure.call, nth - 1, failure.error);
    else
        chosen = nth;
    for (int i = 0; i < 4; i++)
        failed += join(tasks[i]) != 0;
    if (session.writer)
        failed += join(session.writer) != 0;
    reached = how == CALL_FAILS ? mt__sys_fail(-1, 0, 0) >= nth : awaits >= nth;
    chosen = 0;
    over = 1;
    mt_event_set(&go);
    join(killer);
    killer = NULL;
    end(&session);
    if (!reached) { /* nothing was done to it */
        assert_int_equal(failed, 0);
        assert_int_equal(session.back.received, BYTES);
        assert_int_equal(session.taken, BYTES);
    }
    return reached;
}

/* -- All runs ----------------------------------------------------------------------------------------------------- */

/* 0 where that cannot be known. */
static size_t bytes_in_use(void)
{
#if !SANITIZER && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#endif
#endif
    return 0;
}

static void keep_quiet(struct mt_task *task, int outcome, const char *message) {}

/* Returns how many there were. */
static long at_each(enum how what)
{
    mt_failure_fn *told = mt_failure_hook(keep_quiet);
    size_t tasks, bytes = 0;
    long nth = 0;
    int descriptors;

    how = what;
    assert_int_equal(run(1000000), 0); /* what is kept for later is there now */
    tasks = mt_task_count();
    descriptors = open_descriptors();
    do {
        nth++;
        if (nth == 20)
            bytes = bytes_in_use();
        if (nth % 20 == 0)
            assert_int_equal(open_descriptors(), descriptors);
        assert_true(nth < 10000);
    } while (run(nth));
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(mt_task_count(), tasks);
    if (bytes)
        assert_true(bytes_in_use() < bytes + 4096);
    mt_failure_hook(told);
    return nth - 1;
}

static void a_kill_at_each_await(void **state)
{
    assert_true(at_each(KILL_AT_ONCE) > 20);
}

static void a_kill_a_turn_after_each_await_began(void **state)
{
    assert_true(at_each(KILL_AFTER_A_TURN) > 20);
}

static void a_time_that_has_come_at_each_await(void **state)
{
    assert_true(at_each(TIME_AT_ONCE) > 20);
}

static void a_time_that_comes_during_each_await(void **state)
{
    assert_true(at_each(TIME_AFTER_A_TURN) > 20);
}

static void a_failure_of_each_call(void **state)
{
    static const struct failure failures[] = {
        {SYS_io_uring_enter, EINTR},
#ifdef SYS_epoll_pwait2
        {SYS_epoll_pwait2, EINTR},
#endif
        {SYS_epoll_pwait, EINTR},    {SYS_epoll_ctl, ENOMEM},     {SYS_recvfrom, ECONNRESET}, {SYS_sendto, EPIPE},
        {SYS_accept4, EMFILE},       {SYS_connect, ECONNREFUSED}, {MT__SYS_ALLOC, ENOMEM},
    };

    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        failure = failures[i];
        print_message("# call %ld: %ld failures\n", failure.call, at_each(CALL_FAILS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_at_each_await),
        cmocka_unit_test(a_kill_a_turn_after_each_await_began),
        cmocka_unit_test(a_time_that_has_come_at_each_await),
        cmocka_unit_test(a_time_that_comes_during_each_await),
        cmocka_unit_test(a_failure_of_each_call),
    };

    return RUN(tests);
}
