/* SPDX-License-Identifier: MIT
 *
 * Inside the room: time slices. A coroutine that stands for a thread and computes for long is made to let the others
 * of its hub go: see slice.c for when it may, slice-stack.c for how that is known, slice-watch.c for who looks,
 * slice-signal.c for how it is told.
 */
#ifndef PATCH_SLICE_H
#define PATCH_SLICE_H

#include "patch/patch.h"

#include <signal.h>
#include <ucontext.h>

/* Of a kernel thread whose hub has such coroutines. */
struct mt__slice {
    struct mt__slice *next, **link; /* the list of them; link NULL: it is not on it */
    struct mt__hub *hub;
    uint64_t moves;  /* of the hub, when it was looked at last, */
    uint64_t asked;  /* and when the timer was set that is on its way, */
    uint32_t is_set; /* if one is */
    int signal;      /* the timer's, of this number; 0: there is no timer */
    int timer;
    char *low, *top; /* the thread's own stack; NULL: not known, and its root is left alone */
};

extern __thread struct mt__slice mt__slice __attribute__((tls_model("initial-exec")));

/* How often the hub has turned or switched. */
static inline uint64_t mt__slice_moves(const struct mt__hub *hub)
{
    return __atomic_load_n(&hub->turns, __ATOMIC_RELAXED) + __atomic_load_n(&hub->switches, __ATOMIC_RELAXED);
}

/* -- The watcher (slice-watch.c) ---------------------------------------------------------------------------------- */

/* The class is on: the signal's number, which masks leave alone from now on. */
void mt__slice_prepare(void);

/* This thread's hub is about to get another; has none left; ends. */
void mt__slice_begin(void);
void mt__slice_end(void);
void mt__slice_forget(void);

/* The signal is another: none with the former number is on its way to this thread any more. */
void mt__slice_retire(void);

/* The process is about to end with its last thread: no more slices. */
void mt__slices_stop(void);

/* In the child of a fork, which has so many of them here. */
void mt__slices_forked(unsigned here);

/* -- The signal (slice-signal.c) ---------------------------------------------------------------------------------- */

extern int mt__slice_number; /* 0: there is none to be had */
void mt__slice_choose(void);
int mt__slice_install(void); /* not 0: the handler is there */
int mt__slice_is_ours(void); /* and nobody has taken the signal meanwhile */
void mt__slice_let_in(void); /* this thread does */

/* The kernel's form of it: a bit, or none. */
static inline uint64_t mt__slice_signals(void)
{
    return mt__slice_number ? 1ull << (mt__slice_number - 1) : 0;
}

/* A set of signals to be blocked, without it: the set, or `room`. */
const sigset_t *mt__slice_spared(const sigset_t *set, sigset_t *room);

/* -- What is counted (slice.c) ------------------------------------------------------------------------------------ */

void mt__slice_over(int number, siginfo_t *info, void *context); /* the handler */
uint64_t mt__slices_taken(void);
void mt__slice_report(void); /* on standard error, if there is anything to say */

/* -- Whose code it is (slice-stack.c) ----------------------------------------------------------------------------- */

/* Before the first time, and when modules may have come: 0, or -1 if it cannot be known here. Not in a handler; and the
 * first time not while anything is held that who loads modules may wait for. */
int mt__slice_know_modules(void);

struct mt__slice_bounds {
    const char *low, *top;
    uintptr_t base; /* an address in the frame of thread.c's run(), which all begins with; 0: it is the thread's root */
};

/* Whether all code between where the thread was interrupted and its beginning is the program's own. If not, *where is
 * in what is not, or is not known. */
int mt__slice_may(const ucontext_t *context, const struct mt__slice_bounds *bounds, const void **where);

#endif
