/* SPDX-License-Identifier: MIT
 *
 * MSG_WAITALL, where the kernel stops before it has all, and where it does not. See scenario.h.
 */
#include "scenario.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

static void pair(int family, int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener, on = 1;

    if (family == AF_UNIX) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
            abort();
        return;
    }
    listener = socket(AF_INET, SOCK_STREAM, 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size) ||
        connect(fds[0], (struct sockaddr *)&address, size) || (fds[1] = accept(listener, NULL, NULL)) < 0)
        abort();
    setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void limit(int fd, long ms)
{
    struct timeval time = {ms / 1000, ms % 1000 * 1000};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

static void put(int fd, const char *text)
{
    pause_ms(5);
    if (send(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
        abort();
}

static void in_pieces(int fd)
{
    put(fd, "abcd");
    put(fd, "efgh");
    put(fd, "ijkl");
}

static void in_pieces_and_end(int fd)
{
    in_pieces(fd);
    shutdown(fd, SHUT_WR);
}

static void peeks(int family)
{
    char bytes[32] = "";
    struct peer *peer;
    int fds[2];

    pair(family, fds);
    if (family == AF_INET) {
        peer = peer_start(in_pieces, fds[1]);
        TELL(recv(fds[0], bytes, 12, MSG_WAITALL | MSG_PEEK));
        say("  %s\n", bytes);
        peer_end(peer);
    } else { /* takes what there is */
        in_pieces(fds[1]);
        TELL(recv(fds[0], bytes, 16, MSG_WAITALL | MSG_PEEK));
    }
    memset(bytes, 0, sizeof bytes);
    TELL(recv(fds[0], bytes, 12, MSG_WAITALL));
    say("  %s\n", bytes);
    limit(fds[0], 40);
    put(fds[1], "12");
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL | MSG_PEEK));
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL));
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL | MSG_PEEK));
    limit(fds[0], 0);
    peer = peer_start(in_pieces_and_end, fds[1]);
    if (family == AF_INET)
        TELL(recv(fds[0], bytes, 20, MSG_WAITALL | MSG_PEEK));
    TELL(recv(fds[0], bytes, 20, MSG_WAITALL));
    TELL(recv(fds[0], bytes, 20, MSG_WAITALL | MSG_PEEK));
    TELL(recv(fds[0], bytes, 20, MSG_WAITALL));
    peer_end(peer);
    close_both(fds);
}

static void peeking(void)
{
    peeks(AF_INET);
}

static void peeking_unix(void)
{
    peeks(AF_UNIX);
}

static void resets(int fd)
{
    struct linger now = {1, 0};

    put(fd, "abc");
    pause_ms(5);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* Which error a connection ends with is the next call's to hear. */
static void errors(void)
{
    char bytes[16];
    struct peer *peer;
    int fds[2];

    for (int i = 0; i < 4; i++) {
        pair(AF_INET, fds);
        peer = peer_start(resets, fds[1]);
        if (i & 1)
            peer_end(peer); /* it is all there */
        TELL(recv(fds[0], bytes, 8, i & 2 ? MSG_WAITALL | MSG_PEEK : MSG_WAITALL));
        if (!(i & 1))
            peer_end(peer);
        if (i & 2)
            TELL(recv(fds[0], bytes, 8, MSG_WAITALL));
        TELL(recv(fds[0], bytes, 8, MSG_WAITALL));
        TELL(recv(fds[0], bytes, 8, MSG_WAITALL));
        close(fds[0]);
    }
    TELL(recv(12345, bytes, 8, MSG_WAITALL));
    TELL(recv(STDIN_FILENO, bytes, 8, MSG_WAITALL | MSG_PEEK));
}

static void sends_urgent(int fd)
{
    put(fd, "abc");
    pause_ms(5);
    if (send(fd, "!", 1, MSG_OOB) != 1)
        abort();
    put(fd, "def");
}

static void urgent(void)
{
    char bytes[16] = "";
    struct peer *peer;
    int fds[2];

    pair(AF_INET, fds);
    peer = peer_start(sends_urgent, fds[1]);
    TELL(recv(fds[0], bytes, 6, MSG_WAITALL));
    say("  %s\n", bytes);
    peer_end(peer);
    TELL(recv(fds[0], bytes, 1, MSG_OOB));
    TELL(recv(fds[0], bytes, 3, MSG_WAITALL));
    say("  %s\n", bytes);
    close_both(fds);
}

/* Some bytes with a descriptor. */
static void pass(int fd, const char *text)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec vector = {(void *)text, strlen(text)};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    if (sendmsg(fd, &message, 0) != (ssize_t)strlen(text))
        abort();
}

static void passes(int fd)
{
    put(fd, "ab");
    pause_ms(5);
    pass(fd, "cd");
    put(fd, "efgh");
}

static void passed(void)
{
    char bytes[16] = "", control[64];
    struct iovec vectors[10];
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 10, .msg_control = control, .msg_controllen = 64};
    struct peer *peer;
    int fds[2], fd;

    for (int i = 0; i < 10; i++)
        vectors[i] = (struct iovec){bytes + i, 1};
    pair(AF_UNIX, fds);
    peer = peer_start(passes, fds[1]);
    TELL(recvmsg(fds[0], &message, MSG_WAITALL));
    say("  %.4s, control %d\n", bytes, message.msg_controllen > 0);
    if (message.msg_controllen) {
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        TELL(close(fd));
    }
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL));
    peer_end(peer);
    peer = peer_start(passes, fds[1]);
    TELL(recv(fds[0], bytes, 8, MSG_WAITALL));
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL));
    peer_end(peer);
    close_both(fds);
}

static void several(void)
{
    char bytes[3][8];
    struct iovec vectors[3];
    struct mmsghdr messages[3] = {{.msg_len = 0}};
    struct peer *peer;
    int fds[2], flags;

    pair(AF_INET, fds);
    for (int i = 0; i < 3; i++) {
        vectors[i] = (struct iovec){bytes[i], 5};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    peer = peer_start(in_pieces_and_end, fds[1]);
    TELL(recvmmsg(fds[0], messages, 3, MSG_WAITALL, NULL));
    say("  %u %u %u\n", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
    peer_end(peer);
    close_both(fds);
    pair(AF_INET, fds);
    limit(fds[0], 30);
    put(fds[1], "abcdefg");
    TELL(recvmmsg(fds[0], messages, 3, MSG_WAITALL | MSG_WAITFORONE, NULL));
    TELL(recvmmsg(fds[0], messages, 3, MSG_WAITALL, NULL));
    say("  %u\n", messages[0].msg_len);
    TELL(recvmmsg(fds[0], messages, 3, MSG_WAITALL, NULL));
    flags = fcntl(fds[0], F_GETFL);
    fcntl(fds[0], F_SETFL, flags | O_NONBLOCK);
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL));
    put(fds[1], "xy");
    pause_ms(5);
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL | MSG_PEEK));
    TELL(recv(fds[0], bytes, 4, MSG_WAITALL));
    close_both(fds);
}

const struct scenario scenarios[] = {
    {"all of it, without taking it", peeking},
    {"all of it, of a Unix socket", peeking_unix},
    {"errors in the middle", errors},
    {"urgent data in the middle", urgent},
    {"descriptors in the middle", passed},
    {"several messages", several},
    {NULL, NULL},
};
