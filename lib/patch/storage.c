/* SPDX-License-Identifier: MIT
 *
 * Storage of coroutines that stand for threads: the copies, and where they lie. See patch/storage.h.
 *
 * Contents are laid out as the thread's layout says (layout.c). When that is made anew all contents are, too. What is
 * new and in place is of who runs: the others start with its initial image.
 */
#include "patch/storage.h"
#include "patch/layout.h"
#include "patch/pthreads.h"
#include "patch/signals.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread struct mt__layout *layout __attribute__((tls_model("initial-exec")));
static __thread struct mt__storage own __attribute__((tls_model("initial-exec")));

/* hub->storage while its masks differ: nobody's, so that each switch comes here. */
static char watched;
static __thread void *in_place __attribute__((tls_model("initial-exec")));

static int is_expected; /* each coroutine is to have one, whatever there is by now */

/* -- Contents ------------------------------------------------------------------------------------------------------ */

static void out_of_memory(void) __attribute__((noreturn));
static void out_of_memory(void)
{
    static const char text[] = "linuxmt: no memory for the thread-local variables of a coroutine\n";

    mt__sys(SYS_write, STDERR_FILENO, text, sizeof text - 1); /* nor has the dynamic linker any other way */
    abort();
}

/* Contents for the layout: what the former ones have of it, else what a new thread has. 0 or -ENOMEM. */
static int lay_out(struct mt__storage *storage, const struct mt__layout *old, const struct mt__layout *now)
{
    char *contents = mt__alloc(now->size + 1);

    if (!contents)
        return -ENOMEM;
    memcpy(contents, now->image, now->size);
    for (unsigned i = 0; storage->contents && i < now->count; i++) {
        const struct mt__laid *before = mt__layout_find(old, &now->places[i].module);
        if (before)
            memcpy(contents + now->places[i].offset, storage->contents + before->offset, before->module.size);
    }
    storage->next = contents;
    return 0;
}

static void take_next(struct mt__storage *storage, const struct mt__layout *now)
{
    free(storage->contents);
    storage->contents = storage->next;
    storage->size = now->size;
    storage->next = NULL;
}

static void drop_next(struct mt__storage *storage)
{
    free(storage->next);
    storage->next = NULL;
}

/* All of the thread: 0, or -ENOMEM with nothing changed. */
static int lay_out_all(const struct mt__layout *old, const struct mt__layout *now)
{
    struct mt__hub *hub = mt__hub;
    struct mt__coro *first = hub ? hub->living : NULL;
    int error = lay_out(&own, old, now);

    for (struct mt__coro *coro = first; coro && !error; coro = coro->next_living)
        error = coro->storage ? lay_out(coro->storage, old, now) : 0;
    if (error)
        drop_next(&own);
    else
        take_next(&own, now);
    for (struct mt__coro *coro = first; coro; coro = coro->next_living)
        if (!coro->storage)
            continue;
        else if (error)
            drop_next(coro->storage);
        else
            take_next(coro->storage, now);
    return error;
}

/* 0, or -ENOMEM with nothing changed. */
static int refresh(void)
{
    struct mt__layout *now = mt__layout_read(), *old = layout;

    if (!now)
        return -ENOMEM;
    if (!mt__layout_is_same(old, now) && lay_out_all(old, now)) {
        mt__layout_free(now);
        return -ENOMEM;
    }
    layout = now;
    mt__layout_free(old);
    return 0;
}

/* -- The copies ---------------------------------------------------------------------------------------------------- */

static void copy_out(struct mt__storage *from)
{
    struct mt__layout *here = layout;

    for (unsigned i = 0; i < here->count; i++) {
        const char *block = mt__laid_block(&here->places[i]);
        if (block)
            memcpy(from->contents + here->places[i].offset, block, here->places[i].module.size);
    }
}

static void copy_in(const struct mt__storage *to)
{
    struct mt__layout *here = layout;

    for (unsigned i = 0; i < here->count; i++) {
        char *block = mt__laid_block(&here->places[i]);
        if (block)
            memcpy(block, to->contents + here->places[i].offset, here->places[i].module.size);
    }
}

/* The stack for signals is the kernel's to know. Who runs on one, in a handler, keeps it in place. */
static void change_signal_stack(const struct mt__storage *from, const struct mt__storage *to)
{
    if (!from->has_signal_stack && !to->has_signal_stack)
        return;
    if (!from->has_signal_stack) {
        mt__sys(SYS_sigaltstack, NULL, &own.signal_stack);
        own.signal_stack.ss_flags &= ~SS_ONSTACK;
    }
    mt__sys(SYS_sigaltstack, to->has_signal_stack ? &to->signal_stack : &own.signal_stack, NULL);
}

void *mt__storage_in_place(const struct mt__hub *hub)
{
    return hub->storage == &watched ? in_place : hub->storage;
}

