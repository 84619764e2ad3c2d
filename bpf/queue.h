/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What bpf/wait-queue.h tells of liblinuxmt's queues: which there are, and what each task did with each. Everything a
 * task did is written by that task alone; a queue's sums are made by the reader.
 */
#ifndef BPF_QUEUE_H
#define BPF_QUEUE_H

#include "wait.h"

#define QUEUE_MAX 1024 /* queues of one recording */

/* The beginning of a queue's memory: struct mt__segment of lib/queue/segment.h, as far as it does not change. */
struct queue_head {
    __u64 magic;
    __u32 version, order, capacity, message_max;
    __u64 head_size, data_size, space;
    char name[WAIT_NAME_MAX];
    __u64 inode;
};

#define QUEUE_MAGIC 0x65756575712d746dull

/* The same queue lies at different addresses in different processes, and in one it may be attached twice. */
struct queue_handle {
    __u64 address;
    __u32 tgid;
    __u32 pad;
};

struct queue_stat {
    __u64 inode; /* of the memfd, 0: unused */
    __u32 capacity, order;
    __u32 tgid; /* a process that has it */
    __u32 made; /* 1: it was seen to be made or attached within the recording */
    char name[WAIT_NAME_MAX];
};

struct queue_user_key {
    __u32 queue; /* index, from 1 */
    __u32 slot;
};

/* Putting, or getting. A wait is one of the library: the whole of a call's sleeping. */
struct queue_side {
    __u64 calls, messages;
    __u64 last; /* when it did so last */
    __u64 waits, ns, max;
    __u64 unmet; /* waits that ended without what they were for: timeout, cancelled, closed */
    __u64 since; /* of the wait that goes on, 0: none */
    __u32 buckets[WAIT_BUCKETS];
};

enum queue_sides { QUEUE_PUT, QUEUE_GET, QUEUE_SIDES };

struct queue_user {
    struct queue_side sides[QUEUE_SIDES];
    __u64 deepest; /* messages in it, at the most, after a put */
};

#endif
