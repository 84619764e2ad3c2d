/* SPDX-License-Identifier: MIT
 *
 * Waiting in a thread. A wait that can be cancelled watches two words at once through futex_waitv(2): the object's and
 * the task's own `cancel`. The kernel queues on both before it sleeps, having compared both, so there is no moment at
 * which a kill can be missed:
 *
 *   cancel set before the call     the comparison of `cancel` fails              -> EAGAIN, and the next round sees it
 *   cancel set after the call      mt__wait_cancel's wake finds the waiter       -> index 1
 *
 * Index 1 means that both may have been woken (the kernel returns the last one), so the object's wake is passed on.
 *
 * Where futex_waitv is missing (Linux before 5.16, some sandboxes), a plain futex wait on the object's word is cut into
 * slices of SLICE, and a kill also wakes the word that the task has published: the slice only bounds the race between
 * the two. The same plain wait serves rounds that end within SHORT anyway, where a kill is noticed soon enough: it
 * costs less.
 */
#include "wait/wait.h"
#include "base/clock.h"
#include "base/probe.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <time.h>

#define SLICE MT_MS(50)
#define SHORT MT_MS(2)

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct waitv { /* struct futex_waitv, which older kernel headers do not have */
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};
#define WAITV_U32 2

__thread mt_deadline mt__wait_clock __attribute__((tls_model("initial-exec")));

static int waitv_missing;
static __thread const struct mt__hook *hook __attribute__((tls_model("initial-exec")));

void mt__hook_set(const struct mt__hook *new_hook)
{
    hook = new_hook;
}

const struct mt__hook *mt__hook(void)
{
    return hook;
}

void mt__wait_settle(void)
{
    if (hook && hook->settle)
        hook->settle();
}

int mt__wait_may_spin(void)
{
    return !hook;
}

/* -- Begin and end: what others see ------------------------------------------------------------------------------- */

/* The end of a place says more than its beginning. What is behind the end of the text in `to` stays. */
static void copy_tail(char *to, size_t size, const char *from)
{
    size_t length;

    if (!from || !*from) {
        to[0] = 0;
        return;
    }
    length = strlen(from);
    if (length >= size) {
        from += length - size + 1;
        length = size - 1;
    }
    memcpy(to, from, length + 1);
}

/* Others read it meanwhile. Besides, plain copies are joined to larger ones by the compiler, which then have to wait
 * for the single fields to reach the cache. */
#define NOTE(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

static int is_traced(void)
{
    return MT__PROBED(wait__begin) || MT__PROBED(wait__end) || MT__PROBED(lock__acquired);
}

/* In a hub the kernel's clock of its ticks does, which costs a fifth and is behind by some ms: what is seen of a wait
 * need not be better, unless somebody traces, or a signal handler has to know which waits had begun before it. It never
 * goes back behind what the hub has seen of the real one. */
static mt_deadline begin_of_wait(unsigned flags)
{
    struct timespec tick;
    mt_deadline at;

    if (!hook || is_traced() || flags & (MT__WAIT_INTERRUPT | MT__WAIT_INTERRUPT_ALWAYS))
        return mt__wait_clock = mt_now();
    clock_gettime(CLOCK_MONOTONIC_COARSE, &tick);
    at = (int64_t)tick.tv_sec * 1000000000 + tick.tv_nsec;
    if (at > mt__wait_clock)
        mt__wait_clock = at;
    return mt__wait_clock;
}

/* A coroutine goes on after the one that woke it has begun a wait, or a turn: then the clock was looked at. */
static mt_deadline end_of_wait(void)
{
    return hook && !is_traced() ? mt__wait_clock : mt_now();
}

int mt__wait_begin(struct mt__wait *wait)
{
    struct mt_task *task = wait->task = mt__self();
    struct mt__record *record;

    if (!task)
        return -ENOMEM;
    record = task->record;
    wait->since = begin_of_wait(wait->flags);
    wait->limited = wait->suspect = 0;
    __atomic_store_n(&task->in_deadlock, 0, __ATOMIC_RELAXED);
    mt__record_begin(record);
    NOTE(record->wait_reason, wait->reason);
    NOTE(record->wait_owner, wait->owner);
    NOTE(record->wait_object, (uintptr_t)wait->object);
    NOTE(record->wait_word, (uintptr_t)wait->word);
    NOTE(record->wait_since, wait->since);
    NOTE(record->wait_deadline, wait->deadline);
    copy_tail(record->wait_name, sizeof record->wait_name, wait->name);
    if (task->place != wait->place) { /* a literal: the same one says the same */
        copy_tail(record->wait_place, sizeof record->wait_place, wait->place);
        task->place = wait->place;
    }
    mt__record_state(record, MT_WAITING);
    mt__record_end(record);
    if (MT__PROBED(wait__begin))
        MT__PROBE6(wait__begin, record->id, wait->reason, wait->object, wait->name, wait->owner, wait->place);
    return 0;
}