static void put_in_place(struct mt__hub *hub, void *storage)
{
    *(hub->storage == &watched ? &in_place : &hub->storage) = storage;
}

void mt__storage_watch(struct mt__hub *hub, int on)
{
    void *now = mt__storage_in_place(hub);

    in_place = now;
    hub->storage = on ? &watched : now;
}

static void exchange(struct mt__storage *from, struct mt__storage *to)
{
    if (mt__layout_is_changed(layout) && refresh())
        out_of_memory();
    if (layout->count) {
        copy_out(from);
        copy_in(to);
    }
    change_signal_stack(from, to);
}

/* As in a turn, a handler would find nobody's variables and mask: those of one, while another is said to run. */
static void swap(struct mt__hub *hub, const struct mt__coro *next)
{
    struct mt__storage *now = mt__storage_in_place(hub), *then = next->storage;

    hub->in_turn = 1;
    if (now != then) {
        exchange(now ? now : &own, then ? then : &own);
        put_in_place(hub, then);
    }
    if (hub->storage == &watched)
        mt__mask_switch(hub, next);
    __atomic_store_n(&hub->current, (struct mt__coro *)next, __ATOMIC_RELAXED); /* the monitor looks */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    hub->in_turn = 0;
}

/* -- Life ---------------------------------------------------------------------------------------------------------- */

/* The layout as it is now: 0 or -ENOMEM. */
static int look(void)
{
    if (!mt__layout_is_changed(layout) && layout->changes == mt__modules_changes())
        return 0;
    return refresh();
}

int mt__storage_make(struct mt__storage *storage)
{
    int error = look();

    if (error || (!layout->count && !is_expected))
        return error;
    error = lay_out(storage, NULL, layout);
    if (!error)
        take_next(storage, layout);
    return error;
}

void mt__storage_free(struct mt__storage *storage)
{
    free(storage->contents);
    *storage = (struct mt__storage){0};
}

/* Room for it may be there; or not, as nothing was, when it was made. */
static void attach(struct mt__storage *storage)
{
    if (storage->contents && storage->size == layout->size)
        memcpy(storage->contents, layout->image, layout->size);
    else if (lay_out(storage, NULL, layout))
        out_of_memory();
    else
        take_next(storage, layout);
    mt__hub->current->storage = storage;
    put_in_place(mt__hub, storage);
}

void mt__storage_begin(struct mt__storage *storage)
{
    if (look())
        out_of_memory();
    if (!layout->count && !is_expected)
        return;
    attach(storage);
    copy_out(&own);
    copy_in(storage);
}

int mt__storage_signal_stack(struct mt__storage *storage, const stack_t *stack)
{
    int has = !(stack->ss_flags & SS_DISABLE), result;
    stack_t kernels;

    if (!has && !storage->has_signal_stack)
        return 0;
    mt__sys(SYS_sigaltstack, NULL, &kernels);
    result = (int)mt__sys(SYS_sigaltstack, has ? stack : &own.signal_stack, NULL);
    if (result)
        return result;
    if (mt__storage_in_place(mt__hub) != storage)
        attach(storage); /* there were no variables */
    if (has && !storage->has_signal_stack) {
        own.signal_stack = kernels;
        own.signal_stack.ss_flags &= ~SS_ONSTACK;
    }
    storage->signal_stack = *stack;
    storage->has_signal_stack = has;
    return 0;
}

void mt__storage_end(struct mt__storage *storage)
{
    if (mt__storage_in_place(mt__hub) == storage) {
        if (mt__layout_is_changed(layout) && refresh())
            out_of_memory();
        copy_in(&own);
        change_signal_stack(storage, &own);
        mt__hub->current->storage = NULL;
        put_in_place(mt__hub, NULL);
    }
    mt__storage_free(storage);
}

/* Those that are there and have none, as there was nothing, are given theirs. */
static void attach_living(struct mt__hub *hub)
{
    for (struct mt__coro *coro = hub->living; coro; coro = coro->next_living) {
        struct mt__pthread *thread = coro->pthread;
        if (!thread || !thread->unwinds || coro->storage)
            continue;
        if (lay_out(&thread->storage, NULL, layout))
            out_of_memory();
        take_next(&thread->storage, layout);
        coro->storage = &thread->storage;
        if (coro == hub->current)
            put_in_place(hub, coro->storage);
    }
}

void mt__storage_expect(void)
{
    __atomic_store_n(&is_expected, 1, __ATOMIC_RELEASE);
    if (mt__hub && layout && !layout->count)
        attach_living(mt__hub);
}

void mt__storage_forget(void)
{
    mt__storage_free(&own);
    mt__layout_free(layout);
    layout = NULL;
}

__attribute__((constructor)) static void begin(void)
{
    mt__storage_swap = swap;
}
