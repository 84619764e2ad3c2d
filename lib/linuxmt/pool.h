/* SPDX-License-Identifier: MIT
 *
 * A pool: tasks are put into a queue and run by a fixed number of workers. See mt_pool_open(3).
 *
 * A task's body is int fn(void *arg), as everywhere. Its argument is given as bytes, which the pool copies, with their
 * size; with size 0 the pointer itself is passed on. It gives back a return code, a message (mt_fail) and a value
 * (mt_pool_reply): see linuxmt/future.h.
 *
 * Coroutines run while their thread waits; any task of the process may
 * put tasks into their pool. When that thread ends, the pool has ended by itself, as after a failed initializer.
 */
#ifndef LINUXMT_POOL_H
#define LINUXMT_POOL_H

#include <linuxmt/compiler.h>
#include <linuxmt/future.h>
#include <linuxmt/process.h>
#include <linuxmt/task.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

struct mt_pool;

struct mt_pool_options {
    const char *name;     /* NULL: "pool-" and a number. Workers are NAME/0, NAME/1, ... */
    enum mt_kind kind;    /* 0 or MT_THREAD; MT_PROCESS: each worker runs its tasks in a process; MT_COROUTINE: the
                             workers are coroutines of the thread that opens the pool */
    unsigned workers;     /* 0: as many as the processors that the caller may run on; coroutines: 64 */
    size_t backlog;       /* the most tasks that may be queued; 0: no bound */
    mt_fn *initializer;   /* called in each worker before its first task */
    const void *argument; /* the initializer's: bytes, copied, or with size 0 the pointer */
    size_t argument_size;
    unsigned tries;    /* initializers that may fail in a row: the last one ends the pool; 0: 3 */
    size_t stack_size; /* of a worker; 0: as mt_thread_spawn, or mt_coro_spawn */

    /* of a pool of processes */
    const struct mt_process_options
        *process; /* start, nice, limits, cgroup, sandbox; what they point to is kept until the pool is freed */
    unsigned tasks_per_worker; /* a process is replaced after so many; 0: never */
    unsigned retries;          /* a task whose process has crashed is run again, so many times */
    size_t memory_max;         /* a process that has more bytes in memory between tasks is replaced; 0: never */
    int64_t soft_limit;        /* ns: a task that runs longer is asked to end; 0: no limit */
    int64_t hard_limit;        /* ns: its process is killed; 0: no limit */
};

/* NULL with errno: EINVAL (a stack that is too small, more than MT_POOL_WORKERS workers; options that do not fit each
 * other), EOPNOTSUPP (the kind), ENOTSUP (a start method other than MT_FORK before mt_process_init), ENOMEM, EAGAIN (no
 * threads); of coroutines also what mt_coro_spawn gives. */
struct mt_pool *mt_pool_open(const struct mt_pool_options *options);

#define MT_POOL_WORKERS    4096
#define MT_POOL_COROUTINES 64

/* Puts a task into the queue. If the backlog is full, waits for room, except in a task of the pool itself. The caller
 * owns the future. NULL with errno: ETIMEDOUT (with MT_NOWAIT: EBUSY), ECANCELED, ENOMEM, EPIPE (the pool is closed),
 * ENOTRECOVERABLE (its initializer failed: mt_pool_message), ESRCH (it stayed in the parent of a fork), EINVAL (a pool
 * of processes, and an argument without a size). */
struct mt_future *mt_pool_apply_async(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size,
                                      mt_deadline deadline);

/* The same, and waits until the task has ended. If the deadline comes first, or the caller is killed, the task is taken
 * back; one that runs already runs on. NULL with errno as above, and EDEADLK. */
struct mt_future *mt_pool_apply(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size, mt_deadline deadline);

/* In a task's body: its value, copied; the last one counts. 0; -ENOMEM; -EPERM: the caller is no task of a pool. */
int mt_pool_reply(const void *value, size_t size);

/* Calls fn for each of count items of item_size bytes (0: items are pointers, passed as they are), chunk of them in one
 * task (0: a quarter of a worker's share), and waits for all. Values go to `values`, value_size bytes each, if it is
 * not NULL; outcomes to `outcomes`, likewise. Returns how many failed; their failures, if outcomes is NULL, go to the
 * failure hook. A value that does not have value_size bytes makes its item fail with -EMSGSIZE. On -ETIMEDOUT,
 * -ECANCELED and what mt_pool_apply_async gives, what is queued is taken back. */
