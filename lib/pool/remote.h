/* SPDX-License-Identifier: MIT
 *
 * A worker of a pool of processes: a thread of the pool's, and the process that runs its tasks. What they share is a
 * cell, memory of the two alone, with a window of slots, a task each.
 *
 *   window.c           the pool's side of the window: what is sent, and which task is first
 *   window-answer.c    ... what has been done
 *   window-back.c      ... what is taken back
 *   remote.c           what the thread waits for, and what it does then
 *   remote-process.c   the process: started, ended, buried
 *   names.c            how a process that is no copy of the pool's finds functions
 *   served.c           the process's side
 *   sent.c             what all that means for a future
 */
#ifndef POOL_REMOTE_H
#define POOL_REMOTE_H

#include "pool/pool.h"
#include "process/process.h"

/* -- What the two share ------------------------------------------------------------------------------------------- */

#define MT__SLOTS     256u /* a power of two, and a multiple of 64 */
#define MT__SLOT_ROOM 464u
#define MT__CELL_LINE _Alignas(128) /* processors fetch lines in pairs */
#define MT__NO_NUMBER UINT64_MAX

/* window.c tables them. */
enum mt__slot_state {
    MT__SLOT_FREE,
    MT__SLOT_SENT,
    MT__SLOT_RUNS,
    MT__SLOT_DONE,
    MT__SLOT_BACK,
    MT__SLOT_PASSED,
};

#define MT__SLOT_WORD(number, state) ((uint64_t)(number) << 3 | (uint64_t)(state))

enum {
    MT__HAS_BYTES = 1, /* an argument; in an answer, a value */
    MT__BY_STREAM = 2, /* too large for the slot: names, then argument; message, then value */
};

struct mt__slot {
    uint64_t word;
    uint64_t fn;    /* as the pool's process calls it */
    uint64_t size;  /* of the argument, then of the value */
    uint32_t names; /* that come by the stream */
    uint32_t flags;
    int32_t code;
    uint32_t message_size; /* its end included, 0: none */
    _Alignas(16) char bytes[MT__SLOT_ROOM];
};

_Static_assert(sizeof(struct mt__slot) == 512, "slots share no line of the cache");

struct mt__cell {
    /* from the pool */
    MT__CELL_LINE uint32_t work; /* futex word of the process: raised to wake it */
    uint32_t end;                /* no more will come */
    uint64_t tail;               /* the number that is sent next */
    uint32_t enough;             /* the process rings when it has so many results, at the latest */
    uint64_t kill;               /* the number that is asked to end */

    /* from the process */
    MT__CELL_LINE int32_t code; /* the initializer's */
    char message[MT_MESSAGE_MAX];
    uint32_t settled; /* and whether it has returned */

    /* set by who is about to sleep, cleared by who wakes it */
    MT__CELL_LINE uint32_t process_sleeps;
    uint32_t pool_sleeps;

    MT__CELL_LINE struct mt__slot slots[MT__SLOTS];
};

/* What the process has to know, as its argument: the initializer's argument follows. */
struct mt__brief {
    struct mt__cell *cell; /* if it is a copy of the pool's process; NULL: its third descriptor is the cell's */
    mt_fn *initializer;
    struct mt__function initializer_at; /* if it is no copy */
    const void *argument;               /* if it has no size, and so is a copy */
    uint64_t argument_size;
    int32_t pool_pid;
    char name[MT_NAME_MAX];
    max_align_t bytes[];
};

enum { MT__FD_BELL = 0, MT__FD_STREAM = 1, MT__FD_CELL = 2 }; /* handed over: mt_process_fd */

/* A function, as it goes through the stream before its first task. */
struct mt__named {
    uint64_t fn;
    struct mt__function at;
};

/* What the process does. */
int mt__remote_serve(void *brief);

/* -- The pool's side ---------------------------------------------------------------------------------------------- */

struct mt__remote {
    struct mt_task *task;  /* the process; NULL: there is none now. This and the next two change under worker->guard */
    struct mt__cell *cell; /* shared with it */
    int pid;
    int bell, stream; /* eventfd that it rings; socket */
    unsigned ran;     /* tasks, in this process */
    int proved;       /* it has begun one */
    unsigned deaths;  /* processes in a row that have not */
    int ending;       /* the pool is terminated, and what runs has been told */
    int worked;       /* it has had one that was ready */

    /* the window: under worker->guard, written by the worker, and by who takes a task back */
    uint64_t first, tail; /* numbers: all before first have been seen to the end; tail is sent next */
    struct mt_future *sent[MT__SLOTS];
    uint64_t taken_back[MT__SLOTS / 64]; /* bits: slots whose last task was taken back */
    unsigned live;                       /* entries of sent */

