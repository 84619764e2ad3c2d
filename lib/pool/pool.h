/* SPDX-License-Identifier: MIT
 *
 * Inside the room: futures, notes on them, workers, and the pool.
 *
 * lib/pool/future.c tables the states of a future, lib/pool/queue.c those of a worker that looks for work. Workers are
 * threads, which with a process each make a pool of processes, or coroutines: lib/pool/worker.c.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "coro/hub.h"
#include "wait/wait.h"
#include <linuxmt/cond.h>
#include <linuxmt/coro.h>
#include <linuxmt/lock.h>
#include <linuxmt/pool.h>
#include <linuxmt/process.h>
#include <linuxmt/thread.h>

/* -- Futures ------------------------------------------------------------------------------------------------------ */

/* A future's word: its enum mt_future_state, and flags. */
#define MT__STATE   3u
#define MT__WAITERS 4u  /* somebody may sleep on the word */
#define MT__NOTES   8u  /* there may be notes: whoever ends it looks, under the guard */
#define MT__KILLED  16u /* its task is asked to end */
#define MT__KILLING 32u /* and is just being told so: it cannot end before that is done */
#define MT__SENT    64u /* queued no more in the pool, but in a process's window, and not known to have begun there */

struct mt__worker;
struct mt__note;

#define MT__SMALL 16 /* bytes of a value that need no allocation */

struct mt__told {         /* what a task says beside its code and value: made when it is needed */
    struct mt_task *task; /* the worker's, if it failed: kept for the failure hook */
    struct mt_future *future;
    struct mt__told *next, **link; /* unread.c's list */
    char message[];
};

/* Programs keep many of these: with an argument of up to 8 bytes they are small enough, at 120 bytes, that malloc
 * serves them from its fast bins. */
struct mt_future {
    uint32_t word; /* these two are read together by the deadlock check: MT__FUTURE_STARTED in task/deadlock.h */
    uint32_t tid;  /* of the thread that runs it or has run it, 0: none */
    uint32_t references;
    uint16_t noticed;       /* its failure has been read */
    uint16_t forks;         /* of this process when it was made, the low bits */
    struct mt_future *next; /* in the queue */
    struct mt_pool *pool;   /* good until it has ended */
    mt_fn *fn;
    size_t size;               /* of the argument */
    struct mt__worker *worker; /* good while it runs */
    union {
        struct mt_future *outer; /* while it runs: what that worker was running when it began with this one */
        uint64_t worker_id;      /* then */
    } by;
    int code;
    struct mt__mini guard; /* of the notes */
    struct mt__note *notes;
    struct mt__told *told;
    size_t value_size;
    union {
        void *far; /* if it has more than MT__SMALL bytes, or is a chunk's */
        char near[MT__SMALL];
        uint64_t number; /* before there is one: in its process's window */
    } value;
    _Alignas(max_align_t) union {
        void *pointer; /* the argument if it has no size; of a promise its name */
        char copy[8];  /* of the argument, which goes on behind the struct if it is larger */
    } argument;
};

_Static_assert(offsetof(struct mt_future, argument) <= 112, "one with a small argument is larger than 120 bytes");

static inline void *mt__future_argument(struct mt_future *future)
{
    return future->size ? future->argument.copy : future->argument.pointer;
}

/* A value on its way into a chunk's, or to another process. */
struct mt__value {
    void *bytes; /* allocated, or near; NULL: there is none */
    size_t size;
    max_align_t near[4];
};

void mt__value_drop(struct mt__value *value);

/* Something to do when a future ends. Those with a set are the set's, and taken off under the future's guard; those
 * without are callbacks, and from then on the pool's, or of a promise its setter's. */
struct mt__set;
struct mt__note {
    struct mt__note *next, **link; /* on the future's list, then on the set's or the pool's */
    struct mt__set *set;
    struct mt_future *future;
    int ended;
    mt_done_fn *fn;
    void *arg;
};

/* Notes of futures that have ended, in that order, and a number on which their one reader sleeps. */
struct mt__set {
    struct mt__mini guard;
    uint32_t ended; /* futex word: how many have been put in, ever */
    int sought;     /* the reader has found nothing, and may sleep: who puts one in wakes it */
    struct mt__note *first, **last;
};

