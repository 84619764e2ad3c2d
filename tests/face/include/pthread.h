/* SPDX-License-Identifier: MIT
 *
 * POSIX threads on liblinuxmt: programs written against pthread.h and semaphore.h, built with this folder first on the
 * include path and linked with face.c, use mt_ threads and mt_ objects without a change. For tests: it shows that the
 * mt_ primitives are complete.
 *
 * The system's own header comes first, for what is not ours (pthread_sigmask, pthread_atfork, cleanup handlers, the
 * constants); then its names are given to ours by macros. Whatever else declares these names must have been included
 * before.
 *
 * Not covered: robust mutexes (pthread_mutexattr_setrobust answers ENOTSUP: mt_robust, which would carry them, is a type
 * of its own), and whatever is not named below, which stays the system's.
 */
#ifndef TESTS_FACE_PTHREAD_H
#define TESTS_FACE_PTHREAD_H

#include <sys/types.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include_next <pthread.h>

#include <linuxmt.h>

/* -- Types -------------------------------------------------------------------------------------------------------- */

typedef struct face_thread *face_thread_t;

struct face_attr {
    size_t stack_size, guard_size;
    void *stack;
    int detached, inherits, policy, scope;
    struct sched_param parameters;
};

struct face_mutexattr {
    int type, shared, protocol, robust, ceiling;
};

struct face_mutex {
    struct mt_rlock lock; /* of every type: one that is not recursive has depth 1 */
    int type;
};

struct face_condattr {
    clockid_t clock;
    int shared;
};

struct face_cond {
    struct mt_cond cond;
    clockid_t clock;
};

struct face_rwlockattr {
    int shared;
};

struct face_rwlock {
    struct mt_rwlock lock;
};

struct face_barrierattr {
    int shared;
};

struct face_barrier {
    struct mt_barrier barrier;
    unsigned inside; /* calls that have not returned: destroying waits for them, as POSIX has it */
};

struct face_once {
    struct mt_once once;
};

struct face_spin {
    struct mt_lock lock;
};

#define pthread_t             face_thread_t
#define pthread_attr_t        struct face_attr
#define pthread_mutex_t       struct face_mutex
#define pthread_mutexattr_t   struct face_mutexattr
#define pthread_cond_t        struct face_cond
#define pthread_condattr_t    struct face_condattr
#define pthread_rwlock_t      struct face_rwlock
#define pthread_rwlockattr_t  struct face_rwlockattr
#define pthread_barrier_t     struct face_barrier
#define pthread_barrierattr_t struct face_barrierattr
#define pthread_once_t        struct face_once
#define pthread_spinlock_t    struct face_spin
#define pthread_key_t         unsigned

#undef PTHREAD_MUTEX_INITIALIZER
#undef PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP
#undef PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP
#undef PTHREAD_COND_INITIALIZER
#undef PTHREAD_RWLOCK_INITIALIZER
#undef PTHREAD_ONCE_INIT
#define PTHREAD_MUTEX_INITIALIZER            \
    {                                        \
        MT_RLOCK_INIT, PTHREAD_MUTEX_DEFAULT \
    }
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP \
    {                                          \
        MT_RLOCK_INIT, PTHREAD_MUTEX_RECURSIVE \
    }
#define PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP \
    {                                           \
        MT_RLOCK_INIT, PTHREAD_MUTEX_ERRORCHECK \
    }
#define PTHREAD_COND_INITIALIZER     \
    {                                \
        MT_COND_INIT, CLOCK_REALTIME \
    }
#define PTHREAD_RWLOCK_INITIALIZER \
    {                              \
        MT_RWLOCK_INIT             \
    }
#define PTHREAD_ONCE_INIT \
    {                     \
        MT_ONCE_INIT      \
    }

/* -- Names -------------------------------------------------------------------------------------------------------- */

