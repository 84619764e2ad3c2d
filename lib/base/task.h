/* SPDX-License-Identifier: MIT
 *
 * The task itself, its registry, and which task is running on this thread.
 *
 * Life of a task. References: its owner's handle, one for the task while it runs, one for each mt_task_retain.
 *
 *   made       record READY, done 0, *alive != 0
 *   running    record RUNNING or WAITING
 *   finished   outcome stored, record DEAD, done 1: the body has returned, cleanup has run
 *   ended      *alive == 0: the kernel (raw threads) or the task itself has said that nothing of it runs any more
 *   reaped     its stack and the like went back (kind->reap), once, by the last joiner to leave or the last reference
 *              to go
 *
 * A joiner waits on *alive and counts itself in `joiners`, under `guard`, before it looks: the word belongs to what
 * reap gives back.
 */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include "base/mini.h"
#include "base/record.h"
#include "base/seam.h"
#include <linuxmt/error.h>
#include <linuxmt/lock.h>
#include <linuxmt/task.h>

struct mt_task;

/* What a kind of task does in its own way. */
struct mt__kind {
    void (*reap)(struct mt_task *task); /* the task has finished: give its resources back once it has ended */

    /* Each may be NULL: then what is said of threads holds. */
    int (*join)(struct mt_task *task, mt_deadline deadline, const char *place); /* else by the word `alive` */
    int (*kill)(struct mt_task *task);                                          /* else by the word `cancel` */
    int (*ended)(struct mt_task *task); /* whether it has; finishes it then. Else by `done` */
    void (*look)(struct mt_task *task); /* brings the record up to date: nobody writes it by itself */
    void (*lost)(struct mt_task *task); /* its thread is gone without having taken itself off any list */
    int (*keep)(
        struct mt_task *task); /* the last handle goes: not 0 if the kind has taken the task over, with a reference */
    int (*spare)(struct mt_task *task);   /* not 0 if the kind keeps it for mt__task_again, with its record at rest */
    void (*free)(struct mt_task *task);   /* its memory is the kind's: else free(3) */
    void (*forked)(struct mt_task *task); /* in a fork's child: gives back what was inherited of it */
    int (*watch)(struct mt_task *task);   /* its end is to be noticed also if nobody asks: 0 or -errno. Else it is */
};

/* A call to be made when a task has ended; the memory is the caller's until then, or until mt__link_remove. */
struct mt__task_link {
    struct mt__task_link *next;
    void (*call)(struct mt__task_link *link, struct mt_task *task);
};

struct mt_timeout;

struct mt_task {
    struct mt__record *record;
    const struct mt__kind *kind; /* NULL: a thread that the library did not make */
    uint32_t references;
    uint32_t done;        /* 0, then 1 for good */
    uint32_t cancel;      /* futex word: 0, then 1 for good when killed */
    int cancel_fd;        /* a timerfd for waits on descriptors, readable when killed; 1 more than it, 0: none yet */
    uint32_t noticed;     /* the outcome has been read */
    uint32_t in_deadlock; /* its wait has been found to close a circle: it is leaving, or has been reported */
    int outcome;

    uint32_t *alive;     /* futex word: not 0 until the task has ended */
    uint32_t alive_word; /* where alive points if the kernel has no word of its own for it */
    int alive_shared;    /* the kernel wakes it as a shared word */
    struct mt__mini guard;
    uint32_t joiners;
    int reaped;
    int lost;       /* its thread is gone without having ended it: somebody who joins does */
    uint32_t there; /* the kernel has its thread or process: from now on others may find it on the list */

    mt_fn *body;
    void *argument;
    void *resource; /* the kind's: a thread's stack slot or pthread_t */
    void *locals;   /* lib/task/local.c's, and what ends them */
    void (*locals_end)(struct mt_task *task);
    void *held;                  /* lib/sync/lockorder.c's: one block, or NULL */
    struct mt__task_link *links; /* under guard; lib/task/link.c's */
    void *value;                 /* set by mt_task_set_value */
    struct mt_timeout *timeouts; /* lib/wait/timeout.c's: the innermost, */
    mt_deadline limit;           /* and the earliest of all; 0: there is none */
    const char *place; /* lib/wait/wait.c's: whose text the record has; it stays when a spare task comes back */
    int daemon;
    int is_found;   /* base/task.c's: among those found lately */
    void *settings; /* a thread's, while it starts */
    struct mt_task *next, *previous;
    char message[MT_MESSAGE_MAX];
};

