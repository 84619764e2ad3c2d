/* SPDX-License-Identifier: MIT
 *
 * Groups and bundles. A member is a link on its task (base/task.h) and a place on the group's list. Whoever takes the
 * link off the task, its end or a discard, takes the member off the list and frees it, so that happens once.
 *
 *   room      count is raised under the guard before the task is spawned or linked: so never more than the limit
 *   member    on the list, with a count on the task's handle and one on the group
 *   gone      off the list; count is lowered, `changes` raised, and whoever waits looks again
 *
 * No task is asked or killed with the guard held: both may finish a process, whose link then wants the guard.
 */
#include "base/clock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/coro.h>
#include <linuxmt/group.h>
#include <linuxmt/thread.h>
#include <stdlib.h>

struct member {
    struct mt__task_link link;
    struct mt_group *group;
    struct mt_task *task;
    struct member *next, *previous;
    uint32_t killed; /* by which round of kills, 0: by none */
};

struct mt_group {
    struct mt_group_options options;
    struct mt__mini guard;
    uint32_t references;
    uint32_t changes; /* futex word */
    uint32_t count, closed;
    uint32_t rounds, killing; /* kills so far, and those under way: who comes meanwhile is killed, too */
    struct member *first, *last;
    uint32_t *failed; /* a bundle's */
};

/* -- Members ------------------------------------------------------------------------------------------------------ */

static void drop(struct mt_group *group)
{
    if (!__atomic_sub_fetch(&group->references, 1, __ATOMIC_ACQ_REL))
        free(group);
}

static void append(struct mt_group *group, struct member *member)
{
    member->next = NULL;
    member->previous = group->last;
    *(group->last ? &group->last->next : &group->first) = member;
    group->last = member;
}

static void take_out(struct mt_group *group, struct member *member)
{
    *(member->previous ? &member->previous->next : &group->first) = member->next;
    *(member->next ? &member->next->previous : &group->last) = member->previous;
}

/* One less. */
static void make_room(struct mt_group *group)
{
    mt__mini_acquire(&group->guard);
    group->count--;
    __atomic_store_n(&group->changes, group->changes + 1, __ATOMIC_RELEASE);
    mt__mini_release(&group->guard);
    mt__wake(&group->changes, UINT_MAX, 0);
}

/* The member is the caller's: its link is off the task. */
static void leave(struct member *member)
{
    struct mt_group *group = member->group;

    mt__mini_acquire(&group->guard);
    take_out(group, member);
    mt__mini_release(&group->guard);
    make_room(group);
    mt_task_release(member->task);
    free(member);
    drop(group);
}

static void has_ended(struct mt__task_link *link, struct mt_task *task)
{
    struct member *member = (struct member *)link;
    struct mt_group *group = member->group;
    int meant_to;

    mt__mini_acquire(&group->guard);
    meant_to = member->killed && task->outcome == -ECANCELED;
    mt__mini_release(&group->guard);
    if (meant_to)
        __atomic_store_n(&task->noticed, 1, __ATOMIC_RELAXED);
    else if (group->failed && task->outcome)
        __atomic_fetch_add(group->failed, 1, __ATOMIC_RELAXED);
    leave(member);
}

