/* SPDX-License-Identifier: MIT
 *
 * What becomes of a task that was given to a pool. See mt_future_wait(3).
 *
 * A future is counted. Whoever got it owns one count and gives it back by mt_future_release; the task runs all the
 * same. A failure that nobody has asked for by then goes to the failure hook, or is printed: mt_failure_hook(3).
 */
#ifndef LINUXMT_FUTURE_H
#define LINUXMT_FUTURE_H

#include <linuxmt/compiler.h>
#include <linuxmt/error.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

struct mt_future;

enum mt_future_state { MT_QUEUED = 0, MT_STARTED = 1, MT_DONE = 2, MT_CANCELLED = 3 };

/* What became of a task: flat, so that it can come from another process. */
struct mt_outcome {
    int code;        /* what the body returned; -ECANCELED: it never ran */
    int tid;         /* kernel id of the thread that ran it, 0: none */
    uint64_t worker; /* id of the worker's task, 0: none */
    size_t size;     /* bytes of the value that it gave by mt_pool_reply */
    char message[MT_MESSAGE_MAX];
};

enum mt_future_state mt_future_state(const struct mt_future *future);

/* Whether it has ended, in whatever way. */
int mt_future_is_done(const struct mt_future *future);
int mt_future_is_running(const struct mt_future *future);

/* Whether it has ended, and well. */
int mt_future_successful(const struct mt_future *future);

/* Waits until the task has ended. 0: it has, well or badly; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED (the caller
 * was killed); -EDEADLK (the caller is that task, or waits in a circle); -ESRCH (its pool stayed in the parent of a
 * fork). A task of the same pool that is still queued is run by the caller itself: the wait cannot be for a worker that
 * never comes. */
int mt_future_wait(struct mt_future *future, mt_deadline deadline) MT__MUST_CHECK;

/* What the body returned; -EINPROGRESS: it has not ended; -ECANCELED: it was cancelled before it ran. */
int mt_future_outcome(const struct mt_future *future);

/* The message set by mt_fail, "" if there is none; the value given by mt_pool_reply, NULL if there is none, with its
 * size where size is not NULL. Both belong to the future. */
const char *mt_future_message(const struct mt_future *future);
const void *mt_future_value(const struct mt_future *future, size_t *size);

/* Waits, and copies the value, which must have `size` bytes, to `value` if that is not NULL: 0, if the task ended well;
 * else its outcome; -EMSGSIZE: the value has another size; or as mt_future_wait. */
int mt_future_get(struct mt_future *future, void *value, size_t size, mt_deadline deadline) MT__MUST_CHECK;

/* All of it but the value. 0; -EINPROGRESS. */
int mt_future_read(const struct mt_future *future, struct mt_outcome *outcome);

/* Takes the task back. 0: it will not run (also if it was cancelled before); -EBUSY: it runs; -ESRCH: it has ended. */
int mt_future_cancel(struct mt_future *future);

/* Cancels the task, or, if it runs, asks it to end as mt_task_kill does: the call that it blocks in returns -ECANCELED.
 * The worker is not harmed. 0; -ESRCH: it has ended, or as above. */
int mt_future_kill(struct mt_future *future);

/* Calls fn(future, arg) when the task has ended: on a task of the pool's own, not on a worker, in the order in which
 * the tasks ended. If it has ended already, the call is made at once, in the caller. 0; -ENOMEM; -EAGAIN (no thread).
 */
typedef void mt_done_fn(struct mt_future *future, void *arg);
int mt_future_add_done_callback(struct mt_future *future, mt_done_fn *fn, void *arg);

/* Takes back one such call. 0; -ESRCH: there is none; it may have been made, or be under way. */
int mt_future_remove_done_callback(struct mt_future *future, mt_done_fn *fn, void *arg);

struct mt_future *mt_future_retain(struct mt_future *future);
void mt_future_release(struct mt_future *future);

enum mt_until { MT_UNTIL_FIRST = 1, MT_UNTIL_FAILURE = 2, MT_UNTIL_ALL = 3 };

/* Waits until one has ended; until one has failed or all have ended; until all have ended. Returns how many have.
 * Errors as mt_future_wait's; -EINVAL: count is 0; -ENOMEM. */
int mt_futures_wait(struct mt_future *const *futures, size_t count, enum mt_until until,
                    mt_deadline deadline) MT__MUST_CHECK;

/* Hands out futures as their tasks end. mt_completed_next: 1 and the future (the caller's count of it stays as it is);
 * 0: all have been handed out; errors as mt_future_wait's. The futures must be kept until mt_completed_free. */
struct mt_completed;
struct mt_completed *mt_completed_new(struct mt_future *const *futures, size_t count); /* NULL with errno ENOMEM */
int mt_completed_next(struct mt_completed *completed, struct mt_future **future, mt_deadline deadline) MT__MUST_CHECK;
void mt_completed_free(struct mt_completed *completed);

MT__END

#endif
