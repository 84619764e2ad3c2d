/* SPDX-License-Identifier: MIT
 *
 * What a recording found, as all reports print it: text and JSON come from here and from nowhere else.
 *
 * A wait is idle if it is for new work that may never come (a poll, a connection, an alarm, a condition, a child);
 * blocked if it is for something that stands in the way of work begun (a lock, the disk, a page, a file); and on a peer
 * if it is for the other end of a pipe or socket, which may be either. The rule goes by reason alone: see mtrace(1).
 */
#ifndef MTRACE_MODEL_H
#define MTRACE_MODEL_H

#include "histogram.h"
#include "lookup.h"
#include "model-coro.h"
#include "names.h"
#include "session.h"
#include "symbols.h"
#include "../../bpf/pool.h"
#include "../../bpf/queue.h"
#include <linuxmt/queue.h>
#include <stdbool.h>

enum model_class { MODEL_BLOCKED, MODEL_PEER, MODEL_IDLE, MODEL_CLASSES };

struct model_task {
    struct wait_task raw;
    __u32 slot;
    char name[WAIT_NAME_MAX];
    const char *label; /* the name, with the tid if others have the same name */
    uint64_t life;     /* running + ready + waiting */
    uint64_t waiting[MODEL_CLASSES];
    struct histogram runq;
    bool coroutine; /* one of liblinuxmt's: it shares its thread, whose ids it has here */
    uint64_t id;    /* of it */
};

#define MODEL_FRAMES 32

/* A task's part of what several do. */
struct model_part {
    int task;
    uint64_t count, ns;
};

/* One kind of wait on one thing at one place of the program, by all tasks that make it. */
struct model_wait {
    enum wait_reason reason;
    enum wait_kind kind;
    enum model_class class;
    pid_t tgid;            /* of the process, or the first of several of one program */
    int first;             /* index of the first task that was seen to wait */
    uint64_t object;       /* address of the futex, inode, number of the call, by reason; 0 if there is none */
    uint16_t call;         /* number of the system call, 0xffff outside one */
    bool shared;           /* a futex that other processes may wait for too */
    const char *shared_at; /* where it lies in memory that processes share, "" if it does not */
    int fd;                /* -1: none, or */
    bool several;          /* more than one */
    bool foreign;          /* a futex that was not waited for by libc or liblinuxmt */
    uint64_t count, ns, max;
    uint64_t handed; /* ended by one who had waited for the same itself */
    uint32_t open;   /* how many had not ended when the recording did */
    struct histogram times;
    const char *name;   /* liblinuxmt's, "" if there is none */
    const char *what;   /* "lock accounts", "pipe", "sleep" */
    const char *place;  /* "transfer at bank.c:42", "" if unknown */
    const char **stack; /* frames as text, innermost first */
    size_t frames;
    struct model_part *parts; /* the tasks, longest first */
    size_t part_count;
    int lock;               /* index of the lock, -1: it is none */
    int waker;              /* index of the task that ended most of these, -1: none of ours, see waker_name */
    const char *waker_name; /* "" unknown */
    int other_end;          /* index of a task that can end what still waits, see model-ends.c; -1: not known */
};

/* Who held a lock while others waited for it, as far as it was seen: see bpf/wait-lock.h. */
struct model_holder {
    int task;          /* -1: none that was traced, or */
    bool readers;      /* those who read under a read-write lock, which keeps no names */
    uint64_t began;    /* waits that began while it held it, */
    uint64_t released; /* and that it ended by releasing it */
    uint64_t ns;       /* of all waiting for the lock, the part while it held it */
    uint64_t max;      /* the longest that it was waited for at a stretch */
    const char *place; /* where it took it, "" unknown */
};

/* Everything on one lock or other futex. */
struct model_lock {
    size_t first; /* index of the wait that took longest: name, place and stack are in it */
    size_t places;
    bool owned; /* at least one wait had an owner */
    uint64_t count, ns, max;
    uint32_t open;
    struct histogram times;
    struct model_part *parts;
    size_t part_count;
    struct model_holder *holders; /* longest first */
    size_t holder_count;
    uint32_t gone;         /* thread id of an owner that has ended without giving it back, 0: it has not */
    const char *gone_name; /* "" unknown */
};

/* One task of a circle at the end of the recording: it waits for what the next one holds, the last for the first. */
struct model_link {
    int task;
    const char *what;
};

struct model_waker {
    int waker, wakee; /* tasks; waker -1: not one of ours */
    __u32 tid;        /* the waker's, 0: an interrupt */
    const char *name; /* the waker's */
    enum wait_reason reason;
    uint64_t count, ns, max;
    const char *place;  /* where it was the first time, "" unknown */
    const char **stack; /* frames as text, innermost first */
    size_t frames;
};

