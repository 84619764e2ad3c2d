/* SPDX-License-Identifier: MIT
 *
 * A promise: a future without a pool, which whoever has it sets, once. See mt_promise_new(3).
 *
 * All that linuxmt/future.h says of futures holds: any number of threads and coroutines of the process wait for it,
 * also for many at a time, ask for its value and link calls to its end. Callbacks are called by whoever sets it.
 */
#ifndef LINUXMT_PROMISE_H
#define LINUXMT_PROMISE_H

#include <linuxmt/compiler.h>
#include <linuxmt/future.h>
#include <linuxmt/task.h>
#include <stddef.h>

MT__BEGIN

/* The name, of what is waited for, is not copied; NULL: none. The caller owns the count. NULL with errno ENOMEM. */
struct mt_future *mt_promise_new(const char *name);

/* Ends it well, with a copy of the value. 0; -EALREADY: it has been set, and stays as it is; -ECANCELED: somebody has
 * taken it back by mt_future_cancel; -ENOMEM: it has not been set; -EPERM: it is a pool's. */
int mt_promise_set(struct mt_future *promise, const void *value, size_t size);

/* Ends it badly, with that code, which is not 0, and a message. The same errors but -ENOMEM, and -EINVAL. */
int mt_promise_fail(struct mt_future *promise, int code, const char *format, ...) MT__PRINTF(3, 4);

/* It is to become what the task becomes: its outcome and message, or, if it ends well, the pointer that it leaves by
 * mt_task_set_value, as a value of that size. 0; -EPERM; or as mt_task_link. */
int mt_promise_follow(struct mt_future *promise, struct mt_task *task);

MT__END

#endif
