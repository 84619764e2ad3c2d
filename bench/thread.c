/* SPDX-License-Identifier: MIT
 *
 * Threads: made and joined, one after the other. usage: thread VARIANT; prints "metric unit value" a line.
 *
 *   create-join     a thread that does nothing, one at a time
 *   create-join-cpu the processors' time of that
 *   batch           64 at once, then all joined, per thread
 *   growth          KiB of resident memory that 100,000 more of them leave behind
 */
#include <linuxmt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 10000
#define BATCH  64

static int nothing(void *arg)
{
    return 0;
}

static void *pthread_nothing(void *arg)
{
    return arg;
}

static void mt_batch(int count)
{
    struct mt_task *tasks[BATCH] = {NULL};

    for (int i = 0; i < count; i++)
        if (!(tasks[i] = mt_thread_spawn(nothing, NULL, NULL)))
            abort();
    if (mt_joinall(tasks, (size_t)count, MT_FOREVER))
        abort();
    for (int i = 0; i < count; i++)
        mt_task_release(tasks[i]);
}

static void pthread_batch(int count)
{
    pthread_t threads[BATCH];

    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, pthread_nothing, NULL))
            abort();
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static long resident(void)
{
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        abort();
    fclose(file);
    return pages * 4;
}

static double timed(void (*batch)(int), int size, int rounds)
{
    int64_t start = mt_now();

    for (int i = 0; i < rounds; i++)
        batch(size);
    return (double)(mt_now() - start) / 1000 / size / rounds;
}

static double processor_time(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
    int mt = argc == 2 && !strcmp(argv[1], "mt");
    void (*batch)(int) = mt ? mt_batch : pthread_batch;
    double used;
    long before;

    if (argc != 2 || (!mt && strcmp(argv[1], "pthread"))) {
        fprintf(stderr, "usage: thread mt|pthread\n");
        return 2;
    }
    timed(batch, 1, 1000); /* warm */
    used = processor_time();
    printf("create-join us %.3f\n", timed(batch, 1, ROUNDS));
    printf("create-join-cpu us %.3f\n", (processor_time() - used) / ROUNDS);
    printf("batch us %.3f\n", timed(batch, BATCH, ROUNDS / BATCH));
    before = resident();
    timed(batch, 1, 100000);
    printf("growth KiB %ld\n", resident() - before);
    return 0;
}