void mt__set_init(struct mt__set *set);
/* The future's end is to be told to the set: at once if it has ended. */
void mt__set_add(struct mt__set *set, struct mt__note *note, struct mt_future *future);
/* The next note of a future that has ended; NULL: none yet. */
struct mt__note *mt__set_take(struct mt__set *set);
/* Waits until a note can be taken, running what is queued among the notes' futures itself if the caller is a worker of
 * their pool. */
int mt__set_wait(struct mt__set *set, struct mt__note *const *notes, size_t count, mt_deadline deadline);
/* The set forgets the note, whether or not its future has ended. */
void mt__set_remove(struct mt__note *note);

/* Stores a note on a future that has not ended. 0: it has. With the future's guard, as the other. */
int mt__note_add(struct mt__note *note, struct mt_future *future);
void mt__note_take_off(struct mt__note *note);
void mt__notes_tell(struct mt_future *future);

/* A future with a copy of the argument and two references, the queue's and the caller's. NULL: no memory. */
struct mt_future *mt__future_new(struct mt_pool *pool, mt_fn *fn, const void *arg, size_t size);

/* Makes a queued future's task the calling worker's. 0: somebody else was quicker. */
int mt__future_start(struct mt_future *future, struct mt__worker *worker);

/* Makes a queued future the caller's, who ends it without its being run. 0: somebody else was quicker. */
int mt__future_claim(struct mt_future *future);

/* Ends it: what became of it is stored already. The caller must have started it, or, for MT_CANCELLED, it is queued. 0:
 * it was not. */
int mt__future_end(struct mt_future *future, enum mt_future_state state);

/* The same, but nobody is told yet: the caller is to do that, by mt__future_ended(future, *before). */
int mt__future_end_quietly(struct mt_future *future, enum mt_future_state state, uint32_t *before);

/* The word that was changed to an end had this before: wakes and tells those who are to hear of it. */
void mt__future_ended(struct mt_future *future, uint32_t word);

/* sent.c: of a future that is in the window of a worker's process, or on its way there or back. */

/* It is queued: now it is sent, with that number. 0: it has been cancelled. */
int mt__future_send(struct mt_future *future, struct mt__worker *worker, uint64_t number);

/* It is sent, or has begun: now it has begun. 0: it has been taken back. */
int mt__future_begin(struct mt_future *future);

/* It is out of the window, and had not begun: it is queued again. */
void mt__future_unsend(struct mt_future *future);

/* Takes it back out of the window and cancels it. 1: done; 0: it has begun; -EAGAIN: look again. */
int mt__future_take_back(struct mt_future *future);

/* Gives a future that has not been started an end with that code and message, for others to find. */
void mt__future_fail(struct mt_future *future, int code, const char *message);
void mt__future_tell(struct mt_future *future, struct mt_task *task, const char *message);

/* Made, and about to be freed: in between an exit finds whether somebody has read of it. */
void mt__unread_add(struct mt__told *told);
void mt__unread_remove(struct mt__told *told);
void mt__unread_before_fork(void);
void mt__unread_after_fork(void);
void mt__unread_after_fork_in_child(void);

/* Whether its pool has stayed in the parent of a fork: nobody will run it. */
int mt__future_is_stale(const struct mt_future *future);

/* If the caller is a worker of the future's pool and the future is queued, runs it. Returns whether it did. */
int mt__future_help(struct mt_future *future);

/* -- Workers ------------------------------------------------------------------------------------------------------ */

struct mt__worker {
    struct mt_pool *pool;
    struct mt_task *task;
    struct mt__worker *next;
    struct mt_future *current; /* what it runs; futures that it runs inside others lead to those by `outer` */
    struct mt__mini guard;   /* of a change of current between two futures, and of telling the task that it is killed */
    int left;                /* it takes no more tasks: under the pool's lock */
    int begun;               /* a coroutine: its body runs, or has */
    struct mt__value *value; /* where mt_pool_reply puts it; NULL: into the current future */
    struct mt__remote *remote; /* the process of a pool of processes */
    uint64_t done, failed;     /* written by the worker */
    uint64_t cancelled;        /* found so, or so while in its process's window: under the guard */
    int initializing;          /* it is calling the initializer */
};