/* What a task did with a queue, on one side of it. */
struct model_queue_part {
    int task;
    uint64_t calls, messages;
    uint64_t waits, ns, max;
    bool waits_now;
};

struct model_queue_side {
    uint64_t calls, messages;
    uint64_t moved; /* messages, also those of which only the memory tells: those of tasks that have no probes */
    uint64_t waits, ns, max; /* those that had not ended are among them */
    uint64_t unmet;          /* waits that ended without what they were for */
    uint32_t open;           /* how many wait now */
    struct histogram times;
    struct model_queue_part *parts; /* who moved most messages first */
    size_t part_count;
};

/* A queue of liblinuxmt. What its memory said is only known if it was looked at: see queues.h. */
struct model_queue {
    uint64_t inode;
    const char *name;  /* "" if it has none */
    const char *label; /* "jobs", or "queue 4711" by its inode */
    enum mt_queue_order order;
    uint32_t capacity;
    uint64_t deepest; /* messages at the most */
    struct model_queue_side sides[QUEUE_SIDES];

    uint64_t looks; /* 0: what follows is not known */
    uint32_t message_max, depth;
    bool closed;
    uint32_t put_total, got_total; /* since it was made */
    uint32_t lost_put, lost_got, again;
    double full, empty, mean; /* shares of the time, and messages on average */
};

/* What a worker did. */
struct model_worker {
    int task;
    uint64_t started, done, failed;
    uint64_t busy;    /* in tasks, the one that goes on too */
    uint64_t running; /* how long it has been in this one, 0: it is in none */
    const char *body; /* of it, "" unknown */
};

struct model_failure {
    int32_t code;
    const char *message; /* "" if there was none */
    const char *body;    /* the function, "" unknown */
    int task;            /* the worker that it was last, -1: unknown */
    uint64_t count;
};

/* A pool of liblinuxmt. */
struct model_pool {
    const char *name;
    pid_t tgid;
    enum mt_kind kind; /* 0: not known */
    uint32_t queued, most;
    uint64_t put, cancelled, started, done, failed;
    uint32_t running;
    uint64_t busy, life; /* of all workers together */
    struct histogram waits, runs;
    struct model_worker *workers; /* busiest first */
    size_t worker_count;
    struct model_failure *failures; /* most frequent first */
    size_t failure_count;
};

/* Two locks that are taken in both orders. */
struct model_inversion {
    int task; /* who wanted the one while it held the other, -1: unknown */
    pid_t tgid;
    const char *wanted;       /* "\"journal\"", or an address */
    const char *wanted_place; /* "" unknown */
    const char *held;
    const char *held_place;
};

struct model {
    uint64_t started, duration;
    struct model_task *tasks;
    size_t task_count;
    struct model_wait *waits; /* longest first, blocked and on peers before idle */
    size_t wait_count;
    struct lookup rows;       /* of the waits, while they are made */
    struct lookup by_object;  /* of the waits, once they are in order */
    struct model_lock *locks; /* longest first */
    size_t lock_count;
    struct lookup by_futex;    /* of the locks */
    struct model_link *circle; /* the first that was found */
    size_t circle_count;
    struct model_waker *wakers; /* by time ended, longest first */
    size_t waker_count;
    struct model_queue *queues; /* the one with most waiting for room first */
    size_t queue_count;
    struct model_pool *pools; /* the one with most waiting in its queue first */
    size_t pool_count;
    struct model_hub *hubs; /* the one that was kept longest first */
    size_t hub_count;
    struct model_coro *coros; /* by hub, most time not waiting first */
    size_t coro_count;
    struct model_owned *owned;
    size_t owned_count;
    struct model_ended *ended;
    size_t ended_count;
    bool snapshot;      /* nothing was recorded: there are no times */
    uint64_t threshold; /* ns: of calls that keep a hub */
    struct model_inversion *inversions;
    size_t inversion_count;
    struct histogram runq;
    uint64_t life, running, ready, waiting[MODEL_CLASSES];
    uint64_t reasons[WAIT_REASONS];
    struct wait_lost lost;
    uint64_t missed, lost_total;
    double cost_bpf, cost_self; /* share of one CPU over the recording */
    bool cost_known;            /* the kernel counted the programs' time */
    const char *note;
    char verdict[768];

    char **texts; /* all strings that the model owns */
    size_t text_count;
};