/* There is room for it. */
static int join_group(struct mt_group *group, struct mt_task *task)
{
    struct member *member = mt__alloc(sizeof *member);
    int result, killed;

    if (!member) {
        make_room(group);
        return -ENOMEM;
    }
    *member = (struct member){.link = {NULL, has_ended}, .group = group, .task = mt_task_retain(task)};
    __atomic_fetch_add(&group->references, 1, __ATOMIC_RELAXED);
    mt__mini_acquire(&group->guard);
    append(group, member);
    member->killed = group->killing ? group->rounds : 0;
    killed = member->killed != 0;
    mt__mini_release(&group->guard);
    result = mt__link_add(task, &member->link);
    if (result)
        leave(member);
    else if (killed)
        mt_task_kill(task);
    return result < 0 ? result : 0;
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

enum what { ROOM, EMPTY };

static int is_so(struct mt_group *group, enum what what, uint32_t *changes)
{
    int so;

    mt__mini_acquire(&group->guard);
    *changes = group->changes;
    if (what == EMPTY)
        so = !group->count;
    else
        so = group->closed ? -EPIPE : !group->options.limit || group->count < group->options.limit;
    group->count += what == ROOM && so > 0;
    mt__mini_release(&group->guard);
    return so;
}

/* 0: it is so, and room has been taken. */
static int wait_until(struct mt_group *group, enum what what, unsigned flags, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = &group->changes,
        .flags = flags,
        .reason = what == ROOM ? MT_WAIT_POOL : MT_WAIT_JOIN,
        .object = group,
        .name = group->options.name,
        .place = place,
        .deadline = deadline,
    };
    uint32_t changes;
    int so = is_so(group, what, &changes), result;

    if (so)
        return so < 0 ? so : 0;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    while (!(so = is_so(group, what, &changes)) && !result)
        result = mt__wait_round(&wait, changes, deadline);
    return mt__wait_end(&wait, so < 0 ? so : so ? 0 : result);
}

int mt_group_contains(struct mt_group *group, const struct mt_task *task)
{
    struct member *member;

    mt__mini_acquire(&group->guard);
    for (member = group->first; member && member->task != task; member = member->next)
        ;
    mt__mini_release(&group->guard);
    return member != NULL;
}

size_t mt_group_count(struct mt_group *group)
{
    size_t count;

    mt__mini_acquire(&group->guard);
    count = group->count;
    mt__mini_release(&group->guard);
    return count;
}

static int holds_caller(struct mt_group *group)
{
    const struct mt_task *self = mt__self_if_known();

    return self && mt_group_contains(group, self);
}

int mt__group_join(struct mt_group *group, mt_deadline deadline, const char *place)
{
    return holds_caller(group) ? -EDEADLK : wait_until(group, EMPTY, 0, deadline, place);
}

/* -- Coming ------------------------------------------------------------------------------------------------------- */

static struct mt_task *spawn(const struct mt_group_options *options, mt_fn *fn, void *arg)
{
    const struct mt_coro_options coro = {.stack_size = options->stack_size};
    const struct mt_thread_options thread = {.stack_size = options->stack_size};

    return options->kind == MT_THREAD ? mt_thread_spawn(fn, arg, &thread) : mt_coro_spawn(fn, arg, &coro);
}

struct mt_task *mt__group_spawn(struct mt_group *group, mt_fn *fn, void *arg, mt_deadline deadline, const char *place)
{
    int result = wait_until(group, ROOM, 0, deadline, place);
    struct mt_task *task;

    if (result) {
        errno = -result;
        return NULL;
    }
    task = spawn(&group->options, fn, arg);
    if (!task) {
        int error = errno;
        make_room(group);
        errno = error;
        return NULL;
    }
    result = join_group(group, task);
    if (!result)
        return task;
    mt_task_kill(task); /* outside the group it is not to run */
    mt_task_release(task);
    errno = -result;
    return NULL;
}

int mt__group_add(struct mt_group *group, struct mt_task *task, mt_deadline deadline, const char *place)
{
    int result = wait_until(group, ROOM, 0, deadline, place);

    return result ? result : join_group(group, task);
}

int mt_group_discard(struct mt_group *group, struct mt_task *task)
{
    struct member *member;
    int found;

    mt__mini_acquire(&group->guard);
    for (member = group->first; member && member->task != task; member = member->next)
        ;
    found = member && mt__link_remove(task, &member->link);
    mt__mini_release(&group->guard);
    if (!found)
        return -ESRCH;
    leave(member);
    return 0;
}

/* -- Killing ------------------------------------------------------------------------------------------------------ */

/* The next that this round has not come to, with a reference. */
static struct mt_task *next_to_kill(struct mt_group *group, uint32_t round)
{
    struct member *member;
    struct mt_task *task = NULL;

    mt__mini_acquire(&group->guard);
    member = group->first;
    if (member && member->killed != round) {
        member->killed = round;
        task = mt_task_retain(member->task);
        take_out(group, member);
        append(group, member);
    }
    mt__mini_release(&group->guard);
    return task;
}

