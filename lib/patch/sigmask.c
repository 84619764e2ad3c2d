/* SPDX-License-Identifier: MIT
 *
 * The calls that change the signal mask of a coroutine: pthread_sigmask and sigprocmask, and jumps to where it was
 * another. What a change does mask.c says.
 */
#include "patch/pthreads.h"
#include "patch/signals.h"
#include "patch/slice.h"
#include "patch/undeclared.h"

static int changed_mask(int how, uint64_t set, uint64_t *mask)
{
    switch (how) {
    case SIG_BLOCK:
        *mask |= set;
        break;
    case SIG_UNBLOCK:
        *mask &= ~set;
        break;
    case SIG_SETMASK:
        *mask = set;
        break;
    default:
        return EINVAL;
    }
    *mask &= ~MT__UNBLOCKABLE;
    return 0;
}

/* Whether the one that runs has a mask here; else it is the thread's, and libc's to change. In a turn there is nobody:
 * a handler changes what is in force until it returns. */
static int is_own(const void *caller)
{
    struct mt__hub *hub = mt__hub;

    if (!mt__patched(THREAD) || hub->in_turn || mt__pthread_is_library(caller))
        return 0;
    return hub->current == &hub->root ? hub->root.signals.has_mask : mt__pthread_here() != NULL;
}

static int change_mask(const void *caller, int how, const sigset_t *set, sigset_t *before)
{
    uint64_t mask, was;
    sigset_t room;
    int error;

    if (how != SIG_UNBLOCK)
        set = mt__slice_spared(set, &room);
    if (!set || !is_own(caller))
        return mt__libc(pthread_sigmask)(how, set, before);
    mask = was = mt__mask_of_caller();
    error = changed_mask(how, mt__signals_of(set), &mask);
    if (error)
        return error;
    mt__mask_set(mask);
    if (before)
        mt__signals_to(before, was);
    return 0;
}

MT__PATCHED int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict before)
{
    return change_mask(__builtin_return_address(0), how, set, before);
}

MT__PATCHED int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict before)
{
    int error = change_mask(__builtin_return_address(0), how, set, before);

    if (error)
        errno = error;
    return error ? -1 : 0;
}

/* A jump out of a handler, or to where the mask was another. */
static void jump(const struct __jmp_buf_tag *place)
{
    if (place->__mask_was_saved && is_own(NULL))
        mt__mask_set(mt__signals_of(&place->__saved_mask));
}

/* They do the same, where the mask was saved. */
#define JUMP(name)                                     \
    MT__PATCHED void name(sigjmp_buf place, int value) \
    {                                                  \
        mt__leave_by_jump(name, place, value);         \
        jump(place);                                   \
        mt__libc(name)(place, value);                  \
        __builtin_unreachable();                       \
    }

JUMP(siglongjmp)
JUMP(longjmp)
JUMP(_longjmp)
JUMP(__longjmp_chk)
