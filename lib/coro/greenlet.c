/* SPDX-License-Identifier: MIT
 *
 * Greenlets. A family is what a thread, or a coroutine in its hub, has of them; its root is the thread's own stack.
 *
 *   made       started 0, open           ends without running when it is freed or thrown into
 *   suspended  started 1, open           its pending switch has left `slot`
 *   running    family->current           (a busy one that waits for an end is not)
 *   dead       barred DEAD               off the family's list; its stack stays while it has references
 *
 * 1. Everything that a switch has to tell is written before it: the value through the target's slot, an error as what
 *    the switch returns. Nothing is left to do behind it, so that mt_greenlet_switch may end in a jump to it.
 * 2. One that is closing cannot leave: its switches fail. So it ends on its closer, who is BUSY until then and whom
 *    nobody else may resume; closers nest.
 * 3. A child has a reference of its parent, so the chain up to the root can be walked whatever was freed; the root
 * lives as long as its thread and every one that still leads to it.
 * 4. All but `references` belongs to the thread, until the family's root is dead: before, one that another thread finds
 *    dead may still be on its way off its stack.
 */
#include "coro/greenlet.h"
#include "coro/thread-end.h"

#include <errno.h>
#include <linuxmt/greenlet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__thread struct mt__greenlets *mt__greenlets_here __attribute__((tls_model("initial-exec")));
static mt_greenlet_trace_fn *trace_hook;

mt_greenlet_trace_fn *mt_greenlet_trace(mt_greenlet_trace_fn *trace)
{
    return __atomic_exchange_n(&trace_hook, trace, __ATOMIC_ACQ_REL);
}

/* -- References and the family ------------------------------------------------------------------------------------ */

static struct mt__greenlets *family_of_root(struct mt_greenlet *root)
{
    return (struct mt__greenlets *)((char *)root - offsetof(struct mt__greenlets, root));
}

struct mt_greenlet *mt__greenlet_retain(struct mt_greenlet *greenlet)
{
    __atomic_fetch_add(&greenlet->references, 1, __ATOMIC_RELAXED);
    return greenlet;
}

void mt__greenlet_drop(struct mt_greenlet *greenlet)
{
    while (greenlet && __atomic_sub_fetch(&greenlet->references, 1, __ATOMIC_ACQ_REL) == 0) {
        struct mt_greenlet *parent = greenlet->parent;
        mt__context_end(&greenlet->context);
        if (greenlet->stack)
            mt__stack_give(greenlet->stack);
        else
            free(family_of_root(greenlet));
        greenlet = parent;
    }
}

static void link_living(struct mt_greenlet *greenlet)
{
    struct mt__greenlets *family = greenlet->family;

    greenlet->previous = NULL;
    greenlet->next = family->living;
    if (family->living)
        family->living->previous = greenlet;
    family->living = greenlet;
}

static void die(struct mt_greenlet *greenlet)
{
    if (greenlet->next)
        greenlet->next->previous = greenlet->previous;
    if (greenlet->previous)
        greenlet->previous->next = greenlet->next;
    else
        greenlet->family->living = greenlet->next;
    greenlet->stack->place = NULL;
    __atomic_store_n(&greenlet->barred, MT__GREENLET_DEAD, __ATOMIC_RELEASE);
}

static struct mt__greenlets *here(void)
{
    struct mt__greenlets *family = mt__greenlets_here;

    if (MT__LIKELY(family != NULL))
        return family;
    family = calloc(1, sizeof *family);
    if (!family)
        return NULL;
    family->root.family = family;
    family->root.references = 1;
    family->root.started = 1;
    snprintf(family->root.name, sizeof family->root.name, "root");
    family->current = &family->root;
    family->thread = &mt__greenlets_here;
    mt__coro_thread();
    mt__greenlets_here = family;
    return family;
}

struct mt_greenlet *mt_greenlet_current(void)
{
    struct mt__greenlets *family = here();

    if (!family)
        errno = ENOMEM;
    return family ? family->current : NULL;
}

