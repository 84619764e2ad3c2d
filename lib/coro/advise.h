/* SPDX-License-Identifier: MIT */
#ifndef CORO_ADVISE_H
#define CORO_ADVISE_H

#include <sys/uio.h>

/* madvise(2) for each of the ranges, in order, and at once where the kernel can. How many of them it was done for; less
 * than count: *error says, as -errno, why not for the next one. */
unsigned mt__advise(const struct iovec *ranges, unsigned count, int advice, int *error);

#endif
