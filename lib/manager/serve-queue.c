/* SPDX-License-Identifier: MIT
 *
 * A queue by requests. A get takes a view of the message, and is done with it only when the client has said that it has
 * the message: if the client goes away before, or this server is killed, the message is got again.
 */
#include "manager/server.h"

#include <errno.h>

#define VIEWS_WAIT MT_MS(5)

static int64_t put(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in, struct mt__pack *out,
                   mt_deadline deadline)
{
    int32_t priority = (int32_t)mt__unpack_u32(in);
    size_t size;
    const void *data = mt__unpack_value(in, &size);

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    return mt_queue_put_priority(object->queue, data, size, priority, deadline);
}

static void settle_get(struct mt__visitor *visitor, struct mt__object *object, int taken)
{
    mt_queue_give_back(object->queue, &visitor->view, !taken);
}

/* As many others may hold views as there are: those are short, as here. */
static int get_view(struct mt_queue *queue, struct mt_queue_view *view, mt_deadline deadline)
{
    int result;

    while ((result = mt_queue_get_view(queue, view, deadline)) == -ENOBUFS) {
        mt_deadline until = mt_after(VIEWS_WAIT);
        if (until >= deadline)
            return deadline == MT_NOWAIT ? -EBUSY : -ETIMEDOUT;
        result = mt_sleep(VIEWS_WAIT);
        if (result)
            break;
    }
    return result;
}

static int64_t get(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in, struct mt__pack *out,
                   mt_deadline deadline)
{
    uint64_t max = mt__unpack_u64(in);
    int result;

    if (!mt__unpack_is_whole(in))
        return -EPROTO;
    result = get_view(object->queue, &visitor->view, deadline);
    if (result)
        return result;
    if (visitor->view.size > max) {
        mt_queue_give_back(object->queue, &visitor->view, 1);
        return -EMSGSIZE;
    }
    mt__pack_value(out, visitor->view.data, visitor->view.size);
    visitor->settle = settle_get;
    return 0;
}

static int64_t close_queue(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                           struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt_queue_close(object->queue) : -EPROTO;
}

static int64_t size(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in, struct mt__pack *out,
                    mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? (int64_t)mt_queue_size(object->queue) : -EPROTO;
}

static int64_t task_done(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                         struct mt__pack *out, mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt_queue_task_done(object->queue) : -EPROTO;
}

static int64_t join(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in, struct mt__pack *out,
                    mt_deadline deadline)
{
    return mt__unpack_is_whole(in) ? mt_queue_join(object->queue, deadline) : -EPROTO;
}

#define QUEUE (1 << MT__MANAGED_QUEUE)

const struct mt__served_op mt__serve_queue[MT__OPS] = {
    [MT__OP_PUT] = {QUEUE, put},   [MT__OP_GET] = {QUEUE, get},        [MT__OP_CLOSE] = {QUEUE, close_queue},
    [MT__OP_SIZE] = {QUEUE, size}, [MT__OP_DONE] = {QUEUE, task_done}, [MT__OP_JOIN] = {QUEUE, join},
};
