/* SPDX-License-Identifier: MIT
 *
 * Inside the room: the hub of a thread, what it runs and what that waits for.
 *
 * A hub belongs to one thread and is touched by it alone, but for what is said to be anybody's. It runs the thread
 * itself (its root) and the coroutines that were spawned in it, one at a time:
 *
 *   running   hub->current
 *   ready     on the ready list, first come, first served
 *   parked    coro->parked: it waits for words, a time, or an operation of the loop
 *   dead      its body has returned; whoever runs next buries it, since nobody can free the stack he stands on
 *
 * Nobody schedules: who leaves takes the next one off the ready list and switches to it. When the list is empty, or
 * MT__BUDGET switches have gone by, there is a turn: the loop submits what has gathered, reaps what is done, and timers
 * expire. With nothing ready the turn sleeps, on the stack of whoever left last.
 */
#ifndef CORO_HUB_H
#define CORO_HUB_H

#include "base/probe.h"
#include "base/task.h"
#include "coro/context.h"
#include "coro/greenlet.h"
#include "wait/wait.h"

#include <poll.h>

#define MT__BUDGET   64        /* switches, or as many as were ready, between two turns */
#define MT__PATIENCE MT_MS(50) /* the first time */

struct mt__hub;
struct mt__coro;
struct mt__parked;

/* -- Timers ------------------------------------------------------------------------------------------------------- */

struct mt__timer {
    mt_deadline at;
    uint32_t place; /* in the heap or the run, from 1; 0: in none */
    uint32_t run;   /* which, from 1; 0: it is in the heap */
    struct mt__parked *parked;
};

#define MT__RUNS 4

struct mt__run {
    struct mt__timer_entry *ring;
    uint32_t room, head, tail; /* room: a power of two; the others go on and on */
    uint32_t count;            /* of those between them that are still to come */
    mt_deadline last;
};

struct mt__timers {
    struct mt__timer_entry *heap;
    size_t in_heap, room;
    struct mt__run runs[MT__RUNS];
    mt_deadline first[MT__RUNS]; /* of each; MT_FOREVER: it is empty */
    size_t count;                /* of all */
};

void mt__timers_clear(struct mt__timers *timers);                       /* to begin with, and to forget all */
int mt__timers_add(struct mt__timers *timers, struct mt__timer *timer); /* 0 or -ENOMEM */
void mt__timers_remove(struct mt__timers *timers, struct mt__timer *timer);
mt_deadline mt__timers_first(const struct mt__timers *timers);                    /* MT_FOREVER: there is none */
struct mt__timer *mt__timers_expired(struct mt__timers *timers, mt_deadline now); /* taken out; NULL: none (more) */
void mt__timers_free(struct mt__timers *timers);

/* -- What the loop does ------------------------------------------------------------------------------------------- */

/* Something under way in the loop. complete is called once, in a turn, and by then the loop has done with it. */
struct mt__op {
    void (*complete)(struct mt__hub *hub, struct mt__op *op, int result);
};

/* The kernel (or a helper) has been asked to tell when a word is woken. See arm.c. */
struct mt__arm {
    struct mt__op op;
    struct mt__link *link; /* NULL: it has left */
    uint32_t *word;
    uint32_t expected;
    unsigned flags;
    struct mt__helper *helper; /* which waits for it, under its guard; */
    struct mt__helper *home;   /* and whose place it takes until it is completed, for the hub */
    int place;                 /* among the helper's */
    uint32_t entry;            /* the ring's number of its submission entry */
    struct mt__arm *next;
    struct {
        struct mt__arm *next, **link;
    } by_word, by_state; /* the lists of those that have no waiter and may get one; link NULL: not there */
};

/* A descriptor has one of poll(2)'s events: the result. */
struct mt__poll {
    struct mt__op op;
    int fd;
    short events;
    struct mt__parked *parked;
    short *found;
    struct mt__poll *next, **link; /* the epoll loop's */
    int result;
    int done;
    int given_up; /* by who waits; else what cancels it is mt_close */
    int stays;    /* the ring's: it tells of more than one event */
    void (*complete)(struct mt__hub *hub, struct mt__op *op, int result); /* op's own, where the ring has put another */
};

