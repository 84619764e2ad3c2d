/* SPDX-License-Identifier: MIT
 *
 * Where a coroutine of another process stands: its stack, unwound from where it was left, or from where its hub's
 * thread is if it was the last to leave, for the thread sleeps on that one's stack. The process goes on meanwhile: a
 * stack that did not hold still is given up.
 */
#ifndef MTRACE_LEFT_H
#define MTRACE_LEFT_H

#include "symbols.h"
#include "tasks.h"

#define LEFT_FRAMES 32

struct left {
    struct symbols_frame frames[LEFT_FRAMES]; /* innermost first */
    size_t count;
    int call; /* the system call that the thread is in, if it is on this stack; -1: none, or another's stack */
};

/* record: one of those that the tasks have, of a coroutine or a hub's thread. Nothing is found of what runs. */
void left_find(struct left *left, const struct tasks *tasks, const struct mt__record *record, struct symbols *symbols);

#endif
