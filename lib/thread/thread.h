/* SPDX-License-Identifier: MIT
 *
 * Inside the room: the two ways to make a thread, and what the raw one is made of.
 */
#ifndef THREAD_THREAD_H
#define THREAD_THREAD_H

#include "base/task.h"
#include <linuxmt/thread.h>

/* A backend starts task->body on a thread of its own. 0 or -errno; on failure nothing of it is left. named: the kernel
 * is to know the name. */
struct mt__backend {
    const char *name;
    const struct mt__kind *kind;
    int (*spawn)(struct mt_task *task, const struct mt_thread_options *options, int named);
};

/* What a new thread does to itself before its body, while its spawner waits to hear how that went. */
struct mt__settings {
    const struct mt_thread_options *options;
    uint32_t done; /* futex word */
    int error;
};

extern const struct mt__backend mt__backend_raw, mt__backend_pthread;

/* Whether raw threads can be made in this process: NULL, or why not. Looks once. `any_version`: also with a glibc that
 * nobody has tested. */
const char *mt__glibc_check(int any_version);

/* What both backends do at the start of a thread. 0: call the body; else the outcome without it. */
int mt__thread_begin(struct mt_task *task, uint32_t tid, int named);

#endif
