/* SPDX-License-Identifier: MIT
 *
 * Calls on descriptors, in coroutines and in plain threads. tests/loops.t runs this on each loop.
 */
#include "io-unit.h"
#include "base/sys.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

/* -- Pipes and files ---------------------------------------------------------------------------------------------- */

static int use_a_pipe(void *arg)
{
    char buffer[8] = "";
    int ends[2];
    mt_deadline start = mt_now();

    CHECK(pipe(ends) == 0);
    CHECK(mt_read(ends[0], buffer, 8, MT_NOWAIT) == -EBUSY);
    CHECK(mt_read(ends[0], buffer, 8, mt_after(MT_MS(20))) == -ETIMEDOUT);
    CHECK(elapsed(start) >= 20);
    CHECK(mt_write(ends[1], "abcdef", 6, MT_NOWAIT) == 6);
    CHECK(mt_read(ends[0], buffer, 4, soon()) == 4 && !memcmp(buffer, "abcd", 4));
    CHECK(mt_read(ends[0], buffer, 8, soon()) == 2 && !memcmp(buffer, "ef", 2));
    CHECK(mt_write_all(ends[1], "ghi", 3, NULL, soon()) == 0);
    CHECK(mt_close(ends[1]) == 0);
    CHECK(mt_read_all(ends[0], buffer, 3, NULL, soon()) == 0 && !memcmp(buffer, "ghi", 3));
    CHECK(mt_read(ends[0], buffer, 8, soon()) == 0);
    CHECK(mt_read_all(ends[0], buffer, 3, NULL, soon()) == -EPIPE);
    CHECK(mt_close(ends[0]) == 0);
    CHECK(mt_read(ends[0], buffer, 1, soon()) == -EBADF);
    CHECK(mt_close(ends[0]) == -EBADF);
    return 0;
}

static void pipes(void **state)
{
    both_ways(use_a_pipe);
}

/* The user's own O_NONBLOCK changes nothing: these calls have deadlines. */
static int use_a_nonblocking_pipe(void *arg)
{
    char buffer[8];
    int ends[2];

    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK(mt_read(ends[0], buffer, 8, mt_after(MT_MS(20))) == -ETIMEDOUT);
    CHECK(mt_write(ends[1], "abc", 3, soon()) == 3);
    CHECK(mt_read(ends[0], buffer, 8, soon()) == 3);
    CHECK(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    CHECK(mt_close(ends[0]) == 0 && mt_close(ends[1]) == 0);
    return 0;
}

static void nonblocking(void **state)
{
    both_ways(use_a_nonblocking_pipe);
}

static int use_a_file(void *arg)
{
    char path[] = "/tmp/linuxmt-io-XXXXXX", buffer[16] = "";
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK(mt_write(fd, "0123456789", 10, soon()) == 10);
    CHECK(mt_pwrite(fd, "ab", 2, 4, soon()) == 2);
    CHECK(mt_pread(fd, buffer, 16, 0, soon()) == 10 && !memcmp(buffer, "0123ab6789", 10));
    CHECK(mt_pread(fd, buffer, 16, 10, soon()) == 0);
    CHECK(mt_pread(fd, buffer, 16, -1, soon()) == -EINVAL);
    CHECK(mt_fsync(fd, soon()) == 0);
    CHECK(mt_close(fd) == 0);
    fd = mt_open(path, O_RDONLY, 0, soon());
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK(mt_read(fd, buffer, 4, soon()) == 4 && !memcmp(buffer, "0123", 4));
    CHECK(mt_read(fd, buffer, 4, soon()) == 4 && !memcmp(buffer, "ab67", 4)); /* the file's own offset moves */
    CHECK(mt_write(fd, "x", 1, soon()) == -EBADF);
    CHECK(mt_close(fd) == 0);
    CHECK(unlink(path) == 0);
    CHECK(mt_open(path, O_RDONLY, 0, soon()) == -ENOENT);
    return 0;
}

static void files(void **state)
{
    both_ways(use_a_file);
}

/* A file that is leased says so to who does not want to wait, and nothing else than opening waits for that. */
static int open_a_leased_file(void *arg)
{
    char path[] = "/tmp/linuxmt-io-XXXXXX";
    int fd = mkstemp(path), reader = open(path, O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0 && reader >= 0 && close(fd) == 0);
    signal(SIGIO, SIG_IGN); /* tells that somebody wants it */
    if (!fcntl(reader, F_SETLEASE, F_RDLCK)) {
        CHECK(mt_open(path, O_RDWR | O_NONBLOCK, 0, soon()) == -EAGAIN);
        CHECK(mt_open(path, O_RDWR | O_NONBLOCK, 0, MT_NOWAIT) == -EAGAIN);
        CHECK(fcntl(reader, F_SETLEASE, F_UNLCK) == 0);
    }
    CHECK(unlink(path) == 0 && close(reader) == 0);
    return 0;
}

static void leases(void **state)
{
    both_ways(open_a_leased_file);
}

/* -- Sockets ------------------------------------------------------------------------------------------------------ */

static int listen_at(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)address, &size))
        return -errno;
    return fd;
}

