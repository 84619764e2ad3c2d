/* SPDX-License-Identifier: MIT */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

#include "process/process.h"

/* In the parent: whether that sandbox can be had here. 0; -EINVAL; -ENOTSUP. */
int mt__sandbox_check(unsigned sandbox);

/* In the child, as its last act before the body: 0 or -errno, with a message. */
int mt__sandbox_enter(struct mt__start *start);

/* The name of a system call, NULL if it has none. */
const char *mt__sandbox_call(int number);

#endif
