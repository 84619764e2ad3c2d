/* SPDX-License-Identifier: MIT
 *
 * recvmmsg: many messages in one call.
 */
#include "patch/receive.h"
#include "patch/undeclared.h"

#include <time.h>

struct many {
    struct mmsghdr *messages;
    unsigned count, done;
    int flags;
    mt_deadline deadline; /* by recvmmsg's timeout */
};

static struct timespec left_until(mt_deadline deadline)
{
    int64_t left = deadline - mt_now();

    return left > 0 ? (struct timespec){left / 1000000000, left % 1000000000} : (struct timespec){0, 0};
}

/* Those that are there. The kernel looks at the time after each of them. */
static long receive_present(int fd, const struct many *many, unsigned from)
{
    struct timespec left = left_until(many->deadline);

    return mt__sys(SYS_recvmmsg, fd, many->messages + from, many->count - from,
                   (many->flags & ~MSG_WAITFORONE) | MSG_DONTWAIT, many->deadline == MT_FOREVER ? NULL : &left);
}

static size_t size_of(const struct mmsghdr *message)
{
    return mt__vectors_size(message->msg_hdr.msg_iov, message->msg_hdr.msg_iovlen);
}

static long receive_some(struct mt__block *block, const struct many *many)
{
    struct mmsghdr *message = many->messages + many->done;
    unsigned next = many->done + 1;
    long result;

    if (!mt__receive_least(block->fd, size_of(message), many->flags))
        return receive_present(block->fd, many, many->done);
    result = mt__receive_message(block, &message->msg_hdr, many->flags & ~MSG_WAITFORONE);
    if (result < 0)
        return result == -EAGAIN ? -ETIME : result; /* it has waited as long as it may */
    message->msg_len = (unsigned)result;
    if (!(many->flags & MSG_WAITFORONE) || next == many->count || mt__socket_has(block->fd, POLLERR))
        return 1;
    result = receive_present(block->fd, many, next);
    return 1 + (result > 0 ? result : 0);
}

/* As receive_some, but waits, as long as the socket's own timeout says: for each message anew. An error that comes
 * behind a message is the next call's, and an attempt would take it along. */
static long receive_some_later(struct mt__block *block, const struct many *many)
{
    struct mmsghdr *message = many->messages + many->done;
    long result, more = 0;
    int waited = 0;

    block->known = 0;
    for (;;) {
        if (many->done && mt__socket_has(block->fd, POLLERR))
            return 0;
        result = receive_some(block, many);
        if (result != -EAGAIN)
            return result;
        if (more || mt__receive_is_nothing(block->fd, size_of(message)))
            break;
        more = mt__receive_wait(block, &waited);
        if (more < 0)
            return more;
    }
    result = more ? mt__receive_at_last(block->fd, result) : mt__receive_nothing(block);
    if (result)
        return result;
    message->msg_len = 0;
    mt__receive_tell_nothing(&message->msg_hdr, many->flags);
    return 1;
}

/* The kernel looks at the timeout after each message, and only then: a silent peer is waited for whatever it says, and
 * what is left of it is what was left after the last one. */
static long receive_messages(struct mt__block *block, struct many *many, struct timespec *timeout)
{
    while (many->done < many->count) {
        long result = receive_some_later(block, many);
        if (result <= 0)
            return many->done ? (long)many->done : result == -ETIME ? -EAGAIN : result;
        many->done += (unsigned)result;
        if (many->deadline != MT_FOREVER)
            *timeout = left_until(many->deadline);
        if (many->flags & MSG_WAITFORONE || (many->deadline != MT_FOREVER && !timeout->tv_sec && !timeout->tv_nsec))
            break;
    }
    return (long)many->done;
}

MT__PATCHED int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    struct mt__block block = MT__BLOCK_IN(fd, recvmmsg);
    struct many many = {messages, count, 0, 0, MT_FOREVER};
    struct mt__patch_call call;

    if (!mt__patched(SOCKET) || mt__receive_is_kernels(fd, &flags) || !messages || !count ||
        (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)))
        return mt__libc(recvmmsg)(fd, messages, count, flags, timeout);
    call = mt__patch_begin_fair();
    many.flags = flags;
    if (timeout && timeout->tv_sec < INT64_MAX / 2000000000)
        many.deadline = mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
    return (int)mt__patch_end(call, receive_messages(&block, &many, timeout));
}
