/* SPDX-License-Identifier: MIT
 *
 * Sockets and pipes: what each call says, to the letter. See scenario.h.
 */
#include "sockets.h"

#include <fcntl.h>
#include <sys/uio.h>

#define MUCH (3 << 20)

static char many[MUCH];

/* -- Flags -------------------------------------------------------------------------------------------------------- */

static void nonblocking(void)
{
    int fds[2], other;
    char byte[4] = "";

    pair(SOCK_STREAM, fds);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    TELL(read(fds[0], byte, 1));
    TELL(recv(fds[0], byte, 1, 0));
    TELL(recvmsg(fds[0], &(struct msghdr){.msg_iov = &(struct iovec){byte, 1}, .msg_iovlen = 1}, 0));
    TELL(readv(fds[0], &(struct iovec){byte, 1}, 1));
    TELL(accept(fds[0], NULL, NULL));
    other = dup(fds[0]);
    TELL(read(other, byte, 1));
    say("  the flag is shared: %d\n", (fcntl(other, F_GETFL) & O_NONBLOCK) != 0);
    say("  the peer has none: %d\n", (fcntl(fds[1], F_GETFL) & O_NONBLOCK) != 0);
    fcntl(other, F_SETFL, 0);
    say("  off again: %d\n", (fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    TELL(recv(fds[0], byte, 1, MSG_DONTWAIT));
    TELL(write(fds[1], "abc", 3));
    TELL(recv(fds[0], byte, 4, MSG_PEEK));
    TELL(read(fds[0], byte, 4));
    close(other);
    close_both(fds);
    if (pipe2(fds, O_NONBLOCK))
        abort();
    TELL(read(fds[0], byte, 1));
    while (write(fds[1], many, 65536) > 0)
        continue;
    TELL(write(fds[1], many, 65536));
    close_both(fds);
}

static void times_out(void)
{
    int fds[2];
    char byte;
    int64_t start;
    long sent;

    pair(SOCK_STREAM, fds);
    timeout(fds[0], SO_RCVTIMEO, 30500);
    start = now();
    TELL(recv(fds[0], &byte, 1, 0));
    say("  not before its time: %d\n", now() - start >= 30000000);
    TELL(read(fds[0], &byte, 1));
    TELL(recv(fds[0], &byte, 1, MSG_WAITALL));
    timeout(fds[0], SO_RCVTIMEO, 0);
    timeout(fds[0], SO_SNDTIMEO, 20000);
    sent = send(fds[0], many, MUCH, 0);
    say("  part of it was sent: %d\n", sent > 0 && sent < MUCH);
    TELL(send(fds[0], many, MUCH, 0));
    TELL(write(fds[0], many, MUCH));
    close_both(fds);
    pair(SOCK_DGRAM, fds);
    timeout(fds[0], SO_RCVTIMEO, 20000);
    TELL(recvfrom(fds[0], &byte, 1, 0, NULL, NULL));
    close_both(fds);
}

/* -- Bytes -------------------------------------------------------------------------------------------------------- */

static void pieces_and_end(int fd)
{
    in_pieces(fd);
    shutdown(fd, SHUT_WR);
}

static void all(void)
{
    char bytes[16] = "";
    struct iovec vectors[3] = {{bytes, 5}, {bytes + 5, 0}, {bytes + 5, 7}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 3};
    struct peer *peer;
    int fds[2];

    pair(SOCK_STREAM, fds);
    peer = peer_start(in_pieces, fds[1]);
    TELL(recv(fds[0], bytes, 12, MSG_WAITALL));
    say("  %s\n", bytes);
    peer_end(peer);
    memset(bytes, 0, sizeof bytes);
    peer = peer_start(in_pieces, fds[1]);
    TELL(recvmsg(fds[0], &message, MSG_WAITALL));
    say("  %s\n", bytes);
    peer_end(peer);
    peer = peer_start(in_pieces, fds[1]);
    TELL(recv(fds[0], bytes, 8, MSG_WAITALL | MSG_PEEK) >= 4);
    TELL(recv(fds[0], bytes, 12, MSG_WAITALL));
    peer_end(peer);
    peer = peer_start(pieces_and_end, fds[1]);
    TELL(recv(fds[0], bytes, 16, MSG_WAITALL));
    TELL(recv(fds[0], bytes, 16, MSG_WAITALL));
    TELL(read(fds[0], bytes, 16));
    peer_end(peer);
    close_both(fds);
    pair(SOCK_DGRAM, fds);
    peer = peer_start(in_pieces, fds[1]);
    TELL(recv(fds[0], bytes, 12, MSG_WAITALL));
    TELL(recv(fds[0], bytes, 2, MSG_TRUNC));
    TELL(read(fds[0], bytes, 16));
    peer_end(peer);
    close_both(fds);
}

static void one_piece(int fd)
{
    pause_ms(10);
    if (write(fd, "0123456789", 10) != 10)
        abort();
}

static void part(void)
{
    char bytes[100];
    struct iovec vectors[3] = {{bytes, 3}, {bytes + 3, 3}, {bytes + 6, 90}};
    int fds[2];
    struct peer *peer;

    for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
        if (is_pipe ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
            abort();
        peer = peer_start(one_piece, fds[1]);
        TELL(read(fds[0], bytes, 100));
        peer_end(peer);
        peer = peer_start(one_piece, fds[1]);
        TELL(readv(fds[0], vectors, 3));
        say("  %.10s\n", bytes);
        peer_end(peer);
        TELL(read(fds[0], bytes, 0));
        close(fds[1]);
        TELL(read(fds[0], bytes, 100));
        TELL(read(fds[0], bytes, 100));
        close(fds[0]);
    }
}

static void drain(int fd)
{
    static char buffer[65536];
    long sum = 0, result;

    pause_ms(10);
    while (sum < MUCH && (result = read(fd, buffer, sizeof buffer)) > 0)
        sum += result;
}

static void all_is_written(void)
{
    struct iovec vectors[3] = {{many, 1 << 20}, {many, 1}, {many, MUCH - (1 << 20) - 1}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 3};
    struct peer *peer;
    int fds[2];

    for (int i = 0; i < 6; i++) {
        if (i >= 4 ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
            abort();
        peer = peer_start(drain, fds[0]);
        switch (i) {
        case 0:
            TELL(write(fds[1], many, MUCH));
            break;
        case 1:
            TELL(send(fds[1], many, MUCH, 0));
            break;
        case 2:
            TELL(writev(fds[1], vectors, 3));
            break;
        case 3:
            TELL(sendmsg(fds[1], &message, 0));
            break;
        case 4:
            TELL(write(fds[1], many, MUCH));
            break;
        case 5:
            TELL(writev(fds[1], vectors, 3));
            break;
        }
        peer_end(peer);
        close_both(fds);
    }
}

static volatile sig_atomic_t broken;

static void on_pipe(int signal)
{
    broken++;
}

static void broken_pipe(void)
{
    struct sigaction action = {.sa_handler = on_pipe}, before;
    int fds[2];

    sigaction(SIGPIPE, &action, &before);
    for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
        if (is_pipe ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
            abort();
        close(fds[0]);
        broken = 0;
        TELL(write(fds[1], many, 10));
        say("  SIGPIPE: %d\n", (int)broken);
        if (!is_pipe) {
            TELL(send(fds[1], many, 10, 0));
            TELL(send(fds[1], many, 10, MSG_NOSIGNAL));
            say("  SIGPIPE: %d\n", (int)broken);
        }
        close(fds[1]);
    }
    sigaction(SIGPIPE, &before, NULL);
}

/* -- Ends --------------------------------------------------------------------------------------------------------- */

static void shuts_down(int fd)
{
    pause_ms(10);
    shutdown(fd, SHUT_RDWR);
}

static void shutdowns(void)
{
    struct peer *peer;
    char byte;
    int fds[2];

    pair(SOCK_STREAM, fds);
    peer = peer_start(shuts_down, fds[0]); /* our own end, while we wait for it */
    TELL(recv(fds[0], &byte, 1, 0));
    TELL(read(fds[1], &byte, 1));
    TELL(send(fds[1], &byte, 1, MSG_NOSIGNAL));
    peer_end(peer);
    close_both(fds);
    pair(SOCK_STREAM, fds);
    TELL(shutdown(fds[0], SHUT_WR));
    TELL(read(fds[1], &byte, 1));
    TELL(write(fds[1], "x", 1));
    TELL(read(fds[0], &byte, 1));
    close_both(fds);
}

static void errors(void)
{
    char byte;
    int fds[2], error;

    pair(SOCK_STREAM, fds);
    TELL(write(fds[1], "x", 1));
    TELL(recv(fds[0], (void *)16, 1, 0));
    TELL(read(-1, &byte, 1));
    TELL(read(12345, &byte, 1));
    TELL(send(12345, &byte, 1, 0));
    TELL(recv(STDIN_FILENO, &byte, 1, 0));
    TELL(read(fds[0], &byte, 1));
    errno = EXDEV;
    if (write(fds[1], "x", 1) == 1 && read(fds[0], &byte, 1) == 1)
        say("  success leaves errno alone: %d\n", errno == EXDEV);
    close_both(fds);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    error = (int)recv(fds[0], &byte, 1, 0);
    told("recv, not connected", error);
    close(fds[0]);
}

const struct scenario scenarios[] = {
    {"O_NONBLOCK and MSG_DONTWAIT", nonblocking},
    {"SO_RCVTIMEO and SO_SNDTIMEO", times_out},
    {"MSG_WAITALL", all},
    {"a read takes what there is", part},
    {"a write takes all", all_is_written},
    {"SIGPIPE", broken_pipe},
    {"shutdown", shutdowns},
    {"errors", errors},
    {NULL, NULL},
};