static int kill_all(struct mt_group *group, unsigned flags, mt_deadline deadline, const char *place)
{
    struct mt_task *task;
    uint32_t round;
    int result;

    mt__mini_acquire(&group->guard);
    group->killing++;
    round = ++group->rounds;
    mt__mini_release(&group->guard);
    while ((task = next_to_kill(group, round)) != NULL) {
        mt_task_kill(task);
        mt_task_release(task);
    }
    result = wait_until(group, EMPTY, flags, deadline, place);
    mt__mini_acquire(&group->guard);
    group->killing--;
    mt__mini_release(&group->guard);
    return result;
}

int mt__group_kill(struct mt_group *group, mt_deadline deadline, const char *place)
{
    return holds_caller(group) ? -EDEADLK : kill_all(group, 0, deadline, place);
}

void mt_group_free(struct mt_group *group)
{
    if (!group)
        return;
    mt__mini_acquire(&group->guard);
    group->closed = 1;
    mt__mini_release(&group->guard);
    while (kill_all(group, MT__WAIT_NOCANCEL, MT_FOREVER, MT__HERE))
        ; /* no memory for the record of the wait, or a hub that says that it is stuck */
    drop(group);
}

struct mt_group *mt_group_new(const struct mt_group_options *options)
{
    struct mt_group *group = mt__alloc(sizeof *group);

    if (!group) {
        errno = ENOMEM;
        return NULL;
    }
    if (options)
        group->options = *options;
    if (group->options.kind && group->options.kind != MT_COROUTINE && group->options.kind != MT_THREAD) {
        free(group);
        errno = EINVAL;
        return NULL;
    }
    group->references = 1;
    return group;
}

/* -- Many ------------------------------------------------------------------------------------------------------- */

static int end_all(struct mt_task **tasks, size_t count, int *outcomes)
{
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        int outcome = mt_task_outcome(tasks[i]);
        failed += outcome != 0;
        if (outcomes)
            outcomes[i] = outcome;
        mt_task_release(tasks[i]);
    }
    return failed;
}

int mt__group_map(struct mt_group *group, mt_fn *fn, void *items, size_t item_size, size_t count, int *outcomes,
                  mt_deadline deadline, const char *place)
{
    struct mt_task **tasks = mt__alloc(count * sizeof *tasks + 1);
    size_t spawned = 0;
    int result = 0;

    if (!tasks)
        return -ENOMEM;
    for (; spawned < count && !result; spawned += !result) {
        tasks[spawned] = mt__group_spawn(group, fn, (char *)items + spawned * item_size, deadline, place);
        result = tasks[spawned] ? 0 : -errno;
    }
    if (!result)
        result = mt__joinall(tasks, count, deadline, place);
    if (result) {
        for (size_t i = 0; i < spawned; i++)
            mt_task_kill(tasks[i]);
        while (mt__joinall(tasks, spawned, MT_FOREVER, place))
            mt_coro_yield(); /* also if the caller is killed: their items are the caller's memory */
        end_all(tasks, spawned, NULL);
    } else {
        result = end_all(tasks, count, outcomes);
    }
    free(tasks);
    return result;
}

/* -- Bundles ------------------------------------------------------------------------------------------------------ */

int mt_bundle_begin(struct mt_bundle *bundle)
{
    struct mt_group *group = mt_group_new(NULL);

    if (!group)
        return -errno;
    *bundle = (struct mt_bundle){.group = group};
    group->failed = &bundle->failed;
    return 0;
}

int mt_bundle_spawn(struct mt_bundle *bundle, mt_fn *fn, void *arg)
{
    struct mt_task *task = mt_group_spawn(bundle->group, fn, arg, MT_NOWAIT);

    if (!task)
        return -errno;
    mt_task_release(task);
    return 0;
}

int mt__bundle_join(struct mt_bundle *bundle, mt_deadline deadline, const char *place)
{
    return mt__group_join(bundle->group, deadline, place);
}

int mt_bundle_end(struct mt_bundle *bundle)
{
    mt_group_free(bundle->group);
    bundle->group = NULL;
    return (int)bundle->failed;
}
