/* SPDX-License-Identifier: MIT
 *
 * Greenlets: functions with a stack each, of which one runs until it switches to another by name. Nothing is scheduled.
 * See mt_greenlet(3).
 */
#ifndef LINUXMT_GREENLET_H
#define LINUXMT_GREENLET_H

#include <linuxmt/compiler.h>
#include <stddef.h>

MT__BEGIN

/* Reserved bytes of a stack, its guard page included; memory is only used where it is touched. */
#define MT_CORO_STACK     65536u
#define MT_CORO_STACK_MAX ((size_t)256 << 20)

struct mt_greenlet;

/* What a greenlet runs. *value is what it was first switched to with. 0: its parent goes on with what is then in
 * *value; -errno: is thrown into its parent, but for -ECANCELED, with which the parent goes on without a value. */
typedef int mt_greenlet_fn(void *arg, void **value);

struct mt_greenlet_options {
    const char *name;           /* is copied; NULL: "greenlet" */
    size_t stack_size;          /* bytes to reserve; 0: MT_CORO_STACK */
    struct mt_greenlet *parent; /* NULL: the caller */
    void *context;              /* see mt_greenlet_context */
};

/* Makes a greenlet of the calling thread or coroutine, which runs when it is first switched to. options may be NULL.
 * NULL with errno ENOMEM; EINVAL: the stack is too large, or the parent has ended; EXDEV: the parent is another
 * thread's. */
struct mt_greenlet *mt_greenlet_new(mt_greenlet_fn *fn, void *arg, const struct mt_greenlet_options *options);

/* Gives a greenlet back. One that is suspended is ended first: its pending switch and every later one return
 * -ECANCELED, and it runs to its end before this returns. 0 (also for NULL); -EBUSY: it is the caller, or is ending
 * another; -EXDEV: it is another thread's that has not ended, or another coroutine's and has not ended; -EINVAL: it is
 * a thread's own. */
int mt_greenlet_free(struct mt_greenlet *greenlet);

/* Goes on in the greenlet, where its pending switch returns value, and returns when somebody switches back: 0 with
 * *result, if result is not NULL; or the -errno that was thrown in. To oneself: 0 with value. At once, and without
 * anything having run: -ESRCH: it has ended; -EXDEV: it is another thread's or coroutine's; -EBUSY: it is just ending
 * another; -ECANCELED: the caller is being ended; -ENOMEM. */
int mt_greenlet_switch(struct mt_greenlet *to, void *value, void **result);

/* The same, but its pending switch returns error, which is less than 0. One that has not begun ends, and the error goes
 * to its parent. -EINVAL: error is not less than 0. */
int mt_greenlet_throw(struct mt_greenlet *to, int error, void **result);

/* The running one; of a thread or coroutine that is not in one its own, which never ends before it and is not freed.
 * NULL with errno ENOMEM. */
struct mt_greenlet *mt_greenlet_current(void);

/* Who goes on when it ends; NULL of a thread's own. If that one has ended by then: its parent, and so on. */
struct mt_greenlet *mt_greenlet_parent(const struct mt_greenlet *greenlet);

/* 0; -EINVAL: it would be its own ancestor, or is a thread's own; -ESRCH: one of both has ended; -EXDEV: they are not
 * the caller's. */
int mt_greenlet_set_parent(struct mt_greenlet *greenlet, struct mt_greenlet *parent);

int mt_greenlet_is_started(const struct mt_greenlet *greenlet);
int mt_greenlet_is_dead(const struct mt_greenlet *greenlet);
const char *mt_greenlet_name(const struct mt_greenlet *greenlet);

/* A pointer of the user's own that goes with the greenlet. */
void *mt_greenlet_context(const struct mt_greenlet *greenlet);
void mt_greenlet_set_context(struct mt_greenlet *greenlet, void *context);

/* Bytes of its stack: reserved, and the most that were ever in use, in whole pages; 0 of a thread's own. Stacks are
 * used again: what the one before has used counts. */
size_t mt_greenlet_stack_size(const struct mt_greenlet *greenlet);
size_t mt_greenlet_stack_used(const struct mt_greenlet *greenlet);

enum mt_greenlet_event { MT_GREENLET_SWITCH = 1, MT_GREENLET_THROW = 2 };

/* Called before every switch of every thread, still in origin. It must not switch. NULL: none. Returns the one that was
 * set before. */
typedef void mt_greenlet_trace_fn(enum mt_greenlet_event event, struct mt_greenlet *origin, struct mt_greenlet *target);
mt_greenlet_trace_fn *mt_greenlet_trace(mt_greenlet_trace_fn *trace);

MT__END

#endif