    unsigned width;          /* how many are sent at most, as it has paid lately */
    mt_deadline filled;      /* when the empty window was filled, or answers were collected since */
    int64_t pace;            /* ns that a task has taken since then, the process's wake included; 0: not known */
    uint64_t front;          /* the number that was first when it was looked last */
    mt_deadline since;       /* when it became that */
    mt_deadline soft, hard;  /* of its task; MT_FOREVER: none */
    struct mt_future *again; /* begun, as far as its future says, and to be sent again */
    struct mt_future *retried;
    unsigned tries;         /* of that one */
    struct mt_future *hurt; /* a list: they have begun and will not be answered */

    int collecting; /* those who wait for an answer are told together, when all have been read: */
    struct mt__late {
        struct mt_future *future;
        uint32_t before; /* as mt__future_ended wants it */
    } late[MT__SLOTS];
    unsigned late_count;

    mt_fn **known; /* functions that the process can find */
    size_t known_count, known_room;
};

static inline struct mt__slot *mt__slot_of(const struct mt__remote *remote, uint64_t number)
{
    return &remote->cell->slots[number % MT__SLOTS];
}

/* Where the bit of a number's slot is in taken_back. */
static inline uint64_t *mt__taken_back(struct mt__remote *remote, uint64_t number, uint64_t *bit)
{
    *bit = 1ull << number % 64;
    return &remote->taken_back[number % MT__SLOTS / 64];
}

static inline uint64_t mt__slot_word(const struct mt__slot *slot)
{
    return __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);
}

/* How many have been sent and not been seen to end. */
static inline unsigned mt__window_live(const struct mt__remote *remote)
{
    return __atomic_load_n(&remote->live, __ATOMIC_RELAXED);
}

/* window.c. */
void mt__window_open(struct mt__worker *worker);

/* How many tasks can be sent. */
unsigned mt__window_room(struct mt__worker *worker);

/* Sends a list of futures; those that have been cancelled are dropped. names: of the first, which is heavy. */
void mt__window_send(struct mt__worker *worker, struct mt_future *list, unsigned names);

/* Looks which task is first, and makes that one begin. */
void mt__window_look(struct mt__worker *worker);

/* window-answer.c. Takes what has been done: how many, or -errno: the process is not to be talked to any more. */
int mt__window_collect(struct mt__worker *worker);

/* Tells those who are to hear of what has ended meanwhile. */
void mt__window_tell(struct mt__remote *remote);

/* Whether there is something to collect. */
int mt__window_is_ready(const struct mt__worker *worker);

/* window-back.c. Takes back all that have not begun, but the first: into the pool's queue. */
void mt__window_hand_back(struct mt__worker *worker);

/* For who cancels it: 1: taken out; 0: it has begun; -EAGAIN: the worker has it in hand. */
int mt__window_take_back(struct mt__worker *worker, struct mt_future *future);

/* Of a dead process: empties the window. What ran is put on the list `hurt`; returns what had not begun. */
struct mt_future *mt__window_close(struct mt__worker *worker);

/* The end of a task that the process had: with its message. */
void mt__remote_finish(struct mt__worker *worker, struct mt_future *future, int code, const char *message);

/* The same of a task that it never had. */
void mt__remote_fail(struct mt__worker *worker, struct mt_future *future, int code, const char *message);

/* remote.c: waits for a descriptor, for the end of the process and for the task's limits; hears of kills. 0: look
 * again, or `until` has passed; -EPIPE: the process has ended; -ETIMEDOUT: the hard limit has passed; -errno. */
int mt__remote_wait(struct mt__worker *worker, int fd, short events, mt_deadline until);

/* Reads from, writes to the stream. 0, or as above. */
int mt__remote_read(struct mt__worker *worker, void *bytes, size_t size);
int mt__remote_write(struct mt__worker *worker, const void *bytes, size_t size);

/* Asks the task of that number to end: with worker->guard. */
void mt__remote_ask(struct mt__remote *remote, uint64_t number);

/* remote-process.c. Ends a process that has nothing to do; ends one for that reason, and what it ran. */
void mt__remote_stop(struct mt__worker *worker);
void mt__remote_bury(struct mt__worker *worker, int error);

/* names.c. How many functions of the future's the process has not been told of. */
unsigned mt__names_missing(const struct mt__worker *worker, const struct mt_future *future);

/* Tells it. 0; -ENOEXEC, -ENAMETOOLONG: one has no name; or as mt__remote_write. */
int mt__names_send(struct mt__worker *worker, const struct mt_future *future);
int mt__names_check(const struct mt_future *future);

#endif
