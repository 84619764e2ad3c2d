/* SPDX-License-Identifier: MIT
 *
 * Receives whose waiting shows in what they say, and sockets that are ready, but not for this call.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

static void tcp_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size) ||
        connect(fds[1], (struct sockaddr *)&address, size) || (fds[0] = accept(listener, NULL, NULL)) < 0)
        abort();
    close(listener);
}

/* A socket that waits for itself. */
static int udp_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (bind(fd, (struct sockaddr *)&address, size) || getsockname(fd, (struct sockaddr *)&address, &size) ||
        connect(fd, (struct sockaddr *)&address, size))
        abort();
    return fd;
}

/* Datagrams: what waits is told of the end, what does not is not. */
static void shut_for_reading(int fd)
{
    char buffer[8];
    struct iovec vector = {buffer, sizeof buffer};
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from};
    struct mmsghdr messages[2] = {{.msg_hdr = message, .msg_len = 7}, {.msg_hdr = message, .msg_len = 7}};

    TELL(shutdown(fd, SHUT_RD));
    TELL(recv(fd, buffer, sizeof buffer, 0));
    TELL(recv(fd, buffer, sizeof buffer, MSG_DONTWAIT));
    TELL(recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length));
    TELL(length);
    TELL(recvmsg(fd, &message, MSG_CMSG_CLOEXEC));
    say("  name %u flags %x\n", (unsigned)message.msg_namelen, (unsigned)message.msg_flags);
    TELL(recvmmsg(fd, messages, 2, 0, NULL));
    say("  %u and %u\n", messages[0].msg_len, messages[1].msg_len);
    close(fd);
}

/* However little time there is to see it. */
static void shut_and_late(void)
{
    int fd = udp_socket(), ends = 0;
    char byte;

    shutdown(fd, SHUT_RD);
    timeout(fd, SO_RCVTIMEO, 1);
    for (int i = 0; i < 200; i++)
        ends += recv(fd, &byte, 1, 0) == 0;
    TELL(ends);
    close(fd);
}

static void datagrams(void)
{
    int fds[2];

    shut_and_late();

    shut_for_reading(udp_socket());
    pair(SOCK_DGRAM, fds);
    shut_for_reading(fds[0]);
    close(fds[1]);
}

static void no_room(void)
{
    struct msghdr message = {.msg_iov = NULL};
    int fds[2];
    char byte;

    tcp_pair(fds);
    timeout(fds[0], SO_RCVTIMEO, 5000);
    TELL(recv(fds[0], &byte, 0, 0));
    TELL(recvmsg(fds[0], &message, 0));
    TELL(recv(fds[0], &byte, 0, MSG_DONTWAIT));
    close_both(fds);
    pair(SOCK_STREAM, fds);
    timeout(fds[0], SO_RCVTIMEO, 5000);
    TELL(recv(fds[0], &byte, 0, 0));
    close_both(fds);
}

/* Flags that mean something to other sockets only. */
static void strange_flags(void)
{
    int fds[2], fd = udp_socket();
    struct peer *peer;
    char buffer[8];

    pair(SOCK_SEQPACKET, fds);
    peer = peer_start(in_pieces, fds[1]);
    TELL(recv(fds[0], buffer, sizeof buffer, MSG_ERRQUEUE));
    peer_end(peer);
    close_both(fds);
    timeout(fd, SO_RCVTIMEO, 5000);
    TELL(recv(fd, buffer, sizeof buffer, MSG_OOB));
    TELL(recv(fd, buffer, sizeof buffer, MSG_ERRQUEUE));
    close(fd);
}

/* -- At least ----------------------------------------------------------------------------------------------------- */

