/* SPDX-License-Identifier: MIT
 *
 * Generators. They lie at the upper end of their stacks.
 *
 *   FRESH      has not begun               on no thread: whoever asks first begins it
 *   SUSPENDED  in mt_yield                 on its thread's list, so that the thread's end ends it
 *   RUNNING    entered from `caller`       also while what it calls switches elsewhere
 *   ENDED      the function has returned   its stack is free of frames
 *
 * As for greenlets, all that a switch has to tell is written before it: an item to where the caller wants it, what is
 * sent to where mt_yield wants it. The switch itself carries what the call on the other side returns.
 */
#include "coro/context.h"
#include "coro/thread-end.h"

#include <errno.h>
#include <linuxmt/generator.h>
#include <linuxmt/task.h>
#include <linuxmt/thread.h>
#include <stdlib.h>
#include <string.h>

enum { FRESH, SUSPENDED, RUNNING, ENDED };

struct mt_generator {
    struct mt__context context, caller;
    uint8_t state;
    uint8_t closing;
    void *item;         /* where the caller wants the next one; NULL: nowhere */
    void **sent;        /* where the pending mt_yield wants what is sent; may be NULL */
    const void *thread; /* which has begun it: the address of a variable that each has */
    struct mt_iter iter;
    struct mt__stack *stack;
    mt_generator_fn *fn;
    void *arg;
    void *value;
    struct mt_generator *next, *previous; /* of its thread's */
    char name[MT_NAME_MAX];
};

static __thread struct mt_generator *begun __attribute__((tls_model("initial-exec")));

static void unlink_begun(struct mt_generator *self)
{
    if (self->next)
        self->next->previous = self->previous;
    if (self->previous)
        self->previous->next = self->next;
    else
        begun = self->next;
}

static void link_begun(struct mt_generator *self)
{
    mt__coro_thread();
    self->thread = &begun;
    self->previous = NULL;
    self->next = begun;
    if (begun)
        begun->previous = self;
    begun = self;
}

/* -- Switching ---------------------------------------------------------------------------------------------------- */

static void begin(void *arg, void *code)
{
    struct mt_generator *self = arg;
    int outcome;

    (void)code;
    mt__context_begin();
    outcome = self->fn(self, self->arg);
    unlink_begun(self);
    self->state = ENDED;
    self->stack->place = NULL;
    mt__context_switch(&self->context, &self->caller, (void *)(intptr_t)(outcome < 0 ? outcome : MT_STOP), 1);
    abort(); /* nobody enters one that has ended */
}

/* Goes on in it. code: what the pending mt_yield returns. */
static inline __attribute__((always_inline)) int enter(struct mt_generator *self, int code, void *sent, void *item)
{
    if (self->sent && !code)
        *self->sent = sent;
    self->item = item;
    self->state = RUNNING;
    return mt__context_switch_last(&self->caller, &self->context, code);
}

/* Not suspended, or not here. 0: it may be entered after all. */
static __attribute__((noinline)) int why_not(struct mt_generator *self)
{
    if (self->state == ENDED)
        return MT_STOP;
    if (self->state == FRESH) {
        link_begun(self);
        return 0;
    }
    if (self->thread != &begun)
        return -EXDEV;
    return self->state == RUNNING ? -EBUSY : 0;
}

int mt_generator_next(struct mt_generator *self, void *item)
{
    if (self->state != SUSPENDED || self->thread != &begun) {
        int reason = why_not(self);
        if (reason)
            return reason;
    }
    return enter(self, 0, NULL, item);
}

int mt_generator_send(struct mt_generator *self, void *sent, void *item)
{
    int reason;

    if (self->state == FRESH && sent)
        return -EINVAL;
    reason = why_not(self);
    return reason ? reason : enter(self, 0, sent, item);
}

int mt_generator_throw(struct mt_generator *self, int error, void *item)
{
    int reason;

    if (error >= 0)
        return -EINVAL;
    if (self->state == FRESH)
        self->state = ENDED;
    if (self->state == ENDED)
        return error;
    reason = why_not(self);
    return reason ? reason : enter(self, error, NULL, item);
}

int mt_yield(struct mt_generator *self, const void *item, void **sent)
{
    if (self->state != RUNNING || self->thread != &begun)
        return -EINVAL;
    if (self->closing)
        return -ECANCELED;
    if (self->item)
        memcpy(self->item, item, self->iter.item_size);
    self->sent = sent;
    self->state = SUSPENDED;
    return mt__context_switch_last(&self->context, &self->caller, 0);
}

/* -- Making and ending -------------------------------------------------------------------------------------------- */

static int iter_next(struct mt_iter *iter, void *item)
{
    return mt_generator_next(mt_container_of(iter, struct mt_generator, iter), item);
}

static void iter_close(struct mt_iter *iter)
{
    mt_generator_free(mt_container_of(iter, struct mt_generator, iter));
}

struct mt_generator *mt_generator_new(mt_generator_fn *fn, void *arg, size_t item_size,
                                      const struct mt_generator_options *options)
{
    static const struct mt_generator_options none;
    struct mt_generator *self;
    struct mt__stack *stack;
    const char *name;
    int error = -ENOMEM;

    if (!options)
        options = &none;
    stack = mt__stack_take(options->stack_size, &error);
    if (!stack) {
        errno = -error;
        return NULL;
    }
    self = (struct mt_generator *)((uintptr_t)(mt__stack_top(stack) - sizeof *self) & ~(uintptr_t)63);
    memset(self, 0, sizeof *self);
    mt__context_make(&self->context, stack, (char *)self, begin, self);
    self->stack = stack;
    self->fn = fn;
    self->arg = arg;
    self->iter = (struct mt_iter){.next = iter_next, .close = iter_close, .item_size = item_size};
    name = options->name ? options->name : "generator";
    memcpy(self->name, name, strnlen(name, sizeof self->name - 1)); /* snprintf takes longer than all the rest */
    stack->owner = self->name;
    return self;
}

int mt_generator_close(struct mt_generator *self)
{
    int result;

    if (self->state == FRESH)
        self->state = ENDED;
    if (self->state == ENDED)
        return 0;
    result = why_not(self);
    if (result)
        return result;
    self->closing = 1;
    result = enter(self, -ECANCELED, NULL, NULL);
    return result == MT_STOP || result == -ECANCELED ? 0 : result;
}

int mt_generator_free(struct mt_generator *self)
{
    if (!self)
        return 0;
    if (self->state != ENDED) {
        int result = mt_generator_close(self);
        if (self->state != ENDED)
            return result;
    }
    mt__context_end(&self->context);
    mt__stack_give(self->stack);
    return 0;
}

void mt__generators_end(void)
{
    struct mt_generator *self;

    while ((self = begun)) {
        if (self->state == SUSPENDED) {
            mt_generator_close(self);
        } else { /* the thread was ended inside, or from where it had switched to: those frames are not entered again */
            unlink_begun(self);
            self->state = ENDED;
        }
    }
}

struct mt_iter *mt_generator_iter(struct mt_generator *self)
{
    return self ? &self->iter : NULL;
}

int mt_generator_return(struct mt_generator *self, void *value)
{
    self->value = value;
    return 0;
}

void *mt_generator_value(const struct mt_generator *self)
{
    return self->value;
}

size_t mt_generator_stack_used(const struct mt_generator *self)
{
    return mt__stack_used(self->stack);
}

int mt_generator_is_running(const struct mt_generator *self)
{
    return self->state == RUNNING;
}

int mt_generator_has_ended(const struct mt_generator *self)
{
    return self->state == ENDED;
}
