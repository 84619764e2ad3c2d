/* SPDX-License-Identifier: MIT
 *
 * Calls that receive, of a random sequence.
 */
#include "sequences.h"

#include <fcntl.h>
#include <poll.h>

#define LONG 700000 /* microseconds */

static char received[LARGEST];

static void told_data(const char *what, long result, size_t room)
{
    uint32_t sum = 0;

    told(what, result);
    for (long i = 0; i < result && i < (long)room; i++)
        sum = sum * 31 + (uint8_t)received[i];
    if (result > 0)
        say("    sum %08x\n", sum);
}

static int receive_flags(void)
{
    static const int flags[] = {MSG_PEEK, MSG_WAITALL,      MSG_TRUNC,   MSG_DONTWAIT,
                                MSG_OOB,  MSG_CMSG_CLOEXEC, MSG_ERRQUEUE};
    int result = some_flags(flags, 3, 4) | some_flags(flags + 3, 4, 12);

    /* Of TCP, MSG_TRUNC leaves the buffer as it is. */
    return kind == TCP ? result & ~MSG_TRUNC : result;
}

static void told_control(struct msghdr *message)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        say("    control %d %d %zu\n", at->cmsg_level, at->cmsg_type, (size_t)at->cmsg_len);
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (at->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
            say("    close-on-exec %d\n", fcntl(fd, F_GETFD));
            close(fd);
        }
    }
}

static void receive_message(int end, size_t size, int flags)
{
    struct iovec vectors[4];
    struct sockaddr_storage from;
    struct msghdr message = {.msg_iov = vectors};
    union control control;
    long result;

    message.msg_iovlen = cut(vectors, received, size);
    if (chance(2)) {
        message.msg_control = &control;
        message.msg_controllen = chance(3) ? below(40) : sizeof control;
    }
    if (chance(3)) {
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
    }
    result = recvmsg(ends[end], &message, flags);
    told_data("recvmsg", result, size);
    if (result < 0)
        return;
    say("    flags %x name %u\n", (unsigned)message.msg_flags, (unsigned)message.msg_namelen);
    if (message.msg_control)
        told_control(&message);
}

static void receive_messages(int end, size_t size, int flags)
{
    struct iovec vectors[2] = {{received, size / 2}, {received + size / 2, size - size / 2}};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = vectors, .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = vectors + 1, .msg_iovlen = 1}}};
    int count;

    if (chance(2))
        flags |= MSG_WAITFORONE;
    memset(received, 0, size);
    count = recvmmsg(ends[end], messages, 2, flags, NULL);
    told("recvmmsg", count);
    for (int i = 0; i < count; i++)
        say("    %u %02x flags %x\n", messages[i].msg_len, messages[i].msg_len ? (uint8_t)received[i * (size / 2)] : 0,
            (unsigned)messages[i].msg_hdr.msg_flags);
}

static void receive_from(int end, size_t size, int flags)
{
    struct sockaddr_storage from;
    socklen_t length = below(sizeof from + 1);
    long result = recvfrom(ends[end], received, size, flags, (struct sockaddr *)&from, &length);

    told_data("recvfrom", result, size);
    if (result >= 0)
        say("    name %u\n", (unsigned)length);
}

static void receive_pipe(void)
{
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    struct iovec vectors[4];
    size_t size = some_size();
    unsigned count;

    if (!(fcntl(ends[0], F_GETFL) & O_NONBLOCK) && poll(&look, 1, 0) < 1)
        return;
    if (chance(2)) {
        told_data("read", read(ends[0], received, size), size);
    } else {
        count = cut(vectors, received, size);
        told_data("readv", readv(ends[0], vectors, (int)count), size);
    }
}

static void receive_once(int end)
{
    size_t size = some_size();
    int flags = receive_flags();
    struct iovec vectors[4];
    unsigned count;

    switch (below(7)) {
    case 0:
        told_data("read", read(ends[end], received, size), size);
        break;
    case 1:
        count = cut(vectors, received, size);
        told_data("readv", readv(ends[end], vectors, (int)count), size);
        break;
    case 2:
        receive_from(end, size, flags);
        break;
    case 3:
        receive_messages(end, size, flags);
        break;
    case 4:
        told_data("recv", recv(ends[end], received, size, flags), size);
        break;
    default:
        say("  %x\n", (unsigned)flags);
        receive_message(end, size, flags);
    }
}

/* What the peer does while the other end waits. Nothing is printed there. */
static struct {
    char data[60];
    size_t size;
    int flags, shuts;
} late;

static void come_late(int fd)
{
    pause_ms(3);
    if (late.size)
        send(fd, late.data, late.size, late.flags);
    if (late.shuts) {
        pause_ms(3);
        shutdown(fd, SHUT_WR);
    }
}

static void receive_late(int end)
{
    struct peer *peer;

    late.size = below(sizeof late.data);
    late.flags = MSG_NOSIGNAL | (chance(5) ? MSG_OOB : 0);
    late.shuts = chance(3);
    memset(late.data, 'l', sizeof late.data);
    timeout(ends[end], SO_RCVTIMEO, LONG);
    peer = peer_start(come_late, ends[!end]);
    receive_once(end);
    peer_end(peer);
    timeout(ends[end], SO_RCVTIMEO, SHORT);
    settle();
}

void receive_some(int end)
{
    int64_t began = now();
    int may_wait, error;

    if (kind == PIPE) {
        receive_pipe();
        return;
    }
    may_wait = !(fcntl(ends[end], F_GETFL) & O_NONBLOCK);
    if (may_wait && kind != UDP && chance(8)) {
        receive_late(end);
        return;
    }
    errno = 0;
    receive_once(end);
    error = errno;
    if (error == EAGAIN && !may_wait)
        say("    too long %d\n", now() - began > 500000000);
}
