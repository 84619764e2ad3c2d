/* SPDX-License-Identifier: MIT
 *
 * Conditions, barriers and read-write locks by requests. What a client holds the thread of its connection holds, as
 * with locks (serve-sync.c): when the connection ends the kernel hands it on.
 */
#include "manager/server.h"

#include <errno.h>

/* -- Conditions. Their locks are acquired and released as other locks are ----------------------------------------- */

static int64_t cond_wait(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                         struct mt__pack *out, mt_deadline deadline)
{
    struct mt__page *page = mt__page(object->page);
    int result;

    if (!mt__unpack_is_whole(in) || visitor->held != object)
        return -EPROTO;
    result = mt_cond_wait_robust(&page->monitor.changed, &page->lock, deadline);
    if (result == -ECANCELED) /* the client has gone, and was not holding it when it went */
        mt_robust_release(&page->lock);
    if (result == -ECANCELED || result == -ENOTRECOVERABLE)
        mt__visitor_drop(visitor);
    return result;
}

static int64_t cond_notify(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                           struct mt__pack *out, mt_deadline deadline)
{
    uint32_t count = mt__unpack_u32(in);

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    mt_cond_notify(&mt__page(object->page)->monitor.changed, count);
    return 0;
}

/* -- Barriers ----------------------------------------------------------------------------------------------------- */

static int64_t barrier_wait(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                            struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt__page_barrier_wait(mt__page(object->page), deadline) : -EPROTO;
}

static int64_t barrier_stop(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                            struct mt__pack *out, mt_deadline deadline)
{
    unsigned broken = mt__unpack_u8(in);

    return mt__unpack_is_whole(in) ? mt__page_barrier_stop(mt__page(object->page), broken != 0) : -EPROTO;
}

static int64_t barrier_state(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                             struct mt__pack *out, mt_deadline deadline)
{
    const struct mt__page_barrier *barrier = &mt__page(object->page)->barrier;

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    mt__pack_u32(out, barrier->parties);
    mt__pack_u32(out, __atomic_load_n(&barrier->waiting, __ATOMIC_ACQUIRE));
    mt__pack_u32(out, __atomic_load_n(&barrier->broken, __ATOMIC_ACQUIRE) != 0);
    return 0;
}

/* -- Read-write locks --------------------------------------------------------------------------------------------- */

static void rw_let_go(struct mt__visitor *visitor, struct mt__object *object, int writing)
{
    mt__page_rw_release(mt__page(object->page), writing);
    mt__visitor_drop(visitor);
}

static void settle_read(struct mt__visitor *visitor, struct mt__object *object, int taken)
{
    if (!taken)
        rw_let_go(visitor, object, 0);
}

static void settle_write(struct mt__visitor *visitor, struct mt__object *object, int taken)
{
    if (!taken)
        rw_let_go(visitor, object, 1);
}

static int64_t rw_acquire(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                          struct mt__pack *out, mt_deadline deadline)
{
    unsigned writing = mt__unpack_u8(in);
    int result;

    if (!mt__unpack_is_whole(in) || visitor->held)
        return -EPROTO;
    result = mt__page_rw_acquire(mt__page(object->page), writing != 0, deadline, NULL);
    if (result && result != -EOWNERDEAD)
        return result;
    mt__object_retain(object);
    visitor->held = object;
    visitor->settle = writing ? settle_write : settle_read;
    return result;
}

static int64_t rw_consistent(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                             struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt__page_rw_consistent(mt__page(object->page)) : -EPROTO;
}

static int64_t rw_release(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                          struct mt__pack *out, mt_deadline deadline)
{
    unsigned writing = mt__unpack_u8(in);
    int result;

    if (!mt__unpack_is_whole(in) || visitor->held != object)
        return -EPROTO;
    result = mt__page_rw_release(mt__page(object->page), writing != 0);
    if (!result)
        mt__visitor_drop(visitor);
    return result;
}

#define COND    (1 << MT__MANAGED_COND)
#define BARRIER (1 << MT__MANAGED_BARRIER)
#define RWLOCK  (1 << MT__MANAGED_RWLOCK)

const struct mt__served_op mt__serve_monitor[MT__OPS] = {
    [MT__OP_COND_WAIT] = {COND, cond_wait},
    [MT__OP_COND_NOTIFY] = {COND, cond_notify},
    [MT__OP_BARRIER_WAIT] = {BARRIER, barrier_wait},
    [MT__OP_BARRIER_STOP] = {BARRIER, barrier_stop},
    [MT__OP_BARRIER_STATE] = {BARRIER, barrier_state},
    [MT__OP_RW_ACQUIRE] = {RWLOCK, rw_acquire},
    [MT__OP_RW_CONSISTENT] = {RWLOCK, rw_consistent},
    [MT__OP_RW_RELEASE] = {RWLOCK, rw_release},
};
