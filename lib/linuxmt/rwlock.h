/* SPDX-License-Identifier: MIT
 *
 * A read-write lock: many may read together, a writer is alone. Writers go first, but readers who wait get their turn
 * after a bounded number of writers. See mt_rwlock_acquire_read(3).
 */
#ifndef LINUXMT_RWLOCK_H
#define LINUXMT_RWLOCK_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_rwlock {
    uint32_t state;
    uint32_t owner; /* kernel tid of the writer, 0: none */
    uint16_t flags;
    uint16_t reserved;
    uint32_t guard;         /* of what follows, and of every change of the state while anybody waits */
    uint32_t read_sequence; /* futex words: raised when readers, or a writer, are to look again */
    uint32_t write_sequence;
    uint32_t readers_waiting;
    uint32_t writers_waiting;
    uint32_t streak; /* writers that have passed while readers waited */
    uint32_t pad;
    const char *name;
    const char *place; /* "file:line" where the writer acquired it */
};

#define MT_RWLOCK_INIT                        \
    {                                         \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }
#define MT_RWLOCK_INIT_NAMED(name)               \
    {                                            \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, name, 0 \
    }

#define MT_RWLOCK_STREAK 16 /* writers that may pass while a reader waits */

/* flags: 0 or MT_SHARED. */
void mt_rwlock_init(struct mt_rwlock *rwlock, const char *name, unsigned flags);

/* 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -EDEADLK (the caller holds it to write, or waits in a circle); -ECANCELED;
 * -EAGAIN (too many readers). A task that reads and asks to read again may wait for a writer that waits for it: do not.
 */
int mt__rwlock_acquire_read(struct mt_rwlock *rwlock, mt_deadline deadline, const char *place) MT__MUST_CHECK;
int mt__rwlock_acquire_write(struct mt_rwlock *rwlock, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_rwlock_acquire_read(rwlock, deadline)  mt__rwlock_acquire_read(rwlock, deadline, MT__HERE)
#define mt_rwlock_acquire_write(rwlock, deadline) mt__rwlock_acquire_write(rwlock, deadline, MT__HERE)

/* 0; -EPERM: nobody reads, or the caller is not the writer. */
int mt_rwlock_release_read(struct mt_rwlock *rwlock);
int mt_rwlock_release_write(struct mt_rwlock *rwlock);

MT__END

#endif
