/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Tasks that have the CPU although no program has seen how they got it. Some kernels hide from them whatever happens
 * while certain tasks have the CPU: wake-ups by these and by the interrupts that come meanwhile, and the switch to the
 * next task. So a task may run while its slot says that it is ready, or even that it still waits. It shows that when it
 * gives the CPU up, when it exits, and when it comes by one of the library's probes; and the scheduler's own count of
 * its CPU time tells since when it has run.
 */
#ifndef BPF_WAIT_UNSEEN_H
#define BPF_WAIT_UNSEEN_H

#include "wait-count.h"
#include "wait-lock.h"

/* Whether the wait ended because of its reason alone, whoever was running then. */
static __always_inline bool ended_by_time(const struct wait_task *t, __u64 ns)
{
    return t->reason == WAIT_SLEEP || t->reason == WAIT_DISK || (t->timeout_ms && ns >= t->timeout_ms * 1000000ull);
}

/* A task that is said to wait has been running since then. How long it was ready before is not known: that remains in
 * the wait. Nobody else writes its slot, for who runs is not woken. */
static __always_inline void wait_end_unseen(struct wait_task *t, __u64 since)
{
    t->waker = 0;
    t->waker_stack = 0;
    t->handed = 0;
    t->waker_tid = ended_by_time(t, elapsed(t, since)) ? 0 : WAIT_WAKER_UNSEEN;
    if (t->lock)
        lock_leave(t, since);
    t->woken = since;
    wait_settle(t);
    t->state = WAIT_STATE_RUNNING;
}

/* In the task itself. */
static __always_inline void see_running(struct wait_task *t)
{
    if (t->state == WAIT_STATE_WAITING)
        wait_end_unseen(t, bpf_ktime_get_ns());
}

#endif
