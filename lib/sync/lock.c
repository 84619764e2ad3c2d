/* SPDX-License-Identifier: MIT
 *
 * The lock: a futex word of three states (free, held, held with sleepers: U. Drepper, "Futexes Are Tricky", mutex2),
 * whose held state is the owner's kernel tid and which can be reserved for those who have slept:
 *
 *   word                     meaning                                    who changes it, to what
 *   0                        free                                       anybody: o (a task that has slept: o|W)
 *   o                        held by o, nobody sleeps                   o: 0.     another: o|W
 *   o|W                      held, there may be sleepers                o: 0, wakes one.     a starving one: o|W|S
 *   o|W|S                    held, a sleeper is starving                o: W|S, wakes one
 *   W|S                      reserved for tasks that have slept         such a task: o|W|S; a starving one: o|W
 *
 * A starving one that leaves without the lock takes S back: o|W|S becomes o|W, and W|S becomes 0.
 *
 * Without S, whoever comes at the right moment barges in, which is what makes a contended lock fast: the holder's
 * processor goes on with warm caches while the woken one is still on its way. With S nobody barges, so the queue in the
 * kernel, which is first come first served, drains in order. A sleeper is starving after STARVES; the bound for it is
 * that plus one hold for each sleeper before it. (Go's sync.Mutex and WebKit's ParkingLot bound barging in the same
 * spirit.)
 *
 * 1. W is set whenever somebody may sleep: a task sets W by the same compare-and-swap that makes it look at the word
 * for the last time, and sleeps only while the word is what that left. The taker after a sleep keeps W, not knowing
 * whether it was the last one.
 * 2. Hence a task that leaves without the lock (late, killed, in a deadlock) leaves W behind: it only leaves after a
 * sleep in which W was set. It wakes another in its place, as a wake may have come to it.
 * 3. A reserved word has a taker: the starving task that asked for it sleeps in the kernel or is on its way, and if it
 * leaves it frees the word. An arrival that finds the word reserved sleeps, for STARVES at the most, and has then
 * slept.
 * 4. A release touches the lock for the last time by the compare-and-swap that frees it: the memory may be gone at
 * once. The wake that follows is by address alone.
 *
 * 5. The lock that nobody has slept for yet is released without an atomic instruction: if `contended` is 0 and the word
 * is the owner's, a plain store frees it, all in one restartable sequence. Such a store would wipe out a W that was set
 * since the look at the word. Hence whoever is about to set W first makes `contended` not 0 and then has the kernel end
 * all sequences that are under way; those that begin later see it. Only then `contended` becomes SETTLED, which tells
 * the next one to come that all this has been done. It stays so: a lock that has been slept for once is released by a
 * compare-and-swap from then on, as is one in shared memory, which tasks of other processes wait for, from the
 * beginning. (Who only spins takes the word from 0, and needs none of this.)
 *
 * tests/model/lock.pml checks 1 to 3 and 5.
 */
#include "sync/lock.h"
#include "base/clock.h"
#include "base/probe.h"
#include "base/rseq.h"
#include "task/deadlock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define WAITERS     MT__LOCK_WAITERS
#define STARVED     MT__LOCK_STARVED
#define OWNER       MT__OWNER_MASK
#define STARVES     MT_MS(1)
#define STARVES_HUB MT_MS(10) /* in a hub, whose clock may be behind by some ms */
#define SPIN_ROUNDS 30        /* looks at the word, */
#define SPIN_PAUSES 32        /* at most so many pauses apart: 10 to 40 us in all */

enum { QUIET, UNSETTLED, SETTLED }; /* lock->contended */

struct attempt {
    struct mt__wait wait;
    struct mt_lock *lock;
    uint32_t id;
    int slept, starving, unsure;
    int64_t patience;
};

void mt_lock_init(struct mt_lock *lock, const char *name, unsigned flags)
{
    memset(lock, 0, sizeof *lock);
    lock->name = name;
    lock->flags = (uint16_t)flags;
    lock->contended = flags & MT_SHARED ? SETTLED : QUIET;
}

int mt_lock_owner(const struct mt_lock *lock)
{
    return (int)(__atomic_load_n(&lock->word, __ATOMIC_RELAXED) & OWNER);
}

int mt__lock_is_mine(const struct mt_lock *lock)
{
    uint32_t owner = (uint32_t)mt_lock_owner(lock);

    return owner && (owner == mt__here.id || (owner == mt__here.former && !(MT__IS_SHARED(lock))));
}

static int change(struct mt_lock *lock, uint32_t *from, uint32_t to, int order)
{
    return __atomic_compare_exchange_n(&lock->word, from, to, 0, order, __ATOMIC_RELAXED);
}