/* A system call that the ring makes: what its submission entry is to hold. */
struct mt__io {
    struct mt__op op;
    struct mt__parked *parked;
    int result, done;
    uint8_t opcode;
    int fd;
    uint64_t address, offset;
    uint32_t length, flags;
    uint16_t hints;    /* the entry's ioprio */
    uint8_t left_some; /* a receive: the socket has more */

    /* NULL, or who asks for the wait's terms when it has waited for a while (terms.c): 0, with the deadline that has
     * come to be known, or the result that ends it. */
    int (*ask)(const struct mt__io *io, mt_deadline *until);
    mt_deadline until;           /* of these terms */
    uint32_t asked_in, asked_at; /* its place in the lists of those, from 1; 0: it has none */
};

struct mt__loop {
    const char *name;
    int (*open)(struct mt__hub *hub); /* 0 or -errno */
    void (*close)(struct mt__hub *hub, int forked);
    int (*has_futex)(struct mt__hub *hub);
    int (*futex)(struct mt__hub *hub, struct mt__arm *arm); /* 0 or -errno: then it is not under way */
    void (*futex_cancel)(struct mt__hub *hub, struct mt__arm *arm);
    int (*futex_rouse)(struct mt__hub *hub, const struct mt__arm *arm); /* wakes one of the word's. 0: no room */
    int (*is_sent)(struct mt__hub *hub, const struct mt__arm *arm);     /* the kernel has compared its word */
    int (*is_quiet)(struct mt__hub *hub); /* after the last turn nothing was left to be submitted or told */
    int (*poll)(struct mt__hub *hub, struct mt__poll *poll);
    void (*poll_cancel)(struct mt__hub *hub, struct mt__poll *poll);
    int (*io)(struct mt__hub *hub, struct mt__io *io); /* NULL: the loop makes no calls */
    void (*io_cancel)(struct mt__hub *hub, struct mt__io *io);
    void (*closing)(struct mt__hub *hub, int fd);        /* what is under way on it comes back with -EBADF */
    int (*turn)(struct mt__hub *hub, mt_deadline until); /* MT_NOWAIT: does not sleep */
};

extern const struct mt__loop mt__loop_epoll;
#if HAVE_URING
extern const struct mt__loop mt__loop_uring;
#endif

/* The process's. */
const struct mt__loop *mt__loop_choose(void);

/* The kernel's lists of who waits: before the first wait, and when so many wait. futex-hash.c */
void mt__futex_hash_begin(void);
void mt__futex_hash_for(size_t waiters);

/* Threads that wait for words where the loop cannot. */
int mt__helper_futex(struct mt__hub *hub, struct mt__arm *arm);
int mt__helper_cancel(struct mt__hub *hub, struct mt__arm *arm); /* 1: it is free; 0: its letter is on the way */
void mt__helper_left(struct mt__hub *hub, struct mt__arm *arm);  /* a letter of it has been read */
void mt__helpers_tell(struct mt__hub *hub);                      /* of what is new */
void mt__helpers_settle(struct mt__hub *hub); /* returns when nothing that was on their lists is owed a wake */
void mt__helpers_close(struct mt__hub *hub, int forked);
unsigned mt__helpers_count(const struct mt__hub *hub);

/* -- What waits --------------------------------------------------------------------------------------------------- */

/* One word that somebody parked for. */
struct mt__link {
    struct mt__parked *parked;
    uint32_t *word;
    uint32_t expected;
    unsigned flags;
    struct mt__link *next, *previous;      /* in its bucket of the table */
    struct mt__link *next_new, **new_link; /* among those that have not been armed; new_link NULL: not there */
    struct mt__arm *arm;                   /* NULL: not armed */
};

struct mt__parked {
    struct mt__coro *coro; /* NULL once it is ready again */
    struct mt__wait *wait;
    int result;
    int cancellable;
    int up; /* it has been made ready for a summons, and waits on when that has been answered */
    struct mt__link *links;
    unsigned count;
    struct mt__timer timer;
};

struct mt__bucket {
    struct mt__link *first, *last;
    struct mt__arm *idle; /* arms without a waiter */
};

struct mt__table {
    struct mt__bucket *buckets;
    size_t size, count; /* size: a power of two */
    size_t shared;      /* of the count: words that other processes have, too */
};

static inline struct mt__bucket *mt__bucket_of(const struct mt__table *table, const uint32_t *word)
{
    return &table->buckets[((uintptr_t)word * 0x9e3779b97f4a7c15ull >> 32) & (table->size - 1)];
}

