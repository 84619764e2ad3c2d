/* SPDX-License-Identifier: MIT */
#ifndef CORO_CORO_H
#define CORO_CORO_H

#include "coro/hub.h"

#include <linuxmt/coro.h>

/* As mt_coro_spawn, for a body that only calls another function, which is the one that tracers are told of. */
MT__SEAM struct mt_task *mt__coro_spawn_as(uintptr_t told, mt_fn *fn, void *arg,
                                           const struct mt_coro_options *options);

/* In the hub's own thread: it is asked to end, and comes back from what it waits in. */
void mt__coro_kill_here(struct mt__hub *hub, struct mt__coro *coro);

/* In the child of a fork; hub: the calling thread's, or NULL. */
void mt__coro_forked(struct mt__hub *hub);

void mt__coro_free_spare(struct mt__hub *hub);

/* The process ends in the hub's thread: what its stacks refer to has not been lost. */
#if MT__ASAN
void mt__leaks_tell(const struct mt__hub *hub);
#else
static inline void mt__leaks_tell(const struct mt__hub *hub)
{
    (void)hub;
}
#endif

/* The hub sleeps, with no time and no operation to wait for. If nobody else is there who could wake it, it says so and
 * its root's wait fails with -EDEADLK. */
void mt__hub_stuck(struct mt__hub *hub);

#endif
