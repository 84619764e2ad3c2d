/* SPDX-License-Identifier: MIT
 *
 * What receives from sockets have in common. What MSG_WAITALL is here coro/receive-all.c says; SO_RCVLOWAT is the same
 * of fewer bytes. MSG_OOB and MSG_ERRQUEUE never wait, and are the kernel's, except where they mean nothing.
 *
 * A receive that waits is not one that does not, tried once more. What it finds at its end counts:
 *
 *   the socket's timeout      what has come by then, though too little to be told of (SO_RCVLOWAT)
 *   shut down for reading     of datagrams, 0; without waiting that is EAGAIN
 *   no room, of TCP           0, whatever came of the wait
 */
#include "patch/receive.h"
#include "patch/belief.h"
#include "coro/receive-all.h"
#include "patch/undeclared.h"

#include <netinet/in.h>

#define AT_ONCE (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

static int sets_least; /* somebody in this process has set SO_RCVLOWAT, of any socket */

int mt__socket_option(int fd, int name)
{
    int value = 0;
    socklen_t size = sizeof value;

    return mt__sys(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int mt__socket_has(int fd, short event)
{
    struct pollfd look = {.fd = fd, .events = event};
    struct timespec none = {0, 0};

    return mt__sys(SYS_ppoll, &look, 1, &none, NULL, 0) == 1 && look.revents & event;
}

int mt__socket_is_shut(int fd)
{
    return mt__socket_has(fd, POLLRDHUP);
}

/* -- Its end ------------------------------------------------------------------------------------------------------- */

long mt__receive_wait(struct mt__block *block, int *waited)
{
    long result = mt__block_ask(block);

    if (result)
        return result;
    if (*waited && mt__socket_is_shut(block->fd))
        return 1;
    *waited = 1;
    result = mt__block(block);
    return result == -EAGAIN ? 1 : result;
}

long mt__receive_nothing(struct mt__block *block)
{
    int waited = 0;
    long result = mt__receive_wait(block, &waited);

    return result == 1 || result == -EINTR ? 0 : result;
}

int mt__receive_is_nothing(int fd, size_t size)
{
    return !size && mt__socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP;
}

size_t mt__receive_least(int fd, size_t size, int flags)
{
    int least;

    if (mt__waits_for_all(fd, flags))
        return size;
    if (!__atomic_load_n(&sets_least, __ATOMIC_RELAXED) || mt__socket_option(fd, SO_TYPE) != SOCK_STREAM)
        return 0;
    least = mt__socket_option(fd, SO_RCVLOWAT);
    return least <= 1 || size <= 1 ? 0 : (size_t)least < size ? (size_t)least : size;
}

long mt__receive_at_last(int fd, long result)
{
    return result == -EAGAIN && mt__socket_is_shut(fd) ? 0 : result;
}

void mt__receive_tell_nothing(struct msghdr *message, int flags)
{
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = flags & MSG_CMSG_CLOEXEC;
}

/* -- What is asked for --------------------------------------------------------------------------------------------- */

/* What the flags are to this socket. */
static int flags_of(int fd, int flags)
{
    if (flags & MSG_ERRQUEUE && mt__socket_option(fd, SO_DOMAIN) == AF_UNIX)
        flags &= ~MSG_ERRQUEUE;
    if (flags & MSG_OOB && mt__socket_option(fd, SO_TYPE) == SOCK_DGRAM && mt__socket_option(fd, SO_DOMAIN) != AF_UNIX)
        flags &= ~MSG_OOB;
    return flags;
}

int mt__receive_is_kernels(int fd, int *flags)
{
    *flags = flags_of(fd, *flags);
    return (*flags & AT_ONCE) != 0;
}

/* Does not wait. That there are sockets which ask for more than one byte is remembered, as each receive would have to
 * ask its socket otherwise; one that comes with the option from another program, by exec or in a message, is not known.
 */
MT__PATCHED int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    int result = mt__libc(setsockopt)(fd, level, name, value, size);

    if (level == SOL_SOCKET && name == SO_RCVLOWAT)
        __atomic_store_n(&sets_least, 1, __ATOMIC_RELAXED);
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW))
        mt__beliefs_drop(fd);
    return result;
}
