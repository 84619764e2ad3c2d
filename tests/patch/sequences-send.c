/* SPDX-License-Identifier: MIT
 *
 * Calls that send, of a random sequence.
 */
#include "sequences.h"

#include <fcntl.h>
#include <poll.h>

static uint8_t next_byte[2];
static char data[2][LARGEST];

void sends_begin(void)
{
    next_byte[0] = 0;
    next_byte[1] = 100;
}

static void fill(int end, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[end][i] = (char)next_byte[end]++;
}

static int send_flags(void)
{
    static const int flags[] = {MSG_DONTWAIT, MSG_EOR, MSG_MORE, MSG_OOB};

    return MSG_NOSIGNAL | some_flags(flags, 4, 8);
}

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

void send_some(int end)
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
