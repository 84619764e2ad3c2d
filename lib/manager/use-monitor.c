/* SPDX-License-Identifier: MIT
 *
 * Conditions, barriers and read-write locks of a manager: in memory, or by requests.
 *
 * A condition by requests is waited for over the line that holds its lock. Meanwhile another task of this process may
 * come to hold it, so `held` and `holder` are given up before the request, and written again when the reply has said
 * that the lock is back: see use-sync.c.
 *
 * A read-write lock may be held by many tasks of this process at once, over a line each: a list.
 */
#include "base/sys.h"
#include "base/task.h"
#include "manager/client.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* -- Conditions --------------------------------------------------------------------------------------------------- */

static int wait_by_request(struct mt__managed *cond, mt_deadline deadline)
{
    struct mt__line *line = mt__hold_lend(cond);
    struct mt__pack pack = {0};
    struct mt__reply reply = {0};
    int broken = 0;
    int64_t result;

    if (!line)
        return -EPERM;
    mt__request(&pack, MT__OP_COND_WAIT, 0, cond->id);
    result = mt__ask_patiently(line, &pack, &reply, deadline, &broken);
    free(reply.data);
    if (broken || result == -EPIPE || result == -ESTALE || result == -EPROTO || result == -ECANCELED)
        mt__line_end(line); /* the server releases it, if it is held */
    else if (result == -ENOTRECOVERABLE)
        mt__line_give(line);
    else
        mt__hold_back(cond, line);
    return (int)result;
}

int mt__managed_cond_acquire(struct mt_managed_cond *cond, mt_deadline deadline, const char *place)
{
    return mt__hold(&cond->of, deadline, place);
}

int mt_managed_cond_consistent(struct mt_managed_cond *cond)
{
    return mt__hold_consistent(&cond->of);
}

int mt_managed_cond_release(struct mt_managed_cond *cond)
{
    return mt__hold_release(&cond->of);
}

int mt__managed_cond_wait(struct mt_managed_cond *cond, mt_deadline deadline, const char *place)
{
    struct mt__page *page = cond->of.page ? mt__page(cond->of.page) : NULL;

    return page ? mt__cond_wait_robust(&page->monitor.changed, &page->lock, deadline, place)
                : wait_by_request(&cond->of, deadline);
}

int mt_managed_cond_notify(struct mt_managed_cond *cond, uint32_t count, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    if (cond->of.page) {
        mt_cond_notify(&mt__page(cond->of.page)->monitor.changed, count);
        return 0;
    }
    mt__request(&pack, MT__OP_COND_NOTIFY, 0, cond->of.id);
    mt__pack_u32(&pack, count);
    return (int)mt__call_plain(cond->of.manager, &pack, deadline);
}

int mt_managed_cond_notify_all(struct mt_managed_cond *cond, mt_deadline deadline)
{
    return mt_managed_cond_notify(cond, UINT32_MAX, deadline);
}

/* -- Barriers ----------------------------------------------------------------------------------------------------- */

int mt_managed_barrier_wait(struct mt_managed_barrier *barrier, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    if (barrier->of.page)
        return mt__page_barrier_wait(mt__page(barrier->of.page), deadline);
    mt__request(&pack, MT__OP_BARRIER_WAIT, 0, barrier->of.id);
    return (int)mt__call_plain(barrier->of.manager, &pack, deadline);
}

static int stop(struct mt_managed_barrier *barrier, int broken, mt_deadline deadline)
{
    struct mt__pack pack = {0};

    if (barrier->of.page)
        return mt__page_barrier_stop(mt__page(barrier->of.page), broken);
    mt__request(&pack, MT__OP_BARRIER_STOP, 0, barrier->of.id);
    mt__pack_u8(&pack, (unsigned)broken);
    return (int)mt__call_plain(barrier->of.manager, &pack, deadline);
}

