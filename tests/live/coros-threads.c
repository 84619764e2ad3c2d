/* SPDX-License-Identifier: MIT
 *
 * Threads by arrangement, for a run in which they are coroutines: "coros-threads FIFO [brief]". They know nothing of
 * the library. brief: it ends at once.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];
static const char *fifo;

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    fprintf(stderr, "coros-threads: %s failed\n", what);
    exit(1);
}

/* -- What they do ------------------------------------------------------------------------------------------------- */

static void *hold(void *unused)
{
    pthread_setname_np(pthread_self(), "holder");
    pthread_mutex_lock(&ledger);
    pause();
    return NULL;
}

static void *want(void *unused)
{
    pthread_setname_np(pthread_self(), "wanter");
    pthread_mutex_lock(&ledger);
    return NULL;
}

__attribute__((noinline)) int read_request(int fd);
int read_request(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 1 ? byte : -1;
}

static void *serve(void *unused)
{
    prctl(PR_SET_NAME, "server");
    return (void *)(intptr_t)read_request(ends[0]);
}

/* Its every turn of the hub is on its own stack, as it is the last to leave. */
static void *nap(void *unused)
{
    pthread_setname_np(pthread_self(), "napper");
    for (;;)
        usleep(20000);
    return NULL;
}

/* Off the hub: nobody ever writes to it. */
static void *open_fifo(void *unused)
{
    pthread_setname_np(pthread_self(), "opener");
    fclose(fopen(fifo, "r"));
    return NULL;
}

int main(int argc, char **argv)
{
    static void *(*const bodies[])(void *) = {hold, want, serve, nap, open_fifo, want};
    pthread_t threads[sizeof bodies / sizeof *bodies];

    alarm(120);
    fifo = argc > 1 ? argv[1] : "";
    check(mkfifo(fifo, 0600), "mkfifo");
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        check(pthread_create(&threads[i], NULL, bodies[i], NULL), "pthread_create");
    usleep(100000);
    puts("ready");
    fflush(stdout);
    if (argc < 3)
        pthread_join(threads[0], NULL);
    return 0;
}