static struct mt_greenlet *living_parent(const struct mt_greenlet *greenlet)
{
    struct mt_greenlet *parent = greenlet->parent;

    while (mt__greenlet_is_dead(parent))
        parent = parent->parent;
    return parent;
}

/* -- Switching ---------------------------------------------------------------------------------------------------- */

static void tell(struct mt_greenlet *from, struct mt_greenlet *to, int error)
{
    mt_greenlet_trace_fn *trace = __atomic_load_n(&trace_hook, __ATOMIC_ACQUIRE);

    if (trace)
        trace(error ? MT_GREENLET_THROW : MT_GREENLET_SWITCH, from, to);
}

/* All that is to be told before `to` goes on, but for the error, which the switch carries. */
static inline void announce(struct mt_greenlet *to, void *value, int error)
{
    if (!error && to->slot)
        *to->slot = value;
    to->family->current = to;
}

/* Leaves `from`, the running one, for `to`. Nothing is to be done behind it. */
static inline __attribute__((always_inline)) int enter(struct mt_greenlet *from, struct mt_greenlet *to, void *value,
                                                       int error)
{
    announce(to, value, error);
    return mt__context_switch_last(&from->context, &to->context, error);
}

/* The end of the running one. Nothing of it is touched once another runs: whoever that is may free it. */
static void finish(struct mt_greenlet *self, int outcome, void *value)
{
    struct mt_greenlet *next = self->closer ? self->closer : living_parent(self);

    if (outcome > 0)
        outcome = 0;
    if (self->closer || outcome == -ECANCELED) {
        outcome = 0;
        value = NULL;
    }
    tell(self, next, outcome);
    die(self);
    announce(next, value, outcome);
    mt__context_switch(&self->context, &next->context, (void *)(intptr_t)outcome, 1);
    abort(); /* nobody can switch to one that is dead */
}

static void begin(void *arg, void *code)
{
    struct mt_greenlet *self = arg;
    void *value;
    int outcome;

    (void)code;
    mt__context_begin();
    self->started = 1;
    value = self->first;
    outcome = self->fn(self->arg, &value);
    finish(self, outcome, value);
}

/* An error for one that has not begun, which ends by it, goes up. */
static struct mt_greenlet *ends_unborn(struct mt_greenlet *to)
{
    while (!to->started) {
        die(to);
        to = living_parent(to);
    }
    return to;
}

static int why_not(const struct mt__greenlets *family, const struct mt_greenlet *to)
{
    if (mt__greenlet_is_dead(to))
        return -ESRCH;
    if (to->family != family)
        return -EXDEV;
    if (family->current->closing)
        return -ECANCELED;
    return to->barred == MT__GREENLET_BUSY ? -EBUSY : 0;
}

static __attribute__((noinline)) int switch_slowly(struct mt_greenlet *to, void *value, int error, void **result)
{
    struct mt__greenlets *family = here();
    struct mt_greenlet *from;
    int reason;

    if (!family)
        return -ENOMEM;
    reason = why_not(family, to);
    if (reason)
        return reason;
    from = family->current;
    if (error) {
        to = ends_unborn(to);
        value = NULL;
        if (to != from && to->barred)
            return -EBUSY;
    }
    if (to == from) {
        if (!error && result)
            *result = value;
        return error;
    }
    tell(from, to, error);
    from->slot = result;
    return enter(from, to, value, error);
}

int mt_greenlet_switch(struct mt_greenlet *to, void *value, void **result)
{
    struct mt__greenlets *family = mt__greenlets_here;
    struct mt_greenlet *from;

    if (!family || to->family != family)
        return switch_slowly(to, value, 0, result);
    from = family->current;
    if (to->barred | from->closing | (to == from) || __atomic_load_n(&trace_hook, __ATOMIC_RELAXED))
        return switch_slowly(to, value, 0, result);
    from->slot = result;
    return enter(from, to, value, 0);
}

int mt_greenlet_throw(struct mt_greenlet *to, int error, void **result)
{
    return error < 0 ? switch_slowly(to, NULL, error, result) : -EINVAL;
}

