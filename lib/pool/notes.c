/* SPDX-License-Identifier: MIT
 *
 * Notes on futures: to whom an end is told.
 *
 * 1. A note goes on a future's list under the future's guard, and only if the future's word has no end; the word then
 * has NOTES. Whoever ends it takes the guard, and so finds the note.
 * 2. A note of a set is written under the guard of its future: put into the set by the end, taken off by
 * mt__set_remove. After that nobody touches it, so it and the set may lie on the stack of the one who waits.
 * 3. A callback's note holds a reference of the future. While NOTES is set and the guard held, the worker that runs the
 * future cannot get past its end, so the pool is there. A promise has no pool: who sets it makes the calls himself,
 * without the guard.
 * 4. A set's reader reads the number, looks into the set, and sleeps on that number. It looks under the set's guard,
 * and if it finds nothing leaves `sought` there, which the next to put something in finds, having changed the number:
 * so it is woken, or does not sleep; and a reader that always finds something costs nobody a wake.
 */
#include "pool/pool.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* -- On a future -------------------------------------------------------------------------------------------------- */

int mt__note_add(struct mt__note *note, struct mt_future *future)
{
    uint32_t word = __atomic_load_n(&future->word, __ATOMIC_ACQUIRE);

    do {
        if ((word & MT__STATE) >= MT_DONE)
            return 0;
    } while (!(word & MT__NOTES) && !__atomic_compare_exchange_n(&future->word, &word, word | MT__NOTES, 0,
                                                                 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    note->future = future;
    note->next = future->notes;
    note->link = &future->notes;
    if (note->next)
        note->next->link = &note->next;
    future->notes = note;
    return 1;
}

static int has_ended(const struct mt__note *note)
{
    return __atomic_load_n(&note->ended, __ATOMIC_ACQUIRE);
}

void mt__note_take_off(struct mt__note *note)
{
    *note->link = note->next;
    if (note->next)
        note->next->link = note->link;
    note->next = NULL;
    note->link = NULL;
}

static void put_in(struct mt__set *set, struct mt__note *note)
{
    mt__mini_acquire(&set->guard);
    __atomic_store_n(&note->ended, 1, __ATOMIC_RELEASE);
    note->next = NULL;
    *set->last = note;
    set->last = &note->next;
    __atomic_fetch_add(&set->ended, 1, __ATOMIC_RELEASE);
    if (set->sought)
        mt__wake(&set->ended, 1, 0); /* under the guard: the reader may free the set as soon as it has the note */
    set->sought = 0;
    mt__mini_release(&set->guard);
}

void mt__notes_tell(struct mt_future *future)
{
    struct mt__note *note, *oldest = NULL, *own = NULL, **last = &own;

    mt__mini_acquire(&future->guard);
    while ((note = future->notes) != NULL) { /* the newest is first */
        mt__note_take_off(note);
        note->next = oldest;
        oldest = note;
    }
    while ((note = oldest) != NULL) {
        oldest = note->next;
        note->next = NULL;
        if (note->set || future->pool) {
            put_in(note->set ? note->set : &future->pool->ended, note);
        } else {
            *last = note;
            last = &note->next;
        }
    }
    mt__mini_release(&future->guard);
    mt__callbacks_call(own);
}

/* -- Sets --------------------------------------------------------------------------------------------------------- */

void mt__set_init(struct mt__set *set)
{
    *set = (struct mt__set){.last = &set->first};
}

void mt__set_add(struct mt__set *set, struct mt__note *note, struct mt_future *future)
{
    int stored;

    *note = (struct mt__note){.set = set, .future = future};
    mt__mini_acquire(&future->guard);
    stored = mt__note_add(note, future);
    mt__mini_release(&future->guard);
    if (!stored)
        put_in(set, note);
}

struct mt__note *mt__set_take(struct mt__set *set)
{
    struct mt__note *note;

    mt__mini_acquire(&set->guard);
    note = set->first;
    if (note) {
        set->first = note->next;
        if (!note->next)
            set->last = &set->first;
        note->next = NULL;
    } else {
        set->sought = 1;
    }
    mt__mini_release(&set->guard);
    return note;
}

void mt__set_remove(struct mt__note *note)
{
    mt__mini_acquire(&note->future->guard);
    if (!has_ended(note))
        mt__note_take_off(note);
    mt__mini_release(&note->future->guard);
}

static int has_any(struct mt__set *set)
{
    int any;

    mt__mini_acquire(&set->guard);
    any = set->first != NULL;
    if (!any)
        set->sought = 1;
    mt__mini_release(&set->guard);
    return any;
}

/* Nobody is left who could put a note into the set. They may all have done so just now. */
static int is_hopeless(struct mt__set *set, struct mt__note *const *notes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!has_ended(notes[i]) && !mt__future_is_stale(notes[i]->future))
            return 0;
    return !has_any(set);
}

static int help_one(struct mt__note *const *notes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!has_ended(notes[i]) && mt__future_help(notes[i]->future))
            return 1;
    return 0;
}

