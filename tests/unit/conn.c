/* SPDX-License-Identifier: MIT
 *
 * Connections: whole messages over streams, whatever the other side does. listener.c has how they come about.
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

static struct mt_conn *pair[2];

static int open_pair(void **state)
{
    return mt_conn_pair(pair);
}

static int close_pair(void **state)
{
    mt_conn_close(pair[0]);
    mt_conn_close(pair[1]);
    return 0;
}

static void messages_stay_whole(void **state)
{
    char text[16];

    assert_int_equal(mt_conn_send(pair[0], "one", 3, SOON), 0);
    assert_int_equal(mt_conn_send(pair[0], "", 0, SOON), 0);
    assert_int_equal(mt_conn_send(pair[0], "three", 5, SOON), 0);
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, SOON), 3);
    assert_int_equal(memcmp(text, "one", 3), 0);
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, SOON), 0);
    assert_int_equal(mt_conn_next_size(pair[1], SOON), 5);
    assert_int_equal(mt_conn_receive(pair[1], text, 4, SOON), -ENOBUFS);
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, SOON), 5);
    assert_int_equal(memcmp(text, "three", 5), 0);
    assert_int_equal(mt_conn_send(pair[1], "back", 4, SOON), 0);
    assert_int_equal(mt_conn_receive(pair[0], text, sizeof text, SOON), 4);
}

static void deadlines(void **state)
{
    char text[16];
    mt_deadline begin = mt_now();

    assert_int_equal(mt_conn_receive(pair[0], text, sizeof text, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_conn_receive(pair[0], text, sizeof text, mt_after(MT_MS(30))), -ETIMEDOUT);
    assert_true(elapsed(begin) >= 30);
    assert_int_equal(mt_conn_wait(pair, 2, mt_after(MT_MS(10))), -ETIMEDOUT);
    assert_int_equal(mt_conn_wait(pair, 2, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_conn_wait(pair, 0, MT_NOWAIT), -EINVAL);
    assert_int_equal(mt_conn_wait(pair, MT_CONN_WAIT_MAX + 1, MT_NOWAIT), -EINVAL);
}

#define LARGE (8 << 20)

static int send_large(void *arg)
{
    unsigned char *bytes = malloc(LARGE);
    int result;

    for (int i = 0; i < LARGE; i++)
        bytes[i] = (unsigned char)(i % 251);
    result = mt_conn_send(arg, bytes, LARGE, SOON);
    free(bytes);
    return result;
}

static void a_message_larger_than_the_socket(void **state)
{
    unsigned char *bytes = malloc(LARGE);
    struct mt_task *sender = spawn(send_large, pair[0]);
    int wrong = 0;

    assert_int_equal(mt_conn_receive(pair[1], bytes, LARGE, SOON), LARGE);
    for (int i = 0; i < LARGE; i++)
        wrong += bytes[i] != (unsigned char)(i % 251);
    assert_int_equal(wrong, 0);
    assert_int_equal(finish(sender), 0);
    free(bytes);
}

/* A receiver that gives up in the middle of a message loses nothing of it. */
static void a_slow_message(void **state)
{
    const unsigned char frame[] = {'M', 'T', 1, 0, 0, 0, 0, 4, 'a', 'b', 'c', 'd'};
    char text[16];

    for (size_t i = 0; i < sizeof frame; i++) {
        assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, i & 1 ? MT_NOWAIT : mt_after(MT_MS(1))),
                         i & 1 ? -EBUSY : -ETIMEDOUT);
        assert_int_equal(write(mt_conn_fd(pair[0]), frame + i, 1), 1);
    }
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, MT_NOWAIT), 4);
    assert_int_equal(memcmp(text, "abcd", 4), 0);
}

static int receive_one(void *arg)
{
    char text[16];

    return (int)mt_conn_receive(arg, text, sizeof text, MT_FOREVER);
}

static void a_receiver_can_be_killed(void **state)
{
    struct mt_task *task = spawn(receive_one, pair[1]);
    char text[16];

    until_waiting(task, MT_WAIT_IO);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
    assert_int_equal(mt_conn_send(pair[0], "x", 1, SOON), 0);
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, SOON), 1);
}

static void a_sender_that_stops_in_the_middle_spoils_it(void **state)
{
    char *bytes = calloc(1, LARGE);

    assert_int_equal(mt_conn_send(pair[0], bytes, LARGE, mt_after(MT_MS(20))), -ETIMEDOUT);
    assert_int_equal(mt_conn_send(pair[0], bytes, 1, SOON), -EPIPE);
    assert_int_equal(mt_conn_receive(pair[1], bytes, LARGE, SOON), -EPIPE);
    free(bytes);
}