#define pthread_create                 face_create
#define pthread_join                   face_join
#define pthread_tryjoin_np             face_tryjoin
#define pthread_timedjoin_np           face_timedjoin
#define pthread_detach                 face_detach
#define pthread_self                   face_self
#define pthread_equal                  face_equal
#define pthread_exit                   face_exit
#define pthread_cancel                 face_cancel
#define pthread_testcancel             face_testcancel
#define pthread_setcancelstate         face_setcancelstate
#define pthread_setcanceltype          face_setcanceltype
#define pthread_kill                   face_kill
#define pthread_setname_np             face_setname
#define pthread_getname_np             face_getname
#define pthread_setschedparam          face_setschedparam
#define pthread_getschedparam          face_getschedparam
#define pthread_getcpuclockid          face_getcpuclockid
#define pthread_attr_init              face_attr_init
#define pthread_attr_destroy           face_attr_destroy
#define pthread_attr_setdetachstate    face_attr_setdetachstate
#define pthread_attr_getdetachstate    face_attr_getdetachstate
#define pthread_attr_setstacksize      face_attr_setstacksize
#define pthread_attr_getstacksize      face_attr_getstacksize
#define pthread_attr_setguardsize      face_attr_setguardsize
#define pthread_attr_getguardsize      face_attr_getguardsize
#define pthread_attr_setinheritsched   face_attr_setinheritsched
#define pthread_attr_getinheritsched   face_attr_getinheritsched
#define pthread_attr_setschedpolicy    face_attr_setschedpolicy
#define pthread_attr_getschedpolicy    face_attr_getschedpolicy
#define pthread_attr_setschedparam     face_attr_setschedparam
#define pthread_attr_getschedparam     face_attr_getschedparam
#define pthread_attr_setscope          face_attr_setscope
#define pthread_attr_getscope          face_attr_getscope
#define pthread_mutexattr_init         face_mutexattr_init
#define pthread_mutexattr_destroy      face_mutexattr_destroy
#define pthread_mutexattr_settype      face_mutexattr_settype
#define pthread_mutexattr_gettype      face_mutexattr_gettype
#define pthread_mutexattr_setpshared   face_mutexattr_setpshared
#define pthread_mutexattr_getpshared   face_mutexattr_getpshared
#define pthread_mutexattr_setprotocol  face_mutexattr_setprotocol
#define pthread_mutexattr_getprotocol  face_mutexattr_getprotocol
#define pthread_mutexattr_setrobust    face_mutexattr_setrobust
#define pthread_mutexattr_getrobust    face_mutexattr_getrobust
#define pthread_mutex_init             face_mutex_init
#define pthread_mutex_destroy          face_mutex_destroy
#define pthread_mutex_lock             face_mutex_lock
#define pthread_mutex_trylock          face_mutex_trylock
#define pthread_mutex_timedlock        face_mutex_timedlock
#define pthread_mutex_clocklock        face_mutex_clocklock
#define pthread_mutex_unlock           face_mutex_unlock
#define pthread_condattr_init          face_condattr_init
#define pthread_condattr_destroy       face_condattr_destroy
#define pthread_condattr_setclock      face_condattr_setclock
#define pthread_condattr_getclock      face_condattr_getclock
#define pthread_condattr_setpshared    face_condattr_setpshared
#define pthread_condattr_getpshared    face_condattr_getpshared
#define pthread_cond_init              face_cond_init
#define pthread_cond_destroy           face_cond_destroy
#define pthread_cond_wait              face_cond_wait
#define pthread_cond_timedwait         face_cond_timedwait
#define pthread_cond_clockwait         face_cond_clockwait
#define pthread_cond_signal            face_cond_signal
#define pthread_cond_broadcast         face_cond_broadcast
#define pthread_rwlockattr_init        face_rwlockattr_init
#define pthread_rwlockattr_destroy     face_rwlockattr_destroy
#define pthread_rwlockattr_setpshared  face_rwlockattr_setpshared
#define pthread_rwlockattr_getpshared  face_rwlockattr_getpshared
#define pthread_rwlock_init            face_rwlock_init
#define pthread_rwlock_destroy         face_rwlock_destroy
#define pthread_rwlock_rdlock          face_rwlock_rdlock
#define pthread_rwlock_tryrdlock       face_rwlock_tryrdlock
#define pthread_rwlock_timedrdlock     face_rwlock_timedrdlock
#define pthread_rwlock_clockrdlock     face_rwlock_clockrdlock
#define pthread_rwlock_wrlock          face_rwlock_wrlock
#define pthread_rwlock_trywrlock       face_rwlock_trywrlock
#define pthread_rwlock_timedwrlock     face_rwlock_timedwrlock
#define pthread_rwlock_clockwrlock     face_rwlock_clockwrlock
#define pthread_rwlock_unlock          face_rwlock_unlock
#define pthread_barrierattr_init       face_barrierattr_init
#define pthread_barrierattr_destroy    face_barrierattr_destroy
#define pthread_barrierattr_setpshared face_barrierattr_setpshared
#define pthread_barrierattr_getpshared face_barrierattr_getpshared
#define pthread_barrier_init           face_barrier_init
#define pthread_barrier_destroy        face_barrier_destroy
#define pthread_barrier_wait           face_barrier_wait
#define pthread_spin_init              face_spin_init
#define pthread_spin_destroy           face_spin_destroy
#define pthread_spin_lock              face_spin_lock
#define pthread_spin_trylock           face_spin_trylock
#define pthread_spin_unlock            face_spin_unlock
#define pthread_once                   face_once_call
#define pthread_key_create             face_key_create
#define pthread_key_delete             face_key_delete
#define pthread_getspecific            face_getspecific
#define pthread_setspecific            face_setspecific

