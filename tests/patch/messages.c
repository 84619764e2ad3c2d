/* SPDX-License-Identifier: MIT
 *
 * Messages: many at a time, and with ancillary data. See scenario.h.
 */
#include "sockets.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
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

/* -- Many, and time ----------------------------------------------------------------------------------------------- */

#define MOST 4

static char bytes[MOST][8];
static struct iovec rooms[MOST];
static struct mmsghdr many[MOST];

static void have_room(void)
{
    for (int i = 0; i < MOST; i++) {
        rooms[i] = (struct iovec){bytes[i], sizeof bytes[i]};
        many[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &rooms[i], .msg_iovlen = 1}};
    }
}

static void put(int fd, int count)
{
    for (int i = 0; i < count; i++)
        if (send(fd, "message", 7, 0) != 7)
            abort();
}

/* What is left is told as of seconds, which the machine does not take in between. */
static void receive_in(int fd, unsigned count, int flags, long seconds)
{
    struct timespec time = {seconds, 0};

    told("recvmmsg", recvmmsg(fd, many, count, flags, &time));
    say("    left: %s\n", time.tv_sec || time.tv_nsec ? time.tv_sec == seconds ? "all" : "some" : "none");
}

/* It is looked at after each message. */
static void in_time(void)
{
    struct peer *peer;
    int fds[2];

    have_room();
    pair(SOCK_DGRAM, fds);
    put(fds[1], 3);
    receive_in(fds[0], MOST, 0, 0);
    receive_in(fds[0], 2, 0, 1000);
    put(fds[1], 3);
    receive_in(fds[0], MOST, MSG_WAITFORONE, 1000);
    peer = peer_start(in_pieces, fds[1]);
    receive_in(fds[0], 3, 0, 1000);
    peer_end(peer);
    receive_in(fds[0], MOST, MSG_DONTWAIT, 1000);
    receive_in(fds[0], 0, 0, 1000);
    receive_in(fds[0], MOST, 0, -1);
    close_both(fds);
    receive_in(fds[0], 0, 0, 1000);
}

/* Silence is waited for by the socket's own timeout, which takes nothing of what is left. */
static void in_silence(void)
{
    struct timespec time = {1000, 400000000};
    int fds[2];

    have_room();
    pair(SOCK_DGRAM, fds);
    timeout(fds[0], SO_RCVTIMEO, 400000);
    put(fds[1], 1);
    TELL(recvmmsg(fds[0], many, MOST, 0, &time));
    say("  less by the silence: %d\n", time.tv_sec < 1000);
    time = (struct timespec){1000, 0};
    TELL(recvmmsg(fds[0], many, MOST, 0, &time));
    say("  told: %d\n", time.tv_sec != 1000);
    close_both(fds);
}

/* When its message has been taken it goes, with one that it has not taken. */
static void go_away(int fd)
{
    int left = 1;

    while (!ioctl(fd, SIOCOUTQ, &left) && left)
        pause_ms(1);
    pause_ms(20);
    close(fd);
}

/* It is not that of the call that has received something, but the next one's. */
static void error_behind(void)
{
    struct timespec time = {1000, 0};

    have_room();
    for (int i = 0; i < 3; i++) {
        struct peer *peer;
        int fds[2];
        pair(SOCK_SEQPACKET, fds);
        put(fds[0], 1);
        put(fds[1], 1);
        peer = peer_start(go_away, fds[1]);
        TELL(recvmmsg(fds[0], many, 2, i == 1 ? MSG_WAITALL : 0, i == 2 ? &time : NULL));
        peer_end(peer);
        TELL(recvmmsg(fds[0], many, 2, 0, NULL));
        TELL(recvmmsg(fds[0], many, 2, 0, NULL));
        close(fds[0]);
    }
}

/* -- Ancillary data ----------------------------------------------------------------------------------------------- */

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
    {"many messages in time", in_time},
    {"many messages in silence", in_silence},
    {"many messages, and an error", error_behind},
    {"ancillary data", ancillary},
    {NULL, NULL},
};
