/* SPDX-License-Identifier: MIT
 *
 * Waiting for many tasks of any kind, in the order of their end, and what is built on it.
 *
 * Each task gets a link whose call writes its number at the end of `order` and then raises `ended`, the word that
 * mt_iwait_next sleeps on. A link's memory is part of the block, and its call may still be under way when the block is
 * given back: so the block is counted, one for its owner and one for each link that has not been taken off.
 */
#include "base/clock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct one {
    struct mt__task_link link;
    struct mt_iwait *iwait;
    struct mt_task *task;
};

struct mt_iwait {
    uint32_t references;
    uint32_t ended; /* futex word: how many */
    uint32_t given, count;
    struct mt__mini guard; /* of order and the raise of ended */
    uint32_t *order;
    struct one ones[];
};

static void drop(struct mt_iwait *iwait, uint32_t n)
{
    if (!__atomic_sub_fetch(&iwait->references, n, __ATOMIC_ACQ_REL))
        free(iwait);
}

static void note(struct one *one)
{
    struct mt_iwait *iwait = one->iwait;

    mt__mini_acquire(&iwait->guard);
    iwait->order[iwait->ended] = (uint32_t)(one - iwait->ones);
    __atomic_store_n(&iwait->ended, iwait->ended + 1, __ATOMIC_RELEASE);
    mt__mini_release(&iwait->guard);
}

static void has_ended(struct mt__task_link *link, struct mt_task *task)
{
    struct one *one = (struct one *)link;
    struct mt_iwait *iwait = one->iwait;

    (void)task;
    note(one);
    mt__wake(&iwait->ended, UINT_MAX, 0);
    drop(iwait, 1);
}

void mt_iwait_free(struct mt_iwait *iwait)
{
    uint32_t taken_off = 0;

    if (!iwait)
        return;
    for (uint32_t i = 0; i < iwait->count; i++)
        taken_off += (uint32_t)mt__link_remove(iwait->ones[i].task, &iwait->ones[i].link);
    drop(iwait, taken_off + 1);
}

struct mt_iwait *mt_iwait_new(struct mt_task *const *tasks, size_t count)
{
    struct mt_iwait *iwait;
    int result;

    if (count > UINT32_MAX - 2) {
        errno = EINVAL;
        return NULL;
    }
    iwait = mt__alloc(sizeof *iwait + count * (sizeof *iwait->ones + sizeof *iwait->order));
    if (!iwait) {
        errno = ENOMEM;
        return NULL;
    }
    iwait->order = (uint32_t *)&iwait->ones[count];
    iwait->references = (uint32_t)count + 1;
    for (size_t i = 0; i < count; i++) {
        iwait->ones[i] = (struct one){{NULL, has_ended}, iwait, tasks[i]};
        result = mt__link_add(tasks[i], &iwait->ones[i].link);
        if (result > 0)
            note(&iwait->ones[i]);
        if (result < 0) {
            drop(iwait, (uint32_t)(count - i));
            mt_iwait_free(iwait);
            errno = -result;
            return NULL;
        }
        iwait->count++;
        if (result > 0)
            drop(iwait, 1);
    }
    return iwait;
}

int mt__iwait_next(struct mt_iwait *iwait, struct mt_task **task, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = &iwait->ended, .reason = MT_WAIT_JOIN, .name = "any of several", .place = place, .deadline = deadline};
    uint32_t ended = __atomic_load_n(&iwait->ended, __ATOMIC_ACQUIRE);
    int result = 0;

    if (iwait->given == iwait->count)
        return 0;
    if (ended == iwait->given) {
        result = deadline == MT_NOWAIT ? -EBUSY : mt__wait_begin(&wait);
        if (result)
            return result;
        while (!result && (ended = __atomic_load_n(&iwait->ended, __ATOMIC_ACQUIRE)) == iwait->given)
            result = mt__wait_round(&wait, ended, deadline);
        ended = __atomic_load_n(&iwait->ended, __ATOMIC_ACQUIRE);
        result = mt__wait_end(&wait, ended == iwait->given ? result : 0);
        if (result)
            return result;
    }
    *task = iwait->ones[iwait->order[iwait->given++]].task;
    return 1;
}

/* -- Many at once ------------------------------------------------------------------------------------------------- */

static int holds_caller(struct mt_task *const *tasks, size_t count)
{
    struct mt_task *self = mt__self_if_known();

    for (size_t i = 0; i < count; i++)
        if (tasks[i] == self)
            return 1;
    return 0;
}

int mt__joinall_some(struct mt_task *const *tasks, size_t count, size_t enough, mt_deadline deadline, const char *place)
{
    struct mt_iwait *iwait;
    struct mt_task *task;
    size_t ended = 0;
    int result = 1;

    if (!enough || enough > count)
        enough = count;
    if (enough == count && holds_caller(tasks, count))
        return -EDEADLK;
    iwait = mt_iwait_new(tasks, count);
    if (!iwait)
        return -errno;
    while (ended < enough && (result = mt__iwait_next(iwait, &task, deadline, place)) > 0)
        ended++;
    while (result > 0 && ended < count && mt__iwait_next(iwait, &task, MT_NOWAIT, place) > 0)
        ended++;
    mt_iwait_free(iwait);
    return result < 0 ? result : (int)ended;
}

int mt__joinall_well(struct mt_task *const *tasks, size_t count, struct mt_task **failed, mt_deadline deadline,
                     const char *place)
{
    struct mt_iwait *iwait;
    struct mt_task *task;
    int result;

    if (holds_caller(tasks, count))
        return -EDEADLK;
    iwait = mt_iwait_new(tasks, count);
    if (!iwait)
        return -errno;
    while ((result = mt__iwait_next(iwait, &task, deadline, place)) > 0)
        if (mt_task_outcome(task)) {
            *failed = task;
            break;
        }
    mt_iwait_free(iwait);
    return result;
}

int mt__killall(struct mt_task *const *tasks, size_t count, mt_deadline deadline, const char *place)
{
    for (size_t i = 0; i < count; i++)
        mt_task_kill(tasks[i]);
    return mt__joinall(tasks, count, deadline, place);
}
