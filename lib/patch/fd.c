/* SPDX-License-Identifier: MIT
 *
 * What calls on descriptors share: how they wait, go off the hub, and cut vectors. See patch/fd.h.
 */
#include "patch/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>

int mt__fd_is_nonblocking(int fd)
{
    long flags = mt__sys(SYS_fcntl, fd, F_GETFL);

    return flags < 0 || flags & (O_NONBLOCK | O_PATH);
}

/* To the microsecond; no socket, and no timeout, wait forever. */
static mt_deadline timeout_of(int fd, short events)
{
    struct timeval timeout = {0, 0};
    socklen_t size = sizeof timeout;

    if (mt__sys(SYS_getsockopt, fd, SOL_SOCKET, events & POLLIN ? SO_RCVTIMEO : SO_SNDTIMEO, &timeout, &size) ||
        (!timeout.tv_sec && !timeout.tv_usec))
        return MT_FOREVER;
    return mt_after(timeout.tv_sec > INT64_MAX / 2000000000 ? MT_FOREVER
                                                            : MT_SEC(timeout.tv_sec) + MT_US(timeout.tv_usec));
}

mt_deadline mt__block_deadline(const struct mt__block *block)
{
    return timeout_of(block->fd, block->events);
}

int mt__block_ask(struct mt__block *block)
{
    if (block->known)
        return 0;
    if (mt__fd_is_nonblocking(block->fd))
        return -EAGAIN;
    block->deadline = timeout_of(block->fd, block->events);
    block->known = 1;
    return 0;
}

int mt__block(struct mt__block *block)
{
    int again = block->known, result = mt__block_ask(block);

    if (result)
        return result;
    if (again && block->deadline != MT_FOREVER && mt_now() >= block->deadline) /* ready, but not for this */
        return -EAGAIN;
    result = mt__patch_wait_fd(block->fd, block->events, block->deadline == MT_FOREVER ? 0 : MT__WAIT_INTERRUPT_ALWAYS,
                               block->deadline, mt__names[block->number].name);
    return result == -ETIME ? -EAGAIN : result;
}

/* -- Off the hub -------------------------------------------------------------------------------------------------- */

void mt__off_call_run(void *arg)
{
    struct mt__off_call *call = arg;
    const long *a = call->arguments;

    errno = 0;
    call->result = ((long (*)(long, long, long, long, long, long))call->function)(a[0], a[1], a[2], a[3], a[4], a[5]);
    call->error = errno;
}

long mt__off(enum mt__name_number number, const long arguments[6])
{
    struct mt__off_call call = {.function = mt__original(number)};

    for (int i = 0; i < 6; i++)
        call.arguments[i] = arguments[i];
    mt__patch_off(mt__off_call_run, &call, number);
    errno = call.error;
    return call.result;
}

/* -- Vectors ------------------------------------------------------------------------------------------------------ */

int mt__vectors_copy(struct mt__vectors *vectors, const struct iovec *from, size_t count)
{
    vectors->all = vectors->few;
    if (count > sizeof vectors->few / sizeof *vectors->few && !(vectors->all = mt__alloc(count * sizeof *from)))
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        vectors->all[i] = from[i];
    vectors->at = vectors->all;
    vectors->count = count;
    return 0;
}

void mt__vectors_advance(struct mt__vectors *vectors, size_t bytes)
{
    while (vectors->count && bytes >= vectors->at->iov_len) {
        bytes -= vectors->at->iov_len;
        vectors->at++;
        vectors->count--;
    }
    if (vectors->count) {
        vectors->at->iov_base = (char *)vectors->at->iov_base + bytes;
        vectors->at->iov_len -= bytes;
    }
}

void mt__vectors_free(struct mt__vectors *vectors)
{
    if (vectors->all != vectors->few)
        free(vectors->all);
}

size_t mt__vectors_size(const struct iovec *vectors, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += vectors[i].iov_len;
    return size;
}