int mt_pool_map(struct mt_pool *pool, mt_fn *fn, const void *items, size_t item_size, size_t count, void *values,
                size_t value_size, struct mt_outcome *outcomes, size_t chunk, mt_deadline deadline) MT__MUST_CHECK;

/* Where items come from: an array, or, if next is not NULL, a function that writes one item and returns 1, or returns 0
 * at the end or -errno. It is called by whoever calls mt_pool_imap and mt_imap_next, and by nobody else. */
struct mt_source {
    const void *items;
    size_t item_size;
    size_t count;
    int (*next)(void *arg, void *item);
    void *arg;
};

struct mt_imap_options {
    size_t chunk; /* items in one task; 0: 1 */
    size_t ahead; /* the most items that are taken from the source and not yet given to the consumer; 0: 4 chunks a
                     worker */
};

struct mt_item {
    size_t index;      /* its place in the source */
    const void *value; /* outcome.size bytes, NULL if there is none; valid until the next call */
    struct mt_outcome outcome;
};

/* map, one item at a time, while the others are at work: in the order of the source, or as they end. NULL with errno
 * ENOMEM, EINVAL, and as mt_pool_apply_async. */
struct mt_imap;
struct mt_imap *mt_pool_imap(struct mt_pool *pool, mt_fn *fn, const struct mt_source *source,
                             const struct mt_imap_options *options);
struct mt_imap *mt_pool_imap_unordered(struct mt_pool *pool, mt_fn *fn, const struct mt_source *source,
                                       const struct mt_imap_options *options);

/* 1: item is filled; 0: there are no more; -ETIMEDOUT (with MT_NOWAIT: -EBUSY), -ECANCELED, -EDEADLK: try again; what
 * the source returned, when the items before it have been given; else as mt_pool_apply_async. */
int mt_imap_next(struct mt_imap *imap, struct mt_item *item, mt_deadline deadline) MT__MUST_CHECK;

/* Takes back what is queued. Tasks that run run on; it does not wait for them. */
void mt_imap_free(struct mt_imap *imap);

/* A timer that puts fn(arg) into the pool's queue instead of running it on the timers' thread: see mt_timer_start. A
 * run that finds no room in the backlog fails with -EBUSY. */
struct mt_timer;
struct mt_timer *mt_pool_timer(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size, mt_deadline first,
                               int64_t period);

/* No more tasks are taken (-EPIPE); those in the queue are run, then the workers end. 0; -ESRCH. */
int mt_pool_close(struct mt_pool *pool);

/* Closes it, cancels what is queued and kills what runs. 0; -ESRCH. */
int mt_pool_terminate(struct mt_pool *pool);

/* Waits until the workers of a closed pool have ended, and the callbacks have been called. 0; -ETIMEDOUT (with
 * MT_NOWAIT: -EBUSY); -ECANCELED; -EDEADLK (from a task of the pool, or from its callback); -EINVAL: it is not closed;
 * -ESRCH. */
int mt_pool_join(struct mt_pool *pool, mt_deadline deadline) MT__MUST_CHECK;

/* Terminates it if it is not closed, joins it and frees it. Not to be called by a task of the pool or its callback.
 * Futures stay good. NULL is allowed. */
void mt_pool_free(struct mt_pool *pool);

/* Changes the number of workers. Those too many end when their task does. 0; -EINVAL (0, or above MT_POOL_WORKERS);
 * -EPIPE; -ENOTRECOVERABLE; -ESRCH; -EXDEV (more coroutines, by another thread than theirs); -ENOMEM, -EAGAIN: it has
 * as many more as could be had. */
int mt_pool_resize(struct mt_pool *pool, unsigned workers);

struct mt_pool_counts {
    unsigned workers;
    unsigned running;   /* workers that have a task */
    size_t queued;      /* tasks in the queue; those cancelled count until a worker comes by */
    uint64_t done;      /* tasks that have run to their end, */
    uint64_t failed;    /* how many of these with an outcome other than 0, */
    uint64_t cancelled; /* and tasks that were found cancelled in the queue, or were by mt_pool_terminate */
};
void mt_pool_count(struct mt_pool *pool, struct mt_pool_counts *counts);

const char *mt_pool_name(const struct mt_pool *pool);

/* Why the pool has ended by itself, "" if it has not. */
const char *mt_pool_message(struct mt_pool *pool);

MT__END

#endif
