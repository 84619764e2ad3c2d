/* SPDX-License-Identifier: MIT
 *
 * pthread_once in a hub, on libc's word:
 *
 *   0                  -> generation | 1, and calls the routine
 *   generation | 1     somebody calls it: waits while it is that
 *   another | 1        somebody called it in a process that this one was forked from: as 0
 *   2                  it has been called
 *
 * The generation is libc's own count of forks. It is read where libc writes it: into the word of a once of ours, while
 * its routine runs.
 *
 * What the library itself does once is libc's: some of it is needed before a hub can wait at all.
 */
#include "patch/locks.h"
#include "patch/pthreads.h"

#include <limits.h>
#include <threads.h>

#define BUSY 1u
#define DONE 2u

static __thread pthread_once_t sample;
static __thread uint32_t seen;

static void look(void)
{
    seen = (uint32_t)__atomic_load_n(&sample, __ATOMIC_RELAXED);
}

/* What libc would write now. */
static uint32_t busy_word(void)
{
    sample = PTHREAD_ONCE_INIT;
    mt__libc(pthread_once)(&sample, look);
    return seen;
}

static void end(uint32_t *word, uint32_t state)
{
    __atomic_store_n(word, state, __ATOMIC_RELEASE);
    mt__lock_wake(word, INT_MAX, 0);
}

/* The routine is being left by pthread_exit, cancellation or an exception: it is as if it had never been called. */
static void undo(uint32_t **word)
{
    if (*word)
        end(*word, 0);
}

static void call_routine(uint32_t *word, void (*routine)(void))
{
    uint32_t *unfinished __attribute__((cleanup(undo))) = word;

    routine();
    unfinished = NULL;
    end(word, DONE);
}

static void wait_while(uint32_t *word, uint32_t expected)
{
    struct mt__wait wait = {.word = word,
                            .flags = MT__WAIT_NOCANCEL | MT__WAIT_LEFT,
                            .reason = MT_WAIT_ONCE,
                            .object = word,
                            .deadline = MT_FOREVER};
    struct mt__patch_call call = mt__patch_enter();

    if (!mt__wait_begin(&wait)) {
        mt__lock_round(&wait, expected);
        mt__wait_end(&wait, 0);
    }
    mt__patch_end(call, 0);
}

static void once_here(uint32_t *word, void (*routine)(void))
{
    uint32_t busy = busy_word(), now = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    while (!(now & DONE)) {
        if (now == busy) {
            wait_while(word, busy);
            now = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        } else if (__atomic_compare_exchange_n(word, &now, busy, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
            call_routine(word, routine);
            return;
        }
    }
}

MT__PATCHED int pthread_once(pthread_once_t *once, void (*routine)(void))
{
    uint32_t *word = (uint32_t *)once;

    if (!mt__patched(LOCK) || mt__pthread_is_library(__builtin_return_address(0)))
        return mt__libc(pthread_once)(once, routine);
    if (!(__atomic_load_n(word, __ATOMIC_ACQUIRE) & DONE))
        once_here(word, routine);
    return 0;
}

int __pthread_once(pthread_once_t *once, void (*routine)(void));
MT__PATCHED int __pthread_once(pthread_once_t *once, void (*routine)(void))
{
    return pthread_once(once, routine);
}

MT__PATCHED void call_once(once_flag *flag, void (*routine)(void))
{
    if (mt__patched(LOCK))
        pthread_once((pthread_once_t *)flag, routine);
    else
        mt__libc(call_once)(flag, routine);
}
