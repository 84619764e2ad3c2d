/* SPDX-License-Identifier: MIT
 *
 * Getting messages, one, many, or in place, and giving them back. See call.c for how a get that finds none waits.
 */
#include "base/clock.h"
#include "queue/call.h"

#include <errno.h>

#define LOOK_AGAIN MT_MS(100) /* for dead holders of views, while there may be some */
#define BURY_EVERY MT_MS(5)   /* at most so often */

/* What is to be done with a message, or several. */
struct wish {
    struct iovec *messages;
    size_t count;
    int taking;
    struct mt_queue_view *view; /* else NULL */
};

static int fulfil(struct mt_queue *queue, const struct wish *wish)
{
    int result;

    if (wish->view)
        return queue->store->view(queue, wish->view);
    result = queue->store->get(queue, wish->messages, wish->count, wish->taking);
    mt__aim_take(queue, 0, 0); /* with the guard still held: the next may die before it says anything */
    return result;
}

/* Messages in the views of the dead can be got again. */
static int look_for_the_dead(struct mt_queue *queue)
{
    mt_deadline now;

    if (!mt__load32(&queue->shared->out))
        return 0;
    now = mt_now();
    if (now - __atomic_load_n(&queue->buried, __ATOMIC_RELAXED) < BURY_EVERY)
        return 0;
    __atomic_store_n(&queue->buried, now, __ATOMIC_RELAXED);
    return mt__view_bury(queue);
}

static int try_to_get(struct mt_queue *queue, const struct wish *wish, struct mt__visit *visit)
{
    struct mt__guard *guard = mt__get_guard(queue);
    int result = mt__queue_acquire(queue, guard, visit);

    if (result)
        return result;
    result = fulfil(queue, wish);
    if (!result && look_for_the_dead(queue))
        result = fulfil(queue, wish);
    mt__queue_release(queue, guard);
    return result;
}

/* Nothing is there. Nothing will be, if it was closed before that was so, and nobody can die with the last message. */
static int is_over(struct mt_queue *queue, const struct wish *wish, struct mt__visit *visit)
{
    int result;

    if (!mt__queue_closed(queue, visit))
        return 0;
    result = try_to_get(queue, wish, visit);
    if (result)
        return result;
    return mt__load32(&queue->shared->out) && mt__view_elsewhere(queue) ? 0 : -EPIPE;
}

/* As put_at_once. */
static int get_at_once(struct mt_queue *queue, const struct wish *wish)
{
    struct mt__guard *guard = mt__get_guard(queue);
    int result;

    if (!mt__guard_enter(guard))
        return 0;
    result = fulfil(queue, wish);
    if (!mt__guard_leave(guard))
        mt__queue_release(queue, guard);
    return result;
}

/* Nobody has got what was only looked at. */
static int has_got(const struct mt_queue *queue, const struct wish *wish, int result)
{
    return wish->taking || wish->view ? mt__queue_has_got(queue, result) : result;
}

static int get(struct mt_queue *queue, const struct wish *wish, mt_deadline deadline)
{
    struct mt__segment *shared = queue->shared;
    struct mt__visit visit;
    int result = get_at_once(queue, wish);

    if (result)
        return has_got(queue, wish, result);
    visit = mt__queue_visit(queue, MT_WAIT_GET, deadline);
    do {
        struct mt__number numbers[] = {{mt__count(&shared->tail), 0}, {&shared->closed, 0}, {&shared->viewed, 0}};
        mt_deadline until = deadline;
        for (int i = 0; i < 3; i++)
            numbers[i].seen = mt__load32(numbers[i].at);
        if (!visit.slept || queue->store->size(queue) || numbers[1].seen || mt__view_waits(queue))
            result = try_to_get(queue, wish, &visit);
        else
            result = 0; /* woken, and somebody else was faster */
        if (!result)
            result = is_over(queue, wish, &visit);
        if (result)
            break;
        if (numbers[2].seen && mt_after(LOOK_AGAIN) < deadline)
            until = mt_after(LOOK_AGAIN);
        result = mt__queue_wait(queue, &shared->put, &visit, numbers, 3, until);
    } while (!result);
    return has_got(queue, wish, mt__visit_end(&visit, result));
}

ssize_t mt_queue_get(struct mt_queue *queue, void *data, size_t size, mt_deadline deadline)
{
    struct iovec message = {data, size};
    struct wish wish = {.messages = &message, .count = 1, .taking = 1};
    int result = get(queue, &wish, deadline);

    return result < 0 ? result : (ssize_t)message.iov_len;
}

int mt_queue_get_many(struct mt_queue *queue, struct iovec *messages, size_t count, mt_deadline deadline)
{
    struct wish wish = {.messages = messages, .count = count, .taking = 1};

    return count ? get(queue, &wish, deadline) : 0;
}

ssize_t mt_queue_peek(struct mt_queue *queue, void *data, size_t size, mt_deadline deadline)
{
    struct iovec message = {data, size};
    struct wish wish = {.messages = &message, .count = 1, .taking = 0};
    int result = get(queue, &wish, deadline);

    return result < 0 ? result : (ssize_t)message.iov_len;
}

int mt_queue_get_view(struct mt_queue *queue, struct mt_queue_view *view, mt_deadline deadline)
{
    struct wish wish = {.view = view};
    int result = get(queue, &wish, deadline);

    return result < 0 ? result : 0;
}

static int give_back(struct mt_queue *queue, struct mt_queue_view *view, int again)
{
    struct mt__view_entry *entry = &queue->shared->views[view->place];
    uint64_t at = mt__load64(&entry->at);

    if (mt__load32(&entry->state) != MT__VIEW_OUT || (uint32_t)at != view->number)
        return -EINVAL;
    if (again) {
        __atomic_store_n(&entry->state, MT__VIEW_AGAIN, __ATOMIC_RELEASE);
    } else {
        mt__view_end(queue, (int)view->place);
        queue->store->freed(queue, at);
    }
    return 0;
}

int mt_queue_give_back(struct mt_queue *queue, struct mt_queue_view *view, int again)
{
    struct mt__visit visit = mt__queue_short_visit(queue, MT_WAIT_PUT);
    struct mt__guard *guard = mt__get_guard(queue);
    int result;

    if (!view->data || view->place >= MT_QUEUE_VIEWS)
        return -EINVAL;
    result = mt__queue_acquire(queue, guard, &visit);
    if (!result) {
        result = give_back(queue, view, again);
        mt__queue_release(queue, guard);
    }
    if (!result && again)
        mt__guard_wake_all(&queue->shared->put);
    if (!result)
        view->data = NULL;
    return mt__visit_end(&visit, result);
}
