/* SPDX-License-Identifier: MIT
 *
 * Calls of a random sequence that change what its ends do, or ask what they would.
 */
#include "sequences.h"

#include <fcntl.h>
#include <poll.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

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

void ask(int end)
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

void change(int end)
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
