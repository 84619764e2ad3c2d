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

static char output[1 << 16];
static size_t output_size;

/* Kept until the end: stdio is among what is tested. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    output_size += (size_t)vsnprintf(output + output_size, sizeof output - output_size, format, list);
    va_end(list);
    if (output_size >= sizeof output)
        abort();
}

/* What a call returned, and errno by name if that is -1. */
static void told(const char *what, long result)
{
    if (result == -1)
        say("  %s: %s\n", what, strerrorname_np(errno));
    else
        say("  %s: %ld\n", what, result);
}
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

static const struct scenario scenarios[];
static const char *only;
static volatile int finished;
static volatile unsigned long turns;

static int run_all(void *arg)
{
    for (const struct scenario *scenario = scenarios; scenario->name; scenario++) {
        if (only && strcmp(only, scenario->name))
            continue;
        say("%s\n", scenario->name);
        scenario->run();
    }
    finished = 1;
    return 0;
}

static int take_turns(void *arg)
{
    while (!finished) {
        turns++;
        if (mt_sleep(MT_US(500)))
            break;
    }
    return 0;
}

/* pthread_join and what else may be patched by other classes is not this program's matter. */
#define CLASSES ((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK))

static int in_coroutine(void)
{
    const struct mt_coro_options options = {.name = "scenarios", .stack_size = 1 << 20};
    struct mt_task *tasks[2];
    int error = mt_patch(CLASSES);

    if (error) {
        fprintf(stderr, "mt_patch: %s\n", strerror(-error));
        return 1;
    }
    tasks[0] = mt_coro_spawn(run_all, NULL, &options);
    tasks[1] = mt_coro_spawn(take_turns, NULL, NULL);
    if (!tasks[0] || !tasks[1] || mt_joinall(tasks, 2, MT_FOREVER))
        return 1;
    mt_task_release(tasks[0]);
    mt_task_release(tasks[1]);
    return turns < 2;
}

int main(int argc, char **argv)
{
    int status = 0;

    only = argc > 2 ? argv[2] : NULL;
    if (argc > 1 && !strcmp(argv[1], "coro"))
        status = in_coroutine();
    else
        run_all(NULL);
    for (size_t at = 0; at < output_size;) {
        ssize_t written = write(STDOUT_FILENO, output + at, output_size - at);
        if (written <= 0)
            return 1;
        at += (size_t)written;
    }
    return status;
}

#endif