/* Reads the maps of a stopped recording. NULL without memory. */
struct model *model_read(struct session *session);
void model_free(struct model *model);

/* The symbols of a task's process; NULL if there are none. */
struct symbols *model_symbols(const struct model *model, struct session *session, int task);

/* A picture of a task's stack, unwound. Returns the number of frames, 0 if there is no such picture. */
size_t model_unwind(const struct model *model, struct session *session, int task, int32_t picture,
                    struct symbols_frame frames[MODEL_FRAMES]);

/* The place and the stack as text. */
void model_set_frames(struct model *model, const struct symbols_frame *frames, size_t count, const char **place,
                      const char ***stack, size_t *length);

/* The parts of model_read. They return false without memory. */
bool model_add_waits(struct model *model, struct session *session);
bool model_add_locks(struct model *model, struct session *session);
bool model_add_holders(struct model *model, struct session *session);
bool model_add_circle(struct model *model, const struct wait_lock *locks, size_t count);
bool model_add_wakers(struct model *model, struct session *session);
void model_find_ends(struct model *model);
bool model_add_queues(struct model *model, struct session *session);
bool model_add_pools(struct model *model, struct session *session);
bool model_add_inversions(struct model *model, struct session *session);

/* The verdict: on waits, on queues, on pools. */
void model_judge(struct model *model);
/* What goes before a wait's what in a sentence. */
const char *model_wait_phrase(const struct model_wait *wait);

/* What stands behind a wait: who ends it, what that one does meanwhile, and if it waits itself, for whom. Ends at
 * known, of whom the verdict has told; -1: of nobody. */
void model_say_behind(struct model *model, const struct model_wait *wait, int known);
void model_judge_queues(struct model *model);
void model_judge_pools(struct model *model);

void model_free_queues(struct model *model);
void model_free_pools(struct model *model);

/* The row of a wait, a new one if there is none like it; takes over its stack. NULL without memory. */
struct model_wait *model_wait_row(struct model *model, struct model_wait *wait);

/* What it is for, in words, if it has none yet; the lock that CPython's threads wait for, which is a condition to the
 * kernel; where the futex lies in memory that processes share. task: one that waits. */
void model_name_wait(struct model *model, struct session *session, struct model_wait *wait, int task);
void model_find_interpreter_lock(struct model *model, struct session *session, struct model_wait *wait, int task);
void model_find_shared(struct model *model, struct session *session, struct model_wait *wait, int task);
bool model_is_futex(const struct model_wait *wait);

/* The lock that the kernel's entry is of, NULL if there is none. */
struct model_lock *model_lock_of(const struct model *model, const struct wait_lock *raw);

/* The index of the task in a slot, -1 if there is none. */
int model_task_of_slot(const struct model *model, __u32 slot);

/* Text that lives as long as the model; "" without memory. */
const char *model_text(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* More of the verdict. */
void model_say(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One more task's part, or more of it. */
bool model_add_part(struct model_part **parts, size_t *count, int task, uint64_t waits, uint64_t ns);
void model_sort_parts(struct model_part *parts, size_t count);

enum model_class model_class_of(enum wait_reason reason);

/* Whether two waits are for the same futex: of one process, or in memory that processes share. */
uint64_t model_futex_hash(const struct model_wait *wait);
bool model_same_futex(const struct model_wait *a, const struct model_wait *b);

/* One word a reason: "lock", "disk", ... */
const char *model_reason(enum wait_reason reason);

/* One word for the primitive that a futex wait is for: "mutex", "condition", ... */
const char *model_kind(enum wait_kind kind, enum wait_reason reason);

/* "auditor (bank.c:62) 98 %", or "first 34 %, second 33 %, third 33 %": who held it for which share of all waiting. */
const char *model_holders(struct model *model, const struct model_lock *lock);
const char *model_holder_name(const struct model *model, const struct model_holder *holder);

/* enum mt_reason's kind. */
enum wait_kind model_kind_of_library(uint32_t reason);

/* The functions of libc that a futex wait was made in say better what it is for than its system call. */
void model_refine_kind(struct model_wait *wait, const struct symbols_frame *frames, size_t count);

/* All waiting by primitive: model_wait's of one kind together. Fills the array, longest first; returns how many. */
struct model_primitive {
    const char *kind;
    uint64_t count, ns, max;
    uint32_t open;
};
#define MODEL_PRIMITIVES 24
size_t model_primitives(const struct model *model, struct model_primitive primitives[MODEL_PRIMITIVES]);

/* The name of a system call that tasks wait in, "" if it is not one of those. */
const char *model_call(uint16_t number);

#endif
