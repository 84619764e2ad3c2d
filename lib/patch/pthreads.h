/* SPDX-License-Identifier: MIT
 *
 * Inside the room: coroutines as threads of pthread.h's.
 *
 * A pthread_t of ours is the address of its struct, and 1: libc's are addresses of something aligned, so each call that
 * is given one knows whose it is, whatever is patched by now.
 *
 * Life, by `references` (the thread's own, and its joiner's, which pthread_detach gives back):
 *
 *   made       spawned in its hub, or on its way to another's
 *   runs       its coroutine runs run() in thread.c; a coroutine that pthread_create did not make is adopted by the
 * first call that asks who it is, and has no joiner ended      its keys' destructors have run, `ended` is 1 and whoever
 * joins has been woken
 *
 * Cancellation is deferred, as it is by default: `requested` and `disabled` are under the guard. A request that finds
 * it enabled kills the task: its wait, and each later one, comes back with -ECANCELED, and what was called then leaves
 * by mt__pthread_cancelled.
 */
#ifndef PATCH_PTHREADS_H
#define PATCH_PTHREADS_H

#include "base/mini.h"
#include "patch/patch.h"
#include "patch/signals.h"
#include "patch/storage.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <unwind.h>

/* What was asked for by a handler in the midst of a call: see leave.c. */
struct mt__departure {
    void (*jump)(struct __jmp_buf_tag *place, int value); /* NULL: pthread_exit */
    struct __jmp_buf_tag *place;
    void *value; /* of either */
    int error;   /* errno then */
};

struct mt__key_block;
struct mt__destructor;

struct mt__pthread {
    struct mt_task *task; /* NULL: none yet */
    void *(*start)(void *);
    int (*start_c11)(void *); /* not NULL: it is that */
    void *arg, *value;
    uint32_t references;
    uint32_t detached;          /* 1: nobody joins it */
    uint32_t ended;             /* a futex word */
    struct mt__pthread *joiner; /* who joins it; MT__JOINED_BY_THREAD: not one of ours */
    struct mt__mini guard;      /* of `task` and the next four */
    int has_begun, requested, disabled, leaving;
    int is_asynchronous;                /* what pthread_setcanceltype was told */
    int unwinds;                        /* it can be left by pthread_exit: `base` is there */
    jmp_buf base;                       /* of run(), */
    uintptr_t base_frame;               /* an address in its frame, */
    __pthread_unwind_buf_t *cleanup;    /* what pthread_cleanup_push has laid on the stack above it, innermost first, */
    struct _Unwind_Exception unwinding; /* and what it is being unwound by */
    struct mt__key_block **keys;
    struct mt__destructor *destructors; /* of its variables, the last one first */
    struct mt__storage storage;
    size_t stack_size;
    int stack_is_default;        /* it may be less */
    int policy;                  /* of scheduling: what was asked for, and means nothing */
    char *stack_low, *stack_top; /* known once it has begun */
    struct mt__mailbox mailbox;  /* which knows its coroutine, and the thread that carries its hub */
    struct mt__departure departure;
    struct mt__pthread *next_living, **living_link;
    char name[16];
};

#define MT__JOINED_BY_THREAD ((struct mt__pthread *)1)

/* Not 0: pthread_create makes coroutines, and the caller may ask for it. */
static inline int mt__pthread_is_on(void)
{
    return (__atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) & MT_PATCH_THREAD) != 0;
}

static inline struct mt__pthread *mt__pthread_of(pthread_t thread)
{
    return thread & 1 ? (struct mt__pthread *)(thread - 1) : NULL;
}

static inline pthread_t mt__pthread_handle(const struct mt__pthread *thread)
{
    return (pthread_t)(uintptr_t)thread + 1;
}

/* The coroutine that is running, if the class is on; NULL: a thread (or the thread class is off, or no memory). */
struct mt__pthread *mt__pthread_here(void);

static inline struct mt__pthread *mt__pthread_if_known(void) /* the same, of those that are known already */
{
    return mt__hub ? mt__hub->current->pthread : NULL;
}

void mt__pthread_drop(struct mt__pthread *thread); /* a reference */

/* -- Cancellation (thread-exit.c) -------------------------------------------------------------------------------- */

/* Whether it is main's thread, which has called pthread_exit and waits for the others. */
int mt__pthread_has_left(pthread_t handle, void **value);

void mt__pthread_leave(struct mt__pthread *thread, void *value) __attribute__((noreturn));

/* -- Numbers of threads (thread-id.c) ------------------------------------------------------------------------------ */

/* With all signals blocked. */
void mt__ids_add(struct mt__pthread *thread);
void mt__ids_remove(struct mt__pthread *thread);
void mt__ids_forked(void); /* in the child: only who forked lives */

/* Whether it is one of theirs. */
int mt__id_is_ours(long id);

/* A system call that has, or asks for, such a number: whether *result is the answer. Else it is the kernel's to make,
 * with the kernel's number. */
int mt__id_call(long number, long *first, long *second, long third, long *result);

/* -- Keys (key.c) ------------------------------------------------------------------------------------------------- */

void mt__keys_end(struct mt__pthread *thread); /* runs the destructors, and frees the table */

/* -- Variables of C++ (thread-local.c) ----------------------------------------------------------------------------- */

void mt__destructors_run(struct mt__pthread *thread);
void mt__destructors_forked(void);

/* -- Hubs (thread-hubs.c) ----------------------------------------------------------------------------------------- */

/* Spawns it in the hub whose turn it is: 0 or -errno. */
int mt__pthread_spawn(struct mt__pthread *thread, int (*body)(void *arg));

/* Whether the caller is the library itself: its threads are threads. */
int mt__pthread_is_library(const void *caller);

/* Whether there are any, in any hub. */
int mt__pthread_any(void);

/* How many there are in this thread's hub. Async-signal-safe. */
unsigned mt__pthreads_here(void);

/* One of those has ended, in the hub it was spawned in. */
void mt__pthread_gone(void);

#endif
