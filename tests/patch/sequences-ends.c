/* SPDX-License-Identifier: MIT
 *
 * The two ends of a random sequence: a pair of sockets or a pipe.
 */
#include "sequences.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>

enum kind kind;
int ends[2];

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

void open_ends(void)
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
void settle(void)
{
    if (kind == UDP)
        pause_ms(1);
    for (int tries = 0; kind == TCP && tries < 100; tries++) {
        if (has_arrived(ends[0], ends[1]) && has_arrived(ends[1], ends[0]))
            break;
        pause_ms(1);
    }
}
