/* SPDX-License-Identifier: MIT
 *
 * What of a queue lies in its memfd, and a process's handle on it.
 *
 * Invariant: nothing in the memfd is trusted. What does not change (sizes, order) is copied into the handle and checked
 * when the handle is made; what does is read once each time, and checked before it is used as an index or a length.
 */
#ifndef QUEUE_SEGMENT_H
#define QUEUE_SEGMENT_H

#include "queue/guard.h"
#include <linuxmt/queue.h>

#define MT__QUEUE_PREFIX  "linuxmt-queue:"      /* of the memfd's name */
#define MT__QUEUE_MAGIC   0x65756575712d746dull /* "mt-queue" */
#define MT__QUEUE_VERSION 2

/* How many messages, and where in the ring, in units of 8 bytes: both grow, and wrap at 2^32. One store changes both.
 */
union mt__position {
    uint64_t both;
    struct {
        uint32_t count;
        uint32_t units;
    };
};

/* What a section that puts, or takes, is about to do, and what those that died in one have lost so far. One store
 * changes all: see status.c. */
union mt__intent {
    uint64_t both;
    struct {
        uint32_t at;            /* puts: the count of `tail` that was aimed at; gets: how many were gone before */
        uint32_t lost : 31;     /* messages */
        uint32_t is_taking : 1; /* gets: the section takes */
    };
};

enum { MT__VIEW_FREE = 0, MT__VIEW_OUT = 1, MT__VIEW_AGAIN = 2 };

struct mt__view_entry { /* a message that was got and is not done with. Under `get` */
    uint32_t state;
    uint32_t pid;   /* of the process that has it, */
    uint64_t born;  /* when that started, in ticks, */
    uint64_t space; /* and its pid namespace */
    uint64_t at;    /* FIFO: its position; else its slot, and the count of its put */
};

#define MT__LINE __attribute__((aligned(128))) /* processors fetch lines in pairs */

struct mt__segment {
    /* what does not change */
    uint64_t magic;
    uint32_t version;
    uint32_t order;
    uint32_t capacity;
    uint32_t message_max;
    uint64_t head_size; /* bytes from here to the data */
    uint64_t data_size;
    uint64_t space; /* the creator's pid namespace, 0: not known */
    char name[MT_NAME_MAX];
    uint64_t inode; /* of the memfd: which queue it is, to a tracer that sees several processes */

    MT__LINE struct mt__guard put;
    uint64_t put_freed;     /* `freed` as the producers have seen it: guarded by put */
    uint64_t putting;       /* union mt__intent, guarded by put */
    MT__LINE uint64_t tail; /* of what was put: changed with put held */

    MT__LINE struct mt__guard get;
    uint64_t get_tail;       /* `tail` as the consumers have seen it: guarded by get */
    uint64_t head;           /* of what was taken: changed with get held */
    uint64_t taking;         /* union mt__intent, guarded by get */
    MT__LINE uint64_t freed; /* of what was given back: changed with get held */

    MT__LINE uint32_t closed; /* 0; 1: for those who look; 2: and those who slept were woken */
    uint32_t out;             /* entries of `views` that are not free */
    uint32_t viewed;          /* there has been a view: who sleeps has to look whether its holder died */
    struct mt__guard done;
    uint32_t done_count;
    uint32_t deaths; /* of users that held a guard */
    uint32_t again;  /* views whose holder died */

    /* orders other than FIFO: heap.c. Guarded by put */
    uint32_t used;   /* slots in the heap */
    uint32_t unused; /* slots on the free list */

    MT__LINE struct mt__view_entry views[MT_QUEUE_VIEWS];
};

struct mt__store;

struct mt_queue {
    struct mt__segment *shared;
    unsigned char *data; /* FIFO: mapped twice, one behind the other */
    const struct mt__store *store;
    uint32_t order;
    uint32_t capacity;
    uint32_t message_max;
    uint64_t head_size;
    uint64_t data_size;
    size_t mapped; /* bytes from shared */
    int fd;
    int notes;                     /* see guard.c: this process shares the creator's pid namespace */
    uint32_t spins, spin_failures; /* how long spinning has paid lately */
    mt_deadline buried;            /* when it was looked for dead holders of views last */
    uint64_t space;
    uint32_t pid; /* of `born` */
    uint64_t born;
    char name[MT_NAME_MAX];
};

