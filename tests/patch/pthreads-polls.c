/* SPDX-License-Identifier: MIT
 *
 * Loops that wait for what another thread does, by calls that need no wait themselves. See pthreads.h.
 */
#include "pthreads.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>

static uint32_t done;
static sem_t posted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, robust;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;

static void *set(void *none)
{
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    sem_post(&posted);
    return none;
}

static void by_lock(void)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
}

static void by_trylock(void)
{
    if (!pthread_mutex_trylock(&mutex))
        pthread_mutex_unlock(&mutex);
}

static void by_robust(void)
{
    pthread_mutex_lock(&robust);
    pthread_mutex_unlock(&robust);
}

static void by_tryrobust(void)
{
    if (!pthread_mutex_trylock(&robust))
        pthread_mutex_unlock(&robust);
}

static void by_rdlock(void)
{
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_unlock(&lock);
}

static void by_tryrdlock(void)
{
    if (!pthread_rwlock_tryrdlock(&lock))
        pthread_rwlock_unlock(&lock);
}

static void by_wrlock(void)
{
    pthread_rwlock_wrlock(&lock);
    pthread_rwlock_unlock(&lock);
}

static void by_trywrlock(void)
{
    if (!pthread_rwlock_trywrlock(&lock))
        pthread_rwlock_unlock(&lock);
}

static void by_spin(void)
{
    pthread_spin_lock(&spin);
    pthread_spin_unlock(&spin);
}

static void by_tryspin(void)
{
    if (!pthread_spin_trylock(&spin))
        pthread_spin_unlock(&spin);
}

static void by_semaphore(void)
{
    if (!sem_trywait(&posted))
        sem_post(&posted);
}

static void by_value(void)
{
    int value;

    sem_getvalue(&posted, &value);
}

static void by_child(void)
{
    waitpid(-1, NULL, WNOHANG);
}

static void by_system_call(void)
{
    syscall(SYS_getppid);
}

static void by_wake(void)
{
    syscall(SYS_futex, &done, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void by_open(void)
{
    close(open("/", O_RDONLY));
}

static void make(void)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    sem_init(&posted, 0, 0);
}

void polls(void)
{
    static const struct {
        const char *name;
        void (*look)(void);
    } ways[] = {{"lock", by_lock},
                {"trylock", by_trylock},
                {"robust lock", by_robust},
                {"robust trylock", by_tryrobust},
                {"rdlock", by_rdlock},
                {"tryrdlock", by_tryrdlock},
                {"wrlock", by_wrlock},
                {"trywrlock", by_trywrlock},
                {"spin lock", by_spin},
                {"spin trylock", by_tryspin},
                {"sem_trywait", by_semaphore},
                {"sem_getvalue", by_value},
                {"waitpid", by_child},
                {"system call", by_system_call},
                {"futex wake", by_wake},
                {"open", by_open}};

    make();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        done = 0;
        pthread_t setter = start(set, NULL);
        do
            ways[i].look();
        while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE));
        finish(setter);
        printf("polled by %s\n", ways[i].name);
    }
}
