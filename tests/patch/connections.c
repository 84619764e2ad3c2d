/* SPDX-License-Identifier: MIT
 *
 * Connections: what each call says, to the letter. See scenario.h.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>

static int listener(struct sockaddr_in *address, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof *address;

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)address, sizeof *address) || listen(fd, backlog) ||
        getsockname(fd, (struct sockaddr *)address, &size))
        abort();
    return fd;
}

static void connect_to(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int client = socket(AF_INET, SOCK_STREAM, 0);

    getsockname(fd, (struct sockaddr *)&address, &size);
    pause_ms(10);
    if (connect(client, (struct sockaddr *)&address, size))
        abort();
    close(client);
}

static void accepts(void)
{
    struct sockaddr_in address, from;
    socklen_t size = sizeof from;
    struct peer *peer;
    int fd = listener(&address, 8), other;

    timeout(fd, SO_RCVTIMEO, 20000);
    TELL(accept(fd, NULL, NULL));
    timeout(fd, SO_RCVTIMEO, 0);
    peer = peer_start(connect_to, fd);
    other = accept4(fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    say("  family %d size %u cloexec %d nonblock %d\n", from.sin_family, size, fcntl(other, F_GETFD) & FD_CLOEXEC,
        (fcntl(other, F_GETFL) & O_NONBLOCK) != 0);
    peer_end(peer);
    close(other);
    peer = peer_start(connect_to, fd);
    other = accept(fd, NULL, NULL);
    say("  cloexec %d nonblock %d\n", fcntl(other, F_GETFD) & FD_CLOEXEC, (fcntl(other, F_GETFL) & O_NONBLOCK) != 0);
    peer_end(peer);
    close(other);
    TELL(accept4(fd, NULL, NULL, 12345));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    TELL(accept(fd, NULL, NULL));
    close(fd);
    TELL(accept(fd, NULL, NULL));
    TELL(accept(STDIN_FILENO, NULL, NULL));
}

static void connects(void)
{
    struct sockaddr_in address;
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    int fd = listener(&address, 8), client = socket(AF_INET, SOCK_STREAM, 0), flags;

    TELL(connect(client, (struct sockaddr *)&address, sizeof address));
    TELL(connect(client, (struct sockaddr *)&address, sizeof address));
    flags = fcntl(client, F_GETFL);
    say("  still blocking: %d\n", !(flags & O_NONBLOCK));
    close(client);
    close(fd);
    client = socket(AF_INET, SOCK_STREAM, 0);
    TELL(connect(client, (struct sockaddr *)&address, sizeof address));
    TELL(connect(client, (struct sockaddr *)&address, 3));
    close(client);
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(connect(client, (struct sockaddr *)&path, sizeof path));
    close(client);
    TELL(connect(client, (struct sockaddr *)&address, sizeof address));
    client = socket(AF_INET, SOCK_DGRAM, 0);
    TELL(connect(client, (struct sockaddr *)&address, sizeof address));
    close(client);
}

/* A queue that is full leaves the next one waiting. */
static void connect_times_out(void)
{
    struct sockaddr_in address;
    int fd = listener(&address, 0), clients[4], late;

    for (int i = 0; i < 4; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(clients[i], (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
            abort();
    }
    pause_ms(5);
    late = socket(AF_INET, SOCK_STREAM, 0);
    timeout(late, SO_SNDTIMEO, 30000);
    TELL(connect(late, (struct sockaddr *)&address, sizeof address));
    say("  still blocking: %d\n", !(fcntl(late, F_GETFL) & O_NONBLOCK));
    close(late);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
    close(fd);
}

const struct scenario scenarios[] = {
    {"accept", accepts},
    {"connect", connects},
    {"connect times out", connect_times_out},
    {NULL, NULL},
};
