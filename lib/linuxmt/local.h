/* SPDX-License-Identifier: MIT
 *
 * A value of its own for each task. See mt_local_get(3).
 */
#ifndef LINUXMT_LOCAL_H
#define LINUXMT_LOCAL_H

#include <linuxmt/compiler.h>
#include <stdint.h>

MT__BEGIN

struct mt_local {
    uint32_t number; /* 0: not in use yet */
    uint32_t pad;
    void (*destroy)(void *value);
    const char *name;
};

/* destroy, if not NULL, is called at the end of each task that has a value other than NULL, in that task, with the
 * value. */
#define MT_LOCAL_INIT(destroy) \
    {                          \
        0, 0, destroy, 0       \
    }

#define MT_LOCAL_MAX 1024 /* locals of a process */

/* The calling task's value; NULL if it has not set one. */
void *mt_local_get(const struct mt_local *local);

/* 0; -ENOMEM; -EAGAIN: there are MT_LOCAL_MAX locals in use. */
int mt_local_set(struct mt_local *local, void *value);

MT__END

#endif
