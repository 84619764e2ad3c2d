/* SPDX-License-Identifier: MIT
 *
 * What the patched locks share: see patch/locks.h. Invariant: a waiter is on its bucket's list exactly while its word
 * is 0 and its owner has not removed it; both change under the bucket's guard only.
 */
#include "patch/locks.h"
#include "base/clock.h"
#include "base/mini.h"

#include <errno.h>
#include <linuxmt/error.h>
#include <string.h>

#define BUCKETS   256
#define LONGEST   MT_SEC(60) /* a wait without an end is cut into these */
#define POLL      MT_US(200)
#define POLL_MOST MT_MS(5)

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

int mt__lock_round(struct mt__wait *wait, uint32_t expected)
{
    mt_deadline until = wait->deadline;
    int result;

    result = mt__wait_round(wait, expected, until == MT_FOREVER ? mt_after(LONGEST) : until);
    if (!result && mt__patch_leaves()) {
        mt__wake(wait->word, 1, wait->flags); /* which it has perhaps been given, and the next has a use for */
        return -EINTR;
    }
    if (result == -ECANCELED || result == -EINTR || (result == -ETIMEDOUT && until != MT_FOREVER))
        return result;
    return 0;
}

/* What a signal handler calls meanwhile must not find the hub half changed. Threads without a hub come here too. */
void mt__lock_wake(uint32_t *word, unsigned n, unsigned flags)
{
    struct mt__patch_call call;

    if (!mt__hub) {
        mt__wake(word, n, flags);
        return;
    }
    call = mt__patch_enter();
    mt__wake(word, n, flags);
    mt__patch_end(call, 0);
}

int mt__lock_clock(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC ? 0 : EINVAL;
}

int mt__lock_nanoseconds(const struct timespec *time)
{
    return time->tv_nsec < 0 || time->tv_nsec > 999999999 ? EINVAL : 0;
}

int mt__lock_deadline(clockid_t clock, const struct timespec *time, mt_deadline *deadline)
{
    struct timespec now;
    int64_t seconds;

    if (mt__lock_clock(clock) || mt__lock_nanoseconds(time))
        return EINVAL;
    clock_gettime(clock, &now);
    if (time->tv_sec < 0)
        seconds = -1;
    else
        seconds = time->tv_sec - now.tv_sec;
    if (seconds > INT32_MAX)
        *deadline = MT_FOREVER;
    else if (seconds < -1)
        *deadline = mt_now();
    else
        *deadline = mt_after(MT_SEC(seconds) + time->tv_nsec - now.tv_nsec);
    return 0;
}

int mt__lock_poll(unsigned *tries, mt_deadline deadline)
{
    struct mt__patch_call call;
    int64_t pause = POLL << (*tries < 5 ? *tries : 5), left;

    ++*tries;
    if (pause > POLL_MOST)
        pause = POLL_MOST;
    if (deadline != MT_FOREVER) {
        left = deadline - mt_now();
        if (left <= 0)
            return ETIMEDOUT;
        if (left < pause)
            pause = left;
    }
    call = mt__patch_enter();
    mt__patch_wait_time(mt_after(pause), NULL);
    mt__patch_end(call, 0);
    return 0;
}

/* -- Who waits where ---------------------------------------------------------------------------------------------- */

static struct bucket {
    struct mt__mini guard;
    struct mt__waiter *first, **last;
} buckets[BUCKETS];

size_t mt__waiters;

static struct bucket *bucket_of(const void *object)
{
    return &buckets[((uintptr_t)object * 0x9e3779b97f4a7c15ull >> 40) % BUCKETS];
}

void mt__waiter_add(struct mt__waiter *waiter)
{
    struct bucket *bucket = bucket_of(waiter->object);

    waiter->next = NULL;
    waiter->word = 0;
    mt__mini_acquire(&bucket->guard);
    if (!bucket->first)
        bucket->last = &bucket->first;
    *bucket->last = waiter;
    bucket->last = &waiter->next;
    __atomic_fetch_add(&mt__waiters, 1, __ATOMIC_SEQ_CST);
    mt__mini_release(&bucket->guard);
}

/* *link is off its list. */
static void take_out(struct bucket *bucket, struct mt__waiter **link)
{
    struct mt__waiter *waiter = *link;

    *link = waiter->next;
    if (bucket->last == &waiter->next)
        bucket->last = link;
    __atomic_fetch_sub(&mt__waiters, 1, __ATOMIC_SEQ_CST);
}

int mt__waiter_remove(struct mt__waiter *waiter)
{
    struct bucket *bucket = bucket_of(waiter->object);
    int there;

    mt__mini_acquire(&bucket->guard);
    there = !waiter->word;
    for (struct mt__waiter **link = &bucket->first; there && *link; link = &(*link)->next)
        if (*link == waiter) {
            take_out(bucket, link);
            break;
        }
    mt__mini_release(&bucket->guard);
    return there;
}

/* The words are written under the guard and woken after it: by then a waiter may be gone, and a wake of a word that is
 * something else now is one more "look again". */
unsigned mt__waiters_wake(const void *object, int (*more)(int first, int other))
{
    struct bucket *bucket = bucket_of(object);
    uint32_t *words[64];
    unsigned count = 0, woken = 0;
    int first = 0;

    do {
        count = 0;
        mt__mini_acquire(&bucket->guard);
        for (struct mt__waiter **link = &bucket->first; *link && count < 64;) {
            struct mt__waiter *waiter = *link;
            if (waiter->object != object || ((woken || count) && !(more && more(first, waiter->kind)))) {
                link = &waiter->next;
                continue;
            }
            if (!woken && !count)
                first = waiter->kind;
            take_out(bucket, link);
            words[count++] = &waiter->word;
            __atomic_store_n(&waiter->word, 1, __ATOMIC_RELEASE);
            if (!more)
                break;
        }
        mt__mini_release(&bucket->guard);
        for (unsigned i = 0; i < count; i++)
            mt__lock_wake(words[i], 1, 0);
        woken += count;
    } while (count == 64);
    return woken;
}

void mt__waiters_forked(void)
{
    memset(buckets, 0, sizeof buckets);
    mt__waiters = 0;
}
