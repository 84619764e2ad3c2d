/* SPDX-License-Identifier: MIT
 *
 * A client library that blocks, in many clients at once. Built with one of clients-*.c, and prints "metric unit value"
 * a line.
 *
 *     clients-LIBRARY mt|threads CLIENTS QUERIES WHERE
 *
 *   rate     queries that all clients together have answered, each asking QUERIES times
 *   cpu      processor's time of this program for each
 *   nap      how long it takes until all have the answer to a query that takes 100 ms
 *
 * The clients are coroutines that libc's calls are patched for (mt), or threads. They are connected before the clock
 * starts.
 */
#include "clients.h"

#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int count, queries, threaded;
static const char *where;
static void **clients;

_Noreturn void client_die(const char *what)
{
    fprintf(stderr, "clients: %s\n", what);
    exit(1);
}

static void opens(void **client)
{
    *client = client_open(where);
}

static void asks(void **client)
{
    for (int i = 0; i < queries; i++)
        client_ask(*client);
}

static void naps(void **client)
{
    client_nap(*client);
}

static void closes(void **client)
{
    client_close(*client);
}

/* -- Once for each client, all at once ---------------------------------------------------------------------------- */

static void (*work)(void **client);

static int in_coroutine(void *client)
{
    work(client);
    return 0;
}

static void *in_thread(void *client)
{
    work(client);
    return NULL;
}

static void each_in_coroutine(void)
{
    const struct mt_coro_options options = {.stack_size = 256 * 1024};
    struct mt_task **tasks = calloc((size_t)count, sizeof *tasks);

    for (int i = 0; i < count; i++)
        if (!(tasks[i] = mt_coro_spawn(in_coroutine, &clients[i], &options)))
            client_die("mt_coro_spawn");
    if (mt_joinall(tasks, (size_t)count, MT_FOREVER))
        client_die("mt_joinall");
    for (int i = 0; i < count; i++)
        mt_task_release(tasks[i]);
    free(tasks);
}

static void each_in_thread(void)
{
    pthread_t *threads = calloc((size_t)count, sizeof *threads);

    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, in_thread, &clients[i]))
            client_die("pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

static double clock_of(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Seconds of the world's, and of the processor's in *cpu. */
static double each(void (*fn)(void **client), double *cpu)
{
    double start = clock_of(CLOCK_MONOTONIC), cpu_start = clock_of(CLOCK_PROCESS_CPUTIME_ID);

    work = fn;
    if (threaded)
        each_in_thread();
    else
        each_in_coroutine();
    *cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
    return clock_of(CLOCK_MONOTONIC) - start;
}

int main(int argc, char **argv)
{
    double elapsed, cpu;

    if (argc != 5) {
        fprintf(stderr, "usage: clients-LIBRARY mt|threads CLIENTS QUERIES WHERE\n");
        return 2;
    }
    threaded = !strcmp(argv[1], "threads");
    count = atoi(argv[2]);
    queries = atoi(argv[3]);
    where = argv[4];
    clients = calloc((size_t)count, sizeof *clients);
    if (!clients || (!threaded && mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK))))
        client_die("mt_patch");
    each(opens, &cpu);
    elapsed = each(asks, &cpu);
    printf("rate kreq/s %.3f\n", (double)count * queries / elapsed / 1e3);
    printf("cpu us %.3f\n", cpu / ((double)count * queries) * 1e6);
    printf("nap ms %.1f\n", each(naps, &cpu) * 1e3);
    each(closes, &cpu);
    free(clients);
    return 0;
}
