/* SPDX-License-Identifier: MIT
 *
 * A point that a fixed number of tasks pass together, again and again. See mt_barrier_wait(3).
 */
#ifndef LINUXMT_BARRIER_H
#define LINUXMT_BARRIER_H

#include <linuxmt/compiler.h>
#include <linuxmt/lock.h>
#include <linuxmt/task.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_barrier {
    struct mt_lock lock;
    uint32_t phase;   /* futex word: how many rounds have ended, well or badly */
    uint32_t leaving; /* futex word: tasks of a broken round that have not left yet */
    uint32_t parties;
    uint32_t waiting;
    uint32_t broken;
    uint32_t broken_phase; /* the round that was broken last, while `leaving` is not 0 */
    mt_fn *action;
    void *argument;
};

/* parties: how many tasks pass together. action, if not NULL, is run by the last to arrive, before anybody goes on; it
 * must not use the barrier. flags: 0 or MT_SHARED (an action is then only good for processes that have it at the same
 * address, as forked ones do). 0; -EINVAL: parties is 0 or above INT32_MAX. */
int mt_barrier_init(struct mt_barrier *barrier, uint32_t parties, mt_fn *action, void *argument, const char *name,
                    unsigned flags);

/* Waits for the others. Returns the caller's place in the round, 0 for the first to arrive, parties - 1 for the last.
 * -ETIMEDOUT, -ECANCELED: this task could not wait on, and has broken the barrier for all. -ENOTRECOVERABLE: it is
 * broken, or was while this task waited. What the action returned, in the task that ran it, if that is less than 0: the
 * barrier is broken. */
int mt__barrier_wait(struct mt_barrier *barrier, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_barrier_wait(barrier, deadline) mt__barrier_wait(barrier, deadline, MT__HERE)

/* Breaks the barrier: those who wait and those who come get -ENOTRECOVERABLE, until it is reset. */
void mt_barrier_abort(struct mt_barrier *barrier);

/* Makes a broken barrier whole again; those who wait at that moment get -ENOTRECOVERABLE. */
void mt_barrier_reset(struct mt_barrier *barrier);

int mt_barrier_is_broken(const struct mt_barrier *barrier);
uint32_t mt_barrier_waiting(const struct mt_barrier *barrier);

MT__END

#endif
