/* SPDX-License-Identifier: MIT
 *
 * Failures of futures that nobody has read when the process exits: printed, unless there is a failure hook. What a task
 * says beside its code is on a list from mt__future_tell to its future's last handle, under a lock that is held across
 * a fork: the parent tells of what failed before, and the child has its own.
 */
#include "pool/pool.h"

static struct mt__mini guard;
static struct mt__told *first;

void mt__unread_add(struct mt__told *told)
{
    mt__mini_acquire(&guard);
    told->next = first;
    told->link = &first;
    if (first)
        first->link = &told->next;
    first = told;
    mt__mini_release(&guard);
}

void mt__unread_remove(struct mt__told *told)
{
    mt__mini_acquire(&guard);
    *told->link = told->next;
    if (told->next)
        told->next->link = told->link;
    mt__mini_release(&guard);
}

void mt__unread_before_fork(void)
{
    mt__mini_acquire(&guard);
}

void mt__unread_after_fork(void)
{
    mt__mini_release(&guard);
}

void mt__unread_after_fork_in_child(void)
{
    for (struct mt__told *told = first; told; told = told->next)
        told->future->noticed = 1;
    mt__mini_release(&guard);
}

__attribute__((destructor)) static void process_exits(void)
{
    if (mt__failure_is_hooked())
        return;
    mt__mini_acquire(&guard);
    for (struct mt__told *told = first; told; told = told->next) {
        struct mt_future *future = told->future;
        if (mt_future_is_done(future) && future->code && !__atomic_exchange_n(&future->noticed, 1, __ATOMIC_RELAXED))
            mt__failure_of(future, future->code, told->message);
    }
    mt__mini_release(&guard);
}