/* -- The coroutine and the hub ------------------------------------------------------------------------------------ */

/* What a coroutine, or the root, has of a thread's signals: lib/patch's, all 0 without it. */
struct mt__signalled {
    uint64_t blocked;     /* those that it does not let in, bit n - 1, if */
    uint32_t has_mask;    /* it has a mask of its own; else the root's is its */
    uint32_t summoned;    /* it has to answer: see mt__coro_summon */
    uint32_t answers;     /* it does, */
    uint32_t waits;       /* or is about to wait with another mask */
    uint32_t interrupted; /* waits that the handlers have ended which have run in it meanwhile, as flags of theirs */
    uint32_t leaves;      /* waits that end, as flags of theirs, since a handler in their midst is left for good */
};

struct mt__coro {
    struct mt__context context;
    struct mt_task *task;
    struct mt__hub *hub;
    struct mt__coro *next; /* the list it is on: ready, or the hub's spare ones */
    struct mt__parked *parked;
    struct mt__coro *joiner; /* one of its own hub's, which waits for its end */
    void *greenlets;         /* the state of its greenlets, while it does not run */
    uint32_t id;             /* what its locks show */
    uint32_t started;
    uint32_t inside; /* it waits in a call of lib/patch: another, which a signal handler makes, goes to libc */
    void *pthread;   /* lib/patch's: who it is as one of pthread.h's threads, */
    void *storage;   /* and what the thread has to hold for it while it runs; NULL: nothing but its own */
    struct mt__signalled signals;
    struct mt__coro *next_living, **living_link;
    struct mt__coro *next_called; /* on the hub's letters: it has been killed, or summoned */
    uint32_t is_called;
    uint32_t *owed;          /* the shared word whose wake has made it ready; NULL once it runs */
    struct mt__stack *stack; /* NULL: the thread's own */
    struct mt__parked waits_to_start;
};

/* Anybody's: what other threads leave for the hub. */
struct mt__letters {
    struct mt__coro *called;    /* killed or summoned: a stack; each with a reference */
    struct mt__arm *woken;      /* from the helpers */
    uint32_t sleeping;          /* the hub is asleep, or about to be: ring */
    uint32_t interrupted;       /* a signal handler has run in its thread: which waits that may end, */
    uint64_t signals;           /* of which signals: the wait of one that lets one of them in */
    mt_deadline interrupted_at; /* waits that began later have not been interrupted */
    uint32_t arrived;           /* there are signals that mt__hub_arrived is to give to somebody */
    int bell;                   /* an eventfd */
};

/* The monitor's: see coro/monitor.c. */
struct mt__watch {
    struct mt__watch *next, **link; /* link NULL: it is not watched */
    uint64_t moves;                 /* when it was seen last, */
    int64_t since, cpu;             /* and since when it has had that number of them */
    int64_t told;                   /* since when it is blocked, as was told; 0: it is not */
    uint32_t asked, taken;          /* pictures of the thread */
    struct mt__picture *picture;
    char name[MT_NAME_MAX]; /* who was told to keep it */
};

/* What is worth an attempt, before the loop is asked: coro/io.c's. */
struct mt__attempts {
    uint64_t switches;     /* the hub's when it was counted last how many have succeeded */
    unsigned in_a_row;     /* since then, without a switch */
    uint8_t drained[1024]; /* by descriptor, modulo that: the last receive there has left nothing. A guess */
};

/* Operations whose terms are asked for later: see terms.c. */
struct mt__terms {
    struct mt__term_list {
        struct mt__io **entries; /* NULL: it is over */
        uint32_t count, room;
    } lists[2];
    unsigned fresh; /* which of them; the other is the aged one */
    struct mt__timer timer;
};

