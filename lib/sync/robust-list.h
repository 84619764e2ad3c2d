/* SPDX-License-Identifier: MIT
 *
 * The list of locks that the kernel hands on when a thread dies holding them (robust futexes, see
 * get_robust_list(2)). A thread has one such list, and libc owns its head; our entries go onto libc's list, between
 * those of its own robust mutexes. See robust-list.c.
 */
#ifndef SYNC_ROBUST_LIST_H
#define SYNC_ROBUST_LIST_H

#include "wait/wait.h"

/* How a lock that is on the list ends: its word lies MT__ROBUST_OFFSET bytes from `next`. */
struct mt__robust_links {
    void *previous;
    void *next;
};

#define MT__ROBUST_OFFSET (-32)
#define MT__ROBUST_PI     1 /* the word is one of FUTEX_LOCK_PI */

#define MT__ROBUST_WAITERS 0x80000000u /* FUTEX_WAITERS and FUTEX_OWNER_DIED: the kernel's names of these bits */
#define MT__ROBUST_DIED    0x40000000u

/* Whether this thread has a list that our entries fit on. 0, or -ENOTSUP. The caller is a known task. */
int mt__robust_ready(void);

/* From mt__robust_begin to mt__robust_end the thread is taking or releasing this lock: the kernel looks at it too,
 * whether or not it is on the list. */
void mt__robust_begin(struct mt__robust_links *links, unsigned pi);
void mt__robust_end(void);

/* On and off the list, by the owner. */
void mt__robust_link(struct mt__robust_links *links, unsigned pi);
void mt__robust_unlink(struct mt__robust_links *links);

#endif