/* libc's calls that are cancellation points: those that programs use to wait. */
#define sleep(seconds)        face_sleep(seconds)
#define usleep(microseconds)  face_usleep(microseconds)
#define nanosleep(time, left) face_nanosleep(time, left)

#ifdef __cplusplus
extern "C" {
#endif

int face_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg);
int face_join(pthread_t thread, void **value);
int face_tryjoin(pthread_t thread, void **value);
int face_timedjoin(pthread_t thread, void **value, const struct timespec *until);
int face_detach(pthread_t thread);
pthread_t face_self(void);
int face_equal(pthread_t one, pthread_t two);
void face_exit(void *value) __attribute__((noreturn));
int face_cancel(pthread_t thread);
void face_testcancel(void);
int face_setcancelstate(int state, int *before);
int face_setcanceltype(int type, int *before);
int face_kill(pthread_t thread, int signal);
int face_setname(pthread_t thread, const char *name);
int face_getname(pthread_t thread, char *name, size_t size);
int face_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters);
int face_getschedparam(pthread_t thread, int *policy, struct sched_param *parameters);
int face_getcpuclockid(pthread_t thread, clockid_t *clock);

unsigned face_sleep(unsigned seconds);
int face_usleep(unsigned microseconds);
int face_nanosleep(const struct timespec *time, struct timespec *left);

int face_attr_init(pthread_attr_t *attributes);
int face_attr_destroy(pthread_attr_t *attributes);
int face_attr_setdetachstate(pthread_attr_t *attributes, int state);
int face_attr_getdetachstate(const pthread_attr_t *attributes, int *state);
int face_attr_setstacksize(pthread_attr_t *attributes, size_t size);
int face_attr_getstacksize(const pthread_attr_t *attributes, size_t *size);
int face_attr_setguardsize(pthread_attr_t *attributes, size_t size);
int face_attr_getguardsize(const pthread_attr_t *attributes, size_t *size);
int face_attr_setinheritsched(pthread_attr_t *attributes, int inherits);
int face_attr_getinheritsched(const pthread_attr_t *attributes, int *inherits);
int face_attr_setschedpolicy(pthread_attr_t *attributes, int policy);
int face_attr_getschedpolicy(const pthread_attr_t *attributes, int *policy);
int face_attr_setschedparam(pthread_attr_t *attributes, const struct sched_param *parameters);
int face_attr_getschedparam(const pthread_attr_t *attributes, struct sched_param *parameters);
int face_attr_setscope(pthread_attr_t *attributes, int scope);
int face_attr_getscope(const pthread_attr_t *attributes, int *scope);

