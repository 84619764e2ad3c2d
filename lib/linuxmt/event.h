/* SPDX-License-Identifier: MIT
 *
 * A flag that tasks wait for. See mt_event_wait(3).
 */
#ifndef LINUXMT_EVENT_H
#define LINUXMT_EVENT_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stdint.h>

MT__BEGIN

struct mt_event {
    uint32_t word;
    uint32_t flags;
    const char *name;
};

#define MT_EVENT_INIT \
    {                 \
        0, 0, 0       \
    }
#define MT_EVENT_INIT_NAMED(name) \
    {                             \
        0, 0, name                \
    }

void mt_event_init(struct mt_event *event, const char *name, unsigned flags);

/* Sets the flag and wakes all who wait for it; it stays set until it is cleared. */
void mt_event_set(struct mt_event *event);
void mt_event_clear(struct mt_event *event);
int mt_event_is_set(const struct mt_event *event);

/* Waits until the flag is set. 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -ENOMEM (a thread that
 * is new to the library, and no memory for its task). */
int mt__event_wait(struct mt_event *event, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_event_wait(event, deadline) mt__event_wait(event, deadline, MT__HERE)

MT__END

#endif
