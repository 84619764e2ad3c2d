/* SPDX-License-Identifier: MIT
 *
 * Messages: many at a time, and with ancillary data. See scenario.h.
 */
#include "sockets.h"

#include <fcntl.h>
#include <sys/uio.h>

static void messages(void)
{
    char buffers[4][8] = {"", "", "", ""};
    struct iovec vectors[4];
    struct mmsghdr headers[4];
    struct timespec time = {0, 1000000};
    struct peer *peer;
    int fds[2], count;

    pair(SOCK_DGRAM, fds);
    for (int i = 0; i < 4; i++) {
        vectors[i] = (struct iovec){buffers[i], 8};
        headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
    }
    TELL(sendmmsg(fds[1], headers, 3, 0));
    say("  %u bytes\n", headers[2].msg_len);
    TELL(recvmmsg(fds[0], headers, 4, MSG_DONTWAIT, NULL));
    peer = peer_start(in_pieces, fds[1]);
    TELL(recvmmsg(fds[0], headers, 3, 0, NULL));
    say("  %s %u\n", buffers[2], headers[2].msg_len);
    peer_end(peer);
    peer = peer_start(in_pieces, fds[1]);
    count = recvmmsg(fds[0], headers, 4, MSG_WAITFORONE, NULL);
    say("  one at least: %d\n", count >= 1);
    peer_end(peer);
    if (count < 3)
        count += recvmmsg(fds[0], headers, 4, MSG_DONTWAIT, NULL);
    say("  in all: %d\n", count);
    peer = peer_start(in_pieces, fds[1]);
    TELL(recvmmsg(fds[0], headers, 4, 0, &time));
    peer_end(peer);
    TELL(recvmmsg(fds[0], headers, 4, MSG_DONTWAIT, NULL));
    close_both(fds);
}

static void pass_descriptor(int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr message = {.msg_iov = &(struct iovec){"x", 1},
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int one = STDIN_FILENO;

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof one);
    memcpy(CMSG_DATA(header), &one, sizeof one);
    pause_ms(5);
    sendmsg(fd, &message, 0);
}

static void ancillary(void)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int)) * 2];
        struct cmsghdr align;
    } control = {{0}};
    char byte;
    struct msghdr message = {.msg_iov = &(struct iovec){&byte, 1},
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct peer *peer;
    int fds[2], passed;

    pair(SOCK_STREAM, fds);
    peer = peer_start(pass_descriptor, fds[1]);
    TELL(recvmsg(fds[0], &message, MSG_CMSG_CLOEXEC));
    peer_end(peer);
    say("  flags %x, control %zu\n", (unsigned)message.msg_flags, (size_t)message.msg_controllen);
    memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof passed);
    say("  close-on-exec: %d\n", fcntl(passed, F_GETFD));
    close(passed);
    close_both(fds);
}

const struct scenario scenarios[] = {
    {"many messages", messages},
    {"ancillary data", ancillary},
    {NULL, NULL},
};
