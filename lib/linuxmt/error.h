/* SPDX-License-Identifier: MIT
 *
 * A task's message beside its outcome, and the hook that hears of tasks that failed. See mt_fail(3).
 */
#ifndef LINUXMT_ERROR_H
#define LINUXMT_ERROR_H

#include <linuxmt/compiler.h>

MT__BEGIN

struct mt_task;

#define MT_MESSAGE_MAX 256 /* bytes of a message that are kept, its end included */

/* Sets the calling task's message, as printf would, and returns code, so that a task's body can end with
 * "return mt_fail(-EIO, "disk %s is gone", name);". The last message before the end is the one that stays. */
int mt_fail(int code, const char *format, ...) MT__PRINTF(2, 3);

/* Called in the failing task, as its last act, when its outcome is not 0. The default prints one line to standard error
 * if nobody holds the task's handle any more; a hook hears of every failure. NULL brings the default back. Returns the
 * hook that was set before, or NULL. */
typedef void mt_failure_fn(struct mt_task *task, int outcome, const char *message);
mt_failure_fn *mt_failure_hook(mt_failure_fn *hook);

MT__END

#endif