static void least_of(int fds[2], int least)
{
    struct iovec vectors[2] = {{(char[6]){0}, 6}, {(char[60]){0}, 60}};
    struct peer *peer;
    char buffer[64];

    setsockopt(fds[0], SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
    peer = peer_start(in_pieces, fds[1]);
    TELL(recv(fds[0], buffer, sizeof buffer, 0) >= least);
    peer_end(peer);
    while (recv(fds[0], buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
    }
    peer = peer_start(in_pieces, fds[1]);
    TELL(readv(fds[0], vectors, 2) >= least);
    peer_end(peer);
    while (recv(fds[0], buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
    }
    peer = peer_start(in_pieces, fds[1]);
    TELL(recv(fds[0], buffer, 5, 0)); /* the room, where that is less */
    peer_end(peer);
    while (recv(fds[0], buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
    }
    if (write(fds[1], "abc", 3) != 3)
        abort();
    timeout(fds[0], SO_RCVTIMEO, 20000);
    TELL(recv(fds[0], buffer, sizeof buffer, 0)); /* what there is, after the timeout */
    close_both(fds);
}

static void least(void)
{
    int fds[2];

    pair(SOCK_STREAM, fds);
    least_of(fds, 7);
    tcp_pair(fds);
    least_of(fds, 7);
}

/* -- Who sent it -------------------------------------------------------------------------------------------------- */

/* Half of it from this process, and half from a child, which is another sender. */
static void from_two(int fd)
{
    pid_t pid;

    in_pieces(fd);
    pid = (pid_t)syscall(SYS_fork);
    if (!pid) {
        syscall(SYS_write, fd, "child", 5);
        syscall(SYS_exit_group, 0);
    }
    syscall(SYS_wait4, pid, NULL, 0, NULL);
}

static void credentials_to(int fds[2], size_t room, size_t control_room)
{
    union {
        char bytes[256];
        struct cmsghdr align;
    } control = {{0}};
    char buffer[64] = "";
    struct iovec vector = {buffer, room};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control_room ? control.bytes : NULL,
                             .msg_controllen = control_room};

    TELL(recvmsg(fds[0], &message, MSG_WAITALL));
    say("  %s, flags %x, control %zu\n", buffer, (unsigned)message.msg_flags, (size_t)message.msg_controllen);
}

/* The pieces of one are joined, though each says who sent it. */
static void credentials(void)
{
    int fds[2], one = 1;
    struct peer *peer;

    for (size_t control_room = 0; control_room <= 256; control_room += 256) {
        pair(SOCK_STREAM, fds);
        setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
        peer = peer_start(in_pieces, fds[1]);
        credentials_to(fds, 12, control_room);
        peer_end(peer);
        peer = peer_start(from_two, fds[1]);
        credentials_to(fds, 20, control_room);
        credentials_to(fds, 5, control_room);
        peer_end(peer);
        close_both(fds);
    }
}

/* -- Ready, but not for this -------------------------------------------------------------------------------------- */

/* The peer has said its last, and takes nothing: there is no room, though there is news. */
static void half_closed(void)
{
    static char much[4096];
    struct pollfd look;
    int fds[2];

    pair(SOCK_STREAM, fds);
    while (send(fds[0], much, sizeof much, MSG_DONTWAIT) > 0) {
    }
    TELL(shutdown(fds[1], SHUT_WR));
    timeout(fds[0], SO_SNDTIMEO, 20000);
    TELL(send(fds[0], much, sizeof much, 0));
    look = (struct pollfd){.fd = fds[0], .events = POLLOUT};
    TELL(poll(&look, 1, 20));
    say("  %x\n", (unsigned)look.revents);
    look.events = POLLOUT | POLLRDHUP;
    TELL(poll(&look, 1, 20));
    say("  %x\n", (unsigned)look.revents);
    close_both(fds);
}

static void drain(int fd)
{
    static char much[65536];

    pause_ms(10);
    while (read(fd, much, sizeof much) == (ssize_t)sizeof much) {
    }
    shutdown(fd, SHUT_WR);
    pause_ms(10);
    while (read(fd, much, sizeof much) > 0) {
    }
}

/* It is written to until the end, as its peer goes on to read. */
static void half_closed_later(void)
{
    static char much[300000];
    struct peer *peer;
    int fds[2];

    pair(SOCK_STREAM, fds);
    peer = peer_start(drain, fds[1]);
    TELL(send(fds[0], much, sizeof much, 0));
    TELL(send(fds[0], much, sizeof much, 0));
    shutdown(fds[0], SHUT_WR);
    peer_end(peer);
    close_both(fds);
}

/* Past the last byte that there is. */
static void peek_offset(void)
{
    int fds[2], offset = 4;
    struct peer *peer;
    char buffer[8];

    pair(SOCK_DGRAM, fds);
    TELL(write(fds[1], "abcd", 4));
    TELL(setsockopt(fds[0], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset));
    peer = peer_start(in_pieces, fds[1]);
    TELL(recv(fds[0], buffer, sizeof buffer, MSG_PEEK));
    peer_end(peer);
    close_both(fds);
}

/* -- What others change ------------------------------------------------------------------------------------------- */

static int shared;

static void no_waiting(void)
{
    fcntl(shared, F_SETFL, O_NONBLOCK);
}

static void waiting(void)
{
    fcntl(shared, F_SETFL, 0);
    timeout(shared, SO_RCVTIMEO, 5000);
}

static void ending(void)
{
    timeout(shared, SO_RCVTIMEO, 40000);
}

static void in_child(void (*change)(void))
{
    pid_t pid = fork();

    if (!pid) {
        change();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

/* A pair of which the first end has waited already, for as long as it took. */
static void open_shared(int fds[2])
{
    struct peer *peer;
    char buffer[8];

    pair(SOCK_STREAM, fds);
    shared = fds[0];
    peer = peer_start(in_pieces, fds[1]);
    for (int i = 0; i < 3; i++)
        TELL(recv(fds[0], buffer, 4, 0));
    peer_end(peer);
}

/* O_NONBLOCK and the timeouts are the open file's, and so a child's, too. */
static void by_others(void)
{
    char buffer[8];
    int fds[2];

    open_shared(fds);
    in_child(no_waiting);
    TELL(recv(fds[0], buffer, 4, 0));
    TELL(write(fds[1], "abc", 3));
    TELL(recv(fds[0], buffer, 4, 0));
    in_child(waiting);
    TELL(recv(fds[0], buffer, 4, 0));
    close_both(fds);
}

static void ended_by_others(void)
{
    char buffer[8];
    int64_t began;
    int fds[2];

    open_shared(fds);
    in_child(ending);
    began = now();
    TELL(recv(fds[0], buffer, 4, 0));
    say("  too soon %d\n", now() - began < 40000000);
    close_both(fds);
}

static void change_and_write(int fd)
{
    pause_ms(5);
    fcntl(shared, F_SETFL, O_NONBLOCK);
    timeout(shared, SO_RCVTIMEO, 1000);
    pause_ms(150);
    write(fd, "late", 4);
}

/* What has begun to wait goes on as it has begun. */
static void changed_meanwhile(void)
{
    struct peer *peer;
    char buffer[8];
    int fds[2];

    open_shared(fds);
    peer = peer_start(change_and_write, fds[1]);
    TELL(recv(fds[0], buffer, 4, 0));
    peer_end(peer);
    TELL(recv(fds[0], buffer, 4, 0));
    close_both(fds);
}

const struct scenario scenarios[] = {
    {"datagrams, shut for reading", datagrams},
    {"no room", no_room},
    {"strange flags", strange_flags},
    {"SO_RCVLOWAT", least},
    {"SO_PASSCRED and MSG_WAITALL", credentials},
    {"a peer that has said its last", half_closed},
    {"a peer that says its last meanwhile", half_closed_later},
    {"SO_PEEK_OFF", peek_offset},
    {"changed by others", by_others},
    {"ended by others", ended_by_others},
    {"changed meanwhile", changed_meanwhile},
    {NULL, NULL},
};