/* -- Acquire ------------------------------------------------------------------------------------------------------ */

static struct mt__ordered ordered(struct mt_lock *lock, const char *place)
{
    return (struct mt__ordered){lock, lock->name, place, &lock->flags};
}

void mt__lock_tell_order(struct mt_lock *lock, const char *place)
{
    struct mt__ordered told = ordered(lock, place);

    if (MT__LOCKORDER)
        mt__lockorder_taken(&told);
}

/* since: when its wait began, 0: it did not wait */
static int acquired(struct mt_lock *lock, const char *place, mt_deadline since)
{
    lock->place = place;
    mt__lock_tell_order(lock, place);
    if (MT__PROBED(lock__acquired))
        MT__PROBE5(lock__acquired, lock, lock->name, mt__here.id, since ? mt_now() - since : 0, place);
    return 0;
}

static void ask_order(struct mt_lock *lock, const char *place)
{
    struct mt__ordered told = ordered(lock, place);

    mt__lockorder_wanted(&told);
}

static int processors(void)
{
    static int count;
    int known = __atomic_load_n(&count, __ATOMIC_RELAXED);

    if (!known) {
        known = (int)sysconf(_SC_NPROCESSORS_ONLN);
        __atomic_store_n(&count, known, __ATOMIC_RELAXED);
    }
    return known;
}

/* Spins as long as it has paid lately: the lock remembers a running mean of the rounds that led to success. The looks
 * at the word become rarer, as each takes its cache line from the holder: what a short section loses by them is more
 * than a spinner gains. */
static int spin(struct mt_lock *lock, uint32_t id)
{
    int usual = __atomic_load_n(&lock->spin, __ATOMIC_RELAXED), limit = usual * 2 + 10, pauses = 1, round;

    if (processors() == 1)
        return 0;
    if (limit > SPIN_ROUNDS)
        limit = SPIN_ROUNDS;
    for (round = 0; round < limit; round++) {
        uint32_t word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
        if (!word && change(lock, &word, id, __ATOMIC_ACQUIRE))
            break;
        if (word & STARVED)
            return 0;
        for (int i = 0; i < pauses; i++)
            mt__arch_pause();
        if (pauses < SPIN_PAUSES)
            pauses *= 2;
    }
    __atomic_store_n(&lock->spin, (uint8_t)(usual + (round - usual) / 8), __ATOMIC_RELAXED);
    return round < limit;
}

int mt__lock_expect(struct mt_lock *lock)
{
    if (__atomic_load_n(&lock->contended, __ATOMIC_ACQUIRE) == SETTLED)
        return 0;
    __atomic_store_n(&lock->contended, UNSETTLED, __ATOMIC_SEQ_CST);
    if (mt__rseq_fence())
        return 1;
    __atomic_store_n(&lock->contended, SETTLED, __ATOMIC_RELEASE);
    return 0;
}

/* Takes the lock if the table at the head allows it; else makes sure that the word says that somebody sleeps. 1: taken;
 * 0: sleep while the word is *seen. */
static int take_or_mark(struct attempt *attempt, uint32_t *seen)
{
    struct mt_lock *lock = attempt->lock;
    uint32_t word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED), next;

    for (;;) {
        int free = !(word & OWNER);
        if (free && (!word || attempt->slept)) {
            next = attempt->id;
            if (attempt->slept)
                next |= WAITERS | (attempt->starving ? 0 : word & STARVED);
            if (change(lock, &word, next, __ATOMIC_ACQUIRE))
                return 1;
            continue;
        }
        next = word | WAITERS | (attempt->starving && !free ? STARVED : 0);
        if (next == word || change(lock, &word, next, __ATOMIC_RELAXED)) {
            *seen = next;
            return 0;
        }
    }
}

/* Until when one sleep may last: no longer than to the moment at which the task starves. */
static mt_deadline end_of_round(const struct attempt *attempt)
{
    mt_deadline deadline = attempt->wait.deadline, starves = attempt->wait.since + attempt->patience;

    if (attempt->unsure && deadline > mt_after(STARVES))
        return mt_after(STARVES);
    return attempt->starving || deadline < starves ? deadline : starves;
}

static int sleep_once(struct attempt *attempt, uint32_t seen)
{
    mt_deadline until = end_of_round(attempt);
    int result = mt__wait_round(&attempt->wait, seen, until);

    attempt->slept = 1;
    if (result == -ETIMEDOUT && until < attempt->wait.deadline)
        result = 0;
    if (!result && !attempt->starving && mt_now() - attempt->wait.since >= attempt->patience) {
        attempt->starving = 1;
        result = mt__deadlock_check(&attempt->wait);
        if (attempt->wait.flags & MT__WAIT_NOCANCEL)
            result = 0;
    }
    return result;
}

