/* SPDX-License-Identifier: MIT
 *
 * A hostile other side of a connection: what the input says is written to a stream socket, in pieces, some of them with
 * a true frame's head, between calls that receive. Every call must come back at once, store no more than it was given
 * room for, and after a frame that was none never take another.
 *
 * Built by tests/fuzz.t with libFuzzer.
 */
#include "input.h"
#include "process/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT = 300 };

/* What the socket takes of it; the rest is lost, as with any peer. */
static void write_some(int fd, const void *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
}

static void write_bytes(int fd, struct input *input)
{
    size_t size = take(input) % 64;

    if (size > input->size)
        size = input->size;
    write_some(fd, input->data, size);
    input->data += size;
    input->size -= size;
}

/* A head that is true but for what the input says of its size, and none, a part, or all of the body. */
static void write_frame(int fd, struct input *input)
{
    unsigned char body[512];
    unsigned low = take(input), high = take(input) % 2, size = high << 8 | low;
    unsigned there = take(input) % 2 ? size : take(input);
    struct mt__frame frame = {{'M', 'T'}, (uint8_t)(take(input) % 4), 0, {0, 0, (uint8_t)high, (uint8_t)low}};

    memset(body, 5, sizeof body);
    write_some(fd, &frame, sizeof frame);
    write_some(fd, body, there);
}

/* The buffer is exactly as large as it is said to be: a sanitizer sees the byte after it. */
static ssize_t receive(struct mt_conn *conn, struct input *input)
{
    size_t size = take(input) * 2;
    unsigned char *buffer = malloc(size ? size : 1);
    ssize_t got = mt_conn_receive(conn, buffer, size, MT_NOWAIT);

    must(got <= (ssize_t)size && got <= LIMIT, "more than there was room for");
    free(buffer);
    return got;
}

static ssize_t step(struct mt_conn *conn, int fd, struct input *input)
{
    int passed;
    ssize_t size;

    switch (take(input) % 5) {
    case 0:
        write_bytes(fd, input);
        return 0;
    case 1:
        write_frame(fd, input);
        return 0;
    case 2:
        size = mt_conn_next_size(conn, MT_NOWAIT);
        must(size <= LIMIT, "a size above the limit");
        return size;
    case 3:
        passed = mt_conn_receive_fd(conn, MT_NOWAIT);
        must(passed < 0, "a descriptor that nobody has sent");
        return passed;
    default:
        return receive(conn, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct mt_conn *conn;
    int ends[2], spoilt = 0;

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no sockets");
    conn = mt_conn_open(ends[0]);
    must(conn != NULL, "no memory");
    mt_conn_set_limit(conn, LIMIT);
    while (input.size) {
        ssize_t result = step(conn, ends[1], &input);
        must(!spoilt || result <= 0, "a message behind one that was none");
        spoilt |= result == -EPROTO || result == -EMSGSIZE;
    }
    mt_conn_close(conn);
    close(ends[1]);
    return 0;
}
