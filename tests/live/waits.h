/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement: "waits NAME" makes one kind of wait of WAIT_MS milliseconds and ends. mtrace is then asked what
 * it saw. Exit status 77: this kernel does not have that kind. One file a noun, with a table of its kinds.
 */
#ifndef WAITS_H
#define WAITS_H

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

#define WAIT_MS 200
#define WAITERS 3

struct waits_kind {
    const char *name; /* NULL: the end of a table */
    void (*make)(void);
};

extern const struct waits_kind waits_mutex[], waits_rwlock[], waits_sem[], waits_futex[], waits_file[], waits_end[],
    waits_time[];

void pass_time(int ms);
/* Returns when so many threads sleep, of the process's or, if it is not 0, of that process's. The caller is awake. */
void await_asleep(int threads, pid_t process);
struct timespec after(clockid_t clock, int ms);
/* The mutex of most of them, and a thread's body that takes it once. */
extern pthread_mutex_t arranged_lock;
void *wait_for_lock(void *lock);

void check(int failed, const char *what);

#endif