int mt__wait_end(struct mt__wait *wait, int result)
{
    struct mt__record *record = wait->task->record;
    int64_t waited = end_of_wait() - wait->since;

    if (result == -ECANCELED && wait->limited) {
        mt__timeout_expire(wait->task);
        result = -ETIMEDOUT;
    }
    mt__record_begin(record);
    mt__record_state(record, MT_RUNNING);
    record->wait_reason = MT_WAIT_NONE;
    record->wait_owner = 0;
    record->waits++;
    record->waited += (uint64_t)waited;
    mt__record_end(record);
    if (MT__PROBED(wait__end))
        MT__PROBE5(wait__end, record->id, wait->reason, wait->object, (int64_t)result, waited);
    return result;
}

/* -- A round ------------------------------------------------------------------------------------------------------ */

static int plain_round(struct mt__wait *wait, uint32_t expected, mt_deadline until)
{
    struct mt__timespec buffer;
    int op = FUTEX_WAIT_BITSET | (wait->flags & MT__WAIT_SHARED ? 0 : FUTEX_PRIVATE_FLAG);
    long result = mt__sys(SYS_futex, wait->word, op, expected, mt__timespec(until, &buffer), 0, FUTEX_BITSET_MATCH_ANY);

    return result == -ETIMEDOUT ? -ETIMEDOUT : 0; /* EAGAIN, EINTR: look again */
}

static int sliced_round(struct mt__wait *wait, uint32_t expected, mt_deadline until)
{
    mt_deadline slice = mt_after(SLICE);
    int result;

    if (until <= slice)
        return plain_round(wait, expected, until);
    result = plain_round(wait, expected, slice);
    return result == -ETIMEDOUT ? 0 : result;
}

static int cancellable_round(struct mt__wait *wait, uint32_t expected, mt_deadline until)
{
    struct mt__timespec buffer;
    unsigned shared = wait->flags & MT__WAIT_SHARED;
    struct waitv words[2] = {
        {expected, (uint64_t)(uintptr_t)wait->word, WAITV_U32 | (shared ? 0 : FUTEX_PRIVATE_FLAG), 0},
        {0, (uint64_t)(uintptr_t)&wait->task->cancel, WAITV_U32 | FUTEX_PRIVATE_FLAG, 0},
    };
    long result;

    if (__atomic_load_n(&waitv_missing, __ATOMIC_RELAXED))
        return sliced_round(wait, expected, until);
    result = mt__sys(SYS_futex_waitv, words, 2, 0, mt__timespec(until, &buffer), CLOCK_MONOTONIC);
    switch (result) {
    case 1:
        mt__wake(wait->word, 1, wait->flags);
        return -ECANCELED;
    case -ETIMEDOUT:
        return -ETIMEDOUT;
    case -ENOSYS:
    case -EPERM:
        __atomic_store_n(&waitv_missing, 1, __ATOMIC_RELAXED);
        return 0;
    case -ENOMEM: /* the kernel had none for the two entries: the plain wait needs none */
        return sliced_round(wait, expected, until);
    default:
        return 0;
    }
}

mt_deadline mt__wait_limit(const struct mt__wait *wait, mt_deadline until)
{
    mt_deadline limit = wait->task->limit;

    return limit && limit < until && !(wait->flags & MT__WAIT_NOCANCEL) ? limit : until;
}

int mt__wait_limited(struct mt__wait *wait, mt_deadline until, int result)
{
    if (result != -ETIMEDOUT || mt__wait_limit(wait, until) == until)
        return result;
    wait->limited = 1;
    return -ECANCELED;
}

static int round_of_one(struct mt__wait *wait, uint32_t expected, mt_deadline until)
{
    int cancellable = !(wait->flags & MT__WAIT_NOCANCEL);

    if (cancellable && __atomic_load_n(&wait->task->cancel, __ATOMIC_ACQUIRE))
        return -ECANCELED;
    if (until == MT_NOWAIT)
        return -ETIMEDOUT;
    if (hook)
        return hook->park(wait, expected, until);
    if (!cancellable || until - wait->since <= SHORT)
        return plain_round(wait, expected, until);
    return cancellable_round(wait, expected, until);
}

/* The short way is for coroutines: it ends in a jump to the hub, without a return that would be mispredicted. */
int mt__wait_round(struct mt__wait *wait, uint32_t expected, mt_deadline until)
{
    mt_deadline limit;

    if (hook && until != MT_NOWAIT && !wait->task->limit && !__atomic_load_n(&wait->task->cancel, __ATOMIC_ACQUIRE))
        return hook->park(wait, expected, until);
    limit = mt__wait_limit(wait, until);
    return mt__wait_limited(wait, until, round_of_one(wait, expected, limit));
}

