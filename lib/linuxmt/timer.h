/* SPDX-License-Identifier: MIT
 *
 * A function that is called at a time, once or again and again. See mt_timer_start(3).
 */
#ifndef LINUXMT_TIMER_H
#define LINUXMT_TIMER_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_timer;

/* Calls fn(arg) when `first` has come and, if period (nanoseconds) is not 0, at each period after that, until it
 * returns something other than 0. All timers of a process share one thread: fn should be short, or be run by a pool
 * (mt_pool_timer). NULL with errno: EINVAL (a period below 0), ENOMEM, EAGAIN (no thread). */
struct mt_timer *mt_timer_start(mt_fn *fn, void *arg, mt_deadline first, int64_t period);

/* It is not called any more. 0: it was not due yet; -EBUSY: fn is being called, for the last time; -ESRCH: it has ended
 * (or was cancelled). */
int mt_timer_cancel(struct mt_timer *timer);

/* Cancels, and waits until fn is not being called. 0: fn is not running and will not be; -ETIMEDOUT (with MT_NOWAIT:
 * -EBUSY); -ECANCELED; -EDEADLK: fn itself asks. */
int mt_timer_cancel_wait(struct mt_timer *timer, mt_deadline deadline) MT__MUST_CHECK;

/* Moves it to another time, also one that has ended or was cancelled. 0; -EINVAL; -ENOMEM; -EAGAIN. */
int mt_timer_restart(struct mt_timer *timer, mt_deadline first, int64_t period);

/* Waits until it has ended: has been called for the last time, or was cancelled. 0; -ETIMEDOUT (with MT_NOWAIT:
 * -EBUSY); -ECANCELED; -EDEADLK: fn itself asks. */
int mt_timer_join(struct mt_timer *timer, mt_deadline deadline) MT__MUST_CHECK;

/* What the last call returned, -ECANCELED if there was none and there will be none, -EINPROGRESS if it has not ended.
 */
int mt_timer_outcome(const struct mt_timer *timer);
const char *mt_timer_message(const struct mt_timer *timer); /* set by mt_fail in that call */

uint64_t mt_timer_runs(const struct mt_timer *timer);   /* calls that have been begun */
uint64_t mt_timer_missed(const struct mt_timer *timer); /* periods that passed while a call was late or lasted */

/* Cancels it and gives it back, without waiting for a call that is being made. A failure that nobody has asked for goes
 * to the failure hook. NULL is allowed. */
void mt_timer_free(struct mt_timer *timer);

MT__END

#endif
