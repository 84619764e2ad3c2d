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

/* After a piece that was not all, with what recvmsg has left in *piece: whether there is to be another. */
MT__SEAM int mt__receive_goes_on(int fd, const struct msghdr *piece);

/* A descriptor, of the library's own, that becomes readable whenever more has come; or -errno. */
MT__SEAM int mt__more_watch(int fd);

/* What has come until now is known: the watch is not readable any more. Whether that is all there will be. */
MT__SEAM int mt__more_seen(int watch, int fd);

/* recvmsg with MSG_WAITALL for which it means something. */
ssize_t mt__receive_all(int fd, struct msghdr *message, int flags, mt_deadline deadline, const char *place);

#endif
