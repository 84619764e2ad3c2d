/* SPDX-License-Identifier: MIT
 *
 * The queues of other processes, read from their memory (lib/queue/segment.h) with no help of theirs: depth, capacity,
 * how many messages ever went in and out, and, by looking often, for how much of the time each was full or empty.
 *
 * The other process may be hostile: the memfd is read, not mapped, and what it says is checked.
 */
#ifndef MTRACE_QUEUES_H
#define MTRACE_QUEUES_H

#include "queue/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A queue at one moment. */
struct queues_state {
    uint32_t depth; /* messages that can be got */
    bool full;      /* as mt_queue_is_full says: a message of the largest size has no room */
    bool closed;
    uint32_t put, got;                  /* ever; they wrap */
    uint32_t lost_put, lost_got, again; /* as mt_queue_status tells */
};

struct queues_look {
    uint64_t inode;
    char name[MT_NAME_MAX];
    uint32_t order, capacity, message_max;
    struct queues_state first, now;
    uint32_t deepest;           /* of all looks */
    uint64_t looks, ns;         /* how many, and how much time they stand for; of it */
    uint64_t full_ns, empty_ns; /* it was full, empty; */
    double depth_ns;            /* and depth times time */
};

/* A task that waits for a queue, as its liblinuxmt records it. */
struct queues_waiter {
    pid_t pid;
    uint32_t tid; /* as the process numbers it */
    uint64_t inode;
    bool put; /* for room, else for a message */
    uint64_t since;
};

struct queues;

struct queues *queues_open(void);
void queues_close(struct queues *queues);

/* Opens the queues that a process has, as far as they are not known. */
void queues_scan(struct queues *queues, pid_t pid);

/* Looks at all of them: what it sees has been so since the last look. */
void queues_sample(struct queues *queues, uint64_t now);

/* Notes who waits in a process. */
void queues_read_waiters(struct queues *queues, pid_t pid);

size_t queues_count(const struct queues *queues);
const struct queues_look *queues_at(const struct queues *queues, size_t index);
const struct queues_look *queues_find(const struct queues *queues, uint64_t inode);
const struct queues_waiter *queues_waiters(const struct queues *queues, size_t *count);

/* What the first bytes of a queue's memory say. False if they cannot be a queue's. */
bool queues_decode(const struct mt__segment *head, struct queues_state *state);

/* One more look into the sums, which stands for ns. */
void queues_add(struct queues_look *look, const struct queues_state *state, uint64_t ns);

#endif