int face_mutexattr_init(pthread_mutexattr_t *attributes);
int face_mutexattr_destroy(pthread_mutexattr_t *attributes);
int face_mutexattr_settype(pthread_mutexattr_t *attributes, int type);
int face_mutexattr_gettype(const pthread_mutexattr_t *attributes, int *type);
int face_mutexattr_setpshared(pthread_mutexattr_t *attributes, int shared);
int face_mutexattr_getpshared(const pthread_mutexattr_t *attributes, int *shared);
int face_mutexattr_setprotocol(pthread_mutexattr_t *attributes, int protocol);
int face_mutexattr_getprotocol(const pthread_mutexattr_t *attributes, int *protocol);
int face_mutexattr_setrobust(pthread_mutexattr_t *attributes, int robust);
int face_mutexattr_getrobust(const pthread_mutexattr_t *attributes, int *robust);
int face_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int face_mutex_destroy(pthread_mutex_t *mutex);
int face_mutex_lock(pthread_mutex_t *mutex);
int face_mutex_trylock(pthread_mutex_t *mutex);
int face_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until);
int face_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until);
int face_mutex_unlock(pthread_mutex_t *mutex);

int face_condattr_init(pthread_condattr_t *attributes);
int face_condattr_destroy(pthread_condattr_t *attributes);
int face_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock);
int face_condattr_getclock(const pthread_condattr_t *attributes, clockid_t *clock);
int face_condattr_setpshared(pthread_condattr_t *attributes, int shared);
int face_condattr_getpshared(const pthread_condattr_t *attributes, int *shared);
int face_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int face_cond_destroy(pthread_cond_t *cond);
int face_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int face_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int face_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until);
int face_cond_signal(pthread_cond_t *cond);
int face_cond_broadcast(pthread_cond_t *cond);

int face_rwlockattr_init(pthread_rwlockattr_t *attributes);
int face_rwlockattr_destroy(pthread_rwlockattr_t *attributes);
int face_rwlockattr_setpshared(pthread_rwlockattr_t *attributes, int shared);
int face_rwlockattr_getpshared(const pthread_rwlockattr_t *attributes, int *shared);
int face_rwlock_init(pthread_rwlock_t *rwlock, const pthread_rwlockattr_t *attributes);
int face_rwlock_destroy(pthread_rwlock_t *rwlock);
int face_rwlock_rdlock(pthread_rwlock_t *rwlock);
int face_rwlock_tryrdlock(pthread_rwlock_t *rwlock);
int face_rwlock_timedrdlock(pthread_rwlock_t *rwlock, const struct timespec *until);
int face_rwlock_clockrdlock(pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *until);
int face_rwlock_wrlock(pthread_rwlock_t *rwlock);
int face_rwlock_trywrlock(pthread_rwlock_t *rwlock);
int face_rwlock_timedwrlock(pthread_rwlock_t *rwlock, const struct timespec *until);
int face_rwlock_clockwrlock(pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *until);
int face_rwlock_unlock(pthread_rwlock_t *rwlock);

int face_barrierattr_init(pthread_barrierattr_t *attributes);
int face_barrierattr_destroy(pthread_barrierattr_t *attributes);
int face_barrierattr_setpshared(pthread_barrierattr_t *attributes, int shared);
int face_barrierattr_getpshared(const pthread_barrierattr_t *attributes, int *shared);
int face_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count);
int face_barrier_destroy(pthread_barrier_t *barrier);
int face_barrier_wait(pthread_barrier_t *barrier);

int face_spin_init(pthread_spinlock_t *spin, int shared);
int face_spin_destroy(pthread_spinlock_t *spin);
int face_spin_lock(pthread_spinlock_t *spin);
int face_spin_trylock(pthread_spinlock_t *spin);
int face_spin_unlock(pthread_spinlock_t *spin);

int face_once_call(pthread_once_t *once, void (*routine)(void));
int face_key_create(pthread_key_t *key, void (*destroy)(void *));
int face_key_delete(pthread_key_t key);
void *face_getspecific(pthread_key_t key);
int face_setspecific(pthread_key_t key, const void *value);

#ifdef __cplusplus
}
#endif

#endif
