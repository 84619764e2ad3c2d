/* SPDX-License-Identifier: MIT
 *
 * Signal masks: with the thread class on, each coroutine has one of its own, as threads have, and what it blocks is
 * blocked while it runs, and not for the others.
 *
 * Few ever change theirs, so a coroutine has a record only while its mask differs from its thread's own, that of the
 * root. While any has one here, each patched call, which may let others run, gives the thread the mask of the waiting:
 *
 *   waiting    between mt__patch_enter and _end: what anybody here lets in is let in, by root or by records
 *   own        outside: that of the record, or the root's
 *
 * as a signal that is sent to a process is taken by whichever of its threads lets it in. While one of them waits with
 * the mask of a sigsuspend, that is everybody's (signal.c). A coroutine begins with the mask of the waiting, not with
 * its creator's. Waits that are no patched calls, those of linuxmt.h, are with one's own.
 */
#include "patch/pthreads.h"

#include <linuxmt/local.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct mask {
    struct mask *next, **link;
    sigset_t own;
};

uint32_t mt__masks;

static __thread struct mask *masks; /* of this thread's coroutines */
static __thread sigset_t base, waiting;

static void get(sigset_t *set)
{
    sigemptyset(set); /* the kernel's is the smaller */
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, NULL, set, NSIG / 8);
}

static void set(const sigset_t *set)
{
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, set, NULL, NSIG / 8);
}

static int are_same(const sigset_t *one, const sigset_t *other)
{
    return !memcmp(one, other, NSIG / 8);
}

static void forget(struct mask *mask)
{
    *mask->link = mask->next;
    if (mask->next)
        mask->next->link = mask->link;
    __atomic_fetch_sub(&mt__masks, 1, __ATOMIC_RELAXED);
}

static void note(struct mask *mask)
{
    mask->next = masks;
    mask->link = &masks;
    if (masks)
        masks->link = &mask->next;
    masks = mask;
    __atomic_fetch_add(&mt__masks, 1, __ATOMIC_RELAXED);
}

static void find_waiting(void)
{
    waiting = base;
    for (struct mask *mask = masks; mask; mask = mask->next)
        sigandset(&waiting, &waiting, &mask->own);
}

/* Its coroutine ends. */
static void end(void *arg)
{
    struct mask *mask = arg;

    if (mask->link) {
        forget(mask);
        find_waiting();
        set(&waiting);
    }
    free(mask);
}

static struct mt_local own_masks = MT_LOCAL_INIT(end);

static const sigset_t *own(void)
{
    struct mask *mask = mt__hub->current == &mt__hub->root ? NULL : mt_local_get(&own_masks);

    return mask && mask->link ? &mask->own : &base;
}

void mt__mask_wait(void)
{
    if (masks && !mt__signals_awaited() && !are_same(own(), &waiting))
        set(&waiting);
}

void mt__mask_go_on(void)
{
    if (masks && !mt__signals_awaited() && !are_same(own(), &waiting))
        set(own());
}

void mt__mask_of_caller(sigset_t *mask)
{
    if (masks)
        *mask = *own();
    else
        get(mask);
}

/* In the child of a fork there is only who forked. */
void mt__masks_forked(void)
{
    struct mask *mask = masks && mt__hub && mt__hub->current != &mt__hub->root ? mt_local_get(&own_masks) : NULL;

    int is_own = mask && mask->link;

    for (; masks; masks = masks->next)
        masks->link = NULL;
    mt__masks = 0;
    if (is_own)
        note(mask);
    find_waiting();
}

/* -- Changing ----------------------------------------------------------------------------------------------------- */

static struct mask *record(void)
{
    struct mask *mask = mt_local_get(&own_masks);

    if (mask || !(mask = mt__alloc(sizeof *mask)))
        return mask;
    if (mt_local_set(&own_masks, mask)) {
        free(mask);
        return NULL;
    }
    return mask;
}

/* The kernel has changed the mask of who runs. Without memory it is everybody's. */
static void changed(const sigset_t *before)
{
    int is_root = mt__hub->current == &mt__hub->root;
    struct mask *mask = is_root ? NULL : record();

    if (!masks)
        base = *before;
    if (mask) {
        get(&mask->own);
        if (mask->link)
            forget(mask);
        mask->link = NULL;
        if (!are_same(&mask->own, &base))
            note(mask);
    } else {
        get(&base);
    }
    find_waiting();
}

static int is_own(const void *caller, const sigset_t *set)
{
    return set && mt__patched(THREAD) && !mt__pthread_is_library(caller);
}

MT__PATCHED int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    sigset_t before;
    int error, counts = is_own(__builtin_return_address(0), set);

    if (counts)
        get(&before);
    error = mt__libc(pthread_sigmask)(how, set, old);
    if (counts && !error)
        changed(&before);
    return error;
}

MT__PATCHED int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    int error;

    if (!is_own(__builtin_return_address(0), set))
        return mt__libc(sigprocmask)(how, set, old);
    error = pthread_sigmask(how, set, old);
    if (error)
        errno = error;
    return error ? -1 : 0;
}
