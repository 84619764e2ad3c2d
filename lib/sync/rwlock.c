/* SPDX-License-Identifier: MIT
 *
 * The read-write lock. The state:
 *
 *   count (bits 0..27)   readers inside          WRITER   a writer inside
 *   WW   writers wait    RW   readers wait       TURN     it is the waiting readers' turn, though writers wait
 *
 * While none of WW, RW, TURN is set the state changes by compare-and-swap alone: count + 1 and - 1 without WRITER, 0 to
 * WRITER and back. Every other change is made under the guard (still by compare-and-swap, against those). Under the
 * guard:
 *
 * 1. A reader may enter if there is no WRITER, and no WW or it is their TURN. A writer may enter if count is 0 and
 * there is no WRITER and no TURN.
 * 2. RW is set just when readers_waiting is not 0, WW likewise; TURN is only set with RW, and goes with it.
 * 3. Whoever makes it possible for waiters to enter raises their sequence and wakes them: the writer who leaves, the
 * last reader who leaves, and a waiter who gives up when its waiting was what kept others out, or when the wake may
 * have been its own. A waiter reads the sequence under the guard, so it either sees the change or is woken from its
 * sleep on the old number.
 * 4. TURN is given after MT_RWLOCK_STREAK writers have passed while readers waited. It ends when the last of the
 * waiting readers is in, and nobody waits to read while it lasts, since all may enter: so a writer waits for one crowd
 * of readers at most.
 * 5. The guard is the last thing that a release touches, or the compare-and-swap if it needs no guard.
 *
 * tests/model/rwlock.pml checks 1 to 4.
 */
#include "base/clock.h"
#include "base/mini.h"
#include "sync/lockorder.h"
#include "task/deadlock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/rwlock.h>
#include <string.h>

#define COUNT   0x0fffffffu
#define TURN    0x10000000u
#define RW      0x20000000u
#define WW      0x40000000u
#define WRITER  0x80000000u
#define WAITING (TURN | RW | WW)

void mt_rwlock_init(struct mt_rwlock *rwlock, const char *name, unsigned flags)
{
    memset(rwlock, 0, sizeof *rwlock);
    rwlock->name = name;
    rwlock->flags = (uint16_t)flags;
}