/* The running task of this thread, as it is; a hub changes it as it switches. */
extern MT__SEAM __thread struct mt_task *mt__running __attribute__((tls_model("initial-exec")));

/* Called when a thread's task is about to finish, if it is set. */
extern __thread void (*mt__at_end)(void) __attribute__((tls_model("initial-exec")));

/* The running task of this thread, made for a thread that is new to the library; NULL: no memory. */
MT__SEAM struct mt_task *mt__self_new(void);
static inline struct mt_task *mt__self(void)
{
    return __builtin_expect(mt__running != NULL, 1) ? mt__running : mt__self_new();
}

/* As mt__self, but NULL for a thread that has not been here. */
struct mt_task *mt__self_if_known(void);

/* Makes a task of memory that is all zero but for its message: 0 or -ENOMEM. */
int mt__task_init(struct mt_task *task, enum mt_kind kind, const char *name);

/* Makes a spare one anew: it has come back when the caller sets its references, from 0 and once, as who walks the list
 * may add his own. And takes one off the list for good. */
void mt__task_again(struct mt_task *task, enum mt_kind kind, const char *name);
void mt__task_forget(struct mt_task *task);

/* Its name, which is made up for a coroutine that was given none. */
const char *mt__task_name(const struct mt_task *task);

/* Makes a task with one reference, in state READY. NULL: no memory. */
struct mt_task *mt__task_new(enum mt_kind kind, const char *name);

/* For the new thread, or the switch to a coroutine: from now on this thread is that task, and tid is what locks it
 * takes show. */
void mt__self_set(struct mt_task *task, uint32_t tid);

/* The body has returned: destroys the task's local values, stores the outcome, tells the failure hook, and marks the
 * task DEAD. Called in the task, or for a thread that is not ours from the destructor that ends it. */
void mt__task_finish(struct mt_task *task, int outcome);

/* 0: link->call will be made, once, by whoever finishes the task; 1: it has ended already, and no call is made; -errno:
 * its end cannot be watched. remove: whether it was still there; else its call has been made, or is being made. */
int mt__link_add(struct mt_task *task, struct mt__task_link *link);
int mt__link_remove(struct mt_task *task, struct mt__task_link *link);

/* How many have finished: whoever reads it (acquire) sees what they did. For those who hear of an end from the kernel.
 */
extern uint32_t mt__tasks_finished;

/* A task that failed is about to be forgotten and nobody has read its outcome. */
void mt__failure_unnoticed(struct mt_task *task);

/* Takes a reference of a task on the list, with the registry's lock held; NULL: its last one is gone, and it is on its
 * way off the list. */
struct mt_task *mt__task_retain_living(struct mt_task *task);

/* The task of the process's first thread, with a reference, if it is known and has not ended. */
struct mt_task *mt__task_first(void);
/* The same of something that task ran for somebody else, as a worker does. NULL: the calling task. */
void mt__failure_tell(struct mt_task *task, int outcome, const char *message);

/* Whether there is a failure hook: then nothing is printed. */
int mt__failure_is_hooked(void);

/* Drops a reference; the last one reaps and frees. */
void mt__task_drop(struct mt_task *task);

/* Calls visit for each task of the process, under the registry's lock: it must not block or come back here. */
void mt__tasks_visit(void (*visit)(struct mt_task *task, void *arg), void *arg);

/* With that lock: the task whose locks show this tid, or which has this id, whichever is not 0. NULL: none. */
struct mt_task *mt__task_find_locked(int tid, uint64_t id);

/* The same for somebody who already holds that lock, and the lock. */
void mt__tasks_visit_locked(void (*visit)(struct mt_task *task, void *arg), void *arg);
void mt__tasks_acquire(void);
void mt__tasks_release(void);

/* What fork() does by itself before, in the parent and in the child: for a child that was made without it. */
void mt__task_before_fork(void);
void mt__task_after_fork(void);
void mt__task_forked(void);

#endif