int mt__set_wait(struct mt__set *set, struct mt__note *const *notes, size_t count, mt_deadline deadline)
{
    struct mt__wait wait = {.word = &set->ended, .reason = MT_WAIT_FUTURE, .object = set, .deadline = deadline};
    uint32_t ended = __atomic_load_n(&set->ended, __ATOMIC_ACQUIRE);
    int result;

    if (has_any(set))
        return 0;
    if (is_hopeless(set, notes, count))
        return -ESRCH;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    if (mt__worker_here() && help_one(notes, count))
        return 0;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    while (!result && !has_any(set)) {
        result = mt__wait_round(&wait, ended, deadline);
        ended = __atomic_load_n(&set->ended, __ATOMIC_ACQUIRE);
    }
    return mt__wait_end(&wait, has_any(set) ? 0 : result);
}

/* -- What users wait for ------------------------------------------------------------------------------------------ */

struct mt_completed {
    struct mt__set set;
    size_t count, given;
    struct mt__note **list;
    struct mt__note notes[];
};

struct mt_completed *mt_completed_new(struct mt_future *const *futures, size_t count)
{
    struct mt_completed *completed = NULL;

    if (count <= (SIZE_MAX / 2 - sizeof *completed) / (sizeof(struct mt__note) + sizeof(struct mt__note *)))
        completed = mt__alloc(sizeof *completed + count * (sizeof *completed->notes + sizeof *completed->list));
    if (!completed) {
        errno = ENOMEM;
        return NULL;
    }
    mt__set_init(&completed->set);
    completed->count = count;
    completed->list = (struct mt__note **)(completed->notes + count);
    for (size_t i = 0; i < count; i++) {
        completed->list[i] = &completed->notes[i];
        mt__set_add(&completed->set, &completed->notes[i], futures[i]);
    }
    return completed;
}

int mt_completed_next(struct mt_completed *completed, struct mt_future **future, mt_deadline deadline)
{
    struct mt__note *note;

    if (completed->given == completed->count)
        return 0;
    while (!(note = mt__set_take(&completed->set))) {
        int result = mt__set_wait(&completed->set, completed->list, completed->count, deadline);
        if (result)
            return result;
    }
    completed->given++;
    *future = note->future;
    return 1;
}

void mt_completed_free(struct mt_completed *completed)
{
    if (!completed)
        return;
    for (size_t i = 0; i < completed->count; i++)
        mt__set_remove(&completed->notes[i]);
    free(completed);
}

int mt_futures_wait(struct mt_future *const *futures, size_t count, enum mt_until until, mt_deadline deadline)
{
    struct mt_completed *completed;
    struct mt_future *future;
    int ended = 0, failed = 0, result = 0;

    if (!count || count > INT_MAX)
        return -EINVAL;
    completed = mt_completed_new(futures, count);
    if (!completed)
        return -ENOMEM;
    while ((size_t)ended < count) {
        int enough = until == MT_UNTIL_FIRST ? ended > 0 : until == MT_UNTIL_FAILURE && failed;
        result = mt_completed_next(completed, &future, enough ? MT_NOWAIT : deadline);
        if (result <= 0)
            break;
        ended++;
        failed |= mt_future_state(future) == MT_CANCELLED || future->code != 0;
    }
    mt_completed_free(completed);
    if (until == MT_UNTIL_FIRST ? ended > 0 : until == MT_UNTIL_FAILURE && failed)
        return ended;
    return (size_t)ended == count ? ended : result;
}