/* Without futex_waitv: a look every SHORT. */
static int polling_round(struct mt__wait *wait, mt_deadline until)
{
    mt_deadline slice = mt_after(SHORT);
    uint32_t never = 0;
    struct mt__wait sleep = *wait;
    int result;

    sleep.word = &never;
    sleep.flags &= ~MT__WAIT_SHARED;
    result = plain_round(&sleep, 0, until < slice ? until : slice);
    return result == -ETIMEDOUT && slice < until ? 0 : result;
}

static int round_of_many(struct mt__wait *wait, uint32_t *const *words, const uint32_t *expected, const unsigned *flags,
                         unsigned count, mt_deadline until)
{
    struct waitv waits[MT__WAIT_ANY_MAX + 1];
    struct mt__timespec buffer;
    long result;

    if (__atomic_load_n(&wait->task->cancel, __ATOMIC_ACQUIRE))
        return -ECANCELED;
    if (hook)
        return hook->park_any(wait, words, expected, flags, count, until);
    if (__atomic_load_n(&waitv_missing, __ATOMIC_RELAXED))
        return polling_round(wait, until);
    for (unsigned i = 0; i < count; i++)
        waits[i] = (struct waitv){expected[i], (uint64_t)(uintptr_t)words[i],
                                  WAITV_U32 | (flags[i] & MT__WAIT_SHARED ? 0 : FUTEX_PRIVATE_FLAG), 0};
    waits[count] = (struct waitv){0, (uint64_t)(uintptr_t)&wait->task->cancel, WAITV_U32 | FUTEX_PRIVATE_FLAG, 0};
    result = mt__sys(SYS_futex_waitv, waits, count + 1, 0, mt__timespec(until, &buffer), CLOCK_MONOTONIC);
    if (result == -ETIMEDOUT)
        return -ETIMEDOUT;
    if (result == -ENOSYS || result == -EPERM)
        __atomic_store_n(&waitv_missing, 1, __ATOMIC_RELAXED);
    return result == -ENOMEM ? polling_round(wait, until) : 0;
}

int mt__wait_round_any(struct mt__wait *wait, uint32_t *const *words, const uint32_t *expected, const unsigned *flags,
                       unsigned count, mt_deadline until)
{
    mt_deadline limit = mt__wait_limit(wait, until);

    return mt__wait_limited(wait, until, round_of_many(wait, words, expected, flags, count, limit));
}

int mt__wait(struct mt__wait *wait, uint32_t expected)
{
    int result = mt__wait_begin(wait);

    return result ? result : mt__wait_end(wait, mt__wait_round(wait, expected, wait->deadline));
}

/* -- Waking ------------------------------------------------------------------------------------------------------- */

void mt__wake(uint32_t *word, unsigned n, unsigned flags)
{
    if (hook) {
        unsigned found = hook->unpark(word, n);
        if (found >= n)
            return;
        n -= found;
    }
    /* An address that is gone answers -EFAULT: whoever waited there is gone too. */
    mt__sys(SYS_futex, word, FUTEX_WAKE | (flags & MT__WAIT_SHARED ? 0 : FUTEX_PRIVATE_FLAG),
            n > INT_MAX ? INT_MAX : n);
}

void mt__wait_uncancel(struct mt_task *task)
{
    const struct {
        int64_t interval[2], value[2];
    } never = {{0, 0}, {0, 0}};

    if (!__atomic_load_n(&task->cancel, __ATOMIC_ACQUIRE))
        return;
    if (task->cancel_fd) /* the timer is not readable any more */
        mt__sys(SYS_timerfd_settime, task->cancel_fd - 1, 0, &never, NULL);
    __atomic_store_n(&task->cancel, 0, __ATOMIC_SEQ_CST);
}

void mt__wait_cancel(struct mt_task *task)
{
    struct mt__record *record = task->record;
    const struct {
        int64_t interval[2], value[2]; /* struct itimerspec: once, a nanosecond from now */
    } at_once = {{0, 0}, {0, 1}};
    int fd;

    __atomic_store_n(&task->cancel, 1, __ATOMIC_SEQ_CST);
    mt__wake(&task->cancel, UINT_MAX, 0);
    fd = __atomic_load_n(&task->cancel_fd, __ATOMIC_SEQ_CST);
    if (fd)
        mt__sys(SYS_timerfd_settime, fd - 1, 0, &at_once, NULL);
    if (__atomic_load_n(&waitv_missing, __ATOMIC_RELAXED)) {
        uint32_t *word = (uint32_t *)(uintptr_t)record->wait_word;
        if (word && __atomic_load_n(&record->state, __ATOMIC_ACQUIRE) == MT_WAITING) {
            mt__wake(word, UINT_MAX, 0);
            mt__wake(word, UINT_MAX, MT__WAIT_SHARED);
        }
    }
}
