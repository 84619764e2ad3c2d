/* SPDX-License-Identifier: MIT
 *
 * Threads that wait for words on behalf of a hub whose loop cannot: each for up to WORDS of them, by futex_waitv(2),
 * and for one of its own, by which the hub says that the list has changed. A word that is woken, or found changed, is
 * left in the hub's letters; the hub then does with it what it does with a completion of the ring.
 *
 * The list is under the helper's guard. Of what is new on it the helper is told once in a turn of the hub; of what has
 * gone it is not told at all: an entry that the hub takes back in time is simply gone, and a wake of its word, for
 * which the kernel still has the helper waiting, finds none and is passed on, by the helper, which does nothing else.
 * One that the helper has left as a letter meanwhile comes to the hub as the completion of an arm without a waiter, and
 * its wake is passed on. Between the copy of the list and the call to the kernel a word's memory may go: then the call
 * fails (EFAULT), and the list is copied again. Before a segment is unmapped each helper is told and awaited, as what
 * it still owes to a word there could not be passed on any more.
 *
 * Where futex_waitv is missing (before Linux 5.16) the words are compared every SLICE.
 */
#include "base/clock.h"
#include "base/sys.h"
#include "coro/tell.h"

#include <linux/futex.h>
#include <linuxmt/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORDS 120
#define SLICE MT_MS(2)
#define SHORT 50000 /* ns: nobody wakes who waits until it has settled */

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define WAITV_U32 2

struct waitv {
    uint64_t value, address;
    uint32_t flags, reserved;
};

struct mt__helper {
    struct mt__mini guard;
    struct mt__arm *arms[WORDS];
    unsigned count;
    uint32_t changed; /* futex word */
    uint32_t over;
    uint32_t settled; /* the value of `changed` up to which it has passed on what it owed */
    struct mt__hub *hub;
    struct mt_task *thread;
    struct mt__helper *next;

    /* the hub's */
    unsigned taken; /* places: by what is on the list, and by letters that it has not read */
    int untold;
    struct mt__helper *next_roomy, *next_untold;
};

/* -- The thread's side -------------------------------------------------------------------------------------------- */