static int connect_to(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

    if (fd < 0)
        return -errno;
    result = mt_connect(fd, (const struct sockaddr *)address, sizeof *address, soon());
    if (result)
        mt_close(fd);
    return result ? result : fd;
}

static int use_sockets(void *arg)
{
    struct sockaddr_in address, peer;
    unsigned size = sizeof peer;
    char buffer[8] = "";
    struct iovec vector = {buffer, 8}, out = {"vec", 3};
    struct msghdr in_message = {.msg_iov = &vector, .msg_iovlen = 1}, out_message = {.msg_iov = &out, .msg_iovlen = 1};
    int listener = listen_at(&address), client, server;

    CHECK(listener >= 0);
    CHECK(mt_accept(listener, NULL, NULL, 0, MT_NOWAIT) == -EBUSY);
    CHECK(mt_accept(listener, NULL, NULL, 0, mt_after(MT_MS(10))) == -ETIMEDOUT);
    client = connect_to(&address);
    CHECK(client >= 0);
    CHECK(!(fcntl(client, F_GETFL) & O_NONBLOCK));
    server = mt_accept(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC, soon());
    CHECK(server >= 0 && size == sizeof peer && peer.sin_family == AF_INET && fcntl(server, F_GETFD) & FD_CLOEXEC);
    CHECK(mt_recv(server, buffer, 8, 0, mt_after(MT_MS(10))) == -ETIMEDOUT);
    CHECK(mt_recv(server, buffer, 8, MSG_DONTWAIT, soon()) == -EBUSY);
    CHECK(mt_send(client, "hello", 5, 0, soon()) == 5);
    CHECK(mt_recv(server, buffer, 8, MSG_PEEK, soon()) == 5);
    CHECK(mt_recv(server, buffer, 8, 0, soon()) == 5 && !memcmp(buffer, "hello", 5));
    CHECK(mt_sendmsg(server, &out_message, 0, soon()) == 3);
    CHECK(mt_recvmsg(client, &in_message, 0, soon()) == 3 && !memcmp(buffer, "vec", 3));
    CHECK(mt_close(server) == 0);
    CHECK(mt_recv(client, buffer, 8, 0, soon()) == 0);
    for (int i = 0; i < 100 && mt_send(client, "x", 1, 0, soon()) == 1; i++)
        mt_sleep(MT_MS(1));
    CHECK(mt_send(client, "x", 1, 0, soon()) == -EPIPE); /* and no SIGPIPE */
    CHECK(mt_close(client) == 0 && mt_close(listener) == 0);
    CHECK(connect_to(&address) == -ECONNREFUSED);
    return 0;
}

static void sockets(void **state)
{
    both_ways(use_sockets);
}

static int poll_some(void *arg)
{
    int ends[2], others[2];
    struct pollfd fds[3];

    CHECK(pipe(ends) == 0 && pipe(others) == 0);
    fds[0] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    fds[1] = (struct pollfd){.fd = others[0], .events = POLLIN};
    fds[2] = (struct pollfd){.fd = -1};
    CHECK(mt_poll(fds, 3, MT_NOWAIT) == -EBUSY);
    CHECK(mt_poll(fds, 3, mt_after(MT_MS(10))) == -ETIMEDOUT);
    CHECK(fds[0].revents == 0 && fds[1].revents == 0);
    CHECK(mt_write(others[1], "x", 1, soon()) == 1);
    CHECK(mt_poll(fds, 3, soon()) == 1 && fds[0].revents == 0 && fds[1].revents == POLLIN);
    CHECK(mt_close(ends[1]) == 0);
    CHECK(mt_poll(fds, 3, soon()) == 2 && fds[0].revents == POLLHUP);
    CHECK(mt_close(ends[0]) == 0 && mt_close(others[0]) == 0 && mt_close(others[1]) == 0);
    CHECK(mt_poll(fds, 1, soon()) == 1 && fds[0].revents == POLLNVAL);
    return 0;
}

static void polls(void **state)
{
    both_ways(poll_some);
}

/* -- Several on one descriptor ------------------------------------------------------------------------------------ */

static int read_one(void *arg)
{
    char byte;
    ssize_t result = mt_read(*(int *)arg, &byte, 1, soon());

    return result == 1 ? byte : (int)result;
}

static void several_readers_of_one_pipe(void **state)
{
    struct mt_task *tasks[4];
    int ends[2], sum = 0;

    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = mt_coro_spawn(read_one, &ends[0], NULL);
    mt_coro_yield();
    for (char byte = 1; byte <= 4; byte++)
        assert_int_equal(mt_write(ends[1], &byte, 1, soon()), 1);
    assert_int_equal(mt_joinall(tasks, 4, soon()), 0);
    for (int i = 0; i < 4; i++) {
        sum += mt_task_outcome(tasks[i]);
        mt_task_release(tasks[i]);
    }
    assert_int_equal(sum, 1 + 2 + 3 + 4);
    close(ends[0]);
    close(ends[1]);
}

