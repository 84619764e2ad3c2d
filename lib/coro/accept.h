/* SPDX-License-Identifier: MIT */
#ifndef CORO_ACCEPT_H
#define CORO_ACCEPT_H

#include "base/seam.h"

struct sockaddr;

/* Takes a connection if there is one: its descriptor, -EAGAIN, or another -errno. Does not wait, whatever the socket's
 * flags are and whoever else takes connections from it. */
MT__SEAM long mt__accept_now(int fd, struct sockaddr *address, unsigned *size, int flags);

/* The handler of the signal by which it does that: a program's it is not. */
MT__SEAM void mt__accept_tick(int number);

#endif
