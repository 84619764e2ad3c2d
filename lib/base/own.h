/* SPDX-License-Identifier: MIT
 *
 * The descriptors that the library has for itself. A program that closes "all others" by number does not mean them, and
 * would leave a hub without its loop: liblinuxmt-patch asks here before it closes anything.
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include "base/seam.h"

/* From now on own descriptors get high numbers: the low ones are those that programs ask for by number. */
MT__SEAM void mt__own_high(void);

/* Takes the descriptor, which nobody else knows yet: its number from now on. -errno is returned as it is. */
MT__SEAM int mt__own(long fd);

/* The same for one whose number is known already, to a filter or to who handed it over, and stays. */
void mt__own_as_it_is(int fd);

/* It is not the library's any more; and it is closed. */
void mt__own_forget(int fd);
MT__SEAM void mt__own_close(int fd);

/* Whether it is one; and the first that is, from fd on, or -1. Safe anywhere, also in signal handlers. */
MT__SEAM int mt__own_has(int fd);
MT__SEAM int mt__own_next(unsigned fd);

#endif
