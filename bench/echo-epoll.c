/* SPDX-License-Identifier: MIT
 *
 * An echo server by epoll, level-triggered: for each descriptor that is ready one recv and one send. Only what the
 * socket's buffer does not take costs more: the rest is kept, and the connection waits for room instead of bytes.
 */
#include "echo-server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256 };

struct connection {
    size_t kept;
    char bytes[ECHO_BUFFER];
};

static struct connection *connections[ECHO_DESCRIPTORS];
static int poller;

static void want(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
}

static void take(void)
{
    int fd;

    while ((fd = accept4(ECHO_LISTENER, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= ECHO_DESCRIPTORS || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
            close(fd);
    }
}

static void end(int fd)
{
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

static void keep(int fd, const char *bytes, size_t count)
{
    struct connection *connection = malloc(sizeof *connection);

    if (!connection) {
        end(fd);
        return;
    }
    memcpy(connection->bytes, bytes, count);
    connection->kept = count;
    connections[fd] = connection;
    want(fd, EPOLLOUT);
}

static void answer(int fd)
{
    char bytes[ECHO_BUFFER];
    ssize_t count = recv(fd, bytes, sizeof bytes, 0), sent;

    if (count <= 0) {
        if (count == 0 || (errno != EAGAIN && errno != EINTR))
            end(fd);
        return;
    }
    sent = send(fd, bytes, (size_t)count, MSG_NOSIGNAL);
    if (sent == count)
        return;
    if (sent < 0 && errno != EAGAIN)
        end(fd);
    else
        keep(fd, bytes + (sent < 0 ? 0 : sent), (size_t)(count - (sent < 0 ? 0 : sent)));
}

static void flush(int fd)
{
    struct connection *connection = connections[fd];
    ssize_t sent = send(fd, connection->bytes, connection->kept, MSG_NOSIGNAL);

    if (sent < 0) {
        if (errno != EAGAIN)
            end(fd);
        return;
    }
    connection->kept -= (size_t)sent;
    memmove(connection->bytes, connection->bytes + sent, connection->kept);
    if (connection->kept)
        return;
    free(connection);
    connections[fd] = NULL;
    want(fd, EPOLLIN);
}

int echo_by_epoll(void)
{
    struct epoll_event events[EVENTS], listener = {.events = EPOLLIN, .data.fd = ECHO_LISTENER};

    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0 || fcntl(ECHO_LISTENER, F_SETFL, O_NONBLOCK) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, ECHO_LISTENER, &listener))
        return 1;
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            return 1;
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == ECHO_LISTENER)
                take();
            else if (connections[fd])
                flush(fd);
            else
                answer(fd);
        }
    }
}
