/* SPDX-License-Identifier: MIT
 *
 * A time limit for all that the calling task does until it is taken back. See mt_timeout_start(3).
 */
#ifndef LINUXMT_TIMEOUT_H
#define LINUXMT_TIMEOUT_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>
#include <linuxmt/time.h>

MT__BEGIN

struct mt_timeout {
    mt_deadline at;
    struct mt_timeout *outer;
    int expired;
};

/* From now on each call in which the calling task would wait beyond that many nanoseconds from now returns -ETIMEDOUT
 * then, whatever its own deadline. Timeouts nest; the earliest counts. 0; -ENOMEM (a thread that is new to the
 * library). */
int mt_timeout_start(struct mt_timeout *timeout, int64_t nanoseconds);

/* Takes it back, and those that were started inside and not taken back. Whether it has ended a wait: 1 or 0. Only by
 * the task that started it, before the timeout's memory is gone. */
int mt_timeout_cancel(struct mt_timeout *timeout);

/* Whether it is this one that has ended a wait, and not one around it. */
int mt_timeout_expired(const struct mt_timeout *timeout);

/* Calls fn(arg) within a timeout and returns what it returns. */
int mt_with_timeout(int64_t nanoseconds, mt_fn *fn, void *arg);

MT__END

#endif
