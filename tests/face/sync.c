/* SPDX-License-Identifier: MIT
 *
 * The face's mutexes, conditions, read-write locks, barriers, spin locks and once.
 */
#include "face.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>

/* POSIX's timed waits end by their time, also where tasks wait in a circle: that is not to be found and failed here. */
static void __attribute__((constructor)) leave_circles_alone(void)
{
    mt_deadlock_policy(MT_DEADLOCK_OFF);
}

static unsigned flags_of(int shared)
{
    return shared == PTHREAD_PROCESS_SHARED ? MT_SHARED : 0;
}

int face_deadline(clockid_t clock, const struct timespec *until, mt_deadline *deadline)
{
    struct timespec now;

    if (until->tv_nsec < 0 || until->tv_nsec > 999999999 || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return EINVAL;
    clock_gettime(clock, &now);
    if (until->tv_sec - now.tv_sec > INT32_MAX)
        *deadline = MT_FOREVER;
    else if (until->tv_sec < 0)
        *deadline = mt_now();
    else
        *deadline = mt_after(MT_SEC(until->tv_sec - now.tv_sec) + until->tv_nsec - now.tv_nsec);
    return 0;
}

/* -- Mutexes ------------------------------------------------------------------------------------------------------ */

int face_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    mt_rlock_init(&mutex->lock, NULL, flags_of(attributes ? attributes->shared : PTHREAD_PROCESS_PRIVATE));
    mutex->type = attributes ? attributes->type : PTHREAD_MUTEX_DEFAULT;
    return 0;
}

int face_mutex_destroy(pthread_mutex_t *mutex)
{
    return mt_lock_owner(&mutex->lock.lock) ? EBUSY : 0;
}

static int is_mine(const pthread_mutex_t *mutex)
{
    return mt_lock_owner(&mutex->lock.lock) == (int)syscall(SYS_gettid);
}

/* A normal mutex that its owner locks again is a deadlock, which POSIX wants to be one. */
static int wait_for_oneself(mt_deadline deadline)
{
    while (mt_now() < deadline)
        mt_sleep(deadline == MT_FOREVER ? MT_SEC(3600) : deadline - mt_now());
    return ETIMEDOUT;
}

static int lock(pthread_mutex_t *mutex, mt_deadline deadline)
{
    int result;

    if (mutex->type == PTHREAD_MUTEX_RECURSIVE) {
        result = mt_rlock_acquire(&mutex->lock, deadline);
        return result == -EOVERFLOW ? EAGAIN : face_error(result);
    }
    result = mt_lock_acquire(&mutex->lock.lock, deadline);
    if (result == -EDEADLK && deadline == MT_NOWAIT)
        return EBUSY;
    if (result == -EDEADLK && mutex->type != PTHREAD_MUTEX_ERRORCHECK && is_mine(mutex))
        return wait_for_oneself(deadline);
    return face_error(result);
}

int face_mutex_lock(pthread_mutex_t *mutex)
{
    return lock(mutex, MT_FOREVER);
}

int face_mutex_trylock(pthread_mutex_t *mutex)
{
    return lock(mutex, MT_NOWAIT);
}

/* The time is only looked at if there is something to wait for. */
int face_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    int result = mutex->type == PTHREAD_MUTEX_ERRORCHECK && is_mine(mutex) ? EDEADLK : lock(mutex, MT_NOWAIT);
    mt_deadline deadline;

    if (result != EBUSY)
        return result;
    result = face_deadline(clock, until, &deadline);
    return result ? result : lock(mutex, deadline);
}

int face_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    return face_mutex_clocklock(mutex, CLOCK_REALTIME, until);
}

int face_mutex_unlock(pthread_mutex_t *mutex)
{
    if (mutex->type == PTHREAD_MUTEX_RECURSIVE)
        return face_error(mt_rlock_release(&mutex->lock));
    return face_error(mt_lock_release(&mutex->lock.lock));
}

/* -- Conditions --------------------------------------------------------------------------------------------------- */

int face_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    mt_cond_init(&cond->cond, NULL, flags_of(attributes ? attributes->shared : PTHREAD_PROCESS_PRIVATE));
    cond->clock = attributes ? attributes->clock : CLOCK_REALTIME;
    return 0;
}

/* POSIX allows it as soon as all waiters have been woken: those that have not looked yet are waited for. */
int face_cond_destroy(pthread_cond_t *cond)
{
    while (__atomic_load_n(&cond->cond.waiters, __ATOMIC_ACQUIRE))
        sched_yield();
    return 0;
}

static int wait_for(pthread_cond_t *cond, pthread_mutex_t *mutex, mt_deadline deadline)
{
    int result;

    if (!is_mine(mutex))
        return EPERM;
    face_point_begin();
    if (mutex->type == PTHREAD_MUTEX_RECURSIVE)
        result = mt_cond_wait_rlock(&cond->cond, &mutex->lock, deadline);
    else
        result = mt_cond_wait(&cond->cond, &mutex->lock.lock, deadline);
    return face_error(face_point_end(result));
}

int face_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return wait_for(cond, mutex, MT_FOREVER);
}

int face_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    mt_deadline deadline;
    int error = face_deadline(clock, until, &deadline);

    return error ? error : wait_for(cond, mutex, deadline);
}

int face_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    return face_cond_clockwait(cond, mutex, cond->clock, until);
}

int face_cond_signal(pthread_cond_t *cond)
{
    mt_cond_notify(&cond->cond, 1);
    return 0;
}

int face_cond_broadcast(pthread_cond_t *cond)
{
    mt_cond_notify_all(&cond->cond);
    return 0;
}

/* -- Read-write locks --------------------------------------------------------------------------------------------- */