/* Leaves without the lock: takes back what it asked for as a starving one (others that starve ask again when they
 * wake), so that the word is not reserved for nobody, and passes on a wake that may have come to it. */
static void give_up(struct attempt *attempt)
{
    struct mt_lock *lock = attempt->lock;
    uint32_t word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);

    if (attempt->starving)
        while (word & STARVED && !change(lock, &word, word & OWNER ? word & ~STARVED : 0, __ATOMIC_RELAXED))
            ;
    mt__wake(&lock->word, 1, attempt->wait.flags);
}

static int acquire_by_sleeping(struct mt_lock *lock, mt_deadline deadline, const char *place, unsigned flags)
{
    struct attempt attempt = {
        .wait =
            {
                .word = &lock->word,
                .flags = flags | (MT__IS_SHARED(lock) ? MT__WAIT_SHARED : 0),
                .reason = MT_WAIT_LOCK,
                .owner = (uint32_t)mt_lock_owner(lock),
                .object = lock,
                .name = lock->name,
                .place = place,
                .deadline = deadline,
            },
        .lock = lock,
        .id = mt__here.id,
        .patience = mt__hook() ? STARVES_HUB : STARVES,
    };
    uint32_t seen;
    int result;

    if (MT__PROBED(lock__contended))
        MT__PROBE4(lock__contended, lock, lock->name, attempt.wait.owner, place);
    result = mt__wait_begin(&attempt.wait);
    if (result)
        return result;
    attempt.unsure = mt__lock_expect(lock);
    while (!take_or_mark(&attempt, &seen)) {
        result = sleep_once(&attempt, seen);
        if (result) {
            give_up(&attempt);
            break;
        }
    }
    result = mt__wait_end(&attempt.wait, result);
    return result ? result : acquired(lock, place, attempt.wait.since);
}

int mt__lock_acquire_slow(struct mt_lock *lock, mt_deadline deadline, const char *place)
{
    struct mt_task *self = mt__self();
    uint32_t word = 0;

    if (!self)
        return -ENOMEM;
    if (MT__LOCKORDER && deadline != MT_NOWAIT && !mt__lock_is_mine(lock))
        ask_order(lock, place);
    if (change(lock, &word, mt__here.id, __ATOMIC_ACQUIRE))
        return acquired(lock, place, 0);
    if (mt__lock_is_mine(lock))
        return -EDEADLK;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    if (__atomic_load_n(&self->cancel, __ATOMIC_ACQUIRE))
        return -ECANCELED;
    if (mt__wait_may_spin() && spin(lock, mt__here.id))
        return acquired(lock, place, 0);
    return acquire_by_sleeping(lock, deadline, place, 0);
}

/* Without spinning: whoever has notified mostly still holds the lock, and if the kernel has put the woken task on its
 * processor, it is the spinning that keeps it from going on. */
void mt__lock_reacquire(struct mt_lock *lock, const char *place)
{
    uint32_t word = 0;

    while (!mt__self())
        mt__sys(SYS_sched_yield); /* no memory for the record of a thread that is new here: it may pass, and there is no
                                     way to fail */
    if (MT__LOCKORDER)
        ask_order(lock, place);
    if (change(lock, &word, mt__here.id, __ATOMIC_ACQUIRE)) {
        acquired(lock, place, 0);
        return;
    }
    acquire_by_sleeping(lock, MT_FOREVER, place, MT__WAIT_NOCANCEL);
}

/* -- Release ------------------------------------------------------------------------------------------------------ */

int mt__lock_release_quiet(struct mt_lock *lock)
{
    uint32_t id = mt__here.id;

    if (mt__arch_store_if(mt__here.rseq, &lock->contended, &lock->word, id, 0))
        return 1;
    return change(lock, &id, 0, __ATOMIC_RELEASE);
}

int mt__lock_release_slow(struct mt_lock *lock)
{
    uint32_t word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
    unsigned flags = MT__IS_SHARED(lock) ? MT__WAIT_SHARED : 0;

    if (!mt__lock_is_mine(lock))
        return -EPERM;
    if (MT__PROBED(lock__released))
        MT__PROBE3(lock__released, lock, lock->name, mt__here.id);
    if (MT__LOCKORDER)
        mt__lockorder_dropped(lock);
    while (!change(lock, &word, word & STARVED ? WAITERS | STARVED : 0, __ATOMIC_RELEASE))
        ;
    if (word & WAITERS)
        mt__wake(&lock->word, 1, flags);
    return 0;
}