static int change(struct mt_rwlock *rwlock, uint32_t *from, uint32_t to)
{
    return __atomic_compare_exchange_n(&rwlock->state, from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static uint32_t look(const struct mt_rwlock *rwlock)
{
    return __atomic_load_n(&rwlock->state, __ATOMIC_RELAXED);
}

/* Sets and clears bits, against those who change the count without the guard. Returns the new state. */
static uint32_t edit(struct mt_rwlock *rwlock, uint32_t set, uint32_t clear)
{
    uint32_t state = look(rwlock);

    while (!change(rwlock, &state, (state | set) & ~clear))
        ;
    return (state | set) & ~clear;
}

static int kind(const struct mt_rwlock *rwlock)
{
    return MT__IS_SHARED(rwlock) ? 0 : FUTEX_PRIVATE_FLAG;
}

static void guard(struct mt_rwlock *rwlock)
{
    mt__mini_acquire_in((struct mt__mini *)&rwlock->guard, kind(rwlock));
}

static void unguard(struct mt_rwlock *rwlock)
{
    mt__mini_release_in((struct mt__mini *)&rwlock->guard, kind(rwlock));
}

static void raise_sequence(struct mt_rwlock *rwlock, uint32_t *sequence, unsigned count)
{
    __atomic_fetch_add(sequence, 1, __ATOMIC_RELEASE);
    mt__wake(sequence, count, MT__IS_SHARED(rwlock) ? MT__WAIT_SHARED : 0);
}

/* With the guard: whoever may enter now is told. */
static void tell(struct mt_rwlock *rwlock)
{
    uint32_t state = look(rwlock);

    if (state & WRITER)
        return;
    if (rwlock->readers_waiting && (!(state & WW) || state & TURN))
        raise_sequence(rwlock, &rwlock->read_sequence, UINT_MAX);
    else if (rwlock->writers_waiting && !(state & (COUNT | TURN)))
        raise_sequence(rwlock, &rwlock->write_sequence, 1);
}

/* -- Entering, with the guard ------------------------------------------------------------------------------------- */

static int reader_enters(struct mt_rwlock *rwlock)
{
    uint32_t state = look(rwlock);

    while (!(state & WRITER) && (!(state & WW) || state & TURN) && (state & COUNT) != COUNT)
        if (change(rwlock, &state, state + 1))
            return 1;
    return 0;
}

static int writer_enters(struct mt_rwlock *rwlock)
{
    uint32_t state = look(rwlock);

    while (!(state & (WRITER | COUNT | TURN)))
        if (change(rwlock, &state, state | WRITER))
            return 1;
    return 0;
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

/* What differs between waiting to read and waiting to write. */
struct side {
    int (*enters)(struct mt_rwlock *rwlock);
    uint32_t flag, goes_with_it;
    size_t sequence, waiting;
    enum mt_reason reason;
};

static const struct side reading = {
    reader_enters, RW, TURN, offsetof(struct mt_rwlock, read_sequence), offsetof(struct mt_rwlock, readers_waiting),
    MT_WAIT_READ};
static const struct side writing = {
    writer_enters, WW, 0, offsetof(struct mt_rwlock, write_sequence), offsetof(struct mt_rwlock, writers_waiting),
    MT_WAIT_WRITE};

static uint32_t *field(struct mt_rwlock *rwlock, size_t offset)
{
    return (uint32_t *)((char *)rwlock + offset);
}

static void count_in(struct mt_rwlock *rwlock, const struct side *side)
{
    ++*field(rwlock, side->waiting);
    edit(rwlock, side->flag, 0);
}

static void count_out(struct mt_rwlock *rwlock, const struct side *side)
{
    if (!--*field(rwlock, side->waiting))
        edit(rwlock, 0, side->flag | side->goes_with_it);
}

/* With the guard, which it gives up while it sleeps. */
static int wait_to_enter(struct mt_rwlock *rwlock, const struct side *side, struct mt__wait *wait)
{
    int result = 0, entered;

    count_in(rwlock, side);
    while (!(entered = side->enters(rwlock)) && !result) {
        uint32_t sequence = __atomic_load_n(wait->word, __ATOMIC_RELAXED);
        unguard(rwlock);
        result = mt__wait_round(wait, sequence, wait->deadline);
        guard(rwlock);
    }
    count_out(rwlock, side);
    tell(rwlock);
    return entered ? 0 : result;
}

static int acquire_slow(struct mt_rwlock *rwlock, const struct side *side, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = field(rwlock, side->sequence),
        .flags = MT__IS_SHARED(rwlock) ? MT__WAIT_SHARED : 0,
        .reason = side->reason,
        .owner = __atomic_load_n(&rwlock->owner, __ATOMIC_RELAXED),
        .object = rwlock,
        .name = rwlock->name,
        .place = place,
        .deadline = deadline,
    };
    int result = 0, entered;

    guard(rwlock);
    entered = side->enters(rwlock);
    if (!entered && deadline == MT_NOWAIT)
        result = -EBUSY;
    else if (!entered && side == &reading && (look(rwlock) & COUNT) == COUNT)
        result = -EAGAIN;
    if (entered || result) {
        unguard(rwlock);
        return result;
    }
    unguard(rwlock);
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    result = mt__deadlock_check(&wait);
    if (!result) {
        guard(rwlock);
        result = wait_to_enter(rwlock, side, &wait);
        unguard(rwlock);
    }
    return mt__wait_end(&wait, result);
}

/* -- The calls ---------------------------------------------------------------------------------------------------- */

static int is_mine(const struct mt_rwlock *rwlock)
{
    uint32_t owner = __atomic_load_n(&rwlock->owner, __ATOMIC_RELAXED);

    return owner && (owner == mt__here.id || (owner == mt__here.former && !(MT__IS_SHARED(rwlock))));
}

/* What the state is, is guessed first, here and in the release: to read it just behind the last change of it, which was
 * a locked instruction too, takes longer than a wrong guess. */
static int acquire_read(struct mt_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    uint32_t state = 0;

    while (!(state & (WRITER | WAITING)) && state < COUNT)
        if (change(rwlock, &state, state + 1))
            return 0;
    return is_mine(rwlock) ? -EDEADLK : acquire_slow(rwlock, &reading, deadline, place);
}

static int acquire_write(struct mt_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    uint32_t state = 0;
    int result = 0;

    if (!mt__here.id && !mt__self())
        return -ENOMEM;
    if (!change(rwlock, &state, WRITER))
        result = is_mine(rwlock) ? -EDEADLK : acquire_slow(rwlock, &writing, deadline, place);
    if (!result) {
        __atomic_store_n(&rwlock->owner, mt__here.id, __ATOMIC_RELAXED);
        rwlock->place = place;
    }
    return result;
}

/* While the order of locks is watched, to read and to write are the same: readers wait too, behind writers. */
static int acquire_watched(struct mt_rwlock *rwlock, mt_deadline deadline, const char *place,
                           int (*acquire)(struct mt_rwlock *, mt_deadline, const char *))
{
    struct mt__ordered ordered = {rwlock, rwlock->name, place, &rwlock->flags};
    int result;

    if (deadline != MT_NOWAIT)
        mt__lockorder_wanted(&ordered);
    result = acquire(rwlock, deadline, place);
    if (!result)
        mt__lockorder_taken(&ordered);
    return result;
}

int mt__rwlock_acquire_read(struct mt_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    if (MT__LOCKORDER)
        return acquire_watched(rwlock, deadline, place, acquire_read);
    return acquire_read(rwlock, deadline, place);
}

int mt__rwlock_acquire_write(struct mt_rwlock *rwlock, mt_deadline deadline, const char *place)
{
    if (MT__LOCKORDER)
        return acquire_watched(rwlock, deadline, place, acquire_write);
    return acquire_write(rwlock, deadline, place);
}

int mt_rwlock_release_read(struct mt_rwlock *rwlock)
{
    uint32_t state = 1;

    if (MT__LOCKORDER)
        state = look(rwlock);
    else if (change(rwlock, &state, 0))
        return 0;
    if (state & WRITER || !(state & COUNT))
        return -EPERM;
    if (MT__LOCKORDER)
        mt__lockorder_dropped(rwlock);
    while (!(state & WAITING))
        if (change(rwlock, &state, state - 1))
            return 0;
    guard(rwlock);
    state = look(rwlock);
    while (!change(rwlock, &state, state - 1))
        ;
    tell(rwlock);
    unguard(rwlock);
    return 0;
}

int mt_rwlock_release_write(struct mt_rwlock *rwlock)
{
    uint32_t state = WRITER;

    if (!is_mine(rwlock))
        return -EPERM;
    if (MT__LOCKORDER)
        mt__lockorder_dropped(rwlock);
    __atomic_store_n(&rwlock->owner, 0, __ATOMIC_RELAXED);
    if (change(rwlock, &state, 0))
        return 0;
    guard(rwlock);
    if (!rwlock->readers_waiting) {
        rwlock->streak = 0;
    } else if (++rwlock->streak >= MT_RWLOCK_STREAK) {
        rwlock->streak = 0;
        edit(rwlock, TURN, WRITER);
    }
    edit(rwlock, 0, WRITER);
    tell(rwlock);
    unguard(rwlock);
    return 0;
}
