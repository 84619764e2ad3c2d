/* SPDX-License-Identifier: MIT
 *
 * Deadlines: absolute CLOCK_MONOTONIC nanoseconds in 64 bits, which last 292 years from boot.
 */
#include "base/clock.h"

#include <time.h>

mt_deadline mt_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

mt_deadline mt_after(int64_t nanoseconds)
{
    mt_deadline deadline;

    if (__builtin_add_overflow(mt_now(), nanoseconds, &deadline))
        return nanoseconds > 0 ? MT_FOREVER : MT_NOWAIT;
    return deadline;
}