/* -- Making and ending -------------------------------------------------------------------------------------------- */

static struct mt_greenlet *make(struct mt__greenlets *family, struct mt_greenlet *parent, size_t size, int *error)
{
    struct mt__stack *stack = mt__stack_take(size, error);
    struct mt_greenlet *greenlet;

    if (!stack)
        return NULL;
    greenlet = (struct mt_greenlet *)((uintptr_t)(mt__stack_top(stack) - sizeof *greenlet) & ~(uintptr_t)63);
    memset(greenlet, 0, sizeof *greenlet);
    mt__context_make(&greenlet->context, stack, (char *)greenlet, begin, greenlet);
    greenlet->stack = stack;
    greenlet->family = family;
    greenlet->references = 1;
    greenlet->parent = mt__greenlet_retain(parent);
    greenlet->slot = &greenlet->first;
    link_living(greenlet);
    return greenlet;
}

struct mt_greenlet *mt_greenlet_new(mt_greenlet_fn *fn, void *arg, const struct mt_greenlet_options *options)
{
    static const struct mt_greenlet_options none;
    struct mt__greenlets *family = here();
    struct mt_greenlet *greenlet = NULL, *parent;
    const char *name;
    int error = family ? 0 : -ENOMEM;

    if (!options)
        options = &none;
    if (family) {
        parent = options->parent ? options->parent : family->current;
        if (mt__greenlet_is_dead(parent) || parent->family != family)
            error = mt__greenlet_is_dead(parent) ? -EINVAL : -EXDEV;
        else
            greenlet = make(family, parent, options->stack_size, &error);
    }
    if (!greenlet) {
        errno = -error;
        return NULL;
    }
    greenlet->fn = fn;
    greenlet->arg = arg;
    greenlet->user = options->context;
    name = options->name ? options->name : "greenlet";
    memcpy(greenlet->name, name,
           strnlen(name, sizeof greenlet->name - 1)); /* snprintf takes longer than all the rest */
    greenlet->stack->owner = greenlet->name;
    return greenlet;
}

/* Has it run to its end, with every switch that it tries refused. */
static void close_one(struct mt_greenlet *greenlet)
{
    struct mt_greenlet *from = greenlet->family->current;
    uint8_t barred = from->barred;

    if (!greenlet->started) {
        die(greenlet);
        return;
    }
    greenlet->closing = 1;
    greenlet->closer = from;
    from->barred = MT__GREENLET_BUSY;
    from->slot = NULL;
    tell(from, greenlet, -ECANCELED);
    announce(greenlet, NULL, -ECANCELED);
    mt__context_switch(&from->context, &greenlet->context, (void *)(intptr_t)-ECANCELED, 0);
    from->barred = barred;
}

int mt_greenlet_free(struct mt_greenlet *greenlet)
{
    if (!greenlet)
        return 0;
    if (!greenlet->stack)
        return -EINVAL;
    if (greenlet->family->thread != &mt__greenlets_here && !mt__greenlet_is_dead(&greenlet->family->root))
        return -EXDEV;
    if (!mt__greenlet_is_dead(greenlet)) {
        if (greenlet->family != mt__greenlets_here)
            return -EXDEV;
        if (greenlet == greenlet->family->current || greenlet->barred)
            return -EBUSY;
        close_one(greenlet);
    }
    mt__greenlet_drop(greenlet);
    return 0;
}

void mt__greenlet_state_end(void *state)
{
    struct mt__greenlets *family = state;

    if (!family)
        return;
    while (family->current != &family->root) { /* the thread was ended inside: those frames are gone */
        struct mt_greenlet *gone = family->current;
        family->current = gone->closer ? gone->closer : living_parent(gone);
        family->current->barred = MT__GREENLET_OPEN;
        die(gone);
    }
    while (family->living)
        close_one(family->living);
    if (mt__greenlets_here == family)
        mt__greenlets_here = NULL;
    __atomic_store_n(&family->root.barred, MT__GREENLET_DEAD, __ATOMIC_RELEASE);
    mt__greenlet_drop(&family->root);
}
