/* SPDX-License-Identifier: MIT
 *
 * A counting semaphore. See mt_sem_acquire(3).
 */
#ifndef LINUXMT_SEM_H
#define LINUXMT_SEM_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_sem {
    uint64_t
        state; /* the value, and above it how many wait: read in one piece, so that a releaser need not look again */
    uint32_t flags;
    uint32_t bound; /* the most the value may be; 0: MT_SEM_MAX */
    const char *name;
};

#define MT_SEM_MAX INT32_MAX
#define MT_SEM_INIT(value) \
    {                      \
        value, 0, 0, 0     \
    }
#define MT_SEM_INIT_NAMED(value, name) \
    {                                  \
        value, 0, 0, name              \
    }

/* A bounded one: it starts full, and a release of more than was acquired is -EOVERFLOW. */
#define MT_SEM_INIT_BOUNDED(value) \
    {                              \
        value, 0, value, 0         \
    }
#define MT_SEM_INIT_BOUNDED_NAMED(value, name) \
    {                                          \
        value, 0, value, name                  \
    }

/* -EINVAL if value is above MT_SEM_MAX. */
int mt_sem_init(struct mt_sem *sem, uint32_t value, const char *name, unsigned flags);

/* Takes one. 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -ENOMEM (a thread that is new to the library, and no
 * memory for its task). */
int mt__sem_acquire(struct mt_sem *sem, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_sem_acquire(sem, deadline) mt__sem_acquire(sem, deadline, MT__HERE)

/* The same, bounded by the value, which must not be 0. */
int mt_sem_init_bounded(struct mt_sem *sem, uint32_t value, const char *name, unsigned flags);

/* Gives count back. 0; -EOVERFLOW if the value would pass its bound (or MT_SEM_MAX): nothing is given then. */
int mt_sem_release(struct mt_sem *sem, uint32_t count);

uint32_t mt_sem_value(const struct mt_sem *sem);

MT__END

#endif
