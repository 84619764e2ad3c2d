/* SPDX-License-Identifier: MIT
 *
 * A bounded queue of messages between tasks of any kind in any number of processes. See mt_queue_put(3).
 *
 * It lies in a sealed memfd: whoever has the descriptor can use it, and it is gone with its last user. Any user may be
 * killed at any moment: the queue stays whole, and at most the message that it was just putting or getting is lost.
 */
#ifndef LINUXMT_QUEUE_H
#define LINUXMT_QUEUE_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

MT__BEGIN

struct mt_queue;

enum mt_queue_order {
    MT_QUEUE_FIFO = 0,    /* first in, first out */
    MT_QUEUE_LIFO = 1,    /* last in, first out */
    MT_QUEUE_PRIORITY = 2 /* lowest priority number first, of the same number first in, first out */
};

struct mt_queue_options {
    const char *name; /* optional; copied, MT_NAME_MAX */
    enum mt_queue_order order;
    uint32_t capacity;    /* messages, 0: 256 */
    uint32_t message_max; /* bytes of the largest message, 0: 4096 */
    uint64_t bytes; /* FIFO: room for all messages, each counts its size rounded up to 8 and 8 more. 0: enough for the
                       capacity in messages of the largest size */
};

/* Makes a queue. NULL with errno ENOMEM, ENOSPC, EMFILE, ENFILE, EINVAL (options), ENOSYS (no memfd_create). */
struct mt_queue *mt_queue_new(const struct mt_queue_options *options);

/* A handle on the queue behind a descriptor, which stays the caller's. NULL with errno EBADF, EINVAL (it is not a
 * queue), EPERM (it is not sealed, or not writable), EUCLEAN (a queue, but what it says of itself does not fit),
 * EPROTO (made by a version that lays it out differently), ENOMEM, EMFILE. */
struct mt_queue *mt_queue_attach(int fd);

/* The same for a descriptor of another process, given its pidfd. Also ESRCH, EPERM, ENOSYS. */
struct mt_queue *mt_queue_attach_from(int pidfd, int fd);

/* The descriptor to pass on: of the handle, close-on-exec, not to be closed by the caller. */
int mt_queue_fd(const struct mt_queue *queue);

/* Gives the handle back: no call may be under way with it in this process, and no view out. Others are not touched. */
void mt_queue_free(struct mt_queue *queue);

/* Puts a message. 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY): it is full; -EMSGSIZE; -EPIPE: it is closed; -ECANCELED;
 * -ENOMEM; -EUCLEAN: somebody has written over the queue's memory. */
int mt_queue_put(struct mt_queue *queue, const void *data, size_t size, mt_deadline deadline) MT__MUST_CHECK;

/* The same with a priority number. Also -EINVAL if the queue has no such order and the number is not 0. */
int mt_queue_put_priority(struct mt_queue *queue, const void *data, size_t size, int32_t priority,
                          mt_deadline deadline) MT__MUST_CHECK;

/* Puts up to count messages, waiting until there is room for the first: how many, or an error if none. */
int mt_queue_put_many(struct mt_queue *queue, const struct iovec *messages, size_t count,
                      mt_deadline deadline) MT__MUST_CHECK;

/* Gets a message: its size, which may be 0. -ETIMEDOUT (with MT_NOWAIT: -EBUSY): it is empty; -EMSGSIZE: the message
 * is larger than size, and stays; -EPIPE: it is closed and empty; -ECANCELED; -ENOMEM; -EUCLEAN. */
ssize_t mt_queue_get(struct mt_queue *queue, void *data, size_t size, mt_deadline deadline) MT__MUST_CHECK;

/* Gets up to count messages, waiting for the first, each into its own buffer, and sets the iov_len of those that were
 * filled: how many, or an error as mt_queue_get's if none. */
int mt_queue_get_many(struct mt_queue *queue, struct iovec *messages, size_t count,
                      mt_deadline deadline) MT__MUST_CHECK;

/* As mt_queue_get, but leaves the message where it is. */
ssize_t mt_queue_peek(struct mt_queue *queue, void *data, size_t size, mt_deadline deadline) MT__MUST_CHECK;

/* A message got without being copied, for reading in place. If its taker's process dies, or it is not wanted, another
 * gets it. */
struct mt_queue_view {
    const void *data;
    size_t size;
    uint32_t place; /* private */
    uint32_t number;
};

#define MT_QUEUE_VIEWS 64 /* that may be out at once, of all users of a queue */

/* 0; errors as mt_queue_get's; -ENOBUFS: too many views are out. */
int mt_queue_get_view(struct mt_queue *queue, struct mt_queue_view *view, mt_deadline deadline) MT__MUST_CHECK;

/* Gives a view back: done with it, or, if again is not 0, for another to get, before all that wait in the queue.
 * 0; -EINVAL: it is not out; -EUCLEAN. Waits for nothing but other users' short sections. */
int mt_queue_give_back(struct mt_queue *queue, struct mt_queue_view *view, int again);

/* No more puts, by anybody: they fail with -EPIPE, and so do gets once the queue is empty. 0; -ETIMEDOUT if another
 * user keeps it from that for long; -ENOMEM. */
int mt_queue_close(struct mt_queue *queue);
int mt_queue_is_closed(const struct mt_queue *queue);

/* Says that the work on one message that was got is done. 0; -EINVAL: more often than there were messages. */
int mt_queue_task_done(struct mt_queue *queue);

/* Waits until as many are done as have been put. 0; -ETIMEDOUT (MT_NOWAIT: -EBUSY), -ECANCELED, -ENOMEM. */
int mt_queue_join(struct mt_queue *queue, mt_deadline deadline) MT__MUST_CHECK;

/* What has become of its messages. Counts are since it was made, and wrap at 2^32. */
struct mt_queue_status {
    uint32_t size;     /* there to be got */
    uint32_t viewed;   /* got in place, and not given back; to be got again, if that process has died */
    uint32_t put;      /* ever */
    uint32_t undone;   /* put and not said to be done by mt_queue_task_done */
    uint32_t lost_put; /* begun, by a user that was killed before it had put it */
    uint32_t lost_got; /* taken, by a user that was killed before its call returned */
    uint32_t again;    /* got again, or to be: their taker, who had them in place, has died */
    uint32_t deaths;   /* users that were killed within a call, while they held up the others */
    uint32_t reserved[4];
};

/* 0; -ETIMEDOUT if another user keeps it from that for long; -ENOMEM. */
int mt_queue_status(struct mt_queue *queue, struct mt_queue_status *status);

/* Out of date by the time they are read, unless nobody else uses the queue. */
uint32_t mt_queue_size(const struct mt_queue *queue);
int mt_queue_is_empty(const struct mt_queue *queue);
int mt_queue_is_full(const struct mt_queue *queue);

uint32_t mt_queue_capacity(const struct mt_queue *queue);
uint32_t mt_queue_message_max(const struct mt_queue *queue);
const char *mt_queue_name(const struct mt_queue *queue);

MT__END

#endif
