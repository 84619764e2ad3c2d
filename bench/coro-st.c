/* SPDX-License-Identifier: MIT
 *
 * What bench/coro.c measures of a hub, with State Threads, as far as it has it: no channels, and a yield is a sleep of
 * no time.
 */
#include <st.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 300, PAIRS = 5000 };

static long long now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static st_thread_t spawn(void *(*fn)(void *))
{
    st_thread_t thread = st_thread_create(fn, NULL, 1, 65536);

    if (!thread)
        abort();
    return thread;
}

static void join(st_thread_t thread)
{
    if (st_thread_join(thread, NULL))
        abort();
}

static void *yield_often(void *arg)
{
    for (int i = 0; i < PAIRS; i++)
        st_usleep(0);
    return arg;
}

static void yields(void)
{
    st_thread_t one = spawn(yield_often), other = spawn(yield_often);

    join(one);
    join(other);
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawns(void)
{
    for (int i = 0; i < PAIRS / 10; i++)
        join(spawn(nothing));
}

static void crowds(void)
{
    st_thread_t threads[100];

    for (int i = 0; i < PAIRS / 10; i += 100) {
        for (int j = 0; j < 100; j++)
            threads[j] = spawn(nothing);
        for (int j = 0; j < 100; j++)
            join(threads[j]);
    }
}

static void measure(const char *metric, void (*run)(void), int divisor)
{
    double best = 1e18;

    for (int i = 0; i < ROUNDS; i++) {
        long long start = now();
        run();
        double each = (double)(now() - start) / divisor;
        if (each < best)
            best = each;
    }
    printf("%s ns %.3f\n", metric, best);
}

int main(void)
{
    if (st_init())
        return 1;
    measure("yield", yields, 2 * PAIRS);
    measure("spawn-join", spawns, PAIRS / 10);
    measure("spawn-100", crowds, PAIRS / 10);
    return 0;
}