/* How an order keeps its messages. All run with the guard held that the name of the call says; in an order with one
 * guard that is `put` for all. Counts, or -EUCLEAN. */
struct mt__store {
    uint64_t (*data_size)(const struct mt_queue_options *options); /* 0: too large */
    int (*init)(struct mt_queue *queue);                           /* whether the sizes in the handle fit each other */
    void (*fill)(struct mt_queue *queue);                          /* a new segment, or NULL */
    int (*put)(struct mt_queue *queue, const struct iovec *messages, size_t count, int32_t priority); /* 0: full */
    int (*get)(struct mt_queue *queue, struct iovec *messages, size_t count, int taking); /* 0: empty; -EMSGSIZE */
    int (*view)(struct mt_queue *queue, struct mt_queue_view *view);                      /* 0: empty; -ENOBUFS */
    void (*freed)(struct mt_queue *queue, uint64_t at); /* the message there is done with */
    void (*repair)(struct mt_queue *queue, const struct mt__guard *guard);
    uint32_t (*size)(const struct mt_queue *queue);
    uint32_t (*put_count)(const struct mt_queue *queue);          /* messages that were put, ever */
    uint32_t (*gone)(const struct mt_queue *queue);               /* ... that are neither there nor in a view, ever */
    int (*has_room)(const struct mt_queue *queue, uint32_t size); /* as it looks without the guard */
    int single; /* one guard for both sides, and so wakes that go to all */
};

extern const struct mt__store mt__ring, mt__heap;

/* How long calls without a deadline wait for the short sections of others before they take them for stuck. */
extern int64_t mt__queue_patience;

static inline struct mt__guard *mt__get_guard(const struct mt_queue *queue)
{
    return queue->store->single ? &queue->shared->put : &queue->shared->get;
}

static inline uint32_t mt__load32(const uint32_t *from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline uint64_t mt__load64(const uint64_t *from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline void mt__store64(uint64_t *to, uint64_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static inline union mt__position mt__position(const uint64_t *from)
{
    return (union mt__position){.both = mt__load64(from)};
}

/* The half of a position that is a futex word: the count. */
static inline uint32_t *mt__count(uint64_t *position)
{
    return &((union mt__position *)position)->count;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the count is the first half of a position");

/* -- Intents: see status.c ----------------------------------------------------------------------------------------- */

/* With the put guard: the message of that number is about to be put. */
static inline void mt__aim_put(struct mt_queue *queue, uint32_t count)
{
    union mt__intent intent = {.both = queue->shared->putting};

    intent.at = count;
    mt__store64(&queue->shared->putting, intent.both);
}

/* With the get guard: messages are about to be taken, where so many are gone; or none will be any more. */
static inline void mt__aim_take(struct mt_queue *queue, int taking, uint32_t gone)
{
    union mt__intent intent = {.both = queue->shared->taking};

    if (!taking && !intent.is_taking)
        return;
    intent.is_taking = taking != 0;
    intent.at = gone;
    mt__store64(&queue->shared->taking, intent.both);
}

/* A user has died in the guard, and what it guards has been mended. */
void mt__count_lost(struct mt_queue *queue, const struct mt__guard *guard);

/* -- view.c: messages that were got and are not done with. With the get guard held -------------------------------- */

/* An entry for a message that is about to be taken: its index, or -ENOBUFS. */
int mt__view_begin(struct mt_queue *queue, uint64_t at);

/* The entry of a message that is to be got again and has been for longest, or -1. */
int mt__view_again(struct mt_queue *queue, uint64_t *at);

/* Makes it the caller's, who takes it over, or gives the entry back. */
void mt__view_adopt(struct mt_queue *queue, int entry);
void mt__view_end(struct mt_queue *queue, int entry);

/* Those that dead processes have are to be got again. Whether there are any to be got. */
int mt__view_bury(struct mt_queue *queue);

/* Counts again, after a user died here; drop says which were never taken. */
void mt__view_recount(struct mt_queue *queue, int (*drop)(const struct mt_queue *queue, uint64_t at));

/* Whether there is one to be got again. */
int mt__view_waits(const struct mt_queue *queue);

/* Whether another process has one: nobody wakes us when it dies. */
int mt__view_elsewhere(const struct mt_queue *queue);

#endif
