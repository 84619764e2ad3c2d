/* SPDX-License-Identifier: MIT
 *
 * Messages over a stream socket. A frame is eight bytes (magic, kind, size) and as many bytes as it says. What has come
 * of a message is kept with the connection, so that a receiver whose deadline passes, or who is killed, loses nothing;
 * a sender that has to stop in the middle leaves the stream where nobody could find the next frame, so the connection
 * is spoilt: the socket is shut down, the other side reads an end in the middle of a message, and all later calls
 * answer -EPIPE.
 *
 * What comes from the other side is not trusted: the magic, the kind and the size are checked before a byte is stored,
 * and memory is only asked for up to the limit. A frame that is none spoils this connection and no other.
 *
 * Any number of tasks may use one connection: messages do not mix, `sending` and `receiving` see to that.
 */
#include "process/conn.h"
#include "base/clock.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int mt__conn_wait_fd(int fd, short events, mt_deadline deadline)
{
    struct mt__wait wait = {.reason = MT_WAIT_IO, .object = (const void *)(intptr_t)fd, .deadline = deadline};
    struct pollfd look = {.fd = fd, .events = events};
    int result;

    if (deadline == MT_NOWAIT)
        return poll(&look, 1, 0) == 1 ? 0 : -EBUSY;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    do {
        result = mt__wait_round_fd(&wait, fd, events, deadline);
    } while (!result && poll(&look, 1, 0) == 0);
    return mt__wait_end(&wait, result);
}

static int spoil(struct mt_conn *conn, int error)
{
    __atomic_store_n(&conn->spoilt, (uint32_t)-error, __ATOMIC_RELEASE);
    shutdown(conn->fd, SHUT_RDWR);
    return error;
}

static int is_spoilt(const struct mt_conn *conn)
{
    return __atomic_load_n(&conn->spoilt, __ATOMIC_ACQUIRE) != 0;
}

/* -- Making and ending -------------------------------------------------------------------------------------------- */

struct mt_conn *mt__conn_new(int fd, int is_unix)
{
    int flags = fcntl(fd, F_GETFL);
    struct mt_conn *conn;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return NULL;
    conn = mt__alloc(sizeof *conn);
    if (!conn) {
        errno = ENOMEM;
        return NULL;
    }
    conn->fd = fd;
    conn->is_unix = is_unix;
    conn->limit = MT_CONN_LIMIT;
    conn->passed_fd = -1;
    mt_lock_init(&conn->sending, "connection's sender", 0);
    mt_lock_init(&conn->receiving, "connection's receiver", 0);
    return conn;
}

struct mt_conn *mt_conn_open(int fd)
{
    int type = 0, domain = 0;
    socklen_t size = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size))
        return NULL;
    if (type != SOCK_STREAM) {
        errno = EPROTOTYPE;
        return NULL;
    }
    return mt__conn_new(fd, domain == AF_UNIX);
}

int mt_conn_pair(struct mt_conn *pair[2])
{
    int fds[2];
    struct mt_conn *ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        return -errno;
    ends[0] = mt__conn_new(fds[0], 1);
    ends[1] = ends[0] ? mt__conn_new(fds[1], 1) : NULL;
    if (!ends[1]) {
        free(ends[0]);
        close(fds[0]);
        close(fds[1]);
        return -ENOMEM;
    }
    memcpy(pair, ends, sizeof ends);
    return 0;
}

void mt_conn_close(struct mt_conn *conn)
{
    if (!conn)
        return;
    if (conn->passed_fd >= 0)
        close(conn->passed_fd);
    mt__own_forget(conn->fd); /* that of a manager's line */
    close(conn->fd);
    free(conn->body);
    free(conn);
}

void mt_conn_set_limit(struct mt_conn *conn, uint32_t bytes)
{
    __atomic_store_n(&conn->limit, bytes, __ATOMIC_RELAXED);
}

int mt_conn_fd(const struct mt_conn *conn)
{
    return conn->fd;
}

