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

/* Bytes that a switch may have to copy, twice: who has more has the kernel's threads. With so much a switch took 0.35
 * us, with 4 KiB 0.13 us and with none 0.03 us, where the kernel's takes 1.2 us. */
#define MT__STORAGE_MOST (16 * 1024)

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

/* The dynamic linker's entry for a module in the vector of this thread. */
const void *mt__storage_entry(size_t id);

/* What this thread keeps of it: it ends. */
void mt__storage_forget(void);

void mt__storage_forked(void); /* in the child of a fork: other threads may have been in the middle of it */

/* -- The modules that have variables of threads (modules.c) -------------------------------------------------------- */

struct mt__module {
    size_t id;      /* the dynamic linker's number */
    uintptr_t base; /* two that are loaded one after the other may have the same number */
    size_t size;
    char *block;   /* this thread's; NULL: it has not used any of them */
    int is_static; /* or it may have: code may know the block's place beforehand */
};

/* Those whose variables are to be each coroutine's own, no more than `room`: how many there are. And what they begin
 * with, one after the other, if all of them have a place in both; *size: how much that is. */
unsigned mt__modules_list(struct mt__module *modules, unsigned room, char *image, size_t *size);

/* Whether a thread must not be left in the middle of its code: libc, the dynamic linker, allocators, and what unwinds.
 */
struct dl_phdr_info;
int mt__module_keeps(const struct dl_phdr_info *info);

/* How often a module has been loaded or unloaded. */
uint64_t mt__modules_changes(void);

/* Whether threads of this process must not be coroutines, for good: one of its modules has a runtime that deals with
 * the kernel's threads past libc, or there is more to copy than MT__STORAGE_MOST. */
int mt__modules_refuse(void);
void mt__modules_forked(void);

#endif
