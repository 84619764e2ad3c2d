/* SPDX-License-Identifier: MIT
 *
 * A condition variable, used with a lock. See mt_cond_wait(3).
 */
#ifndef LINUXMT_COND_H
#define LINUXMT_COND_H

#include <linuxmt/compiler.h>
#include <linuxmt/lock.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_cond {
    uint32_t sequence;
    uint32_t waiters;
    uint32_t flags;
    uint32_t pad;
    const char *name;
};

#define MT_COND_INIT  \
    {                 \
        0, 0, 0, 0, 0 \
    }
#define MT_COND_INIT_NAMED(name) \
    {                            \
        0, 0, 0, 0, name         \
    }

void mt_cond_init(struct mt_cond *cond, const char *name, unsigned flags);

/* Releases the lock, waits for a notification and acquires the lock again, also when it returns an error. It may return
 * 0 without a notification: call it in a loop that tests what is waited for. 0; -ETIMEDOUT; -ECANCELED; -EPERM if the
 * caller does not hold the lock (which then is left alone). */
int mt__cond_wait(struct mt_cond *cond, struct mt_lock *lock, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_cond_wait(cond, lock, deadline) mt__cond_wait(cond, lock, deadline, MT__HERE)

/* Waits until predicate(arg), which is called with the lock held, is not 0. 0; errors as mt_cond_wait's. */
int mt__cond_wait_for(struct mt_cond *cond, struct mt_lock *lock, int (*predicate)(void *arg), void *arg,
                      mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_cond_wait_for(cond, lock, predicate, arg, deadline) \
    mt__cond_wait_for(cond, lock, predicate, arg, deadline, MT__HERE)

/* Wakes up to count waiters (all of them). Best called with the lock held: then no waiter can have missed the change.
 */
void mt_cond_notify(struct mt_cond *cond, unsigned count);
void mt_cond_notify_all(struct mt_cond *cond);

MT__END

#endif
