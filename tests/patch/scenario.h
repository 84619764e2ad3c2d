/* SPDX-License-Identifier: MIT
 *
 * A program of scenarios, ordinary blocking C, that print what calls returned. differential.t runs it in the main
 * thread with libc alone, and in a coroutine with libc's calls patched; what is printed must be the same. So nothing is
 * printed that may differ from run to run: no times, no addresses, no numbers of processes.
 *
 *     PROGRAM main|coro [SCENARIO]
 *
 * In a coroutine another one takes turns with it all the time, which shows that the hub went on: "coro" fails if it did
 * not. The other side of a conversation is a thread without coroutines.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <errno.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct scenario {
    const char *name;
    void (*run)(void);
};

/* Those of the program, up to one without a name. */
extern const struct scenario scenarios[];

/* Kept until the end: stdio is among what is tested. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* What a call returned, and errno by name if that is -1. */
void told(const char *what, long result);
#define TELL(call) told(#call, (long)(call))

static inline int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* What must not be patched: a pause of the other side, in the kernel. */
static inline void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    syscall(SYS_nanosleep, &time, NULL);
}

/* The other side. */
struct peer {
    pthread_t thread;
    void (*run)(int fd);
    int fd;
};

static inline void *peer_run(void *arg)
{
    struct peer *peer = arg;

    peer->run(peer->fd);
    return NULL;
}

static inline struct peer *peer_start(void (*run)(int fd), int fd)
{
    struct peer *peer = malloc(sizeof *peer);

    *peer = (struct peer){.run = run, .fd = fd};
    if (pthread_create(&peer->thread, NULL, peer_run, peer))
        abort();
    return peer;
}

static inline void peer_end(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    free(peer);
}

#endif
