/* SPDX-License-Identifier: MIT
 *
 * Calls on sockets and pipes in an order that nobody would think of: the same for the same seed.
 *
 *     MT_TEST_SEED=n MT_TEST_SEEDS=m sequences main|coro     seeds n to n + m - 1; else a few
 *
 * Each sequence has one pair of ends, whose calls come by turns. All waits have an end: sockets have timeouts, and a
 * pipe is only asked for what is there. Some receives begin before what they are to get is sent, by a peer.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define CALLS   30
#define LARGEST 70000
#define SHORT   4000 /* microseconds */
#define LONG    700000

enum kind { STREAM, DATAGRAM, PACKETS, TCP, UDP, PIPE, KINDS };

static enum kind kind;
static int ends[2];
static uint64_t state;
static uint8_t next_byte[2];
static char data[2][LARGEST];

static unsigned below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

static int chance(unsigned in)
{
    return below(in) == 0;
}

static size_t some_size(void)
{
    switch (below(8)) {
    case 0:
        return 0;
    case 1:
        return kind == TCP || kind == UDP ? 100 : below(LARGEST);
    case 2:
        return below(5000);
    default:
        return 1 + below(40);
    }
}

/* -- Ends --------------------------------------------------------------------------------------------------------- */

static int inet_socket(int type, struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, type, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) || getsockname(fd, (struct sockaddr *)address, &size))
        abort();
    return fd;
}

static void open_inet(int type)
{
    struct sockaddr_in first, second;
    int fd = inet_socket(type, &first), one = 1;

    ends[1] = inet_socket(type, &second);
    if ((type == SOCK_STREAM && listen(fd, 1)) || connect(ends[1], (struct sockaddr *)&first, sizeof first))
        abort();
    if (type == SOCK_STREAM) {
        ends[0] = accept(fd, NULL, NULL);
        close(fd);
        for (int i = 0; i < 2; i++)
            setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    } else {
        ends[0] = fd;
        if (connect(fd, (struct sockaddr *)&second, sizeof second))
            abort();
    }
}

static void open_ends(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

    kind = below(KINDS);
    if (kind == PIPE) {
        if (pipe2(ends, chance(3) ? O_DIRECT : 0))
            abort();
        return;
    }
    if (kind <= PACKETS)
        pair(types[kind], ends);
    else
        open_inet(kind == TCP ? SOCK_STREAM : SOCK_DGRAM);
    for (int i = 0; i < 2; i++) {
        timeout(ends[i], SO_RCVTIMEO, SHORT);
        timeout(ends[i], SO_SNDTIMEO, SHORT);
    }
}

static int has_arrived(int from, int to)
{
    struct tcp_info sent = {0}, came = {0};
    socklen_t size = sizeof sent;

    if (getsockopt(from, IPPROTO_TCP, TCP_INFO, &sent, &size))
        return 1;
    size = sizeof came;
    return getsockopt(to, IPPROTO_TCP, TCP_INFO, &came, &size) ||
           (!sent.tcpi_notsent_bytes && came.tcpi_bytes_received >= sent.tcpi_bytes_sent - sent.tcpi_bytes_retrans);
}

/* What has been sent through the loopback device arrives a moment later. */
static void settle(void)
{
    if (kind == UDP)
        pause_ms(1);
    for (int tries = 0; kind == TCP && tries < 100; tries++) {
        if (has_arrived(ends[0], ends[1]) && has_arrived(ends[1], ends[0]))
            break;
        pause_ms(1);
    }
}

/* -- Sending ------------------------------------------------------------------------------------------------------ */

static int some_flags(const int *flags, unsigned count, unsigned in)
{
    int result = 0;

    for (unsigned i = 0; i < count; i++)
        if (chance(in))
            result |= flags[i];
    return result;
}

static void fill(int end, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[end][i] = (char)next_byte[end]++;
}

static unsigned cut(struct iovec *vectors, char *bytes, size_t size)
{
    unsigned count = 1 + below(4);
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        size_t piece = i + 1 == count ? size - at : below((unsigned)(size - at) + 1);
        vectors[i] = (struct iovec){bytes + at, piece};
        at += piece;
    }
    return count;
}

static int send_flags(void)
{
    static const int flags[] = {MSG_DONTWAIT, MSG_EOR, MSG_MORE, MSG_OOB};

    return MSG_NOSIGNAL | some_flags(flags, 4, 8);
}

union control {
    char bytes[512];
    struct cmsghdr align;
};

/* Descriptors, or (of Unix sockets) whose process it is. */
static void attach(struct msghdr *message, union control *control)
{
    unsigned count = 1 + below(3);
    int fds[3] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
    struct ucred who = {getpid(), getuid(), getgid()};
    int is_who = chance(3);
    size_t size = is_who ? sizeof who : count * sizeof *fds;

    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(size);
    control->align.cmsg_level = SOL_SOCKET;
    control->align.cmsg_type = is_who ? SCM_CREDENTIALS : SCM_RIGHTS;
    control->align.cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(&control->align), is_who ? (void *)&who : (void *)fds, size);
}

static void send_message(int end, size_t size)
{
    struct iovec vectors[4];
    struct msghdr message = {.msg_iov = vectors};
    union control control;

    message.msg_iovlen = cut(vectors, data[end], size);
    if (kind <= PACKETS && chance(2))
        attach(&message, &control);
    told("sendmsg", sendmsg(ends[end], &message, send_flags()));
}

static void send_messages(int end, size_t size)
{
    struct iovec vectors[2] = {{data[end], size / 2}, {data[end] + size / 2, size - size / 2}};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = vectors, .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = vectors + 1, .msg_iovlen = 1}}};
    int count = sendmmsg(ends[end], messages, 2, send_flags());

    told("sendmmsg", count);
    for (int i = 0; i < count; i++)
        say("    %u\n", messages[i].msg_len);
}