int mt_managed_barrier_abort(struct mt_managed_barrier *barrier, mt_deadline deadline)
{
    return stop(barrier, 1, deadline);
}

int mt_managed_barrier_reset(struct mt_managed_barrier *barrier, mt_deadline deadline)
{
    return stop(barrier, 0, deadline);
}

struct state {
    uint32_t parties, waiting, broken;
};

static int state_by_request(struct mt__managed *barrier, struct state *state, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply;
    int64_t result;

    mt__request(&pack, MT__OP_BARRIER_STATE, 0, barrier->id);
    result = mt__call(barrier->manager, &pack, &reply, deadline);
    if (result >= 0) {
        state->parties = mt__unpack_u32(&reply.body);
        state->waiting = mt__unpack_u32(&reply.body);
        state->broken = mt__unpack_u32(&reply.body);
        if (!mt__unpack_is_whole(&reply.body) || state->parties > INT32_MAX || state->waiting > INT32_MAX)
            result = -EPROTO;
    }
    free(reply.data);
    return (int)result;
}

static int state_of(struct mt_managed_barrier *barrier, struct state *state, mt_deadline deadline)
{
    const struct mt__page_barrier *page;

    if (!barrier->of.page)
        return state_by_request(&barrier->of, state, deadline);
    page = &mt__page(barrier->of.page)->barrier;
    state->parties = page->parties;
    state->waiting = __atomic_load_n(&page->waiting, __ATOMIC_ACQUIRE);
    state->broken = __atomic_load_n(&page->broken, __ATOMIC_ACQUIRE);
    return 0;
}

int mt_managed_barrier_is_broken(struct mt_managed_barrier *barrier, mt_deadline deadline)
{
    struct state state;
    int error = state_of(barrier, &state, deadline);

    return error ? error : state.broken != 0;
}

int mt_managed_barrier_waiting(struct mt_managed_barrier *barrier, mt_deadline deadline)
{
    struct state state;
    int error = state_of(barrier, &state, deadline);

    return error ? error : (int)state.waiting;
}

int mt_managed_barrier_parties(struct mt_managed_barrier *barrier, mt_deadline deadline)
{
    struct state state;
    int error = state_of(barrier, &state, deadline);

    return error ? error : (int)state.parties;
}

/* -- Read-write locks --------------------------------------------------------------------------------------------- */

struct mt__rw_hold {
    struct mt__rw_hold *next;
    struct mt__line *line;
    uint32_t holder, forks;
    int writing;
};

static struct mt__rw_hold **find(struct mt__managed *rwlock, int writing)
{
    struct mt__rw_hold **at = &rwlock->rw_held;

    while (*at && ((*at)->holder != mt__here.id || (*at)->forks != mt__manager_forks || (*at)->writing != writing))
        at = &(*at)->next;
    return at;
}

/* Takes the hold off the list, or only looks. */
static struct mt__rw_hold *hold_of(struct mt__managed *rwlock, int writing, int take)
{
    struct mt__rw_hold **at, *hold;

    mt__mini_acquire(&rwlock->guard);
    at = find(rwlock, writing);
    hold = *at;
    if (hold && take)
        *at = hold->next;
    mt__mini_release(&rwlock->guard);
    return hold;
}

static void keep(struct mt__managed *rwlock, struct mt__rw_hold *hold)
{
    mt__mini_acquire(&rwlock->guard);
    hold->next = rwlock->rw_held;
    rwlock->rw_held = hold;
    mt__mini_release(&rwlock->guard);
}

static void pack_rw(struct mt__pack *pack, enum mt__op op, const struct mt__managed *rwlock, int writing)
{
    mt__request(pack, op, 0, rwlock->id);
    if (op != MT__OP_RW_CONSISTENT)
        mt__pack_u8(pack, (unsigned)writing);
}