static void closing_ends_what_waits(void **state)
{
    struct mt_task *tasks[2];
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < 2; i++)
        tasks[i] = mt_coro_spawn(read_one, &ends[0], NULL);
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    assert_int_equal(mt_close(ends[0]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(tasks[i]), -EBADF);
    close(ends[1]);
}

static void a_killed_reader_comes_back(void **state)
{
    struct mt_task *task, *thread;
    int ends[2];
    char byte = 7;

    assert_int_equal(pipe(ends), 0);
    task = mt_coro_spawn(read_one, &ends[0], NULL);
    thread = spawn(read_one, &ends[0]);
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(mt_task_kill(thread), 0);
    assert_int_equal(finish(task), -ECANCELED);
    assert_int_equal(finish(thread), -ECANCELED);
    assert_int_equal(mt_write(ends[1], &byte, 1, soon()), 1);
    assert_int_equal(mt_read(ends[0], &byte, 1, soon()), 1); /* neither has taken it */
    close(ends[0]);
    close(ends[1]);
}

/* -- A session in which calls fail -------------------------------------------------------------------------------- */

static int echo(void *arg)
{
    char buffer[64];
    int fd = (int)(intptr_t)arg;
    ssize_t count;

    while ((count = mt_recv(fd, buffer, sizeof buffer, 0, soon())) > 0)
        if ((count = mt_send(fd, buffer, (size_t)count, 0, soon())) < 0)
            break;
    mt_close(fd);
    return (int)count;
}

static int session(void *arg)
{
    char buffer[64];
    int ends[2], result = 0;
    struct mt_task *server;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        return -errno;
    server = mt_coro_spawn(echo, (void *)(intptr_t)ends[1], NULL);
    if (!server) {
        result = -errno;
        close(ends[0]);
        close(ends[1]);
        return result;
    }
    for (int i = 0; i < 20 && !result; i++) {
        result = mt_write_all(ends[0], "sixteen letters.", 16, NULL, soon());
        if (!result)
            result = mt_read_all(ends[0], buffer, 16, NULL, soon());
    }
    mt_close(ends[0]);
    while (mt_task_join(server, soon()) == -ENOMEM)
        ;
    mt_task_outcome(server);
    mt_task_release(server);
    return result;
}

static void the_nth_call_fails(long nr, int error)
{
    for (long n = 0, seen = 1; seen > n && n < 60; n++) {
        int before = open_descriptors(), result;
        struct mt_task *thread = spawn(session, NULL);
        mt__sys_fail(nr, n, error);
        result = finish(thread);
        seen = mt__sys_fail(-1, 0, 0);
        if (result && result != -error)
            print_message("# call %ld, the %ldth: %d\n", nr, n, result);
        assert_true(!result || result == -error || result == -EPIPE || result == -ENOMEM);
        assert_int_equal(open_descriptors(), before);
    }
}

static int receive_at_the_end(void *arg)
{
    char byte;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    int fds[2], result;

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) || shutdown(fds[0], SHUT_RD))
        return -errno;
    result = (int)mt_recv(fds[0], &byte, 1, 0, in_time());
    if (!result)
        result = (int)mt_recvmsg(fds[0], &message, 0, in_time());
    close(fds[0]);
    close(fds[1]);
    return result;
}

/* Of datagrams there is an end, too: it is not waited for again and again. */
static void the_end_of_datagrams(void **state)
{
    assert_int_equal(receive_at_the_end(NULL), 0);
    assert_int_equal(finish(spawn(receive_at_the_end, NULL)), 0);
}

static void calls_that_fail(void **state)
{
    assert_int_equal(finish(spawn(session, NULL)), 0);
    the_nth_call_fails(SYS_io_uring_enter, EINTR);
    the_nth_call_fails(SYS_io_uring_setup, ENOMEM);
    the_nth_call_fails(SYS_epoll_ctl, ENOMEM);
    the_nth_call_fails(SYS_epoll_pwait2, EINTR);
    the_nth_call_fails(SYS_eventfd2, EMFILE);
    the_nth_call_fails(SYS_recvfrom, ECONNRESET);
    the_nth_call_fails(SYS_sendto, ECONNRESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipes),
        cmocka_unit_test(nonblocking),
        cmocka_unit_test(files),
        cmocka_unit_test(leases),
        cmocka_unit_test(sockets),
        cmocka_unit_test(polls),
        cmocka_unit_test(several_readers_of_one_pipe),
        cmocka_unit_test(closing_ends_what_waits),
        cmocka_unit_test(a_killed_reader_comes_back),
        cmocka_unit_test(the_end_of_datagrams),
        cmocka_unit_test(calls_that_fail),
    };

    return RUN(tests);
}