struct mt__hub {
    struct mt__coro root;
    struct mt__coro *current;
    void *storage; /* whose is in place: see mt__storage_swap */
    struct mt__coro *ready, **ready_last;
    size_t ready_count;
    unsigned budget;
    struct mt__coro *living; /* not the root */
    size_t living_count;
    struct mt__coro *spare;
    unsigned spare_count;
    struct mt__table table;
    struct mt__link *new_links, *aged_links; /* not armed: new since the last turn, and since an earlier one */
    struct mt__timers timers;
    size_t ops; /* polls and calls under way */
    struct mt__attempts attempts;
    struct mt__terms terms;
    struct mt__arm *free_arms, *chunks;
    struct mt__arm *left, *roused; /* without a waiter: since the last turn, and since an earlier one */
    size_t armed;                  /* arms under way, */
    size_t stale; /* and those of them that nobody waits for: a wake that they get is somebody else's */
    struct mt__arm root_cancel;
    struct mt__letters letters;
    struct mt__helper *helpers, *roomy_helpers;
    struct mt__helper *untold_helpers; /* there is something new for them */
    const struct mt__loop *loop;
    void *loop_state;
    int futex_by_loop;
    mt_deadline patience; /* how long it sleeps without a look at whether it is stuck */
    int ending;
    int in_turn;
    int rootless;             /* the child of a fork that a coroutine has made: its root is not to be had again */
    uint64_t switches, turns; /* the monitor looks at them */
    uint64_t sleeps;
    uint64_t submitted, completed; /* operations of the loop */
    uint32_t tid;
    struct mt__watch watch;
};

extern MT__SEAM __thread struct mt__hub *mt__hub __attribute__((tls_model("initial-exec")));

/* The thread's hub, opened by the first who asks. NULL with *error. */
MT__SEAM struct mt__hub *mt__hub_here(int *error);

/* Who runs next, after a turn of the hub. */
struct mt__coro *mt__hub_turn(struct mt__hub *hub);

/* For a signal handler, which is about to run in this thread: one of the waits with these flags is to end. is_sent: the
 * signal was sent to who runs, and it is that one's wait or none. Else it is one of the process's: then the next turn
 * ends the wait of one that lets it in. */
MT__SEAM void mt__hub_interrupt(int signal, unsigned flags, int is_sent);

/* lib/patch's, of who runs here: a turn, whether somebody is ready after it; and letting those go first. */
MT__SEAM int mt__hub_look(struct mt__hub *hub);
MT__SEAM void mt__hub_make_way(void);

/* lib/patch's: puts what `next` has to find in its thread in the place of hub->storage, and makes it that. Called on
 * the stack that is being left, and only if the two differ: coroutines without any have the thread's own in common. */
extern MT__SEAM void (*mt__storage_swap)(struct mt__hub *hub, const struct mt__coro *next);

/* lib/patch's: the hub turns, and lets in all signals that anybody in it lets in. Afterwards hub->storage is that of
 * nobody if who goes on has to find another mask. */
extern MT__SEAM void (*mt__hub_opens)(struct mt__hub *hub);

/* A signal handler of lib/patch's has kept a signal that was sent to the process and came in a turn: when that is over,
 * it is asked whose it is to be. */
MT__SEAM void mt__hub_arrives(struct mt__hub *hub);
extern MT__SEAM void (*mt__hub_arrived)(struct mt__hub *hub);

/* Has it call mt__summons_answer, lib/patch's, as soon as it is its turn, in the midst of a wait if need be, which then
 * goes on unless handlers have interrupted it. Anybody's, also a signal handler's, while the coroutine lives. */
MT__SEAM void mt__coro_summon(struct mt__coro *coro);
extern MT__SEAM void (*mt__summons_answer)(struct mt__coro *self);
void mt__hub_answer(struct mt__coro *self);
void mt__hub_bury(struct mt__coro *corpse);
void mt__hub_read_letters(struct mt__hub *hub);
extern const struct mt__hook mt__hub_hook;

void mt__told_switch(const struct mt__coro *from, const struct mt__coro *to, int ended); /* tell.c */

/* Puts it at the end of the ready list. */
static inline void mt__hub_ready(struct mt__hub *hub, struct mt__coro *coro)
{
    coro->next = NULL;
    *hub->ready_last = coro;
    hub->ready_last = &coro->next;
    hub->ready_count++;
}

static inline struct mt__coro *mt__hub_take(struct mt__hub *hub)
{
    struct mt__coro *coro = hub->ready;

    if (!coro)
        return NULL;
    hub->ready = coro->next;
    if (!hub->ready)
        hub->ready_last = &hub->ready;
    hub->ready_count--;
    return coro;
}

#define MT__READY_MANY 256 /* more than these are not in the caches any more when it is their turn */

/* The lines of one that are touched when it goes on, from its innermost frames to its task. */
static inline void mt__hub_fetch(const struct mt__coro *coro)
{
    for (int line = -8; line < 7; line++)
        __builtin_prefetch((const char *)coro + line * 64, 1);
}

