/* SPDX-License-Identifier: MIT
 *
 * Listening and connecting: addresses, keys, strangers, and servers that say nothing.
 */
#include "unit.h"

#include "base/sys.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SOON in_time()

struct client {
    const char *address;
    const void *key;
    size_t key_size;
    int error;
};

static int greet_and_echo(void *arg)
{
    struct client *client = arg;
    struct mt_conn *conn = mt_conn_connect(client->address, client->key, client->key_size, SOON);
    char text[16];
    int result;

    if (!conn)
        return -(client->error = errno);
    result = mt_conn_send(conn, "hello", 5, SOON);
    if (!result)
        result = mt_conn_receive(conn, text, sizeof text, SOON) == 5 ? 0 : -EBADMSG;
    mt_conn_close(conn);
    return result;
}

static void echo(struct mt_listener *listener, const void *key, size_t key_size)
{
    struct client client = {mt_listener_address(listener), key, key_size, 0};
    struct mt_task *task = spawn(greet_and_echo, &client);
    struct mt_conn *conn = mt_listener_accept(listener, SOON);
    char text[16];

    assert_non_null(conn);
    assert_int_equal(mt_conn_receive(conn, text, sizeof text, SOON), 5);
    assert_int_equal(mt_conn_send(conn, text, 5, SOON), 0);
    assert_int_equal(finish(task), 0);
    mt_conn_close(conn);
}

/* This process's own: others run these tests at the same time. */
static char abstract[64], file[64], *file_path;
static const char *addresses[] = {abstract, "tcp:127.0.0.1:0", file};

static void name_addresses(void)
{
    snprintf(abstract, sizeof abstract, "unix:@linuxmt-test-%d", getpid());
    snprintf(file, sizeof file, "unix:listener-test-%d.socket", getpid());
    file_path = strchr(file, ':') + 1;
}

static void each_address(void **state)
{
    for (size_t i = 0; i < 3; i++) {
        struct mt_listener *listener = mt_listen(addresses[i], NULL, 0);
        assert_non_null(listener);
        echo(listener, NULL, 0);
        mt_listener_close(listener);
    }
    assert_int_equal(access(file_path, F_OK), -1); /* it is gone with its listener */
}

static int can_prove(void)
{
    struct mt_listener *listener = mt_listen(abstract, "k", 1);

    mt_listener_close(listener);
    return listener != NULL;
}

static void keys(void **state)
{
    struct mt_listener *listener;

    if (!can_prove()) {
        assert_int_equal(errno, ENOTSUP);
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        listener = mt_listen(addresses[i], "a secret", 8);
        assert_non_null(listener);
        echo(listener, "a secret", 8);
        mt_listener_close(listener);
    }
}

/* Each of these is sent away, with its reason on both sides, and the next one is served. */
static void wrong_keys(void **state)
{
    const struct {
        const char *mine, *theirs;
        int error, their_error;
    } cases[] = {{"right", "wrong", EACCES, EACCES},
                 {"right", NULL, EPROTONOSUPPORT, EPROTONOSUPPORT},
                 {NULL, "right", EPROTONOSUPPORT, EPROTONOSUPPORT}};

    if (!can_prove())
        skip();
    for (size_t i = 0; i < 3; i++) {
        const char *mine = cases[i].mine, *theirs = cases[i].theirs;
        struct mt_listener *listener = mt_listen("tcp:127.0.0.1:0", mine, mine ? strlen(mine) : 0);
        struct client client = {mt_listener_address(listener), theirs, theirs ? strlen(theirs) : 0, 0};
        struct mt_task *task = spawn(greet_and_echo, &client);
        assert_null(mt_listener_accept(listener, SOON));
        assert_int_equal(errno, cases[i].error);
        assert_int_equal(finish(task), -cases[i].their_error);
        echo(listener, mine, mine ? strlen(mine) : 0);
        mt_listener_close(listener);
    }
}

