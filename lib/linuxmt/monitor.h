/* SPDX-License-Identifier: MIT
 *
 * A monitor for hubs: it tells of a call that blocks a whole hub, or of a computation that never yields, with the stack
 * of who does it. See mt_monitor(3).
 *
 * It is off until it is asked for, by mt_monitor or by LINUXMT_MONITOR=SECONDS in the environment (LINUXMT_MONITOR=off:
 * it stays off).
 */
#ifndef LINUXMT_MONITOR_H
#define LINUXMT_MONITOR_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

#define MT_MONITOR_THRESHOLD MT_MS(100)

/* A hub that one of its tasks has kept for longer than the threshold. All of it is the monitor's, and gone after the
 * call. */
struct mt_blocked {
    const char *name;    /* the task that keeps it */
    uint64_t id;         /* its id, 0: not known */
    int tid;             /* the kernel's id of the hub's thread */
    int64_t nanoseconds; /* for at least how long so far, */
    int64_t processor;   /* and how much of that on a processor */
    const char *call;    /* the system call that it is in, "" if it is in none: it computes */
    long number;         /* and the number of that, -1 */
    void *const *frames; /* where it is: code addresses, innermost first; there may be none */
    size_t depth;
    const char *text; /* all of this as it would be printed */
};

/* Watches every hub of this process from now on, and tells once when a task has kept one for that many nanoseconds
 * without a wait or a yield. 0 stops it. 0; -EINVAL (less than 0); -EAGAIN, -ENOMEM (no thread is to be had for it);
 * -ECANCELED (the calling task has been killed). */
int mt_monitor(int64_t threshold);

/* Calls fn instead of writing to standard error, in the monitor's own thread, which watches nothing meanwhile. NULL:
 * writes again. */
typedef void mt_monitor_fn(const struct mt_blocked *blocked, void *arg);
void mt_monitor_hook(mt_monitor_fn *fn, void *arg);

/* How many times it has told so far. */
uint64_t mt_monitor_count(void);

MT__END

#endif
