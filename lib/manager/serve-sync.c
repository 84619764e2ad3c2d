/* SPDX-License-Identifier: MIT
 *
 * Locks, events, semaphores and counters by requests. The lock's owner is the thread that serves the connection: it
 * contends with the owners on this host, and when the connection ends it ends holding the lock, for the kernel to hand
 * on. A client that goes away before it knows that it has the lock, or one of a semaphore, never had it.
 */
#include "manager/server.h"

#include <errno.h>

/* -- Locks -------------------------------------------------------------------------------------------------------- */

void mt__visitor_drop(struct mt__visitor *visitor)
{
    struct mt__object *object = visitor->held;

    visitor->held = NULL;
    mt__object_release(object);
}

/* One whose last owner died must not be released unmended: this thread ends with it, as that one did. */
static void settle_acquire(struct mt__visitor *visitor, struct mt__object *object, int taken)
{
    if (taken || visitor->handed)
        return;
    mt_robust_release(&mt__page(object->page)->lock);
    mt__visitor_drop(visitor);
}

static int64_t acquire(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                       struct mt__pack *out, mt_deadline deadline)
{
    int result;

    if (!mt__unpack_is_whole(in) || visitor->held)
        return -EPROTO;
    result = mt_robust_acquire(&mt__page(object->page)->lock, deadline);
    if (result && result != -EOWNERDEAD)
        return result;
    mt__object_retain(object);
    visitor->held = object;
    visitor->settle = settle_acquire;
    return result;
}

static int64_t consistent(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                          struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt_robust_consistent(&mt__page(object->page)->lock) : -EPROTO;
}

static int64_t release(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                       struct mt__pack *out, mt_deadline deadline)
{
    int result;

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    result = mt_robust_release(&mt__page(object->page)->lock);
    if (!result)
        mt__visitor_drop(visitor);
    return result;
}

/* -- Events ------------------------------------------------------------------------------------------------------- */

static int64_t event_set(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                         struct mt__pack *out, mt_deadline deadline)
{
    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    mt_event_set(&mt__page(object->page)->event);
    return 0;
}

static int64_t event_clear(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                           struct mt__pack *out, mt_deadline deadline)
{
    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    mt_event_clear(&mt__page(object->page)->event);
    return 0;
}

static int64_t event_is_set(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                            struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt_event_is_set(&mt__page(object->page)->event) : -EPROTO;
}

static int64_t event_wait(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                          struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt__page_event_wait(mt__page(object->page), deadline) : -EPROTO;
}

/* -- Semaphores --------------------------------------------------------------------------------------------------- */

static void settle_sem(struct mt__visitor *visitor, struct mt__object *object, int taken)
{
    if (!taken)
        mt_sem_release(&mt__page(object->page)->sem, 1);
}

static int64_t sem_acquire(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                           struct mt__pack *out, mt_deadline deadline)
{
    int result = mt__unpack_is_whole(in) ? mt__page_sem_acquire(mt__page(object->page), deadline) : -EPROTO;

    if (!result)
        visitor->settle = settle_sem;
    return result;
}

static int64_t sem_release(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                           struct mt__pack *out, mt_deadline deadline)
{
    uint32_t count = mt__unpack_u32(in);

    return mt__unpack_is_whole(in) ? mt_sem_release(&mt__page(object->page)->sem, count) : -EPROTO;
}

static int64_t sem_value(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                         struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? (int64_t)mt_sem_value(&mt__page(object->page)->sem) : -EPROTO;
}

/* -- Counters ----------------------------------------------------------------------------------------------------- */

static int64_t count_add(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                         struct mt__pack *out, mt_deadline deadline)
{
    int64_t delta = (int64_t)mt__unpack_u64(in);

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    mt__pack_u64(out, (uint64_t)mt__page_count(mt__page(object->page), delta));
    return 0;
}

static int64_t count_set(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                         struct mt__pack *out, mt_deadline deadline)
{
    int64_t value = (int64_t)mt__unpack_u64(in);

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    __atomic_store_n(&mt__page(object->page)->counter, value, __ATOMIC_SEQ_CST);
    mt__pack_u64(out, (uint64_t)value);
    return 0;
}

#define LOCK    (1 << MT__MANAGED_LOCK | 1 << MT__MANAGED_COND)
#define EVENT   (1 << MT__MANAGED_EVENT)
#define SEM     (1 << MT__MANAGED_SEM)
#define COUNTER (1 << MT__MANAGED_COUNTER)

const struct mt__served_op mt__serve_sync[MT__OPS] = {
    [MT__OP_ACQUIRE] = {LOCK, acquire},          [MT__OP_CONSISTENT] = {LOCK, consistent},
    [MT__OP_RELEASE] = {LOCK, release},          [MT__OP_EVENT_SET] = {EVENT, event_set},
    [MT__OP_EVENT_CLEAR] = {EVENT, event_clear}, [MT__OP_EVENT_IS_SET] = {EVENT, event_is_set},
    [MT__OP_EVENT_WAIT] = {EVENT, event_wait},   [MT__OP_SEM_ACQUIRE] = {SEM, sem_acquire},
    [MT__OP_SEM_RELEASE] = {SEM, sem_release},   [MT__OP_SEM_VALUE] = {SEM, sem_value},
    [MT__OP_COUNT_ADD] = {COUNTER, count_add},   [MT__OP_COUNT_SET] = {COUNTER, count_set},
};