/* The worker that the calling task is, or NULL. */
struct mt__worker *mt__worker_here(void);

/* A new worker, put on the pool's list; the pool's lock is held. 0 or -errno. */
int mt__worker_spawn(struct mt_pool *pool);

/* The worker's thread has ended, and the worker is on no list: if it was lost, so that it did not leave, all that it
 * ran is ended, and it is replaced. */
void mt__worker_mourn(struct mt__worker *worker);

/* The worker takes no more tasks; with the lock. */
void mt__worker_leave(struct mt__worker *worker);

/* What the worker runs from now on, or NULL, before others can know of it; and, after that, what that means for its
 * being killed. nested: it changes between two futures that it runs one inside the other. */
void mt__worker_turn_to(struct mt__worker *worker, struct mt_future *future);
void mt__worker_settle(struct mt__worker *worker, struct mt_future *future, int nested);

/* A body has returned, or ended its thread, that began after so many forks: in a child that it forked, exits. */
void mt__worker_forked(uint64_t forks);

/* The calling thread is that worker: for the process of a pool of processes. */
void mt__worker_be(struct mt__worker *worker);

/* Calls the initializer, again and again if the pool has it so. 0, or the code that it failed with at last. */
int mt__worker_initialize(struct mt__worker *worker);

/* Runs a future that the worker has started. */
void mt__worker_run(struct mt__worker *worker, struct mt_future *future);

/* A value for the current future, allocated, which is given away. */
void mt__worker_give(struct mt__worker *worker, void *value, size_t size);

/* Tells the worker's task that this future, which it runs, is killed; NULL: whatever it runs. */
void mt__worker_kill(struct mt__worker *worker, struct mt_future *future);

/* A future that the worker has started is about to end with that code; and it ends. */
void mt__worker_note_end(struct mt__worker *worker, struct mt_future *future, int code);
void mt__worker_ended(struct mt__worker *worker, struct mt_future *future, int code);

/* -- Workers of a pool of processes: remote.h ---------------------------------------------------------------------- */

/* Starts the worker's process, which calls the initializer. 0; or its code, or -errno, with a message. */
int mt__remote_initialize(struct mt__worker *worker);

/* Runs the pool's tasks in the worker's process until the worker is to end. */
void mt__remote_work(struct mt__worker *worker);

/* Asks the task, which is in the process's window, to end. */
void mt__remote_kill(struct mt__worker *worker, struct mt_future *future);

/* Whether the task can only be sent to a process that has nothing else to do. */
int mt__remote_is_heavy(const struct mt__worker *worker, const struct mt_future *future);

/* How many tasks the process does in less time than it takes to wake another, at least 1. */
unsigned mt__remote_moment(const struct mt__worker *worker);

/* The process ends, if there is one. */
void mt__remote_end(struct mt__worker *worker);

/* The worker's thread has ended beside the way: what its process ran ends, the rest goes back to the queue. */
void mt__remote_lost(struct mt__worker *worker, const char *why);

/* In a process of a pool: the function that is known there by an address of the pool's. Elsewhere that itself. */
mt_fn *mt__served_function(mt_fn *fn);

/* -- The pool ----------------------------------------------------------------------------------------------------- */

enum mt__pool_state { MT__OPEN, MT__CLOSED, MT__TERMINATED, MT__BROKEN };

struct mt_pool {
    struct mt_lock lock; /* of all that follows but what is set by mt_pool_open */
    int state;           /* enum mt__pool_state; read without the lock where it may be late */
    unsigned wanted;     /* workers */
    unsigned living;     /* workers that still take tasks */
    unsigned numbered;   /* workers ever */
    struct mt__worker *workers;

    struct mt_future *head, **tail;
    size_t queued; /* read without the lock by a worker that spins */
    struct mt_cond room;
    unsigned idle;     /* workers that sleep, or are about to */
    unsigned waking;   /* how many of them have been woken and are not back yet */
    int spinning;      /* one looks at `queued` before it sleeps */
    unsigned patience; /* for how long: in looks */
    uint32_t work;     /* futex word of the idle: raised for each that is woken */

    struct mt__set ended; /* notes of futures whose callbacks are due */
    unsigned callbacks;   /* that have been asked for and not been called yet: atomic */
    struct mt_task *caller;

