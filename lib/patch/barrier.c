/* SPDX-License-Identifier: MIT
 *
 * Barriers and spin locks in a hub.
 *
 * A barrier, as libc has it: who comes takes the next place, `in`, and leaves when the round his place belongs to is
 * through. The last of a round moves `round` on by whole rounds, the places that are through:
 *
 *   place > round     waits for `round`
 *   place <= round    leaves, and counts himself `out`
 *
 * Before places run over, the barrier begins anew: those that come too late for the old count wait for `in` until the
 * last of the old ones is out and has set all to 0. That the words are as described is looked at once.
 *
 * A spin lock's holder may be a coroutine of the same thread: who spins lets the others go first.
 */
#include "patch/locks.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/coro.h>

struct words { /* of glibc's pthread_barrier_t, since 2.25 */
    uint32_t in, round, count;
    int is_shared;
    uint32_t out;
};

#define MOST_PLACES (UINT_MAX / 2) /* libc's threshold: the largest whole number of rounds below it */

static struct words *words_of(pthread_barrier_t *barrier)
{
    return (struct words *)barrier;
}

static int is_as_thought(int shared)
{
    pthread_barrierattr_t attributes;
    pthread_barrier_t barrier;
    struct words *words = words_of(&barrier);
    int fits;

    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, shared);
    pthread_barrier_init(&barrier, &attributes, 1);
    fits = !words->in && !words->round && words->count == 1 && !words->is_shared == !shared && !words->out;
    fits = fits && mt__libc(pthread_barrier_wait)(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD && words->in == 1 &&
           words->round == 1 && words->out == 1;
    mt__libc(pthread_barrier_destroy)(&barrier);
    return fits;
}

static int is_known(void)
{
    static int known; /* 1: yes; -1: no */
    int now = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (!now) {
        now = is_as_thought(PTHREAD_PROCESS_PRIVATE) && is_as_thought(PTHREAD_PROCESS_SHARED) ? 1 : -1;
        __atomic_store_n(&known, now, __ATOMIC_RELAXED);
    }
    return now > 0;
}

static unsigned flags_of(const struct words *words)
{
    return words->is_shared ? MT__WAIT_SHARED : 0;
}

static void wait_while(struct words *words, uint32_t *word, uint32_t expected)
{
    struct mt__wait wait = {.word = word,
                            .flags = MT__WAIT_NOCANCEL | MT__WAIT_LEFT | flags_of(words),
                            .reason = MT_WAIT_BARRIER,
                            .object = words,
                            .deadline = MT_FOREVER};
    struct mt__patch_call call = mt__patch_enter();

    if (!mt__wait_begin(&wait)) {
        mt__lock_round(&wait, expected);
        mt__wait_end(&wait, 0);
    }
    mt__patch_end(call, 0);
}

/* A place, from 1. */
static uint32_t enter(struct words *words, uint32_t most)
{
    uint32_t place, in;

    while ((place = __atomic_add_fetch(&words->in, 1, __ATOMIC_ACQ_REL)) > most)
        while ((in = __atomic_load_n(&words->in, __ATOMIC_RELAXED)) > most)
            wait_while(words, &words->in, in);
    return place;
}

/* Moves the round on as far as the places up to this one are complete: 1 if that lets this one through. */
static int move_round(struct words *words, uint32_t place, uint32_t *round)
{
    uint32_t complete = place - place % words->count;

    *round = __atomic_load_n(&words->round, __ATOMIC_ACQUIRE);
    while (*round + words->count <= place) {
        if (!__atomic_compare_exchange_n(&words->round, round, complete, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            continue;
        *round = complete;
        mt__lock_wake(&words->round, INT_MAX, flags_of(words));
        return place <= complete;
    }
    return 0;
}

static void leave(struct words *words, uint32_t most)
{
    unsigned flags = flags_of(words);

    if (__atomic_add_fetch(&words->out, 1, __ATOMIC_ACQ_REL) < most)
        return;
    __atomic_store_n(&words->round, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&words->out, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&words->in, 0, __ATOMIC_RELEASE);
    mt__lock_wake(&words->in, INT_MAX, flags);
}

static int wait_here(struct words *words)
{
    uint32_t most = MOST_PLACES - MOST_PLACES % words->count, count = words->count, place, round;

    place = enter(words, most);
    if (!move_round(words, place, &round)) {
        while (round < place) {
            wait_while(words, &words->round, round);
            round = __atomic_load_n(&words->round, __ATOMIC_ACQUIRE);
        }
    }
    leave(words, most);
    return place % count ? 0 : PTHREAD_BARRIER_SERIAL_THREAD;
}

MT__PATCHED int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    if (!mt__patched(LOCK))
        return mt__libc(pthread_barrier_wait)(barrier);
    if (is_known())
        return wait_here(words_of(barrier));
    mt__patch_pass(pthread_barrier_wait);
    return mt__libc(pthread_barrier_wait)(barrier);
}

/* libc's is EBUSY-free: it waits for those who are on their way out, who may be coroutines of this thread. They are
 * none that wait, so they get there when it is their turn. */
MT__PATCHED int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
    struct words *words = words_of(barrier);
    unsigned tries = 0;

    if (mt__patched(LOCK) && is_known())
        while (__atomic_load_n(&words->out, __ATOMIC_ACQUIRE) != __atomic_load_n(&words->round, __ATOMIC_ACQUIRE))
            mt__lock_poll(&tries, MT_FOREVER);
    return mt__libc(pthread_barrier_destroy)(barrier);
}

/* -- Spin locks --------------------------------------------------------------------------------------------------- */

#define YIELDS 64 /* then it also sleeps a little, for the holder may wait for something */

MT__PATCHED int pthread_spin_lock(pthread_spinlock_t *spin)
{
    struct mt__patch_call call;
    unsigned tries = 0, yields = 0;

    if (!mt__patched(LOCK))
        return mt__libc(pthread_spin_lock)(spin);
    mt__patch_look_seldom();
    while (mt__libc(pthread_spin_trylock)(spin)) {
        if (yields++ >= YIELDS) {
            mt__lock_poll(&tries, MT_FOREVER);
            continue;
        }
        call = mt__patch_enter();
        mt_coro_yield();
        mt__patch_end(call, 0);
    }
    return 0;
}

MT__PATCHED int pthread_spin_trylock(pthread_spinlock_t *spin)
{
    if (mt__patched(LOCK))
        mt__patch_look_seldom();
    return mt__libc(pthread_spin_trylock)(spin);
}