static int plain_socket(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void strangers(void **state)
{
    struct mt_listener *listener = mt_listen("tcp:127.0.0.1:0", NULL, 0);
    mt_deadline begin;
    int fd = plain_socket(mt_listener_address(listener));

    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_null(mt_listener_accept(listener, SOON));
    assert_int_equal(errno, EPROTO);
    close(fd);
    fd = plain_socket(mt_listener_address(listener)); /* says nothing */
    begin = mt_now();
    assert_null(mt_listener_accept(listener, SOON));
    assert_int_equal(errno, ECONNABORTED);
    assert_true(elapsed(begin) >= 1900);
    close(fd);
    close(plain_socket(mt_listener_address(listener))); /* leaves at once */
    assert_null(mt_listener_accept(listener, SOON));
    assert_int_equal(errno, ECONNABORTED);
    echo(listener, NULL, 0);
    mt_listener_close(listener);
}

static void bad_addresses(void **state)
{
    const char *bad[] = {"",
                         "unix:",
                         "unix:@",
                         "udp:x:1",
                         "tcp:nowhere",
                         "tcp::1",
                         "tcp:127.0.0.1:",
                         "tcp:::1:80",
                         "tcp:127.0.0.1:no-such-service-x"};
    char path[300];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(mt_listen(bad[i], NULL, 0));
        assert_int_equal(errno, EINVAL);
        assert_null(mt_conn_connect(bad[i], NULL, 0, SOON));
        assert_int_equal(errno, EINVAL);
    }
    memset(path, 'x', sizeof path);
    memcpy(path, "unix:", 5);
    path[sizeof path - 1] = 0;
    assert_null(mt_listen(path, NULL, 0));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_conn_connect("unix:@linuxmt-nobody-listens", NULL, 0, SOON));
    assert_int_equal(errno, ECONNREFUSED);
    assert_null(mt_conn_connect("unix:no-such-file", NULL, 0, SOON));
    assert_int_equal(errno, ENOENT);
    assert_null(mt_listen("unix:@x", NULL, 3));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_listen("unix:@x", "", 0));
    assert_int_equal(errno, EINVAL);
}

/* A file left behind by a listener that was killed does not stand in the way; that of a living one does. */
static void a_stale_file(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct mt_listener *listener;

    memcpy(address.sun_path, file_path, strlen(file_path) + 1);
    unlink(file_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    listener = mt_listen(file, NULL, 0);
    assert_non_null(listener);
    assert_null(mt_listen(file, NULL, 0));
    assert_int_equal(errno, EADDRINUSE);
    echo(listener, NULL, 0);
    mt_listener_close(listener);
}

static int accept_forever(void *arg)
{
    struct mt_conn *conn = mt_listener_accept(arg, MT_FOREVER);

    mt_conn_close(conn);
    return conn ? 0 : -errno;
}

static void accepting_has_a_deadline(void **state)
{
    struct mt_listener *listener = mt_listen("tcp:127.0.0.1:0", NULL, 0);
    struct mt_task *task;

    assert_null(mt_listener_accept(listener, mt_after(MT_MS(10))));
    assert_int_equal(errno, ETIMEDOUT);
    assert_null(mt_listener_accept(listener, MT_NOWAIT));
    assert_int_equal(errno, EBUSY);
    task = spawn(accept_forever, listener);
    until_waiting(task, MT_WAIT_IO);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
    mt_listener_close(listener);
}

static void a_server_that_says_nothing(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[64];

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%d", ntohs(address.sin_port));
    assert_null(mt_conn_connect(text, NULL, 0, mt_after(MT_MS(50))));
    assert_int_equal(errno, ETIMEDOUT);
    close(fd);
}

static void over_tcp_no_descriptors(void **state)
{
    struct mt_listener *listener = mt_listen("tcp:127.0.0.1:0", NULL, 0);
    struct client client = {mt_listener_address(listener), NULL, 0, 0};
    struct mt_task *task = spawn(greet_and_echo, &client);
    struct mt_conn *conn = mt_listener_accept(listener, SOON);

    assert_non_null(conn);
    assert_int_equal(mt_conn_send_fd(conn, 0, SOON), -EOPNOTSUPP);
    assert_int_equal(mt_conn_receive_fd(conn, SOON), -EOPNOTSUPP);
    mt_conn_close(conn);
    assert_true(finish(task) < 0);
    mt_listener_close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address),
        cmocka_unit_test(keys),
        cmocka_unit_test(wrong_keys),
        cmocka_unit_test(strangers),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(a_stale_file),
        cmocka_unit_test(accepting_has_a_deadline),
        cmocka_unit_test(a_server_that_says_nothing),
        cmocka_unit_test(over_tcp_no_descriptors),
    };

    name_addresses();
    return RUN(tests);
}
