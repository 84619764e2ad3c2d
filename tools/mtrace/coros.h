/* SPDX-License-Identifier: MIT */
#ifndef MTRACE_COROS_H
#define MTRACE_COROS_H

#include "options.h"

/* The coroutines of processes as their task records have them, without recording anything. Returns the exit status. */
int coros_show(const struct options *options);

#endif