/* With the guard: off the list, and into the hub's letters. */
static void leave_letter(struct mt__helper *helper, unsigned place)
{
    struct mt__letters *letters = &helper->hub->letters;
    struct mt__arm *arm = helper->arms[place], *first;

    helper->arms[place] = helper->arms[--helper->count];
    helper->arms[place]->place = (int)place;
    __atomic_store_n(&arm->helper, NULL, __ATOMIC_RELEASE); /* its word is not looked at from here on */
    first = __atomic_load_n(&letters->woken, __ATOMIC_RELAXED);
    do
        arm->next = first;
    while (!__atomic_compare_exchange_n(&letters->woken, &first, arm, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

/* With the guard: those whose words have changed. Returns how many letters. */
static unsigned look(struct mt__helper *helper)
{
    unsigned letters = 0;

    for (unsigned i = helper->count; i-- > 0;)
        if (__atomic_load_n(helper->arms[i]->word, __ATOMIC_ACQUIRE) != helper->arms[i]->expected) {
            leave_letter(helper, i);
            letters++;
        }
    return letters;
}

/* With the guard. Returns whether there was one for that word. */
static int leave_letter_for(struct mt__helper *helper, const uint32_t *word)
{
    for (unsigned i = 0; i < helper->count; i++)
        if (helper->arms[i]->word == word) {
            leave_letter(helper, i);
            return 1;
        }
    return 0;
}

static int has(const struct waitv *waits, unsigned count, const uint32_t *word)
{
    for (unsigned i = 0; i < count; i++)
        if (waits[i].address == (uintptr_t)word)
            return 1;
    return 0;
}

/* Each word once. */
static unsigned copy(struct mt__helper *helper, struct waitv *waits)
{
    unsigned count = 0;

    for (unsigned i = 0; i < helper->count; i++) {
        struct mt__arm *arm = helper->arms[i];
        if (!has(waits, count, arm->word))
            waits[count++] = (struct waitv){arm->expected, (uintptr_t)arm->word,
                                            WAITV_U32 | (arm->flags & MT__WAIT_SHARED ? 0 : FUTEX_PRIVATE_FLAG), 0};
    }
    return count;
}

static long wait_for(struct mt__helper *helper, struct waitv *waits, unsigned count, uint32_t changed)
{
    const struct timespec slice = {0, SLICE};
    long result;

    waits[count] = (struct waitv){changed, (uintptr_t)&helper->changed, WAITV_U32 | FUTEX_PRIVATE_FLAG, 0};
    result = mt__sys(SYS_futex_waitv, waits, count + 1, 0, NULL, CLOCK_MONOTONIC);
    if (result == -ENOSYS || result == -EPERM || result == -ENOMEM)
        mt__sys(SYS_futex, &helper->changed, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, changed, &slice);
    return result;
}

/* The kernel has told of one word, and may have spent a wake on each of the others. */
static void settle(struct mt__helper *helper, const struct waitv *waits, unsigned count, unsigned woken)
{
    unsigned char spent[WORDS];
    unsigned letters;

    mt__mini_acquire(&helper->guard);
    for (unsigned i = 0; i < count; i++)
        spent[i] = i != woken || !leave_letter_for(helper, (const uint32_t *)(uintptr_t)waits[i].address);
    letters = look(helper);
    mt__mini_release(&helper->guard);
    for (unsigned i = 0; i < count; i++)
        if (spent[i])
            mt__sys(SYS_futex, (uintptr_t)waits[i].address, FUTEX_WAKE | (waits[i].flags & FUTEX_PRIVATE_FLAG), 1);
    if (letters || woken < count)
        mt__hub_ring(helper->hub);
}

static int run(void *arg)
{
    struct mt__helper *helper = arg;
    struct waitv waits[WORDS + 1];
    unsigned count, letters;
    uint32_t changed;
    long woken;

    while (!__atomic_load_n(&helper->over, __ATOMIC_ACQUIRE)) {
        changed = __atomic_load_n(&helper->changed, __ATOMIC_ACQUIRE);
        __atomic_store_n(&helper->settled, changed, __ATOMIC_RELEASE);
        mt__mini_acquire(&helper->guard);
        letters = look(helper);
        count = copy(helper, waits);
        mt__mini_release(&helper->guard);
        if (letters)
            mt__hub_ring(helper->hub);
        woken = wait_for(helper, waits, count, changed);
        if (woken >= 0)
            settle(helper, waits, count, (unsigned)woken);
    }
    return 0;
}

/* -- The hub's side ----------------------------------------------------------------------------------------------- */

static void tell(struct mt__helper *helper)
{
    __atomic_fetch_add(&helper->changed, 1, __ATOMIC_RELEASE);
    mt__sys(SYS_futex, &helper->changed, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

static struct mt__helper *helper_new(struct mt__hub *hub)
{
    const struct mt_thread_options options = {.name = "hub-helper", .daemon = 1};
    struct mt__helper *helper = mt__alloc(sizeof *helper);
    sigset_t all, before;

    if (!helper)
        return NULL;
    helper->hub = hub;
    sigfillset(&all); /* it inherits them: handlers run, and signals are accepted, in the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    helper->thread = mt_thread_spawn(run, helper, &options);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!helper->thread) {
        free(helper);
        return NULL;
    }
    helper->next = hub->helpers;
    hub->helpers = helper;
    helper->next_roomy = hub->roomy_helpers;
    hub->roomy_helpers = helper;
    return helper;
}

int mt__helper_futex(struct mt__hub *hub, struct mt__arm *arm)
{
    struct mt__helper *helper = hub->roomy_helpers;

    if (!helper && !(helper = helper_new(hub)))
        return -EAGAIN;
    if (++helper->taken == WORDS)
        hub->roomy_helpers = helper->next_roomy;
    arm->home = helper;
    mt__mini_acquire(&helper->guard);
    __atomic_store_n(&arm->helper, helper, __ATOMIC_RELAXED);
    arm->place = (int)helper->count;
    helper->arms[helper->count++] = arm;
    mt__mini_release(&helper->guard);
    mt__tell_begin(hub, &arm->op, MT__OP_FUTEX, (uintptr_t)arm->word, arm->link ? arm->link->parked->coro : NULL);
    if (!helper->untold) {
        helper->untold = 1;
        helper->next_untold = hub->untold_helpers;
        hub->untold_helpers = helper;
    }
    return 0;
}

void mt__helpers_tell(struct mt__hub *hub)
{
    struct mt__helper *helper;

    while ((helper = hub->untold_helpers)) {
        hub->untold_helpers = helper->next_untold;
        helper->untold = 0;
        tell(helper);
    }
}

void mt__helpers_settle(struct mt__hub *hub)
{
    const struct timespec slice = {0, SHORT};
    uint32_t settled;

    for (struct mt__helper *helper = hub->helpers; helper; helper = helper->next) {
        tell(helper);
        while ((settled = __atomic_load_n(&helper->settled, __ATOMIC_ACQUIRE)) != helper->changed)
            mt__sys(SYS_futex, &helper->settled, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, settled, &slice);
    }
}

void mt__helper_left(struct mt__hub *hub, struct mt__arm *arm)
{
    struct mt__helper *helper = arm->home;

    if (!hub->helpers) /* the last letters of helpers that have ended */
        return;
    if (helper->taken-- == WORDS) {
        helper->next_roomy = hub->roomy_helpers;
        hub->roomy_helpers = helper;
    }
}

/* Once it is a letter it is completed by the turn that reads it. */
int mt__helper_cancel(struct mt__hub *hub, struct mt__arm *arm)
{
    struct mt__helper *helper = __atomic_load_n(&arm->helper, __ATOMIC_ACQUIRE);
    int found = 0;

    if (!helper)
        return 0;
    mt__mini_acquire(&helper->guard);
    if (arm->helper) {
        helper->arms[arm->place] = helper->arms[--helper->count];
        helper->arms[arm->place]->place = arm->place;
        __atomic_store_n(&arm->helper, NULL, __ATOMIC_RELAXED);
        found = 1;
    }
    mt__mini_release(&helper->guard);
    if (!found)
        return 0;
    mt__helper_left(hub, arm);
    mt__tell_end(hub, &arm->op, -ECANCELED);
    return 1;
}

void mt__helpers_close(struct mt__hub *hub, int forked)
{
    struct mt__helper *next;

    for (struct mt__helper *helper = hub->helpers; helper; helper = next) {
        next = helper->next;
        if (!forked) {
            __atomic_store_n(&helper->over, 1, __ATOMIC_RELEASE);
            tell(helper);
            while (mt__task_join(helper->thread, MT_FOREVER, NULL) == -ECANCELED)
                mt__sys(SYS_sched_yield);
        }
        mt_task_release(helper->thread);
        free(helper);
    }
    hub->helpers = hub->roomy_helpers = hub->untold_helpers = NULL;
}

unsigned mt__helpers_count(const struct mt__hub *hub)
{
    unsigned count = 0;

    for (const struct mt__helper *helper = hub->helpers; helper; helper = helper->next)
        count++;
    return count;
}
