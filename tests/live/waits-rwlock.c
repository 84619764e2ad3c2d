/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for read-write locks: see waits.h.
 */
#include "waits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

pthread_rwlock_t arranged_rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *read_table(void *unused)
{
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    pthread_rwlock_unlock(&arranged_rwlock);
    return NULL;
}

static void *write_table(void *unused)
{
    check(pthread_rwlock_wrlock(&arranged_rwlock), "pthread_rwlock_wrlock");
    pthread_rwlock_unlock(&arranged_rwlock);
    return NULL;
}

/* The main thread holds the table while a reader and a writer want it, of whom so many have to wait. */
static void hold_table(int waiters)
{
    pthread_t reader, writer;
    prctl(PR_SET_NAME, "holder");
    check(pthread_create(&reader, NULL, read_table, NULL), "pthread_create");
    check(pthread_create(&writer, NULL, write_table, NULL), "pthread_create");
    await_asleep(waiters, 0);
    pass_time(WAIT_MS);
    pthread_rwlock_unlock(&arranged_rwlock);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
}

static void wait_rwlock(void)
{
    check(pthread_rwlock_wrlock(&arranged_rwlock), "pthread_rwlock_wrlock");
    hold_table(2);
}

/* Read: only the writer has to wait, and which reader it is for is recorded nowhere. */
static void wait_readers(void)
{
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    hold_table(1);
}

/* Two readers, of whom the one that comes last is the last to leave. Each leaves when it is told to. */
static void *read_until_told(void *told)
{
    char byte;
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    check(read(*(int *)told, &byte, 1) != 1, "read");
    pthread_rwlock_unlock(&arranged_rwlock);
    return NULL;
}

static void wait_two_readers(void)
{
    int told[2][2];
    pthread_t readers[2], writer;
    for (int i = 0; i < 2; i++) {
        check(pipe(told[i]), "pipe");
        check(pthread_create(&readers[i], NULL, read_until_told, told[i]), "pthread_create");
        await_asleep(i + 1, 0);
    }
    check(pthread_create(&writer, NULL, write_table, NULL), "pthread_create");
    await_asleep(3, 0);
    for (int i = 0; i < 2; i++) {
        pass_time(WAIT_MS / 2);
        check(write(told[i][1], "", 1) != 1, "write");
        pthread_join(readers[i], NULL);
    }
    pthread_join(writer, NULL);
}

/* Says "ready" and holds it until it is killed. */
static void wait_readers_forever(void)
{
    pthread_t writer;
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    check(pthread_create(&writer, NULL, write_table, NULL), "pthread_create");
    await_asleep(1, 0);
    pass_time(WAIT_MS);
    puts("ready");
    fflush(stdout);
    pthread_join(writer, NULL);
}

const struct waits_kind waits_rwlock[] = {
    {"rwlock", wait_rwlock},
    {"readers", wait_readers},
    {"two-readers", wait_two_readers},
    {"readers-forever", wait_readers_forever},
    {0},
};
