/* SPDX-License-Identifier: MIT
 *
 * The barrier. All fields but the two futex words change only under its lock.
 *
 * 1. A task counts itself in `waiting` and reads `phase`, under the lock, and sleeps while the phase is what it read.
 * The last one to come ends the round: waiting 0, phase + 1, wake all. Who wakes has passed and needs no lock.
 * 2. A round is broken by whoever cannot wait on, by abort and by reset: broken_phase is the round, leaving how many
 * sleep in it, then phase + 1, wake all. Who wakes finds broken_phase to be its round, and takes itself off `leaving`.
 * 3. While leaving is not 0 nobody enters a new round of a barrier that has been reset: so broken_phase cannot change
 * under one that has not yet looked. Whoever brings leaving to 0 wakes those who wait for that.
 *
 * 4. Who ends a round gives up the lock before it wakes: those who go on may want it at once, for the next round.
 *
 * tests/model/barrier.pml checks 1 to 4.
 */
#include "base/clock.h"
#include "sync/lock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/barrier.h>
#include <string.h>

int mt_barrier_init(struct mt_barrier *barrier, uint32_t parties, mt_fn *action, void *argument, const char *name,
                    unsigned flags)
{
    if (!parties || parties > INT32_MAX)
        return -EINVAL;
    memset(barrier, 0, sizeof *barrier);
    mt_lock_init(&barrier->lock, name, flags);
    barrier->parties = parties;
    barrier->action = action;
    barrier->argument = argument;
    return 0;
}

int mt_barrier_is_broken(const struct mt_barrier *barrier)
{
    return __atomic_load_n(&barrier->broken, __ATOMIC_ACQUIRE) != 0;
}

uint32_t mt_barrier_waiting(const struct mt_barrier *barrier)
{
    return __atomic_load_n(&barrier->waiting, __ATOMIC_ACQUIRE);
}

static unsigned wait_flags(const struct mt_barrier *barrier)
{
    return MT__IS_SHARED(&barrier->lock) ? MT__WAIT_SHARED : 0;
}

static void set(uint32_t *field, uint32_t value)
{
    __atomic_store_n(field, value, __ATOMIC_RELEASE);
}

/* Ends the round, with the lock held, and gives that up. */
static void end_round(struct mt_barrier *barrier)
{
    set(&barrier->waiting, 0);
    set(&barrier->phase, barrier->phase + 1);
    mt_lock_release(&barrier->lock);
    mt__wake(&barrier->phase, UINT_MAX, wait_flags(barrier));
}

/* The same, but breaks the round, in which `sleepers` sleep. */
static void break_round(struct mt_barrier *barrier, uint32_t sleepers)
{
    if (sleepers) {
        set(&barrier->broken_phase, barrier->phase);
        set(&barrier->leaving, sleepers);
    }
    end_round(barrier);
}

static int sleep_while(struct mt_barrier *barrier, uint32_t *word, uint32_t value, mt_deadline deadline,
                       const char *place)
{
    struct mt__wait wait = {
        .word = word,
        .flags = wait_flags(barrier),
        .reason = MT_WAIT_BARRIER,
        .object = barrier,
        .name = barrier->lock.name,
        .place = place,
        .deadline = deadline,
    };
    int result = mt__wait_begin(&wait);

    if (result)
        return result;
    while (!result && __atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
        result = mt__wait_round(&wait, value, deadline);
    return mt__wait_end(&wait, __atomic_load_n(word, __ATOMIC_ACQUIRE) != value ? 0 : result);
}

/* With the lock held: waits until all have left a broken round before the barrier was reset. */
static int wait_for_leavers(struct mt_barrier *barrier, mt_deadline deadline, const char *place)
{
    uint32_t leaving;

    while (!barrier->broken && (leaving = barrier->leaving) != 0) {
        int result;
        mt_lock_release(&barrier->lock);
        result = sleep_while(barrier, &barrier->leaving, leaving, deadline, place);
        mt__lock_reacquire(&barrier->lock, NULL);
        if (result && barrier->leaving) {
            set(&barrier->broken, 1); /* no round to break: nobody is in one while others leave */
            return result;
        }
    }
    return barrier->broken ? -ENOTRECOVERABLE : 0;
}

/* The last one has come, with the lock held. */
static int complete(struct mt_barrier *barrier, uint32_t place)
{
    int outcome = barrier->action ? barrier->action(barrier->argument) : 0;

    if (outcome < 0) {
        set(&barrier->broken, 1);
        break_round(barrier, place);
    } else {
        end_round(barrier);
    }
    return outcome < 0 ? outcome : (int)place;
}

/* After the sleep: passed, or broken by this task, or by another. */
static int after_sleep(struct mt_barrier *barrier, uint32_t phase, uint32_t place, int result)
{
    if (!result && (!__atomic_load_n(&barrier->leaving, __ATOMIC_ACQUIRE) ||
                    __atomic_load_n(&barrier->broken_phase, __ATOMIC_ACQUIRE) != phase))
        return (int)place;
    mt__lock_reacquire(&barrier->lock, NULL);
    if (barrier->phase == phase) { /* late, or killed, and the round is still on */
        set(&barrier->broken, 1);
        break_round(barrier, barrier->waiting - 1);
        return result;
    }
    if (barrier->leaving && barrier->broken_phase == phase) {
        set(&barrier->leaving, barrier->leaving - 1);
        if (!barrier->leaving)
            mt__wake(&barrier->leaving, UINT_MAX, wait_flags(barrier));
        result = -ENOTRECOVERABLE;
    } else {
        result = (int)place; /* it was complete after all, just before this task gave up */
    }
    mt_lock_release(&barrier->lock);
    return result;
}

int mt__barrier_wait(struct mt_barrier *barrier, mt_deadline deadline, const char *here)
{
    uint32_t place, phase;
    int result;

    mt__lock_reacquire(&barrier->lock, NULL);
    result = wait_for_leavers(barrier, deadline, here);
    if (result) {
        mt_lock_release(&barrier->lock);
        return result;
    }
    place = barrier->waiting;
    set(&barrier->waiting, place + 1);
    if (place + 1 == barrier->parties)
        return complete(barrier, place);
    phase = barrier->phase;
    mt_lock_release(&barrier->lock);
    result = sleep_while(barrier, &barrier->phase, phase, deadline, here);
    return after_sleep(barrier, phase, place, result);
}

static void stop(struct mt_barrier *barrier, uint32_t broken)
{
    mt__lock_reacquire(&barrier->lock, NULL);
    set(&barrier->broken, broken);
    if (barrier->waiting)
        break_round(barrier, barrier->waiting);
    else
        mt_lock_release(&barrier->lock);
}

void mt_barrier_abort(struct mt_barrier *barrier)
{
    stop(barrier, 1);
}

void mt_barrier_reset(struct mt_barrier *barrier)
{
    stop(barrier, 0);
}
