/* SPDX-License-Identifier: MIT
 *
 * What happens when tasks wait for each other in a circle. See mt_deadlock(7).
 */
#ifndef LINUXMT_DEADLOCK_H
#define LINUXMT_DEADLOCK_H

#include <linuxmt/compiler.h>

MT__BEGIN

enum mt_deadlock_policy {
    MT_DEADLOCK_OFF = 0,    /* not looked for */
    MT_DEADLOCK_REPORT = 1, /* reported, and the tasks go on waiting */
    MT_DEADLOCK_FAIL = 2,   /* reported, and the call that closed the circle returns -EDEADLK: the default */
};

/* Sets the policy of this process and returns the one before. The environment's LINUXMT_DEADLOCK=off|report|fail sets
 * it at start. */
enum mt_deadlock_policy mt_deadlock_policy(enum mt_deadlock_policy policy);

/* Where reports go: text of several lines, in the task that found the circle. NULL: standard error, the default.
 * Returns the function set before, or NULL. */
typedef void mt_deadlock_fn(const char *report);
mt_deadlock_fn *mt_deadlock_hook(mt_deadlock_fn *hook);

MT__END

#endif