/* The current one leaves, being parked, on the ready list, or dead (corpse, itself). Returns when it is its turn again;
 * for the dead never. Inline as each return behind a switch is mispredicted, which takes longer than the switch. */
static inline __attribute__((always_inline)) void mt__hub_leave(struct mt__hub *hub, struct mt__coro *corpse)
{
    struct mt__coro *self = hub->current, *next = hub->ready;
    void *dead;

    if (next && hub->budget && !(next == &hub->root && hub->stale)) {
        hub->budget--;
        mt__hub_take(hub);
        if (hub->ready_count > MT__READY_MANY) /* of 1,000,000 each starts and ends 0.4 us sooner by it */
            mt__hub_fetch(hub->ready);
    } else {
        next = mt__hub_turn(hub);
    }
    if (MT__PROBED(coro__switch))
        mt__told_switch(self, next, corpse != NULL);
    if (__builtin_expect(next->storage != hub->storage, 0))
        mt__storage_swap(hub, next);
    if (next != self) {
        __atomic_store_n(&hub->current, next, __ATOMIC_RELAXED); /* the monitor looks */
        __atomic_store_n(&hub->switches, hub->switches + 1, __ATOMIC_RELAXED);
        self->greenlets = mt__greenlet_state_get();
        mt__greenlet_state_set(next->greenlets);
        mt__running = next->task;
        mt__here.id = next->id;
        dead = mt__context_switch(&self->context, &next->context, corpse, corpse != NULL);
        if (dead)
            mt__hub_bury(dead);
    }
    if (__builtin_expect(__atomic_load_n(&self->signals.summoned, __ATOMIC_RELAXED), 0))
        mt__hub_answer(self);
}

void mt__hub_ring(struct mt__hub *hub); /* anybody's: it has letters */

/* park.c */
int mt__park_word(struct mt__wait *wait, uint32_t expected, mt_deadline until);
int mt__park_any(struct mt__wait *wait, uint32_t *const *words, const uint32_t *expected, const unsigned *flags,
                 unsigned count, mt_deadline until);
int mt__park_time(struct mt__hub *hub, struct mt__parked *parked,
                  mt_deadline until); /* nothing but a time, or a kill */
void mt__park_pause(struct mt__hub *hub, struct mt__parked *parked,
                    mt_deadline until); /* the same, or, without memory for the time, a turn of the others */
MT__SEAM int mt__park_io(struct mt__hub *hub, struct mt__io *io, struct mt__wait *wait, mt_deadline until);
void mt__parked_until(struct mt__hub *hub, struct mt__parked *parked, mt_deadline until); /* if it is not sooner */

/* terms.c */
int mt__terms_begin(struct mt__hub *hub, struct mt__io *io); /* 0, or what ends its wait at once */
void mt__terms_end(struct mt__hub *hub, struct mt__io *io);
void mt__terms_due(struct mt__hub *hub);
void mt__terms_forget(struct mt__hub *hub);
void mt__terms_free(struct mt__hub *hub);
unsigned mt__unpark(uint32_t *word, unsigned n);
void mt__park_wake(struct mt__coro *coro, const uint32_t *word); /* one of this hub's, if it waits for that one word */
void mt__parked_end(struct mt__hub *hub, struct mt__parked *parked, int result);
void mt__park_arm_new(struct mt__hub *hub, int all); /* all: not only those that have been there for a turn */
int mt__park_poll(struct mt__wait *wait, struct pollfd *fds, unsigned count, mt_deadline until);

/* arm.c */
int mt__arm(struct mt__hub *hub, struct mt__link *link);       /* 0 or -errno */
int mt__arm_adopt(struct mt__hub *hub, struct mt__link *link); /* whether there was one that had been left */
void mt__arm_leave(struct mt__hub *hub, struct mt__link *link);
void mt__arms_move(struct mt__table *from, struct mt__table *to);
void mt__arms_take_back(struct mt__hub *hub);     /* those that have been left */
void mt__arms_cancel_missed(struct mt__hub *hub); /* those of them that are there all the same */
void mt__arms_cancel_again(struct mt__hub *hub);
void mt__arms_leave_shared(struct mt__hub *hub); /* also those that have waiters */
void mt__arms_forget(struct mt__hub *hub);

#endif
