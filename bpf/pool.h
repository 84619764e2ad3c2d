/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What bpf/wait-pool.h tells of liblinuxmt's pools: which there are, what each worker did, and what failed. What a
 * worker did is written by that worker alone.
 */
#ifndef BPF_POOL_H
#define BPF_POOL_H

#include "wait.h"

#define POOL_MAX      256 /* pools of one recording, */
#define POOL_FAILURES 512 /* and different failures */
#define POOL_MESSAGE  96  /* bytes kept of a message */

/* Its name belongs to it: memory that is given back is used again. */
struct pool_key {
    __u64 address;
    __u32 tgid;
    __u32 pad;
    char name[WAIT_NAME_MAX];
};

struct pool_stat {
    struct pool_key key; /* tgid 0: unused */
    __u32 kind;          /* enum mt_kind, 0: not known */
    __u32 queued;        /* in the queue when it was heard of last, */
    __u32 most;          /* and at the most */
    __u32 pad;
    __u64 put;       /* tasks that were queued, */
    __u64 cancelled; /* and of all those that were cancelled in the queue */
};

struct pool_task_key {
    __u64 future;
    __u32 tgid;
    __u32 pad;
};

struct pool_task {
    __u64 queued_at;  /* 0: before the recording */
    __u64 started_at; /* 0: not yet */
    __u64 body;
    __u32 pool;
    __u32 pad;
};

struct pool_worker_key {
    __u32 pool; /* index, from 1 */
    __u32 slot;
};

struct pool_worker {
    __u64 started, done, failed;
    __u64 busy;             /* ns in tasks that have ended; one inside another counts once */
    __u64 since;            /* since when it is in a task, 0: it is in none */
    __u64 body;             /* of the one that it began last */
    __u32 nested;           /* tasks that it is in */
    __u32 known;            /* 1: it has been seen to begin or end one */
    __u64 waited, wait_max; /* in the queue, of those that it began */
    __u64 ran, run_max;
    __u32 waits[WAIT_BUCKETS], runs[WAIT_BUCKETS];
};

struct pool_failure_key {
    __u64 body;
    __u32 pool;
    __s32 code;
    char message[POOL_MESSAGE];
};

struct pool_failure {
    __u64 count;
    __u64 last; /* when it was seen last, */
    __u32 slot; /* and which worker it was */
    __u32 pad;
};

#endif
