/* SPDX-License-Identifier: MIT
 *
 * Who waits for whom: the threads of one or several processes as a graph in which each thread has at most one arrow, to
 * the thread that holds what it waits for. A circle of arrows is a deadlock, if it stands still.
 *
 * An arrow is drawn only where an owner is recorded in a form that is checked (deadlock-waits.c); nothing is guessed
 * from addresses or names. A wait without a recorded owner ends a chain and says so.
 */
#ifndef MTRACE_DEADLOCK_H
#define MTRACE_DEADLOCK_H

#include "reader.h"
#include "symbols.h"
#include "tasks.h"

#include <stdio.h>

enum wait_kind {
    WAIT_NONE,   /* it runs, or is about to */
    WAIT_CALL,   /* in a system call that is not a futex */
    WAIT_SLEEP,  /* in liblinuxmt's sleep: for nobody */
    WAIT_FUTEX,  /* on a futex without a recorded owner: condition, semaphore, barrier, another language's lock */
    WAIT_MUTEX,  /* pthread_mutex_t */
    WAIT_ROBUST, /* pthread_mutex_t, robust */
    WAIT_PI,     /* priority-inheriting lock */
    WAIT_RWLOCK, /* pthread_rwlock_t */
    WAIT_LOCK,   /* struct mt_lock */
    WAIT_JOIN,   /* the end of a thread */
    WAIT_TASK,   /* another wait of liblinuxmt: condition, event, ... */
};

struct process {
    pid_t pid;
    char name[16];
    size_t threads, coroutines;
    struct symbols *symbols; /* opened when first needed */
    struct tasks tasks;
    bool has_tasks;
};

struct waiter {
    struct stuck_task task;
    struct process *process;
    enum wait_kind kind;
    uint64_t object;                 /* address of the lock */
    uint32_t owner_tid;              /* as the process numbers it; 0: none is recorded */
    pid_t owner_pid;                 /* of an owner in a process that is not looked at, 0: unknown, or it is */
    int owner;                       /* index in the picture; -1: none, or it is not there any more */
    bool timed;                      /* the wait ends by itself at some time */
    bool abandoned;                  /* the owner has ended and never gave the lock back */
    bool shared;                     /* the lock may be another process's, too */
    int circle;                      /* which circle it is part of, -1 */
    size_t behind;                   /* how many threads wait for it, directly or through others */
    const struct mt__record *record; /* of liblinuxmt, or NULL */
    bool in_hub;    /* it waits in a hub, a coroutine or the hub's own thread: its record says for what */
    bool coroutine; /* task is its thread's then, but for own_tid, by which its locks name it */
};

struct picture {
    struct process *processes;
    size_t process_count;
    struct waiter *waiters;
    size_t count;
    size_t circles;
    size_t abandoned;
};

/* Lists the threads of all processes and decodes what each waits for. 0 or -errno; *failed is the process it failed
 * for. */
int picture_take(struct picture *picture, struct reader *reader, pid_t *failed);
void picture_clear(struct picture *picture);

/* Fills kind, object, owner_tid, timed and shared of a waiter. */
void waiter_decode(const struct picture *picture, struct waiter *waiter, struct reader *reader);

/* The number by which a report names it: a thread's id, or what a coroutine's locks show. */
uint32_t waiter_number(const struct waiter *waiter);

/* A picture's waiters are sorted by process and by the thread's number in it. */
int waiter_compare(const void *left, const void *right);
int waiter_by_tid(const struct picture *picture, const struct process *process, uint32_t own_tid);

/* Draws the arrows, numbers the circles, counts who waits behind whom. */
void picture_link(struct picture *picture);

/* Forgets the circles and the abandoned locks of which a thread has moved since an earlier picture. */
void picture_keep_stable(struct picture *picture, const struct picture *before);

/* The waiter at the start of the longest chain outside circles, -1 if nobody waits for anybody. */
int picture_longest_chain(const struct picture *picture);

/* How many wait for something of which nobody looked at is known to be the owner: a circle through these is not seen.
 */
size_t picture_unknown(const struct picture *picture);

struct symbols *process_symbols(struct process *process);

/* What the report says of a waiter. Texts are filled also when little is known. */
struct wait_words {
    char task[48];      /* 4712 "left" */
    char kind[24];      /* "mutex", "lock", "end of a thread" */
    char lock[160];     /* name or address; "" for a join */
    char acquired[160]; /* where the holder acquired it; "" if unknown */
    struct symbols_frame frames[64];
    size_t frame_count;
    const struct symbols_frame *at; /* the line that waits, NULL if unknown */
    char place[64];                 /* the same as liblinuxmt recorded it, if no frame stands there: "file:line" */
};
void waiter_words(const struct waiter *waiter, struct reader *reader, struct wait_words *words);
const char *waiter_call_name(const struct waiter *waiter);

/* The reports. 0, or -errno if it cannot be written. */
struct report {
    const struct picture *picture;
    struct reader *reader;
    bool stacks;
    double milliseconds;
    unsigned passes;
};
int report_text(const struct report *report, FILE *out);
int report_json(const struct report *report, FILE *out);

#endif
