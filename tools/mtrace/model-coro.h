/* SPDX-License-Identifier: MIT
 *
 * Coroutines of liblinuxmt and their hubs, in the model of a recording and when there is none.
 */
#ifndef MTRACE_MODEL_CORO_H
#define MTRACE_MODEL_CORO_H

#include "histogram.h"
#include "session.h"
#include "symbols.h"
#include <stdbool.h>

struct model;

/* Operations of one kind in a hub's loop. */
struct model_op {
    uint32_t opcode;
    uint64_t begun, count, failed;
    uint32_t open;
    struct histogram times;
};

/* Calls at one place in which a coroutine kept its hub. */
struct model_kept {
    const char *coro, *what, *place; /* place "" unknown */
    const char **stack;
    size_t frames;
    uint64_t count, ns, max;
    bool open; /* the last one had not ended */
};

/* A thread in which coroutines run. */
struct model_hub {
    int task; /* of the thread, -1: not known */
    pid_t tgid, tid;
    const char *name;
    uint64_t turns, sleeps, slept, switches, passed, ready_most, submitted, completed;
    bool asleep;          /* in its loop, at the end */
    bool ended;           /* its thread is not there any more */
    struct model_op *ops; /* most frequent first */
    size_t op_count;
    struct model_kept *kept; /* longest first */
    size_t kept_count;
    uint64_t monitor_count, monitor_most; /* what its record says of the library's own monitor */
    const char *monitor_name;
};

/* A coroutine, or the thread itself, which takes part as one. */
struct model_coro {
    uint64_t id;
    int hub;
    int task; /* its entry among the tasks, -1: it is the thread itself */
    bool root;
    const char *name;
    enum mt_state state;
    uint64_t life, running, ready, waiting;
    uint64_t switches, runs, longest_run, longest_ready;
    const char *what, *place; /* it waits for, and where; "" if it does not, or that is not known */
    const char *call;         /* of libc's, that waits; "" if it is none */
    uint64_t since;           /* for how long it has */
    uint64_t object;          /* what that is to its library, */
    uint32_t owner;           /* who that lock named, */
    const char *object_name;  /* and its name, "" if it has none */
    bool overdue;             /* what it waits for has happened */
    uint64_t waits, waited;   /* ended ones, since it began, as its record says; 0: not known */
    const char *body;         /* "" unknown */
    int64_t outcome;
    uint32_t shows;  /* what its locks show, 0: not known */
    uint32_t reason; /* enum mt_reason */
    const char **stack;
    size_t frames; /* 0: it is not known */
};

/* A coroutine's waits for a lock that said who held it. */
struct model_owned {
    pid_t tgid;
    uint64_t object;
    int task; /* who */
    uint64_t count, ns, max;
};

/* Those of one body that have ended and are not kept one by one. */
struct model_ended {
    const char *body;
    pid_t tgid;
    uint64_t count, failed, running, ready, waiting, switches, longest_run;
};

/* The parts of model_read. They return false without memory. */
bool model_add_coros(struct model *model, struct session *session);
bool model_add_coro_waits(struct model *model, struct session *session);
bool model_add_hubs(struct model *model, struct session *session);
bool model_add_owners(struct model *model);
void model_find_lost(struct model *model, struct tasks *now);
void model_judge_coros(struct model *model);
void model_free_coros(struct model *model);

/* The hub of a thread, made if it is new; NULL without memory. */
struct model_hub *model_hub_of(struct model *model, pid_t tgid, pid_t tid, int task, const char *name);

/* Fills in what a coroutine waits for. object: as its library has it. */
void model_say_wait(struct model *model, struct model_coro *coro, struct symbols *symbols, uint32_t reason,
                    uint64_t object, const char *name, const char *place);

/* Where it stands, if its stack can be had: record is one of the tasks, as they are now. */
void model_say_place(struct model *model, struct model_coro *coro, struct symbols *symbols, const struct tasks *tasks,
                     const struct mt__record *record);

/* Whether the place of a wait is a line, or a function with one; else it is the name of a call of libc's, by lib/patch.
 */
bool model_is_place(const char *place);

/* Whether what input or output waits for is a descriptor; else it is where a thread of lib/patch's pool leaves word
 * that it has made the call. */
bool model_is_fd(uint64_t object);

/* A name of the other process's, ended and without control characters. */
const char *model_clean(struct model *model, const char *name, size_t size);

/* What the library's reason for a wait on an object is called. */
const char *model_library_wait(struct model *model, struct symbols *symbols, pid_t tgid, uint32_t reason,
                               uint64_t object, const char *name);

/* The end of a path with a line: what people know a place by. */
const char *model_place(struct model *model, const char *place, size_t size);

/* The function that is its body; "" unknown. */
const char *model_body(struct model *model, struct symbols *symbols, uint64_t body);

/* Order of the coroutines and hubs, when all are there. */
void model_sort_coros(struct model *model);

/* "read", "futex", "operation 63" */
const char *model_op_name(struct model *model, uint32_t opcode);

#endif
