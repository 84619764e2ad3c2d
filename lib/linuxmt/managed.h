/* SPDX-License-Identifier: MIT
 *
 * What is done with the objects of a manager. See mt_managed_queue(3), mt_managed_lock(3), mt_managed_cond(3),
 * mt_managed_dict(3).
 *
 * All but dicts and lists is used in memory by programs on the server's host, and then never asks
 * the server, and outlives it; elsewhere, and for dicts and lists always, each call is a request. A request can also
 * fail with -EPIPE: the server is gone, or the connection to it, before it has answered, so the call may have been
 * carried out; -ESTALE: the object was removed; -EUSERS: the server has all the connections it may have; -EPROTO;
 * -ENOMEM. mt_manager_message(3) says more.
 */
#ifndef LINUXMT_MANAGED_H
#define LINUXMT_MANAGED_H

#include <linuxmt/compiler.h>
#include <linuxmt/queue.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

MT__BEGIN

struct mt_managed_queue;
struct mt_managed_lock;
struct mt_managed_event;
struct mt_managed_sem;
struct mt_managed_counter;
struct mt_managed_cond;
struct mt_managed_barrier;
struct mt_managed_rwlock;
struct mt_managed_dict;
struct mt_managed_list;

/* Give handles back; the objects stay. NULL is allowed. A lock must not be held by this process. */
void mt_managed_queue_free(struct mt_managed_queue *queue);
void mt_managed_lock_free(struct mt_managed_lock *lock);
void mt_managed_event_free(struct mt_managed_event *event);
void mt_managed_sem_free(struct mt_managed_sem *sem);
void mt_managed_counter_free(struct mt_managed_counter *counter);
void mt_managed_cond_free(struct mt_managed_cond *cond);
void mt_managed_barrier_free(struct mt_managed_barrier *barrier);
void mt_managed_rwlock_free(struct mt_managed_rwlock *rwlock);
void mt_managed_dict_free(struct mt_managed_dict *dict);
void mt_managed_list_free(struct mt_managed_list *list);

/* -- Queues ------------------------------------------------------------------------------------------------------- */

/* The queue itself, with all its calls, valid as long as the handle; NULL if it is used by requests. */
struct mt_queue *mt_managed_queue_local(const struct mt_managed_queue *queue);

/* As the calls of mt_queue_put(3). By request, a message whose getter goes away before it has it is not lost: another
 * gets it. If the connection breaks just when it has it, another may get it too. */
int mt_managed_queue_put(struct mt_managed_queue *queue, const void *data, size_t size,
                         mt_deadline deadline) MT__MUST_CHECK;
int mt_managed_queue_put_priority(struct mt_managed_queue *queue, const void *data, size_t size, int32_t priority,
                                  mt_deadline deadline) MT__MUST_CHECK;
ssize_t mt_managed_queue_get(struct mt_managed_queue *queue, void *data, size_t size,
                             mt_deadline deadline) MT__MUST_CHECK;
int mt_managed_queue_close(struct mt_managed_queue *queue, mt_deadline deadline);
int mt_managed_queue_task_done(struct mt_managed_queue *queue, mt_deadline deadline);
int mt_managed_queue_join(struct mt_managed_queue *queue, mt_deadline deadline) MT__MUST_CHECK;

/* Messages in it: out of date by the time it is read. */
ssize_t mt_managed_queue_size(struct mt_managed_queue *queue, mt_deadline deadline);

/* -- Locks, as mt_robust_acquire(3) ------------------------------------------------------------------------------- */

/* 0: held. -EOWNERDEAD: held as well, but its last holder died, or lost its connection: mend what it guards, then call
 * mt_managed_lock_consistent. Not held: -ENOTRECOVERABLE, -ETIMEDOUT (-EBUSY), -EDEADLK, -ECANCELED, -ENOMEM. */