static void a_sender_that_cannot_begin_spoils_nothing(void **state)
{
    char byte = 0, *bytes = calloc(1, LARGE);
    int result, sent = 0, got = 0;

    while ((result = mt_conn_send(pair[0], &byte, 1, MT_NOWAIT)) == 0)
        sent++;
    assert_true(result == -EBUSY);
    while (mt_conn_receive(pair[1], bytes, LARGE, MT_NOWAIT) == 1)
        got++;
    assert_int_equal(got, sent);
    assert_int_equal(mt_conn_send(pair[0], &byte, 1, SOON), 0);
    free(bytes);
}

static void limits(void **state)
{
    char bytes[128] = {0};

    mt_conn_set_limit(pair[0], 64);
    assert_int_equal(mt_conn_send(pair[0], bytes, 65, SOON), -EMSGSIZE);
    assert_int_equal(mt_conn_send(pair[0], bytes, 64, SOON), 0);
    assert_int_equal(mt_conn_receive(pair[1], bytes, sizeof bytes, SOON), 64);
    assert_int_equal(mt_conn_send(pair[1], bytes, 65, SOON), 0);
    assert_int_equal(mt_conn_receive(pair[0], bytes, sizeof bytes, SOON), -EMSGSIZE);
    assert_int_equal(mt_conn_receive(pair[0], bytes, sizeof bytes, SOON), -EMSGSIZE); /* and stays so */
}

/* Whatever is no frame spoils the connection, and nothing else. */
static void nonsense(void **state)
{
    const unsigned char frames[][8] = {{'G', 'E', 'T', ' ', '/', ' ', 'H', 'T'},
                                       {'M', 'T', 0, 0, 0, 0, 0, 0},
                                       {'M', 'T', 3, 0, 0, 0, 0, 0},
                                       {'M', 'T', 1, 1, 0, 0, 0, 0},
                                       {'M', 'T', 2, 0, 0, 0, 0, 1},
                                       {'M', 'T', 2, 0, 0, 0, 0, 0}};
    char text[16];

    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct mt_conn *ends[2];
        assert_int_equal(mt_conn_pair(ends), 0);
        assert_int_equal(write(mt_conn_fd(ends[0]), frames[i], 8), 8);
        assert_int_equal(mt_conn_receive(ends[1], text, sizeof text, SOON), -EPROTO);
        assert_int_equal(mt_conn_receive(ends[1], text, sizeof text, SOON), -EPROTO);
        assert_int_equal(mt_conn_send(ends[1], text, 1, SOON), -EPIPE);
        mt_conn_close(ends[0]);
        mt_conn_close(ends[1]);
    }
    assert_int_equal(mt_conn_send(pair[0], "x", 1, SOON), 0);
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, SOON), 1);
}

/* Bytes by chance, many times: an answer each time, and no memory touched that is not ours (ASan looks). */
static void random_bytes(void **state)
{
    unsigned seed = 1;

    for (int round = 0; round < 2000; round++) {
        struct mt_conn *ends[2];
        unsigned char bytes[64], text[256];
        size_t size = 1 + rand_r(&seed) % sizeof bytes;
        ssize_t result;
        assert_int_equal(mt_conn_pair(ends), 0);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)rand_r(&seed);
        if (round & 1)
            memcpy(bytes, "MT\1\0\0\0\0", size < 7 ? size : 7);
        assert_int_equal(write(mt_conn_fd(ends[0]), bytes, size), (ssize_t)size);
        mt_conn_close(ends[0]);
        do {
            result = mt_conn_receive(ends[1], text, sizeof text, SOON);
        } while (result >= 0);
        assert_true(result == -EPROTO || result == -EPIPE || result == -EMSGSIZE);
        mt_conn_close(ends[1]);
    }
}

static void an_end(void **state)
{
    struct mt_conn *ends[2];
    char text[16];

    assert_int_equal(mt_conn_pair(ends), 0);
    assert_int_equal(mt_conn_send(ends[0], "last", 4, SOON), 0);
    mt_conn_close(ends[0]);
    assert_int_equal(mt_conn_receive(ends[1], text, sizeof text, SOON), 4);
    assert_int_equal(mt_conn_receive(ends[1], text, sizeof text, SOON), -EPIPE);
    assert_int_equal(mt_conn_send(ends[1], text, 1, SOON), -EPIPE);
    mt_conn_close(ends[1]);
}

