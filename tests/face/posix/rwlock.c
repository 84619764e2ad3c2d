/* SPDX-License-Identifier: MIT */
#include "posix.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void *try_read(void *arg)
{
    int result = pthread_rwlock_tryrdlock(&lock);

    if (!result)
        IS(pthread_rwlock_unlock(&lock), 0);
    return (void *)(intptr_t)result;
}

static void *try_write(void *arg)
{
    int result = pthread_rwlock_trywrlock(&lock);

    if (!result)
        IS(pthread_rwlock_unlock(&lock), 0);
    return (void *)(intptr_t)result;
}

static int elsewhere(void *(*fn)(void *))
{
    return (int)(intptr_t)finish(start(fn, NULL));
}

static void readers_share_writers_do_not(void)
{
    IS(pthread_rwlock_rdlock(&lock), 0);
    IS(elsewhere(try_read), 0);
    IS(elsewhere(try_write), EBUSY);
    IS(pthread_rwlock_unlock(&lock), 0);
    IS(elsewhere(try_write), 0);
    IS(pthread_rwlock_wrlock(&lock), 0);
    IS(elsewhere(try_read), EBUSY);
    IS(elsewhere(try_write), EBUSY);
    IS(pthread_rwlock_unlock(&lock), 0);
    IS(elsewhere(try_write), 0);
}

static void a_thread_reads_several_times(void)
{
    for (int i = 0; i < 10; i++)
        IS(pthread_rwlock_rdlock(&lock), 0);
    for (int i = 0; i < 10; i++) {
        IS(elsewhere(try_write), EBUSY);
        IS(pthread_rwlock_unlock(&lock), 0);
    }
    IS(elsewhere(try_write), 0);
}

static void the_writer_is_told(void)
{
    IS(pthread_rwlock_wrlock(&lock), 0);
    IS(pthread_rwlock_wrlock(&lock), EDEADLK);
    IS(pthread_rwlock_rdlock(&lock), EDEADLK);
    IS(pthread_rwlock_trywrlock(&lock), EBUSY);
    IS(pthread_rwlock_tryrdlock(&lock), EBUSY);
    IS(pthread_rwlock_unlock(&lock), 0);
}

static void *time_out(void *arg)
{
    struct timespec begin, until = in_ms(CLOCK_REALTIME, 40), wrong = {0, 1000000000};

    clock_gettime(CLOCK_MONOTONIC, &begin);
    IS(pthread_rwlock_timedrdlock(&lock, &wrong), EINVAL);
    IS(pthread_rwlock_timedwrlock(&lock, &wrong), EINVAL);
    IS(pthread_rwlock_timedrdlock(&lock, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 39);
    until = in_ms(CLOCK_MONOTONIC, 40);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    IS(pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &until), ETIMEDOUT);
    CHECK(ms_since(&begin) >= 39);
    return NULL;
}

static void times(void)
{
    struct timespec past = {0, 0};

    IS(pthread_rwlock_wrlock(&lock), 0);
    finish(start(time_out, NULL));
    IS(pthread_rwlock_unlock(&lock), 0);
    IS(pthread_rwlock_timedrdlock(&lock, &past), 0);
    IS(pthread_rwlock_unlock(&lock), 0);
    IS(pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &past), 0);
    IS(pthread_rwlock_unlock(&lock), 0);
}

static int one, two, wrong;

static void *work(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        if (i % 4 == 0) {
            IS(pthread_rwlock_wrlock(&lock), 0);
            one++;
            two++;
        } else {
            IS(pthread_rwlock_rdlock(&lock), 0);
            if (one != two)
                SET(wrong);
        }
        IS(pthread_rwlock_unlock(&lock), 0);
    }
    return NULL;
}

static void readers_see_no_half_writes(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        threads[i] = start(work, NULL);
    for (int i = 0; i < 4; i++)
        finish(threads[i]);
    IS(one, 5000);
    IS(wrong, 0);
}

static void between_processes(void)
{
    pthread_rwlock_t *shared = shared_memory(sizeof *shared);
    pthread_rwlockattr_t attributes;
    int value = -1;
    pid_t child;

    IS(pthread_rwlockattr_init(&attributes), 0);
    IS(pthread_rwlockattr_getpshared(&attributes, &value), 0);
    IS(value, PTHREAD_PROCESS_PRIVATE);
    IS(pthread_rwlockattr_setpshared(&attributes, 99), EINVAL);
    IS(pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
    IS(pthread_rwlock_init(shared, &attributes), 0);
    IS(pthread_rwlockattr_destroy(&attributes), 0);
    IS(pthread_rwlock_wrlock(shared), 0);
    child = fork();
    if (!child) {
        IS(pthread_rwlock_tryrdlock(shared), EBUSY);
        IS(pthread_rwlock_rdlock(shared), 0);
        IS(pthread_rwlock_unlock(shared), 0);
        _exit(failures != 0);
    }
    nap(50);
    IS(pthread_rwlock_unlock(shared), 0);
    child_is_fine(child);
    IS(pthread_rwlock_destroy(shared), 0);
}

int main(void)
{
    static const struct requirement list[] = {
        {"readers share, a writer is alone", readers_share_writers_do_not},
        {"a thread may hold several read locks", a_thread_reads_several_times},
        {"a writer that locks again gets EDEADLK, and EBUSY from the try calls", the_writer_is_told},
        {"timed locks end in time, and check the time only if they wait", times},
        {"readers see no half writes", readers_see_no_half_writes},
        {"a process-shared lock works between processes", between_processes},
    };
    return RUN(list);
}
