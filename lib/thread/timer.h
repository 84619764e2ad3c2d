/* SPDX-License-Identifier: MIT */
#ifndef THREAD_TIMER_H
#define THREAD_TIMER_H

#include <linuxmt/timer.h>

/* mt_timer_start, and `end` is called with arg when nobody needs it any more; also if it fails. */
struct mt_timer *mt__timer_start(mt_fn *fn, void *arg, mt_deadline first, int64_t period, void (*end)(void *arg));

#endif
