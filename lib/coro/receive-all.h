/* SPDX-License-Identifier: MIT */
#ifndef CORO_RECEIVE_ALL_H
#define CORO_RECEIVE_ALL_H

#include "base/seam.h"
#include <linuxmt/time.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Whether MSG_WAITALL means anything for a receive with these flags from that socket. */
MT__SEAM int mt__waits_for_all(int fd, int flags);

/* Whether the socket's MSG_PEEK waits for all, too. */
MT__SEAM int mt__peeks_all(int fd);

/* Who sent what has come, where a Unix socket tells (SO_PASSCRED): what others sent is not joined to it. And what the
 * pieces have to say beside their bytes, as the caller wants to be told at the end. */
struct mt__sender {
    int tells, is_known, has_come;
    struct ucred who;
    size_t room; /* the caller's for control data; 0: the pieces have ours, to tell senders from descriptors */
    size_t told; /* control data of the last piece that came */
    socklen_t told_name;
    int told_flags;
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
};

/* Before the first piece, and before each: sets its control data. */
MT__SEAM void mt__sender_begin(struct mt__sender *sender, int fd, struct msghdr *piece);
MT__SEAM void mt__sender_next(struct mt__sender *sender, struct msghdr *piece);

/* After the last, whose result this was: what the caller is told. */
MT__SEAM void mt__sender_end(const struct mt__sender *sender, const struct msghdr *piece, long result,
                             struct msghdr *message);

/* After a piece that was not all, with what recvmsg has left in *piece: whether there is to be another. */
MT__SEAM int mt__receive_goes_on(int fd, const struct msghdr *piece, struct mt__sender *sender);

/* When there is something to read, or an end or an error: whether it is to be read. */
MT__SEAM int mt__receive_follows(int fd, struct mt__sender *sender);

/* A descriptor, of the library's own, that becomes readable whenever more has come; or -errno. */
MT__SEAM int mt__more_watch(int fd);

/* What has come until now is known: the watch is not readable any more. Whether that is all there will be. */
MT__SEAM int mt__more_seen(int watch, int fd);

/* recvmsg with MSG_WAITALL for which it means something. */
ssize_t mt__receive_all(int fd, struct msghdr *message, int flags, mt_deadline deadline, const char *place);

#endif
