/* SPDX-License-Identifier: MIT
 *
 * Inside the room: what receives from sockets have in common (receive-wait.c).
 */
#ifndef PATCH_RECEIVE_H
#define PATCH_RECEIVE_H

#include "patch/fd.h"

#include <poll.h>

int mt__socket_option(int fd, int name); /* of SOL_SOCKET; -1: it has none */
int mt__socket_has(int fd, short event); /* by poll, at once */
int mt__socket_is_shut(int fd);

/* Waits after an attempt that said -EAGAIN. 0: there is to be another; 1: a last one; or the result. */
long mt__receive_wait(struct mt__block *block, int *waited);

/* The last attempt has been made, or the time is up: its result, or 0 if that is the end. A ring may take longer than
 * there was time to look at a socket that is shut. */
long mt__receive_at_last(int fd, long result);

/* No room, of TCP; and what becomes of it when there is nothing: one wait, for anything. */
int mt__receive_is_nothing(int fd, size_t size);
long mt__receive_nothing(struct mt__block *block);
void mt__receive_tell_nothing(struct msghdr *message, int flags);

/* How much is waited for, if a part of it is not enough; else 0. */
size_t mt__receive_least(int fd, size_t size, int flags);

/* Whether it never waits. The flags become what they are to this socket. */
int mt__receive_is_kernels(int fd, int *flags);

#endif