    uint64_t done, failed, cancelled; /* of workers that are gone */
    unsigned failures;                /* initializers in a row */
    int code;                         /* of a broken pool */
    char message[MT_MESSAGE_MAX];

    size_t backlog, stack_size;
    enum mt_kind kind;
    struct mt_process_options process; /* of a pool of processes, */
    unsigned tasks_per_worker, retries;
    size_t memory_max;
    int64_t soft_limit, hard_limit;
    mt_fn *initializer;
    void *argument;
    size_t argument_size;
    unsigned tries;
    struct mt__hub *hub; /* of a pool of coroutines: where they run */
    uint64_t forks;      /* of this process, when it was opened */
    char name[MT_NAME_MAX];
    max_align_t copy[]; /* of the initializer's argument */
};

void mt__pool_lock(struct mt_pool *pool);
void mt__pool_unlock(struct mt_pool *pool);

extern uint64_t mt__pool_forks; /* of this process: raised in each child */

/* Whether the pool has stayed in the parent of a fork. */
int mt__pool_is_stale(const struct mt_pool *pool);

/* Why the pool takes no tasks: 0 if it does. With the lock. */
int mt__pool_refuses(const struct mt_pool *pool);

/* The pool ends by itself: with the lock. Returns the queue, to be failed with mt__pool_fail without the lock. */
struct mt_future *mt__pool_break(struct mt_pool *pool, int code, const char *message);
void mt__pool_fail(struct mt_pool *pool, struct mt_future *list);

/* Ends futures that have been taken from the queue of a pool that has been terminated, or has ended by itself. */
void mt__pool_drop(struct mt_pool *pool, struct mt_future *list);

/* It is a pool of coroutines, whose thread ends: the caller, one of them, is to leave. */
int mt__pool_hub_ends(const struct mt_pool *pool);

/* The initializer failed: returns whether the worker is to try again. */
int mt__pool_initializer_failed(struct mt_pool *pool, int code, const char *message);

/* Puts a future into the queue. 0 or -errno. */
int mt__queue_put(struct mt_pool *pool, struct mt_future *future, mt_deadline deadline);

/* The next future for this worker, started; NULL: the worker is to end. With `most` not 0: a list of up to so many, a
 * fair share of the queue, none of them started. */
struct mt_future *mt__queue_get(struct mt__worker *worker, unsigned most);

/* The same list, but does not wait: NULL if there is none. */
struct mt_future *mt__queue_more(struct mt__worker *worker, unsigned most);

/* A list of futures comes back, before all that is queued. */
void mt__queue_put_back(struct mt_pool *pool, struct mt_future *list);

/* Takes all that is queued; with the lock. Wakes all who wait for work or room. */
struct mt_future *mt__queue_clear(struct mt_pool *pool);
void mt__queue_wake_all(struct mt_pool *pool);

/* -- Callbacks ---------------------------------------------------------------------------------------------------- */

/* Makes a list's calls, one after the other, and frees the notes. */
void mt__callbacks_call(struct mt__note *list);

/* Starts the pool's task that calls them. 0 or -errno. With the lock. */
int mt__callbacks_start(struct mt_pool *pool);

/* The pool's task that calls them has nothing left to do, and nothing more will come. */
int mt__callbacks_join(struct mt_pool *pool, mt_deadline deadline);

/* -- Chunks of items ---------------------------------------------------------------------------------------------- */

/* One item's result in the value of a chunk's future: followed by the message and the value, each aligned to 8. */
struct mt__piece {
    int32_t code;
    uint32_t message_size;
    uint64_t size;
};

/* What a chunk calls for each item; NULL: the future is no chunk. */
mt_fn *mt__chunk_function(const struct mt_future *future);

struct mt_future *mt__chunk_submit(struct mt_pool *pool, mt_fn *fn, const void *items, size_t item_size, size_t count,
                                   mt_deadline deadline);

/* Reads the pieces of a chunk's future one after another. at: 0 at first. value: what the item gave. */
void mt__chunk_read(const struct mt_future *future, size_t *at, struct mt_outcome *outcome, const void **value);

/* A failed item that nobody will ask for. */
void mt__failure_of(const struct mt_future *future, int code, const char *message);

#endif
