/* SPDX-License-Identifier: MIT */
#ifndef PATCH_LIBAIO_H
#define PATCH_LIBAIO_H

#include <time.h>

/* io_getevents(2): its result or -errno. */
long mt__libaio_get(unsigned long context, long least, long most, void *list, struct timespec *timeout);

#endif
