/* SPDX-License-Identifier: MIT
 *
 * Destructors of thread-local variables, as C++ and Rust register them. Those of a coroutine that stands for a thread
 * run at its end, in it, before those of its keys.
 *
 * libc keeps a module loaded as long as it has destructors to be run in some thread. Here it is kept from the first one
 * on that a coroutine registers, until the thread of its hub has ended, by one that does nothing and is libc's.
 *
 * exit(3) runs those of the thread that calls it and no other's. libc's list is the kernel thread's, whoever calls: so
 * what is on it looks who runs.
 */
#include "patch/pthreads.h"
#include "patch/undeclared.h"

#include <stdlib.h>

struct mt__destructor {
    struct mt__destructor *next;
    void (*destroy)(void *object);
    void *object;
};

extern void *__dso_handle __attribute__((visibility("hidden")));

void mt__destructors_run(struct mt__pthread *thread)
{
    struct mt__destructor *first;

    while ((first = thread->destructors)) {
        thread->destructors = first->next;
        first->destroy(first->object);
        free(first);
    }
}

static int main_is_gone; /* forked by such a coroutine: whose thread it was is not here */

/* -- On libc's list ------------------------------------------------------------------------------------------------ */

/* The process ends in a coroutine. */
static void run_current(void *nothing)
{
    struct mt__pthread *thread = mt__pthread_if_known();

    if (thread)
        mt__destructors_run(thread);
}

static void run_own(void *destructor)
{
    struct mt__destructor *own = destructor;

    if (!main_is_gone && (!mt__hub || !mt__storage_in_place(mt__hub)))
        own->destroy(own->object);
    free(own);
}

static void do_nothing(void *nothing) {}

#define PINNED 64

/* By this thread: what another one has done for it ends with that. */
static __thread void *pinned[PINNED] __attribute__((tls_model("initial-exec")));

void mt__destructors_forked(void)
{
    const struct mt__pthread *thread = mt__pthread_if_known();

    main_is_gone |= thread && thread->unwinds;
}

static void pin(void *module)
{
    int place = 0;

    while (place < PINNED && pinned[place] && pinned[place] != module)
        place++;
    if (place < PINNED && pinned[place])
        return;
    if (place < PINNED)
        pinned[place] = module;
    mt__libc(__cxa_thread_atexit_impl)(do_nothing, NULL, module);
}

/* -- libc's name --------------------------------------------------------------------------------------------------- */

static int add(struct mt__pthread *thread, struct mt__destructor *destructor, void *module)
{
    static __thread int has_one_at_exit __attribute__((tls_model("initial-exec")));

    if (!has_one_at_exit) {
        has_one_at_exit = 1;
        mt__libc(__cxa_thread_atexit_impl)(run_current, NULL, &__dso_handle);
    }
    pin(module);
    destructor->next = thread->destructors;
    thread->destructors = destructor;
    return 0;
}

MT__PATCHED int __cxa_thread_atexit_impl(void (*destroy)(void *object), void *object, void *module)
{
    struct mt__pthread *thread = mt__pthread_if_known();
    struct mt__destructor *destructor;

    if (!mt__pthread_is_on() && !thread)
        return mt__libc(__cxa_thread_atexit_impl)(destroy, object, module);
    destructor = mt__alloc(sizeof *destructor);
    if (!destructor)
        abort(); /* as libc */
    destructor->destroy = destroy;
    destructor->object = object;
    return thread && thread->unwinds ? add(thread, destructor, module)
                                     : mt__libc(__cxa_thread_atexit_impl)(run_own, destructor, module);
}