/* Of a hold that there is. */
static int64_t rw_ask(struct mt__managed *rwlock, const struct mt__rw_hold *hold, enum mt__op op, int *broken)
{
    struct mt__pack pack = {0};

    pack_rw(&pack, op, rwlock, hold->writing);
    return mt__ask_result(hold->line, &pack, mt_after(MT_SEC(10)), broken);
}

static int rw_acquire_by_request(struct mt__managed *rwlock, int writing, mt_deadline deadline)
{
    struct mt__rw_hold *hold = NULL;
    struct mt__pack pack = {0};
    int broken = 0;
    int64_t result;

    if (!mt__self())
        return -ENOMEM;
    if (hold_of(rwlock, 1, 0) || (writing && hold_of(rwlock, 0, 0)))
        return -EDEADLK;
    hold = mt__alloc(sizeof *hold);
    result = hold ? mt__call_line(rwlock->manager, &hold->line, deadline) : -ENOMEM;
    if (result) {
        free(hold);
        return (int)result;
    }
    hold->holder = mt__here.id;
    hold->forks = mt__manager_forks;
    hold->writing = writing;
    pack_rw(&pack, MT__OP_RW_ACQUIRE, rwlock, writing);
    result = mt__ask_to_hold(hold->line, &pack, deadline, &broken);
    if (!broken && (!result || result == -EOWNERDEAD)) {
        keep(rwlock, hold);
        return (int)result;
    }
    if (broken)
        mt__line_end(hold->line);
    else
        mt__line_give(hold->line);
    free(hold);
    return (int)result;
}

static int rw_release_by_request(struct mt__managed *rwlock, int writing)
{
    struct mt__rw_hold *hold = hold_of(rwlock, writing, 1);
    int broken = 0;
    int64_t result;

    if (!hold)
        return -EPERM;
    result = rw_ask(rwlock, hold, MT__OP_RW_RELEASE, &broken);
    if (broken || result)
        mt__line_end(hold->line);
    else
        mt__line_give(hold->line);
    free(hold);
    return broken ? -EPIPE : (int)result;
}

static int rw_acquire(struct mt_managed_rwlock *rwlock, int writing, mt_deadline deadline, const char *place)
{
    return rwlock->of.page ? mt__page_rw_acquire(mt__page(rwlock->of.page), writing, deadline, place)
                           : rw_acquire_by_request(&rwlock->of, writing, deadline);
}

static int rw_release(struct mt_managed_rwlock *rwlock, int writing)
{
    return rwlock->of.page ? mt__page_rw_release(mt__page(rwlock->of.page), writing)
                           : rw_release_by_request(&rwlock->of, writing);
}

int mt__managed_rwlock_acquire_read(struct mt_managed_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    return rw_acquire(rwlock, 0, deadline, place);
}

int mt__managed_rwlock_acquire_write(struct mt_managed_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    return rw_acquire(rwlock, 1, deadline, place);
}

int mt_managed_rwlock_release_read(struct mt_managed_rwlock *rwlock)
{
    return rw_release(rwlock, 0);
}

int mt_managed_rwlock_release_write(struct mt_managed_rwlock *rwlock)
{
    return rw_release(rwlock, 1);
}

int mt_managed_rwlock_consistent(struct mt_managed_rwlock *rwlock)
{
    struct mt__rw_hold *hold;
    int broken = 0;
    int64_t result;

    if (rwlock->of.page)
        return mt__page_rw_consistent(mt__page(rwlock->of.page));
    hold = hold_of(&rwlock->of, 1, 0);
    if (!hold)
        return -EPERM;
    result = rw_ask(&rwlock->of, hold, MT__OP_RW_CONSISTENT, &broken);
    return broken ? -EPIPE : (int)result;
}

void mt__rw_holds_end(struct mt__managed *managed)
{
    struct mt__rw_hold *hold;

    while ((hold = managed->rw_held) != NULL) {
        managed->rw_held = hold->next;
        if (hold->forks == mt__manager_forks)
            mt__line_end(hold->line);
        free(hold);
    }
}
