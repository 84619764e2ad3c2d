/* SPDX-License-Identifier: MIT
 *
 * Durations and deadlines. A duration is a count of nanoseconds; a deadline is an absolute time on CLOCK_MONOTONIC in
 * nanoseconds, so that a loop around a wait does not stretch it. See mt_after(3).
 */
#ifndef LINUXMT_TIME_H
#define LINUXMT_TIME_H

#include <linuxmt/compiler.h>
#include <stdint.h>

MT__BEGIN

typedef int64_t mt_deadline;

#define MT_FOREVER INT64_MAX /* never ends */
#define MT_NOWAIT  INT64_MIN /* has always passed: the call tries once and does not block */

#define MT_US(n)  ((int64_t)(n)*1000)
#define MT_MS(n)  ((int64_t)(n)*1000000)
#define MT_SEC(n) ((int64_t)(n)*1000000000)

/* CLOCK_MONOTONIC, in nanoseconds. */
mt_deadline mt_now(void);

/* The deadline that many nanoseconds from now. A negative duration has passed; a huge one is MT_FOREVER. */
mt_deadline mt_after(int64_t nanoseconds);

/* Sleeps. 0; -ECANCELED if the task is killed meanwhile; -ENOMEM (a thread that is new to the library). A duration of 0
 * or less only yields the processor. */
int mt__sleep(int64_t nanoseconds, const char *place);
#define mt_sleep(nanoseconds) mt__sleep(nanoseconds, MT__HERE)

MT__END

#endif
