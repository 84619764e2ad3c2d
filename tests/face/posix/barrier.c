/* SPDX-License-Identifier: MIT */
#include "posix.h"

enum { PARTIES = 4, ROUNDS = 500 };

static pthread_barrier_t barrier;
static int round_of[PARTIES], serials, wrong;

static void *pass(void *arg)
{
    int me = (int)(intptr_t)arg;

    for (int i = 0; i < ROUNDS; i++) {
        int result;
        __atomic_store_n(&round_of[me], i, __ATOMIC_SEQ_CST);
        result = pthread_barrier_wait(&barrier);
        if (result == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_fetch_add(&serials, 1, __ATOMIC_SEQ_CST);
        else
            IS(result, 0);
        for (int k = 0; k < PARTIES; k++)
            if (SEEN(round_of[k]) < i)
                SET(wrong);
    }
    return NULL;
}

static void all_pass_together(void)
{
    pthread_t threads[PARTIES];

    IS(pthread_barrier_init(&barrier, NULL, PARTIES), 0);
    for (intptr_t i = 0; i < PARTIES; i++)
        threads[i] = start(pass, (void *)i);
    for (int i = 0; i < PARTIES; i++)
        finish(threads[i]);
    IS(serials, ROUNDS);
    IS(wrong, 0);
    IS(pthread_barrier_destroy(&barrier), 0);
}

static void counts_are_checked(void)
{
    pthread_barrier_t one;

    IS(pthread_barrier_init(&one, NULL, 0), EINVAL);
    IS(pthread_barrier_init(&one, NULL, 1), 0);
    IS(pthread_barrier_wait(&one), PTHREAD_BARRIER_SERIAL_THREAD);
    IS(pthread_barrier_destroy(&one), 0);
}

static void *pass_and_destroy(void *arg)
{
    pthread_barrier_t *mine = arg;

    if (pthread_barrier_wait(mine) == PTHREAD_BARRIER_SERIAL_THREAD) {
        IS(pthread_barrier_destroy(mine), 0);
        memset(mine, 0xa5, sizeof *mine);
        free(mine);
    }
    return NULL;
}

static void the_serial_thread_destroys_it(void)
{
    for (int i = 0; i < 300; i++) {
        pthread_barrier_t *mine = malloc(sizeof *mine);
        pthread_t threads[2];

        IS(pthread_barrier_init(mine, NULL, 2), 0);
        for (int k = 0; k < 2; k++)
            threads[k] = start(pass_and_destroy, mine);
        for (int k = 0; k < 2; k++)
            finish(threads[k]);
    }
}

static void between_processes(void)
{
    pthread_barrier_t *shared = shared_memory(sizeof *shared);
    pthread_barrierattr_t attributes;
    int value = -1;
    pid_t child;

    IS(pthread_barrierattr_init(&attributes), 0);
    IS(pthread_barrierattr_getpshared(&attributes, &value), 0);
    IS(value, PTHREAD_PROCESS_PRIVATE);
    IS(pthread_barrierattr_setpshared(&attributes, 99), EINVAL);
    IS(pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
    IS(pthread_barrier_init(shared, &attributes, 2), 0);
    IS(pthread_barrierattr_destroy(&attributes), 0);
    child = fork();
    if (!child) {
        for (int i = 0; i < 100; i++)
            pthread_barrier_wait(shared);
        _exit(0);
    }
    for (int i = 0; i < 100; i++)
        pthread_barrier_wait(shared);
    child_is_fine(child);
}

int main(void)
{
    static const struct requirement list[] = {
        {"nobody passes before all have come, and one of them is told that it is the serial thread", all_pass_together},
        {"a count of 0 is EINVAL", counts_are_checked},
        {"the serial thread may destroy the barrier", the_serial_thread_destroys_it},
        {"a process-shared barrier works between processes", between_processes},
    };
    return RUN(list);
}
