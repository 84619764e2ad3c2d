/* SPDX-License-Identifier: MIT
 *
 * Waiting for a lock whose owner inherits the waiter's priority meanwhile: the kernel's FUTEX_LOCK_PI. See pi.c.
 */
#ifndef WAIT_PI_H
#define WAIT_PI_H

#include "wait/wait.h"

/* Waits a while for the lock whose word this is, until the wait's deadline at the latest. 0: held; -EAGAIN: call it
 * again; -ETIMEDOUT, -ECANCELED; -EDEADLK, -ESRCH, -EPERM, -ENOMEM, -EINVAL: the kernel's; -ENOTSUP: it has no such
 * futexes. */
int mt__wait_pi_round(struct mt__wait *wait);

/* The same without waiting: -EBUSY if another holds it. */
int mt__wait_pi_try(uint32_t *word, unsigned flags);

/* Gives the lock to the one of the highest priority who waits for it, or frees the word. */
void mt__wait_pi_release(uint32_t *word, unsigned flags);

#endif