int mt__managed_lock_acquire(struct mt_managed_lock *lock, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_managed_lock_acquire(lock, deadline) mt__managed_lock_acquire(lock, deadline, MT__HERE)

/* 0; -EPERM: the calling task does not hold it; -EINVAL: its last owner released it; by request also -EPIPE: the
 * connection is broken, so it is held no more. */
int mt_managed_lock_consistent(struct mt_managed_lock *lock);
int mt_managed_lock_release(struct mt_managed_lock *lock);

/* -- Conditions: each has its lock, as mt_managed_lock_acquire ---------------------------------------------------- */

int mt__managed_cond_acquire(struct mt_managed_cond *cond, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_managed_cond_acquire(cond, deadline) mt__managed_cond_acquire(cond, deadline, MT__HERE)
int mt_managed_cond_consistent(struct mt_managed_cond *cond);
int mt_managed_cond_release(struct mt_managed_cond *cond);

/* As mt_cond_wait_robust: 0, also without a notification; -EOWNERDEAD, -ETIMEDOUT: the lock is held. -EPERM: it was
 * not. -EINVAL: it is, unmended. -ECANCELED: it is held in memory, and is not by requests. Not held: -ENOTRECOVERABLE,
 * and by requests -EPIPE, -ESTALE, -EPROTO. */
int mt__managed_cond_wait(struct mt_managed_cond *cond, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_managed_cond_wait(cond, deadline) mt__managed_cond_wait(cond, deadline, MT__HERE)

/* With or without the lock. */
int mt_managed_cond_notify(struct mt_managed_cond *cond, uint32_t count, mt_deadline deadline);
int mt_managed_cond_notify_all(struct mt_managed_cond *cond, mt_deadline deadline);

/* -- Barriers, as mt_barrier_wait(3) ------------------------------------------------------------------------------ */

/* Its place in the round. -ETIMEDOUT (MT_NOWAIT too), -ECANCELED: this task could not wait on, and has broken it for
 * all. -ENOTRECOVERABLE: it is broken, or was while this task waited. */
int mt_managed_barrier_wait(struct mt_managed_barrier *barrier, mt_deadline deadline) MT__MUST_CHECK;
int mt_managed_barrier_abort(struct mt_managed_barrier *barrier, mt_deadline deadline);
int mt_managed_barrier_reset(struct mt_managed_barrier *barrier, mt_deadline deadline);
int mt_managed_barrier_is_broken(struct mt_managed_barrier *barrier, mt_deadline deadline); /* 1 or 0 */
int mt_managed_barrier_waiting(struct mt_managed_barrier *barrier, mt_deadline deadline);
int mt_managed_barrier_parties(struct mt_managed_barrier *barrier, mt_deadline deadline);

/* -- Read-write locks --------------------------------------------------------------------------------------------- */

/* 0: held. -EOWNERDEAD: held as well, but a writer died writing: a writer mends, and calls
 * mt_managed_rwlock_consistent; until then all are told. Not held: -ETIMEDOUT (-EBUSY), -EDEADLK, -ECANCELED, -ENOMEM.
 */
int mt__managed_rwlock_acquire_read(struct mt_managed_rwlock *rwlock, mt_deadline deadline,
                                    const char *place) MT__MUST_CHECK;
int mt__managed_rwlock_acquire_write(struct mt_managed_rwlock *rwlock, mt_deadline deadline,
                                     const char *place) MT__MUST_CHECK;
#define mt_managed_rwlock_acquire_read(rwlock, deadline)  mt__managed_rwlock_acquire_read(rwlock, deadline, MT__HERE)
#define mt_managed_rwlock_acquire_write(rwlock, deadline) mt__managed_rwlock_acquire_write(rwlock, deadline, MT__HERE)

/* 0; -EPERM: the calling task does not hold it so; by request -EPIPE: it is held no more. */
int mt_managed_rwlock_release_read(struct mt_managed_rwlock *rwlock);
int mt_managed_rwlock_release_write(struct mt_managed_rwlock *rwlock);

/* 0; -EPERM: the calling task does not write; -EINVAL: there is nothing to be mended. */
int mt_managed_rwlock_consistent(struct mt_managed_rwlock *rwlock);

/* -- Events, semaphores, counters --------------------------------------------------------------------------------- */

int mt_managed_event_set(struct mt_managed_event *event, mt_deadline deadline);
int mt_managed_event_clear(struct mt_managed_event *event, mt_deadline deadline);
int mt_managed_event_is_set(struct mt_managed_event *event, mt_deadline deadline); /* 1 or 0 */
int mt_managed_event_wait(struct mt_managed_event *event, mt_deadline deadline) MT__MUST_CHECK;

int mt_managed_sem_acquire(struct mt_managed_sem *sem, mt_deadline deadline) MT__MUST_CHECK;
int mt_managed_sem_release(struct mt_managed_sem *sem, uint32_t count, mt_deadline deadline); /* -EOVERFLOW */
int64_t mt_managed_sem_value(struct mt_managed_sem *sem, mt_deadline deadline);

/* Adds to it, in one step for all who use it; *value, if not NULL, is what it is then. It wraps around. */
int mt_managed_counter_add(struct mt_managed_counter *counter, int64_t delta, int64_t *value, mt_deadline deadline);
int mt_managed_counter_get(struct mt_managed_counter *counter, int64_t *value, mt_deadline deadline) MT__MUST_CHECK;
int mt_managed_counter_set(struct mt_managed_counter *counter, int64_t value, mt_deadline deadline);

/* -- Dicts: strings to bytes, and namespaces ---------------------------------------------------------------------- */

struct mt_managed_item {
    const char *key; /* NULL in a list */
    const void *value;
    size_t size;
};

/* 0; -EINVAL: the key is empty, or, in a namespace, no name; -ENAMETOOLONG; -EMSGSIZE; -ENOSPC; or as a request. */
int mt_managed_dict_set(struct mt_managed_dict *dict, const char *key, const void *value, size_t size,
                        mt_deadline deadline) MT__MUST_CHECK;

/* Copies the value out and returns its size; with value NULL only that. -ENOENT; -ENOBUFS: it is larger than size. */
ssize_t mt_managed_dict_get(struct mt_managed_dict *dict, const char *key, void *value, size_t size,
                            mt_deadline deadline);

/* The same, and takes it out of the dict. On an error nothing is taken, but for -EPIPE, -ETIMEDOUT and -ECANCELED. */
ssize_t mt_managed_dict_pop(struct mt_managed_dict *dict, const char *key, void *value, size_t size,
                            mt_deadline deadline);

/* As get, but where the key is missing it is set to the preset first. */
ssize_t mt_managed_dict_setdefault(struct mt_managed_dict *dict, const char *key, const void *preset,
                                   size_t preset_size, void *value, size_t size, mt_deadline deadline);

/* Sets it to `to` (NULL: deletes it) if it is `from` now (NULL: missing): in one step. 0; -EAGAIN: it is something
 * else; or as set. */
int mt_managed_dict_replace(struct mt_managed_dict *dict, const char *key, const void *from, size_t from_size,
                            const void *to, size_t to_size, mt_deadline deadline) MT__MUST_CHECK;

int mt_managed_dict_del(struct mt_managed_dict *dict, const char *key, mt_deadline deadline);      /* -ENOENT */
int mt_managed_dict_contains(struct mt_managed_dict *dict, const char *key, mt_deadline deadline); /* 1 or 0 */
ssize_t mt_managed_dict_len(struct mt_managed_dict *dict, mt_deadline deadline);
int mt_managed_dict_clear(struct mt_managed_dict *dict, mt_deadline deadline);

/* All keys, or keys and values, as they are at one moment, in the order of the keys' bytes: how many. *items is one
 * piece of memory, for the caller to free(3), NULL if there are none. -EMSGSIZE: they are more than MT_CONN_LIMIT
 * together. */
ssize_t mt_managed_dict_keys(struct mt_managed_dict *dict, struct mt_managed_item **items, mt_deadline deadline);
ssize_t mt_managed_dict_items(struct mt_managed_dict *dict, struct mt_managed_item **items, mt_deadline deadline);

/* -- Lists of bytes. An index below 0 counts from the end: -1 is the last ----------------------------------------- */

/* 0; -EMSGSIZE, -ENOSPC. */
int mt_managed_list_append(struct mt_managed_list *list, const void *value, size_t size,
                           mt_deadline deadline) MT__MUST_CHECK;

/* Appends all of them, together not above the server's message_max, or none. */
int mt_managed_list_extend(struct mt_managed_list *list, const struct iovec *values, size_t count,
                           mt_deadline deadline) MT__MUST_CHECK;

/* Before the one at index; beyond an end, at that end. */
int mt_managed_list_insert(struct mt_managed_list *list, int64_t index, const void *value, size_t size,
                           mt_deadline deadline) MT__MUST_CHECK;

/* -ERANGE: there is no such index; get and pop as those of a dict. */
int mt_managed_list_set(struct mt_managed_list *list, int64_t index, const void *value, size_t size,
                        mt_deadline deadline) MT__MUST_CHECK;
ssize_t mt_managed_list_get(struct mt_managed_list *list, int64_t index, void *value, size_t size,
                            mt_deadline deadline);
ssize_t mt_managed_list_pop(struct mt_managed_list *list, int64_t index, void *value, size_t size,
                            mt_deadline deadline);
ssize_t mt_managed_list_len(struct mt_managed_list *list, mt_deadline deadline);
int mt_managed_list_clear(struct mt_managed_list *list, mt_deadline deadline);

/* Those from index `from` to before `to` (INT64_MAX: to the end), as mt_managed_dict_items. */
ssize_t mt_managed_list_slice(struct mt_managed_list *list, int64_t from, int64_t to, struct mt_managed_item **items,
                              mt_deadline deadline);

MT__END

#endif
