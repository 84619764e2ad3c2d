/* SPDX-License-Identifier: MIT
 *
 * Read-write locks taken in a hub: by libc's own attempts, with a wait in our table in between.
 *
 *   wait     enters the table, tries once more, sleeps; out of the table again, it tries
 *   unlock   libc's, then a look into the table: the first one there is woken, and if that reads all that read
 *
 * Both write (the table's count; the lock) and then look at what the other writes, so one of the two sees the other. A
 * woken one that fails has been overtaken by somebody who will unlock in his turn.
 *
 * libc tells by __cur_writer who unlocks: a writer's thread, or else a reader. A coroutine that writes has its own
 * number there while it holds the lock, so that libc's EDEADLK can be given to it and to no other of its thread; the
 * thread's id is put back for libc to see when it unlocks.
 *
 * Other processes cannot see the table: locks that they share are polled.
 *
 * tests/model/lockline.pml checks that nobody waits for ever beside a lock that is free.
 */
#include "patch/locks.h"

#include <errno.h>

enum { READS = 1, WRITES = 2 };

static int try(pthread_rwlock_t *lock, int kind)
{
    int result;

    if (kind == READS)
        return mt__libc(pthread_rwlock_tryrdlock)(lock);
    result = mt__libc(pthread_rwlock_trywrlock)(lock);
    if (!result)
        __atomic_store_n(&lock->__data.__cur_writer, (int)mt__lock_id(), __ATOMIC_RELAXED);
    return result;
}

static int is_mine(const pthread_rwlock_t *lock)
{
    return __atomic_load_n(&lock->__data.__cur_writer, __ATOMIC_RELAXED) == (int)mt__lock_id();
}

static int both_read(int first, int other)
{
    return first == READS && other == READS;
}

/* After an unlock of libc's, which on x86-64 ends in an instruction that is a full barrier. */
static void wake(pthread_rwlock_t *lock)
{
#if defined(__x86_64__)
    size_t waiters = __atomic_load_n(&mt__waiters, __ATOMIC_SEQ_CST);
#else
    size_t waiters = __atomic_fetch_add(&mt__waiters, 0, __ATOMIC_SEQ_CST);
#endif

    if (waiters)
        mt__waiters_wake(lock, both_read);
}

/* Until it is woken: 0; ETIMEDOUT; or EINTR: it leaves. */
static int sleep_in_table(struct mt__waiter *waiter, mt_deadline deadline)
{
    struct mt__wait wait = {
        .word = &waiter->word,
        .flags = MT__WAIT_NOCANCEL | MT__WAIT_LEFT,
        .reason = waiter->kind == READS ? MT_WAIT_READ : MT_WAIT_WRITE,
        .object = waiter->object,
        .deadline = deadline,
    };
    int result = mt__wait_begin(&wait);

    while (result != -ETIMEDOUT && !mt__patch_leaves() && !__atomic_load_n(&waiter->word, __ATOMIC_ACQUIRE))
        result = mt__lock_round(&wait, 0);
    mt__wait_end(&wait, result == -ETIMEDOUT ? result : 0);
    return result == -ETIMEDOUT ? ETIMEDOUT : mt__patch_leaves() ? EINTR : 0;
}

static int wait_in_table(pthread_rwlock_t *lock, int kind, mt_deadline deadline)
{
    struct mt__waiter waiter = {.object = lock, .kind = kind};
    int result, late = 0;

    for (;;) {
        mt__waiter_add(&waiter);
        result = try(lock, kind);
        if (result != EBUSY || late)
            break;
        late = sleep_in_table(&waiter, deadline);
        if (late == EINTR)
            break;
        mt__waiter_remove(&waiter);
    }
    if (!mt__waiter_remove(&waiter)) /* a wake that is of use to the next */
        wake(lock);
    return result == EBUSY ? late : result;
}

static int wait_in_hub(pthread_rwlock_t *lock, int kind, mt_deadline deadline)
{
    struct mt__patch_call call = mt__patch_enter();
    int result = wait_in_table(lock, kind, deadline);

    mt__patch_end(call, 0);
    return result;
}

static int wait_by_polling(pthread_rwlock_t *lock, int kind, mt_deadline deadline)
{
    unsigned tries = 0;
    int result;

    mt__patch_pass(pthread_rwlock_wrlock);
    while ((result = try(lock, kind)) == EBUSY)
        if (mt__lock_poll(&tries, deadline))
            return ETIMEDOUT;
    return result;
}

static int acquire(pthread_rwlock_t *lock, int kind, clockid_t clock, const struct timespec *time)
{
    mt_deadline deadline = MT_FOREVER;
    int result;

    if (time && (result = mt__lock_deadline(clock, time, &deadline)))
        return result;
    if (is_mine(lock))
        return EDEADLK;
    mt__patch_look_seldom();
    result = try(lock, kind);
    if (result != EBUSY)
        return result;
    return lock->__data.__shared ? wait_by_polling(lock, kind, deadline) : wait_in_hub(lock, kind, deadline);
}

/* -- libc's names ------------------------------------------------------------------------------------------------- */

MT__PATCHED int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return mt__patched(LOCK) ? acquire(lock, READS, 0, NULL) : mt__libc(pthread_rwlock_rdlock)(lock);
}

MT__PATCHED int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return mt__patched(LOCK) ? acquire(lock, WRITES, 0, NULL) : mt__libc(pthread_rwlock_wrlock)(lock);
}

MT__PATCHED int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    if (mt__patched(LOCK))
        mt__patch_look_seldom();
    return mt__libc(pthread_rwlock_tryrdlock)(lock);
}

MT__PATCHED int pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    if (!mt__patched(LOCK))
        return mt__libc(pthread_rwlock_trywrlock)(lock);
    mt__patch_look_seldom();
    return try(lock, WRITES);
}

MT__PATCHED int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict time)
{
    return mt__patched(LOCK) ? acquire(lock, READS, CLOCK_REALTIME, time)
                             : mt__libc(pthread_rwlock_timedrdlock)(lock, time);
}

MT__PATCHED int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict time)
{
    return mt__patched(LOCK) ? acquire(lock, WRITES, CLOCK_REALTIME, time)
                             : mt__libc(pthread_rwlock_timedwrlock)(lock, time);
}

MT__PATCHED int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                           const struct timespec *restrict time)
{
    return mt__patched(LOCK) ? acquire(lock, READS, clock, time)
                             : mt__libc(pthread_rwlock_clockrdlock)(lock, clock, time);
}

MT__PATCHED int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                           const struct timespec *restrict time)
{
    return mt__patched(LOCK) ? acquire(lock, WRITES, clock, time)
                             : mt__libc(pthread_rwlock_clockwrlock)(lock, clock, time);
}

/* Whoever waits in the table is woken by anybody, in a hub or not, and whatever is patched by now. */
MT__PATCHED int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    int result;

    if (mt__hub && is_mine(lock))
        __atomic_store_n(&lock->__data.__cur_writer, (int)mt__hub->tid, __ATOMIC_RELAXED);
    result = mt__libc(pthread_rwlock_unlock)(lock);
    wake(lock);
    return result;
}

int __pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int __pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int __pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int __pthread_rwlock_unlock(pthread_rwlock_t *lock);

MT__PATCHED int __pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return pthread_rwlock_rdlock(lock);
}

MT__PATCHED int __pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return pthread_rwlock_wrlock(lock);
}

MT__PATCHED int __pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    return pthread_rwlock_tryrdlock(lock);
}

MT__PATCHED int __pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    return pthread_rwlock_trywrlock(lock);
}

MT__PATCHED int __pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    return pthread_rwlock_unlock(lock);
}
