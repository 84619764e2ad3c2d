/* SPDX-License-Identifier: MIT
 *
 * A group: a set of tasks that empties itself as they end, with a bound if need be. See mt_group_new(3).
 *
 * A bundle is a group for a block of a program: who leaves the block leaves none of its tasks behind.
 */
#ifndef LINUXMT_GROUP_H
#define LINUXMT_GROUP_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

struct mt_group;

struct mt_group_options {
    const char *name;  /* of what is waited for; not copied; NULL: none */
    enum mt_kind kind; /* what mt_group_spawn spawns: 0 or MT_COROUTINE, or MT_THREAD */
    uint32_t limit;    /* the most tasks in it; 0: no limit */
    size_t stack_size; /* of a task; 0: as usual */
};

/* NULL with errno: ENOMEM, EINVAL (the kind). */
struct mt_group *mt_group_new(const struct mt_group_options *options);

/* Waits until there is room, then spawns a task in the group. The caller owns the handle. NULL with errno: ETIMEDOUT
 * (with MT_NOWAIT: EBUSY), ECANCELED; EPIPE (the group is being freed); or as mt_coro_spawn or mt_thread_spawn. */
struct mt_task *mt__group_spawn(struct mt_group *group, mt_fn *fn, void *arg, mt_deadline deadline, const char *place);
#define mt_group_spawn(group, fn, arg, deadline) mt__group_spawn(group, fn, arg, deadline, MT__HERE)

/* Waits until there is room, then puts a task, of any kind, into the group, which takes a count on its handle. One that
 * has ended does not stay. 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -EPIPE; -ENOMEM; -EAGAIN (a process, and
 * no thread to watch it). */
int mt__group_add(struct mt_group *group, struct mt_task *task, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_group_add(group, task, deadline) mt__group_add(group, task, deadline, MT__HERE)

/* Takes it out. 0; -ESRCH: it is not in the group (any more). */
int mt_group_discard(struct mt_group *group, struct mt_task *task);

/* Waits until the group is empty. 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -EDEADLK (the caller is in it).
 */
int mt__group_join(struct mt_group *group, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_group_join(group, deadline) mt__group_join(group, deadline, MT__HERE)

/* Asks all in it to end, also those that come meanwhile, and waits until it is empty. Errors as mt_group_join. */
int mt__group_kill(struct mt_group *group, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_group_kill(group, deadline) mt__group_kill(group, deadline, MT__HERE)

/* Calls fn for each of count items of item_size bytes, in a task of the group each, and waits for these. Outcomes go to
 * `outcomes` if it is not NULL. Returns how many were not 0. On an error, as mt_group_spawn's and mt_task_join's, those
 * that have been spawned are killed and awaited. */
int mt__group_map(struct mt_group *group, mt_fn *fn, void *items, size_t item_size, size_t count, int *outcomes,
                  mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_group_map(group, fn, items, item_size, count, outcomes, deadline) \
    mt__group_map(group, fn, items, item_size, count, outcomes, deadline, MT__HERE)

size_t mt_group_count(struct mt_group *group);
int mt_group_contains(struct mt_group *group, const struct mt_task *task);

/* Asks all in it to end, waits until they have, whatever happens to the caller, and frees it. Not by one of them. NULL
 * is allowed. */
void mt_group_free(struct mt_group *group);

/* -- Bundles ------------------------------------------------------------------------------------------------------ */

struct mt_bundle {
    struct mt_group *group;
    uint32_t failed;
};

/* 0; -ENOMEM. */
int mt_bundle_begin(struct mt_bundle *bundle);

/* A coroutine of the bundle; also by one of the bundle itself. 0, or -errno as mt_coro_spawn, and -EPIPE: the bundle is
 * ending. */
int mt_bundle_spawn(struct mt_bundle *bundle, mt_fn *fn, void *arg);

/* Waits until all have ended. As mt_group_join. */
int mt__bundle_join(struct mt_bundle *bundle, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_bundle_join(bundle, deadline) mt__bundle_join(bundle, deadline, MT__HERE)

/* Asks those that still run to end and waits until they have, whatever happens to the caller. Returns how many of the
 * bundle ended with an outcome other than 0; of those killed here, -ECANCELED does not count. */
int mt_bundle_end(struct mt_bundle *bundle);

MT__END

#endif