/* -- Sending ------------------------------------------------------------------------------------------------------ */

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static ssize_t send_some(struct mt_conn *conn, struct iovec *vectors, size_t count, int fd)
{
    union control control = {
        .head = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
    ssize_t sent;

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    do {
        sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static void advance(struct iovec *vectors, size_t sent)
{
    for (int i = 0; i < 2; i++) {
        size_t part = sent < vectors[i].iov_len ? sent : vectors[i].iov_len;
        vectors[i].iov_base = (char *)vectors[i].iov_base + part;
        vectors[i].iov_len -= part;
        sent -= part;
    }
}

static int send_frame(struct mt_conn *conn, struct iovec *vectors, int fd, mt_deadline deadline)
{
    size_t left = vectors[0].iov_len + vectors[1].iov_len, whole = left;

    while (left) {
        ssize_t sent = send_some(conn, vectors, 2, left == whole ? fd : -1);
        int error = 0;
        if (sent >= 0) {
            left -= (size_t)sent;
            advance(vectors, (size_t)sent);
            continue;
        }
        if (sent == -EAGAIN)
            error = mt__conn_wait_fd(conn->fd, POLLOUT, deadline);
        else
            error = sent == -ECONNRESET ? -EPIPE : (int)sent;
        if (error)
            return left == whole && error != -EPIPE ? error : spoil(conn, error);
    }
    return 0;
}

static int send_message(struct mt_conn *conn, int kind, const void *message, size_t size, int fd, mt_deadline deadline)
{
    struct mt__frame frame = {{'M', 'T'},
                              (uint8_t)kind,
                              0,
                              {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size}};
    struct iovec vectors[2] = {{&frame, sizeof frame}, {(void *)(uintptr_t)message, size}};
    int result;

    if (size > __atomic_load_n(&conn->limit, __ATOMIC_RELAXED))
        return -EMSGSIZE;
    result = mt_lock_acquire(&conn->sending, deadline);
    if (result)
        return result;
    result = is_spoilt(conn) ? -EPIPE : send_frame(conn, vectors, fd, deadline);
    mt_lock_release(&conn->sending);
    return result;
}

int mt_conn_send(struct mt_conn *conn, const void *message, size_t size, mt_deadline deadline)
{
    return send_message(conn, MT__FRAME_DATA, message, size, -1, deadline);
}

int mt_conn_send_fd(struct mt_conn *conn, int fd, mt_deadline deadline)
{
    if (!conn->is_unix)
        return -EOPNOTSUPP;
    if (fcntl(fd, F_GETFD) < 0)
        return -EBADF;
    return send_message(conn, MT__FRAME_FD, NULL, 0, fd, deadline);
}

/* -- Receiving ---------------------------------------------------------------------------------------------------- */

/* A descriptor belongs to the frame it came with; one that nobody announced is closed. */
static void keep_fd(struct mt_conn *conn, struct msghdr *message)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        size_t count = head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS
                           ? (head->cmsg_len - CMSG_LEN(0)) / sizeof(int)
                           : 0;
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            if (conn->passed_fd >= 0)
                close(conn->passed_fd);
            conn->passed_fd = fd;
        }
    }
}

