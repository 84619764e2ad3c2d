/* SPDX-License-Identifier: MIT
 *
 * Something that is done once, however many tasks ask for it. See mt_once(3).
 */
#ifndef LINUXMT_ONCE_H
#define LINUXMT_ONCE_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_once {
    uint32_t word;
    uint32_t flags;
    const char *name;
};

#define MT_ONCE_INIT \
    {                \
        0, 0, 0      \
    }
#define MT_ONCE_INIT_NAMED(name) \
    {                            \
        0, 0, name               \
    }

/* Runs fn(arg) unless an earlier call has done so with the outcome 0, and waits while another task is at it.
 * 0: it is done. What fn returned, if that is not 0: it is not done, and the next caller tries again. -ETIMEDOUT (with
 * MT_NOWAIT: -EBUSY), -ECANCELED: another task is still at it. -EDEADLK: fn called it again. */
static inline int mt__once(struct mt_once *once, mt_fn *fn, void *arg, mt_deadline deadline,
                           const char *place) MT__MUST_CHECK;
#define mt_once(once, fn, arg, deadline) mt__once(once, fn, arg, deadline, MT__HERE)

int mt_once_is_done(const struct mt_once *once);

#define MT__ONCE_DONE 0x40000000u
int mt__once_slow(struct mt_once *once, mt_fn *fn, void *arg, mt_deadline deadline, const char *place);

static inline int mt__once(struct mt_once *once, mt_fn *fn, void *arg, mt_deadline deadline, const char *place)
{
    if (MT__LIKELY(__atomic_load_n(&once->word, __ATOMIC_ACQUIRE) == MT__ONCE_DONE))
        return 0;
    return mt__once_slow(once, fn, arg, deadline, place);
}

MT__END

#endif
