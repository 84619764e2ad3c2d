/* SPDX-License-Identifier: MIT
 *
 * The one way to wait: for a 32-bit word to be woken while it holds an expected value, as futex(2) does it.
 *
 * A wait that may take several rounds (because a wake says only "look again") is one mt__wait_begin, rounds of
 * mt__wait_round, one mt__wait_end: the task's record, the probes and its deadline see one wait. mt__wait is the three
 * in one.
 *
 * Two rules for all who build on this. No algorithm may rely on how many waiters a wake says it woke: a waiter may not
 * have reached the kernel yet, or may be a coroutine that never does. And a wake that meets a waiter which is just
 * being cancelled is passed on here (mt__wait_round); a caller that leaves for its own reasons after a round returned 0
 * passes it on itself with mt__wake.
 */
#ifndef WAIT_WAIT_H
#define WAIT_WAIT_H

#include "base/seam.h"
#include "base/task.h"

enum {
    MT__WAIT_SHARED =
        1, /* the word is in memory that several processes map (or that the kernel wakes: a thread's tid word) */
    MT__WAIT_NOCANCEL = 2,   /* a killed task waits here all the same: a condition that has to get its lock back */
    MT__WAIT_TIME = 4,       /* nobody wakes the word: only time, or a kill, ends the wait */
    MT__WAIT_KNOWN = 8,      /* who wakes it knows who waits, and in his own hub wakes him by mt__park_wake */
    MT__WAIT_INTERRUPT = 16, /* a coroutine's, and its thread's own beside coroutines: a signal handler without
                         SA_RESTART that runs while all wait ends one of these, with -EINTR */
    MT__WAIT_INTERRUPT_ALWAYS = 32, /* the same with any handler */
    MT__WAIT_INTERRUPT_FIRST = 64,  /* the same, and before all that do not have this flag */
    MT__WAIT_LEFT = 128,            /* the same, when the handler is left for good, and only then */
};

struct mt__wait {
    uint32_t *word;
    unsigned flags;
    enum mt_reason reason;
    uint32_t owner; /* kernel tid of the holder, 0 unknown */
    const void *object;
    const char *name;
    const char *place;
    mt_deadline deadline;

    /* filled in by mt__wait_begin */
    struct mt_task *task;
    mt_deadline since;
    int limited; /* a timeout of the task's has ended it: the -ECANCELED of its round is not a kill's */
    int suspect; /* in a hub: it might close a circle, which is looked at when it has lasted a turn */
};

/* Publishes that the task waits. 0, or -ENOMEM (a thread new to the library, and no memory for its record): then there
 * is no wait to end. */
MT__SEAM int mt__wait_begin(struct mt__wait *wait);

/* Sleeps while *word == expected, until `until` at the latest, which may be earlier than the wait's own deadline.
 * 0: look again; -ETIMEDOUT: `until` has passed; -ECANCELED: the task was killed. */
MT__SEAM int mt__wait_round(struct mt__wait *wait, uint32_t expected, mt_deadline until);

/* The task goes on, with that result. Returns the result, which is then what the caller has to go by: -ETIMEDOUT in
 * place of -ECANCELED where a timeout (mt_timeout_start) has ended the wait. */
MT__SEAM int mt__wait_end(struct mt__wait *wait, int result);

/* The same for any of several words: sleeps while each words[i] == expected[i]. Wakes
 * that met other words than the caller makes use of are the caller's to pass on. 0: look again; -ETIMEDOUT; -ECANCELED.
 */
int mt__wait_round_any(struct mt__wait *wait, uint32_t *const *words, const uint32_t *expected, const unsigned *flags,
                       unsigned count, mt_deadline until);

#define MT__WAIT_ANY_MAX 127

struct pollfd;

/* The same for a descriptor: sleeps until it has one of poll(2)'s events, or has failed. wait->word is not looked at.
 */
MT__SEAM int mt__wait_round_fd(struct mt__wait *wait, int fd, short events, mt_deadline until);

/* And for any of several: fills in their revents. The array has room for one entry more than `count`. */
MT__SEAM int mt__wait_round_fds(struct mt__wait *wait, struct pollfd *fds, unsigned count, mt_deadline until);

/* A round's `until`, and what comes of its result, where the task has a timeout: the earlier of the two. */
MT__SEAM mt_deadline mt__wait_limit(const struct mt__wait *wait, mt_deadline until);
MT__SEAM int mt__wait_limited(struct mt__wait *wait, mt_deadline until, int result);

/* Notes which timeout it is that has ended a wait of the task. */
void mt__timeout_expire(struct mt_task *task);

/* One whole wait of one round. */
int mt__wait(struct mt__wait *wait, uint32_t expected);

/* Whether to look again for a while before the wait begins: not in a hub, whose other coroutines it would keep from
 * running, and so perhaps the very one that it waits for. */
int mt__wait_may_spin(void);

/* Wakes up to n of those who wait for the word. Only MT__WAIT_SHARED of the flags counts. */
MT__SEAM void mt__wake(uint32_t *word, unsigned n, unsigned flags);

/* Makes a task that waits come back with -ECANCELED, now and ever after. */
void mt__wait_cancel(struct mt_task *task); /* async-signal-safe */

/* The calling task, which was killed, is not any more: its kill was meant for something that it has done with. */
MT__SEAM void mt__wait_uncancel(struct mt_task *task);

/* How what runs in a hub waits instead: it sets this for its thread. park, park_any and poll do what mt__wait_round,
 * mt__wait_round_any and mt__wait_round_fds say; unpark wakes up to n parked waiters of this hub and returns how many
 * it found, before the kernel is asked for the rest; yield lets the others go first. */
struct mt__hook {
    int (*park)(struct mt__wait *wait, uint32_t expected, mt_deadline until);
    int (*park_any)(struct mt__wait *wait, uint32_t *const *words, const uint32_t *expected, const unsigned *flags,
                    unsigned count, mt_deadline until);
    int (*poll)(struct mt__wait *wait, struct pollfd *fds, unsigned count, mt_deadline until);
    void (*yield)(void);
    unsigned (*unpark)(uint32_t *word, unsigned n);
    void (*settle)(void);
};
void mt__hook_set(const struct mt__hook *hook); /* for the calling thread; NULL: none */
const struct mt__hook *mt__hook(void);          /* NULL: none */

/* Before shared memory is unmapped: wakes that have come to those who had given up waiting there are passed on. */
void mt__wait_settle(void);

/* When the thread last looked at a clock for its waits; the hub's turns do so too. */
extern __thread mt_deadline mt__wait_clock __attribute__((tls_model("initial-exec")));

#endif
