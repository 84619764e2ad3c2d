/* SPDX-License-Identifier: MIT */
#ifndef CORO_GREENLET_H
#define CORO_GREENLET_H

#include "coro/context.h"
#include <linuxmt/greenlet.h>
#include <linuxmt/task.h>
#include <stdint.h>

enum mt__greenlet_barred {
    MT__GREENLET_OPEN = 0, /* may be switched to */
    MT__GREENLET_BUSY = 1, /* waits in mt_greenlet_free until another has ended, and goes on only then */
    MT__GREENLET_DEAD = 2,
};

struct mt__greenlets;

/* Lies at the upper end of its stack, just below the stack's descriptor. */
struct mt_greenlet {
    struct mt__context context;
    struct mt__greenlets *family;
    void **slot; /* where the value goes that its pending switch, or its beginning, waits for; may be NULL */
    uint8_t barred;
    uint8_t closing; /* it is being ended: all its switches return -ECANCELED */
    uint8_t started;
    uint32_t references;                 /* the handle, and one of each child */
    struct mt_greenlet *parent;          /* with a reference; NULL: a root */
    struct mt_greenlet *closer;          /* who goes on instead of the parent, while closing */
    struct mt_greenlet *next, *previous; /* the family's that have not ended */
    struct mt__stack *stack;             /* NULL: a root */
    mt_greenlet_fn *fn;
    void *arg;
    void *user;
    void *first; /* the value that it begins with */
    char name[MT_NAME_MAX];
};

/* A thread's, or a coroutine's: the ones that may switch to each other. */
struct mt__greenlets {
    struct mt_greenlet *current;
    struct mt_greenlet root;
    struct mt_greenlet *living; /* the rest of it */
    const void *thread;         /* which thread's: the address of a variable that each has */
};

/* Of what runs on this thread now; NULL: it has had nothing to do with greenlets. */
extern __thread struct mt__greenlets *mt__greenlets_here
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline int mt__greenlet_is_dead(const struct mt_greenlet *greenlet)
{
    return __atomic_load_n(&greenlet->barred, __ATOMIC_ACQUIRE) == MT__GREENLET_DEAD;
}

/* References. The last one gives the stack back, and the parent's reference. */
struct mt_greenlet *mt__greenlet_retain(struct mt_greenlet *greenlet);
void mt__greenlet_drop(struct mt_greenlet *greenlet);

/* For the hub, at each of its switches: get what the one that is left has, set what the one that is entered had, NULL
 * if it is new. */
static inline void *mt__greenlet_state_get(void)
{
    return mt__greenlets_here;
}

static inline void mt__greenlet_state_set(void *state)
{
    mt__greenlets_here = state;
}

/* What is left of the state of a coroutine whose body has returned, called while it still runs; NULL is nothing. Ends
 * the greenlets that it has left behind, which may take them waits that end with -ECANCELED. */
void mt__greenlet_state_end(void *state);

#endif
