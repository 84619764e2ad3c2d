/* SPDX-License-Identifier: MIT
 *
 * Programs for tracers to slow down, in plain pthread and pipes; each prints the milliseconds that its work took, so
 * that what a tracer needs to start and to report is not counted. usage: trace lock|pipe
 *
 *   lock    4 threads, one mutex held for some microseconds: each acquisition is likely to wait in the kernel
 *   pipe    two processes that send a byte back and forth
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCK_ROUNDS 50000
#define PIPE_ROUNDS 60000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void *contend(void *arg)
{
    for (int i = 0; i < LOCK_ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        for (volatile int k = 0; k < 2000; k++)
            ;
        pthread_mutex_unlock(&mutex);
        for (volatile int k = 0; k < 200; k++)
            ;
    }
    return NULL;
}

static void lock_work(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, contend, NULL))
            abort();
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void pipe_work(void)
{
    int there[2], back[2];
    char byte = 0;
    pid_t child;

    if (pipe(there) || pipe(back) || (child = fork()) < 0)
        abort();
    for (int i = 0; i < PIPE_ROUNDS; i++) {
        if (child ? write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1
                  : read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
            _exit(1);
    }
    if (!child)
        _exit(0);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    int lock = argc == 2 && !strcmp(argv[1], "lock");
    double start;

    if (argc != 2 || (!lock && strcmp(argv[1], "pipe"))) {
        fprintf(stderr, "usage: trace lock|pipe\n");
        return 2;
    }
    start = now();
    if (lock)
        lock_work();
    else
        pipe_work();
    printf("elapsed ms %.3f\n", now() - start);
    return 0;
}
