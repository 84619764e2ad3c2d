/* SPDX-License-Identifier: MIT
 *
 * Sending to sockets. A call that may block sends all of it, or as much as came before an error. SIGPIPE is raised by
 * the first attempt, as libc's would, and not by a later one, whose bytes before the error are the result.
 */
#include "patch/fd.h"
#include "patch/undeclared.h"

#define MESSAGES_MOST 1024 /* UIO_MAXIOV: the kernel takes no more of sendmmsg's at a time */

/* Of an attempt that follows `done` bytes. */
static int flags_after(size_t done, int flags)
{
    return flags | MSG_DONTWAIT | (done ? MSG_NOSIGNAL : 0);
}

long mt__transmit(struct mt__block *block, const void *buffer, size_t size, int flags, const struct sockaddr *address,
                  socklen_t length)
{
    size_t done = 0;
    long result;

    for (;;) {
        result = mt__sys(SYS_sendto, block->fd, (const char *)buffer + done, size - done, flags_after(done, flags),
                         address, length);
        if (result >= 0) {
            done += (size_t)result;
            if (done >= size || !result)
                return (long)done;
            continue;
        }
        if (result == -EAGAIN)
            result = mt__block(block);
        if (result)
            return done ? (long)done : result;
    }
}

/* Its ancillary data go with the first byte, and with no other. */
static long transmit_rest(struct mt__block *block, const struct msghdr *message, size_t done, size_t size, int flags)
{
    struct msghdr rest = *message;
    struct mt__vectors vectors;
    long result;

    rest.msg_control = NULL;
    rest.msg_controllen = 0;
    if (mt__vectors_copy(&vectors, message->msg_iov, message->msg_iovlen))
        return (long)done;
    mt__vectors_advance(&vectors, done);
    while (done < size) {
        rest.msg_iov = vectors.at;
        rest.msg_iovlen = vectors.count;
        result = mt__sys(SYS_sendmsg, block->fd, &rest, flags_after(done, flags));
        if (result > 0) {
            done += (size_t)result;
            mt__vectors_advance(&vectors, (size_t)result);
            continue;
        }
        if (result != -EAGAIN || mt__block(block))
            break;
    }
    mt__vectors_free(&vectors);
    return (long)done;
}

long mt__transmit_message(struct mt__block *block, const struct msghdr *message, int flags)
{
    size_t size = mt__vectors_size(message->msg_iov, message->msg_iovlen);
    long result;

    do {
        result = mt__sys(SYS_sendmsg, block->fd, message, flags | MSG_DONTWAIT);
        if (result >= 0)
            return (size_t)result < size ? transmit_rest(block, message, (size_t)result, size, flags) : result;
        if (result == -EAGAIN)
            result = mt__block(block);
    } while (!result);
    return result;
}

/* -- The names ---------------------------------------------------------------------------------------------------- */

MT__PATCHED ssize_t sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *address,
                           socklen_t length)
{
    struct mt__block block = MT__BLOCK_OUT(fd, sendto);
    struct mt__patch_call call;
    long result;

    if (!mt__patched(SOCKET) || flags & MSG_DONTWAIT)
        return mt__libc(sendto)(fd, buffer, size, flags, address, length);
    call = mt__patch_begin_fair();
    if (flags & MSG_FASTOPEN) { /* it connects, too */
        result = mt__off_hub(sendto, fd, (long)buffer, (long)size, flags, (long)address, (long)length);
        return mt__patch_end(call, result);
    }
    return mt__patch_end(call, mt__transmit(&block, buffer, size, flags, address, length));
}

MT__PATCHED ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
    if (!mt__patched(SOCKET))
        return mt__libc(send)(fd, buffer, size, flags);
    return sendto(fd, buffer, size, flags, NULL, 0);
}

MT__PATCHED ssize_t __send(int fd, const void *buffer, size_t size, int flags)
{
    return send(fd, buffer, size, flags);
}

MT__PATCHED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct mt__block block = MT__BLOCK_OUT(fd, sendmsg);
    struct mt__patch_call call;
    long result;

    if (!mt__patched(SOCKET) || flags & MSG_DONTWAIT || !message)
        return mt__libc(sendmsg)(fd, message, flags);
    call = mt__patch_begin_fair();
    if (flags & MSG_FASTOPEN) {
        result = mt__off_hub(sendmsg, fd, (long)message, flags);
        return mt__patch_end(call, result);
    }
    return mt__patch_end(call, mt__transmit_message(&block, message, flags));
}

MT__PATCHED int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    struct mt__block block = MT__BLOCK_OUT(fd, sendmmsg);
    struct mt__patch_call call;
    unsigned done = 0;
    long result = 0;

    if (!mt__patched(SOCKET) || flags & (MSG_DONTWAIT | MSG_FASTOPEN) || !messages)
        return mt__libc(sendmmsg)(fd, messages, count, flags);
    call = mt__patch_begin_fair();
    while (done < count && done < MESSAGES_MOST) {
        result = mt__transmit_message(&block, &messages[done].msg_hdr, flags);
        if (result < 0)
            break;
        messages[done++].msg_len = (unsigned)result;
    }
    return (int)mt__patch_end(call, done ? (long)done : result);
}
