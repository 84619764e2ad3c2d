/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What bpf/wait-coro.h tells of liblinuxmt's coroutines and hubs. A hub is the thread whose slot it has; all of it is
 * written by that thread alone.
 */
#ifndef BPF_CORO_H
#define BPF_CORO_H

#include "wait.h"

#define CORO_KEPT     4096 /* ended ones that are kept one by one; of more only sums, by body */
#define CORO_HUBS     256
#define CORO_BODIES   256
#define CORO_OPS      16384 /* under way */
#define CORO_OP_KINDS 1024  /* hubs times kinds of operations */
#define CORO_BLOCKED  1024
#define CORO_PLACES   1024

/* A task's id in its process: that of a coroutine, or of the thread itself, which takes part as one. */
struct coro_key {
    __u64 id;
    __u32 tgid;
    __u32 pad;
};

enum coro_state { CORO_NEW, CORO_READY, CORO_RUNNING, CORO_WAITING, CORO_DEAD };

struct coro {
    struct coro_key key;
    __u32 state; /* enum coro_state */
    __u32 slot;  /* its hub */
    __u64 since; /* of the state */
    __u64 born, ended;
    __u64 running, ready, waiting;
    __u64 switches; /* times that it was switched to, */
    __u64 runs;     /* stretches without a wait or a yield, */
    __u64 longest_run, longest_ready;
    __u64 body, spawner;
    __s64 outcome;
    __u32 made;   /* it was seen to be spawned */
    __u32 reason; /* enum mt_reason of the wait that goes on, 0: none */
    __u64 object; /* of it, */
    __u64 began;  /* and since when */
    __u32 owner;  /* as the wait's lock recorded it */
    __u32 shows;  /* and what its own locks record, 0: not known */
    __u64 top;    /* the upper end of its stack; 0: not known, or the thread's own */
    __u64 name_at, place_at;
    char name[WAIT_NAME_MAX];
    char wait_name[WAIT_NAME_MAX];
    char wait_place[WAIT_PLACE_MAX];
};

/* Coroutines of one body that have ended and are not kept. */
struct coro_body_key {
    __u64 body;
    __u32 tgid;
    __u32 slot;
};

struct coro_sum {
    __u64 count, failed;
    __u64 running, ready, waiting, switches, longest_run;
};

/* A coroutine's waits for one thing at one place. */
struct coro_wait_key {
    __u64 id, object, place;
    __u32 tgid, reason;
    __u32 owner, pad; /* of a lock */
};

struct coro_wait {
    __u64 count, ns, max, unmet;
    __u32 slot;
    __s32 stack; /* index in the array of stacks, -1: none */
    __u32 file;  /* enum wait_reason of the descriptor, 0: not looked at */
    __u32 pad;
    __u32 buckets[WAIT_BUCKETS];
    char name[WAIT_NAME_MAX];
    char place[WAIT_PLACE_MAX];
};

/* Where coroutines stand: as deep in their stacks, below the same function, it is the same place. */
struct coro_place_key {
    __u64 body, place, depth;
    __u32 tgid, reason;
};

struct coro_hub {
    __u64 turns, sleeps, slept;
    __u64 asleep; /* since when it waits in its loop, 0: it does not */
    __u64 passed;
    __u64 ready_most, ready, parked;
    __u64 submitted_first, submitted, completed_first, completed;
};

struct coro_op_key {
    __u64 op;
    __u32 tgid;
    __u32 pad;
};

struct coro_op {
    __u64 since;
    __u32 opcode;
    __u32 slot;
};

struct coro_op_kind_key {
    __u32 slot;
    __u32 opcode;
};

struct coro_op_kind {
    __u64 begun, count, failed, ns, max;
    __u32 buckets[WAIT_BUCKETS];
};

/* Calls that kept a hub for longer than the threshold, by the wait's entry in the array of waits. */
struct coro_blocked_key {
    __u64 id;
    __u32 slot;
    __u32 wait;
};

struct coro_blocked {
    __u64 count, ns, max;
};

#endif