static void send_pipe(void)
{
    struct pollfd look = {.fd = ends[1], .events = POLLOUT};
    size_t size = below(4000);
    struct iovec vectors[4];
    unsigned count;

    if (fcntl(ends[1], F_GETFL) & O_NONBLOCK)
        size = some_size();
    else if (poll(&look, 1, 0) < 1)
        return;
    fill(1, size);
    if (chance(2)) {
        told("write", write(ends[1], data[1], size));
    } else {
        count = cut(vectors, data[1], size);
        told("writev", writev(ends[1], vectors, (int)count));
    }
}

static void send_some(int end)
{
    size_t size = some_size();
    struct iovec vectors[4];
    unsigned count;

    if (kind == PIPE) {
        send_pipe();
        return;
    }
    fill(end, size);
    switch (below(6)) {
    case 0:
        if (size && kind != PACKETS)
            told("write", write(ends[end], data[end], size));
        break;
    case 1:
        count = cut(vectors, data[end], size);
        told("writev", writev(ends[end], vectors, (int)count));
        break;
    case 2:
        send_message(end, size);
        break;
    case 3:
        send_messages(end, size);
        break;
    default:
        told("send", send(ends[end], data[end], size, send_flags()));
    }
    settle();
}

/* -- Receiving ---------------------------------------------------------------------------------------------------- */

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
    size_t size;
    int flags, shuts;
} late;

static void come_late(int fd)
{
    pause_ms(3);
    if (late.size)
        send(fd, data[0], late.size, late.flags);
    if (late.shuts) {
        pause_ms(3);
        shutdown(fd, SHUT_WR);
    }
}

static void receive_late(int end)
{
    struct peer *peer;

    late.size = below(60);
    late.flags = MSG_NOSIGNAL | (chance(5) ? MSG_OOB : 0);
    late.shuts = chance(3);
    memset(data[0], 'l', sizeof data[0]);
    timeout(ends[end], SO_RCVTIMEO, LONG);
    peer = peer_start(come_late, ends[!end]);
    receive_once(end);
    peer_end(peer);
    timeout(ends[end], SO_RCVTIMEO, SHORT);
    settle();
}

static void receive_some(int end)
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

/* -- The rest ----------------------------------------------------------------------------------------------------- */

static void set_option(int end)
{
    static const int switches[] = {SO_PASSCRED, SO_OOBINLINE};
    int value = chance(2);

    switch (below(5)) {
    case 0:
    case 1:
        value = (int)below(100);
        told("SO_RCVLOWAT", setsockopt(ends[end], SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value));
        break;
    case 2:
        value = (int)below(30) - 1;
        if (kind <= PACKETS)
            told("SO_PEEK_OFF", setsockopt(ends[end], SOL_SOCKET, SO_PEEK_OFF, &value, sizeof value));
        break;
    case 3:
        value = 4096 << below(4);
        if (kind <= PACKETS)
            told("SO_SNDBUF", setsockopt(ends[end], SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
        break;
    default:
        told("a switch", setsockopt(ends[end], SOL_SOCKET, switches[below(2)], &value, sizeof value));
    }
}

static void ask(int end)
{
    struct pollfd look = {.fd = ends[end], .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
    int value = -1;
    socklen_t size = sizeof value;

    switch (below(4)) {
    case 0:
        told("poll", poll(&look, 1, 1));
        say("    %x\n", (unsigned)look.revents);
        break;
    case 1:
        told("FIONREAD", ioctl(ends[end], FIONREAD, &value));
        say("    %d\n", value);
        break;
    case 2:
        told("SO_ERROR", getsockopt(ends[end], SOL_SOCKET, SO_ERROR, &value, &size));
        say("    %d\n", value);
        break;
    default:
        told("SIOCATMARK", ioctl(ends[end], SIOCATMARK, &value));
        say("    %d\n", value);
    }
}

static void change(int end)
{
    int value = chance(3), fd;

    switch (below(8)) {
    case 0:
        if (chance(2))
            told("shutdown", shutdown(ends[end], (int)below(3)));
        break;
    case 1:
        fd = dup(ends[end]);
        told("close", close(ends[end]));
        ends[end] = dup2(fd, ends[end]);
        close(fd);
        break;
    case 2:
        told("O_NONBLOCK", fcntl(ends[end], F_SETFL, value ? O_NONBLOCK : 0));
        break;
    case 3:
        told("FIONBIO", ioctl(ends[end], FIONBIO, &value));
        break;
    default:
        if (kind != PIPE)
            set_option(end);
    }
}

static void run_sequence(unsigned seed)
{
    state = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 5; i++)
        below(2);
    next_byte[0] = 0;
    next_byte[1] = 100;
    open_ends();
    say("seed %u, kind %d\n", seed, (int)kind);
    for (int i = 0; i < CALLS; i++) {
        int end = (int)below(2);
        switch (below(8)) {
        case 0:
            ask(end);
            break;
        case 1:
            change(end);
            break;
        case 2:
        case 3:
        case 4:
            say(" %d:", end);
            send_some(end);
            break;
        default:
            say(" %d:", end);
            receive_some(end);
        }
    }
    close_both(ends);
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void sequences(void)
{
    unsigned first = number_of("MT_TEST_SEED", 1), count = number_of("MT_TEST_SEEDS", 24);

    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < count; i++)
        run_sequence(first + i);
}

const struct scenario scenarios[] = {
    {"sequences", sequences},
    {NULL, NULL},
};
