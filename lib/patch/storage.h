/* SPDX-License-Identifier: MIT
 *
 * Inside the room: what a thread of pthread.h's has for its own, and a coroutine that stands for one too.
 *
 * A variable that is __thread or thread_local has one place in each kernel thread. Coroutines of a thread take turns at
 * it: what is in place is copied out, and the next one's copied in, at a switch between two that differ (storage.c). So
 * the address of such a variable is the same in all coroutines of a thread, and names the one of who runs.
 *
 * Whose is in place, by hub->storage:
 *
 *   NULL         the thread's own: its root runs, or a coroutine without any, as those of mt_coro_spawn are
 *   an address   that of the coroutine with this coro->storage
 *
 * or, while the signal masks of the hub's coroutines differ, by mt__storage_in_place: hub->storage is nobody's then.
 */
#ifndef PATCH_STORAGE_H
#define PATCH_STORAGE_H

#include "patch/patch.h"

#include <signal.h>

struct mt__storage {
    char *contents; /* while it is not in place; NULL: none */
    size_t size;
    char *next;           /* while all are laid out anew */
    stack_t signal_stack; /* if has_signal_stack: what sigaltstack was told */
    int has_signal_stack;
};

void *mt__storage_in_place(const struct mt__hub *hub);
void mt__storage_watch(struct mt__hub *hub, int on);

/* Room for it, in the thread of its hub: 0 or -ENOMEM. */
int mt__storage_make(struct mt__storage *storage);
void mt__storage_free(struct mt__storage *storage);

/* The running coroutine has its own from now on, as a new thread has: if there is anything that threads have. */
void mt__storage_begin(struct mt__storage *storage);
/* And no more: the thread's own is in place again. */
void mt__storage_end(struct mt__storage *storage);

/* sigaltstack, of the running coroutine: 0 or -errno. With none of its own it has the thread's. */
int mt__storage_signal_stack(struct mt__storage *storage, const stack_t *stack);

/* From now on all are: the program is about to load what may have variables of threads. */
void mt__storage_expect(void);

/* What this thread keeps of it: it ends. */
void mt__storage_forget(void);

#endif
