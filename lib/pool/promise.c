/* SPDX-License-Identifier: MIT
 *
 * Promises: futures that no pool has. Whoever sets one claims it first, which makes it STARTED (lib/pool/future.c),
 * then stores what became of it, then ends it. So of several one sets it, and the others learn that without waiting:
 * nothing that can block or fail lies between the claim and the end.
 */
#include "pool/pool.h"

#include <errno.h>
#include <linuxmt/promise.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mt_future *mt_promise_new(const char *name)
{
    struct mt_future *promise = mt__future_new(NULL, NULL, name, 0);

    if (promise)
        promise->references = 1; /* there is no queue */
    else
        errno = ENOMEM;
    return promise;
}

/* Why it cannot be set. */
static int refusal(const struct mt_future *promise)
{
    return mt_future_state(promise) == MT_CANCELLED ? -ECANCELED : -EALREADY;
}

/* 0: the caller ends it. */
static int claim(struct mt_future *promise)
{
    if (promise->pool)
        return -EPERM;
    return mt__future_claim(promise) ? 0 : refusal(promise);
}

int mt_promise_set(struct mt_future *promise, const void *value, size_t size)
{
    void *far = NULL;
    int error;

    if (size > MT__SMALL && !promise->pool && !(far = mt__alloc(size)))
        return mt_future_state(promise) == MT_QUEUED ? -ENOMEM : refusal(promise);
    error = claim(promise);
    if (error) {
        free(far);
        return error;
    }
    promise->value_size = size;
    if (far)
        promise->value.far = memcpy(far, value, size);
    else if (size)
        memcpy(promise->value.near, value, size);
    mt__future_end(promise, MT_DONE);
    return 0;
}

static int fail(struct mt_future *promise, int code, const char *message)
{
    int error = claim(promise);

    if (error)
        return error;
    promise->code = code;
    mt__future_tell(promise, NULL, message);
    mt__future_end(promise, MT_DONE);
    return 0;
}

int mt_promise_fail(struct mt_future *promise, int code, const char *format, ...)
{
    char message[MT_MESSAGE_MAX];
    va_list args;

    if (!code)
        return -EINVAL;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return fail(promise, code, message);
}

static void become(struct mt_task *task, void *arg)
{
    struct mt_future *promise = arg;
    void *value = mt_task_value(task);
    int code = mt_task_outcome(task);

    if (code)
        fail(promise, code, mt_task_message(task));
    else
        mt_promise_set(promise, &value, sizeof value); /* small enough to need no memory */
    mt_future_release(promise);
}

int mt_promise_follow(struct mt_future *promise, struct mt_task *task)
{
    int error;

    if (promise->pool)
        return -EPERM;
    error = mt_task_link(task, become, mt_future_retain(promise));
    if (error)
        mt_future_release(promise);
    return error;
}