int face_rwlock_init(pthread_rwlock_t *rwlock, const pthread_rwlockattr_t *attributes)
{
    mt_rwlock_init(&rwlock->lock, NULL, flags_of(attributes ? attributes->shared : PTHREAD_PROCESS_PRIVATE));
    return 0;
}

int face_rwlock_destroy(pthread_rwlock_t *rwlock)
{
    return __atomic_load_n(&rwlock->lock.state, __ATOMIC_ACQUIRE) ? EBUSY : 0;
}

typedef int acquire_fn(struct mt_rwlock *lock, mt_deadline deadline, const char *place);

static int try(acquire_fn *acquire, pthread_rwlock_t *rwlock)
{
    int result = acquire(&rwlock->lock, MT_NOWAIT, NULL);

    return result == -EDEADLK ? EBUSY : face_error(result);
}

static int acquire_until(acquire_fn *acquire, pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *until)
{
    int result = acquire(&rwlock->lock, MT_NOWAIT, NULL);
    mt_deadline deadline;

    if (result != -EBUSY)
        return face_error(result);
    result = face_deadline(clock, until, &deadline);
    return result ? result : face_error(acquire(&rwlock->lock, deadline, NULL));
}

int face_rwlock_rdlock(pthread_rwlock_t *rwlock)
{
    return face_error(mt__rwlock_acquire_read(&rwlock->lock, MT_FOREVER, NULL));
}

int face_rwlock_tryrdlock(pthread_rwlock_t *rwlock)
{
    return try(mt__rwlock_acquire_read, rwlock);
}

int face_rwlock_clockrdlock(pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *until)
{
    return acquire_until(mt__rwlock_acquire_read, rwlock, clock, until);
}

int face_rwlock_timedrdlock(pthread_rwlock_t *rwlock, const struct timespec *until)
{
    return acquire_until(mt__rwlock_acquire_read, rwlock, CLOCK_REALTIME, until);
}

int face_rwlock_wrlock(pthread_rwlock_t *rwlock)
{
    return face_error(mt__rwlock_acquire_write(&rwlock->lock, MT_FOREVER, NULL));
}

int face_rwlock_trywrlock(pthread_rwlock_t *rwlock)
{
    return try(mt__rwlock_acquire_write, rwlock);
}

int face_rwlock_clockwrlock(pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *until)
{
    return acquire_until(mt__rwlock_acquire_write, rwlock, clock, until);
}

int face_rwlock_timedwrlock(pthread_rwlock_t *rwlock, const struct timespec *until)
{
    return acquire_until(mt__rwlock_acquire_write, rwlock, CLOCK_REALTIME, until);
}

int face_rwlock_unlock(pthread_rwlock_t *rwlock)
{
    int result = mt_rwlock_release_write(&rwlock->lock);

    return face_error(result == -EPERM ? mt_rwlock_release_read(&rwlock->lock) : result);
}

/* -- Barriers ----------------------------------------------------------------------------------------------------- */

int face_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count)
{
    barrier->inside = 0;
    return face_error(mt_barrier_init(&barrier->barrier, count, NULL, NULL, NULL,
                                      flags_of(attributes ? attributes->shared : PTHREAD_PROCESS_PRIVATE)));
}

int face_barrier_destroy(pthread_barrier_t *barrier)
{
    if (mt_barrier_waiting(&barrier->barrier))
        return EBUSY;
    while (__atomic_load_n(&barrier->inside, __ATOMIC_ACQUIRE))
        sched_yield();
    return 0;
}

int face_barrier_wait(pthread_barrier_t *barrier)
{
    int place, last;

    __atomic_fetch_add(&barrier->inside, 1, __ATOMIC_ACQ_REL);
    place = mt_barrier_wait(&barrier->barrier, MT_FOREVER);
    last = place == (int)barrier->barrier.parties - 1;
    __atomic_fetch_sub(&barrier->inside, 1, __ATOMIC_ACQ_REL);
    if (place < 0)
        return -place;
    return last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}

/* -- Spin locks --------------------------------------------------------------------------------------------------- */

int face_spin_init(pthread_spinlock_t *spin, int shared)
{
    mt_lock_init(&spin->lock, NULL, flags_of(shared));
    return 0;
}

int face_spin_destroy(pthread_spinlock_t *spin)
{
    return mt_lock_owner(&spin->lock) ? EBUSY : 0;
}

int face_spin_lock(pthread_spinlock_t *spin)
{
    return face_error(mt_lock_acquire(&spin->lock, MT_FOREVER));
}

int face_spin_trylock(pthread_spinlock_t *spin)
{
    int result = mt_lock_acquire(&spin->lock, MT_NOWAIT);

    return result == -EDEADLK ? EBUSY : face_error(result);
}

int face_spin_unlock(pthread_spinlock_t *spin)
{
    return face_error(mt_lock_release(&spin->lock));
}

/* -- Once --------------------------------------------------------------------------------------------------------- */

struct once_call {
    struct mt_once *once;
    void (*routine)(void);
};

/* The routine was left by pthread_exit or cancellation: POSIX wants it to be as if it had never been called. */
static void undo(void *arg)
{
    struct once_call *call = arg;

    __atomic_store_n(&call->once->word, 0, __ATOMIC_RELEASE);
    mt__wake(&call->once->word, UINT_MAX, 0);
}

static int run_routine(void *arg)
{
    struct once_call *call = arg;

    face_guarded(call->routine, undo, call);
    return 0;
}

int face_once_call(pthread_once_t *once, void (*routine)(void))
{
    struct once_call call = {&once->once, routine};

    return face_error(mt_once(&once->once, run_routine, &call, MT_FOREVER));
}