/* Bytes, 0 at the end, or -errno. */
static ssize_t receive_some(struct mt_conn *conn, void *to, size_t size)
{
    union control control;
    struct iovec vector = {to, size};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got;

    do {
        got = recvmsg(conn->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    keep_fd(conn, &message);
    return got;
}

static size_t size_of(const struct mt__frame *frame)
{
    return (size_t)frame->size[0] << 24 | (size_t)frame->size[1] << 16 | (size_t)frame->size[2] << 8 | frame->size[3];
}

/* A whole head has come. */
static int check_frame(struct mt_conn *conn)
{
    const struct mt__frame *frame = &conn->frame;

    if (frame->magic[0] != 'M' || frame->magic[1] != 'T' || frame->zero || frame->kind < MT__FRAME_DATA ||
        frame->kind > MT__FRAME_FD)
        return -EPROTO;
    conn->body_size = size_of(frame);
    if (conn->body_size > __atomic_load_n(&conn->limit, __ATOMIC_RELAXED))
        return -EMSGSIZE;
    if (frame->kind == MT__FRAME_FD && (conn->body_size || conn->passed_fd < 0))
        return -EPROTO;
    if (frame->kind == MT__FRAME_DATA && conn->passed_fd >= 0) {
        close(conn->passed_fd);
        conn->passed_fd = -1;
    }
    conn->body_have = 0;
    conn->body = malloc(conn->body_size ? conn->body_size : 1);
    return conn->body ? 0 : -ENOMEM;
}

/* One step. > 0: the message is whole; 0: go on; or -errno. */
static int step(struct mt_conn *conn, mt_deadline deadline)
{
    int head = conn->frame_have < sizeof conn->frame;
    char *to = head ? (char *)&conn->frame + conn->frame_have : conn->body + conn->body_have;
    size_t wanted = head ? sizeof conn->frame - conn->frame_have : conn->body_size - conn->body_have;
    ssize_t got = receive_some(conn, to, wanted);

    if (got == -EAGAIN)
        return mt__conn_wait_fd(conn->fd, POLLIN, deadline);
    if (got == 0 && head && !conn->frame_have)
        return -EPIPE;
    if (got == 0)
        return spoil(conn, -EPIPE); /* in the middle of a message */
    if (got < 0)
        return spoil(conn, got == -ECONNRESET ? -EPIPE : (int)got);
    if (!head)
        conn->body_have += (size_t)got;
    else if ((conn->frame_have += (size_t)got) == sizeof conn->frame) {
        int error = check_frame(conn);
        if (error)
            return spoil(conn, error);
    }
    return conn->frame_have == sizeof conn->frame && conn->body_have == conn->body_size;
}

/* Under `receiving`: until a whole message is there. */
static int complete(struct mt_conn *conn, mt_deadline deadline)
{
    int result = (int)conn->whole;

    if (!result && is_spoilt(conn))
        return conn->spoilt == EPROTO || conn->spoilt == EMSGSIZE ? -(int)conn->spoilt : -EPIPE;
    while (!result)
        result = step(conn, deadline);
    if (result < 0)
        return result;
    __atomic_store_n(&conn->whole, 1, __ATOMIC_RELEASE);
    return 0;
}

static void forget(struct mt_conn *conn)
{
    __atomic_store_n(&conn->whole, 0, __ATOMIC_RELEASE);
    free(conn->body);
    conn->body = NULL;
    conn->frame_have = conn->body_have = conn->body_size = 0;
}

ssize_t mt_conn_receive(struct mt_conn *conn, void *message, size_t size, mt_deadline deadline)
{
    ssize_t result = mt_lock_acquire(&conn->receiving, deadline);

    if (result)
        return result;
    result = complete(conn, deadline);
    if (!result && conn->frame.kind != MT__FRAME_DATA)
        result = -EBADMSG;
    else if (!result && conn->body_size > size)
        result = -ENOBUFS;
    if (!result) {
        result = (ssize_t)conn->body_size;
        if (result)
            memcpy(message, conn->body, (size_t)result);
        forget(conn);
    }
    mt_lock_release(&conn->receiving);
    return result;
}

ssize_t mt_conn_next_size(struct mt_conn *conn, mt_deadline deadline)
{
    ssize_t result = mt_lock_acquire(&conn->receiving, deadline);

    if (result)
        return result;
    result = complete(conn, deadline);
    if (!result)
        result = conn->frame.kind == MT__FRAME_DATA ? (ssize_t)conn->body_size : -EBADMSG;
    mt_lock_release(&conn->receiving);
    return result;
}

int mt_conn_receive_fd(struct mt_conn *conn, mt_deadline deadline)
{
    int result = conn->is_unix ? mt_lock_acquire(&conn->receiving, deadline) : -EOPNOTSUPP;

    if (result)
        return result;
    result = complete(conn, deadline);
    if (!result && conn->frame.kind != MT__FRAME_FD)
        result = -EBADMSG;
    if (!result) {
        result = conn->passed_fd;
        conn->passed_fd = -1;
        forget(conn);
    }
    mt_lock_release(&conn->receiving);
    return result;
}