static void descriptors(void **state)
{
    int ends[2], fd;
    char text[16];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(mt_conn_send(pair[0], "a", 1, SOON), 0);
    assert_int_equal(mt_conn_send_fd(pair[0], ends[1], SOON), 0);
    close(ends[1]);
    assert_int_equal(mt_conn_receive_fd(pair[1], SOON), -EBADMSG);
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, SOON), 1);
    assert_int_equal(mt_conn_receive(pair[1], text, sizeof text, SOON), -EBADMSG);
    assert_int_equal(mt_conn_next_size(pair[1], SOON), -EBADMSG);
    fd = mt_conn_receive_fd(pair[1], SOON);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "through", 7), 7);
    close(fd);
    assert_int_equal(read(ends[0], text, sizeof text), 7);
    assert_int_equal(read(ends[0], text, sizeof text), 0);
    close(ends[0]);
    assert_int_equal(mt_conn_send_fd(pair[0], 999, SOON), -EBADF);
}

static void waiting_for_any(void **state)
{
    struct mt_conn *other[2], *list[2];
    char text[16];

    assert_int_equal(mt_conn_pair(other), 0);
    list[0] = pair[1];
    list[1] = other[1];
    assert_int_equal(mt_conn_send(other[0], "x", 1, SOON), 0);
    assert_int_equal(mt_conn_wait(list, 2, SOON), 1);
    assert_int_equal(mt_conn_next_size(other[1], SOON), 1); /* now it is with the connection */
    assert_int_equal(mt_conn_wait(list, 2, SOON), 1);
    assert_int_equal(mt_conn_receive(other[1], text, sizeof text, SOON), 1);
    mt_conn_close(other[0]);
    assert_int_equal(mt_conn_wait(list, 2, SOON), 1); /* an end is something to receive */
    mt_conn_close(other[1]);
}

/* -- Opening sockets of the caller's ------------------------------------------------------------------------------ */

static void sockets_of_others(void **state)
{
    int fds[2], listening = socket(AF_INET, SOCK_DGRAM, 0);
    struct mt_conn *conn;

    assert_null(mt_conn_open(999));
    assert_int_equal(errno, EBADF);
    assert_null(mt_conn_open(STDIN_FILENO));
    assert_int_equal(errno, ENOTSOCK);
    assert_null(mt_conn_open(listening));
    assert_int_equal(errno, EPROTOTYPE);
    close(listening);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
    assert_null(mt_conn_open(fds[0]));
    assert_int_equal(errno, ENOMEM);
    mt__sys_fail(-1, 0, 0);
    conn = mt_conn_open(fds[0]);
    assert_non_null(conn);
    assert_int_equal(mt_conn_fd(conn), fds[0]);
    mt_conn_close(conn);
    close(fds[1]);
}

/* -- Several tasks on one ----------------------------------------------------------------------------------------- */

static int send_many(void *arg)
{
    char message[1000];

    memset(message, *(char *)arg, sizeof message);
    for (int i = 0; i < 500; i++) {
        int result = mt_conn_send(pair[0], message, 1 + (size_t)(i * 7 % 999), SOON);
        if (result)
            return result;
    }
    return 0;
}

static int receive_many(void *arg)
{
    char message[1000];
    int count = 0;

    for (;;) {
        ssize_t size = mt_conn_receive(pair[1], message, sizeof message, SOON);
        if (size == 1 && message[0] == '.')
            return count;
        for (ssize_t i = 0; i < size; i++)
            if (message[i] != message[0])
                return -EBADMSG;
        if (size < 0)
            return (int)size;
        count++;
    }
}

static void several_senders_and_receivers(void **state)
{
    struct mt_task *senders[4], *receivers[3];
    char names[] = "abcd";
    int got = 0;

    for (int i = 0; i < 3; i++)
        receivers[i] = spawn(receive_many, NULL);
    for (int i = 0; i < 4; i++)
        senders[i] = spawn(send_many, &names[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(senders[i]), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_conn_send(pair[0], ".", 1, SOON), 0);
    for (int i = 0; i < 3; i++) {
        int count = finish(receivers[i]);
        assert_true(count >= 0);
        got += count;
    }
    assert_int_equal(got, 2000);
}

int main(void)
{
#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)
    const struct CMUnitTest tests[] = {
        WITH_PAIR(messages_stay_whole),
        WITH_PAIR(deadlines),
        WITH_PAIR(a_message_larger_than_the_socket),
        WITH_PAIR(a_slow_message),
        WITH_PAIR(a_receiver_can_be_killed),
        WITH_PAIR(a_sender_that_stops_in_the_middle_spoils_it),
        WITH_PAIR(a_sender_that_cannot_begin_spoils_nothing),
        WITH_PAIR(limits),
        WITH_PAIR(nonsense),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(an_end),
        WITH_PAIR(descriptors),
        WITH_PAIR(waiting_for_any),
        cmocka_unit_test(sockets_of_others),
        WITH_PAIR(several_senders_and_receivers),
    };

    return RUN(tests);
}
