/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for pipes, sockets and the like: see waits.h.
 */
#include "waits.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child writes a byte WAIT_MS after its parent has gone to sleep. */
static void read_from_child(int reading, int writing)
{
    char byte;
    if (fork() == 0) {
        await_asleep(1, getppid());
        pass_time(WAIT_MS);
        _exit(write(writing, "", 1) != 1);
    }
    check(read(reading, &byte, 1) != 1, "read");
    wait(NULL);
}

static void wait_pipe(void)
{
    int pair[2];
    check(pipe(pair), "pipe");
    read_from_child(pair[0], pair[1]);
}

static void wait_socket(void)
{
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    read_from_child(pair[0], pair[1]);
}

static void wait_event(void)
{
    uint64_t value = 1;
    int fd = eventfd(0, 0);
    if (fork() == 0) {
        await_asleep(1, getppid());
        pass_time(WAIT_MS);
        _exit(write(fd, &value, sizeof value) != sizeof value);
    }
    check(read(fd, &value, sizeof value) != sizeof value, "read");
    wait(NULL);
}

static void wait_accept(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1) ||
              getsockname(fd, (struct sockaddr *)&address, &size),
          "listen");
    if (fork() == 0) {
        int other = socket(AF_INET, SOCK_STREAM, 0);
        await_asleep(1, getppid());
        pass_time(WAIT_MS);
        _exit(connect(other, (struct sockaddr *)&address, size) != 0);
    }
    check(accept(fd, NULL, NULL) < 0, "accept");
    wait(NULL);
}

static void wait_poll(void)
{
    poll(NULL, 0, WAIT_MS);
}

static void wait_epoll(void)
{
    struct epoll_event event;
    epoll_wait(epoll_create1(0), &event, 1, WAIT_MS);
}

const struct waits_kind waits_file[] = {
    {"pipe", wait_pipe},
    {"socket", wait_socket},
    {"event", wait_event},
    {"accept", wait_accept},
    {"poll", wait_poll},
    {"epoll", wait_epoll},
    {0},
};
