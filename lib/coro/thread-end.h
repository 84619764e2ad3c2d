/* SPDX-License-Identifier: MIT */
#ifndef CORO_THREAD_END_H
#define CORO_THREAD_END_H

/* This thread has greenlets or has begun a generator: from now on its end ends those that it leaves behind. Cheap after
 * the first time. */
void mt__coro_thread(void);

/* generator.c's: ends this thread's. */
void mt__generators_end(void);

#endif
