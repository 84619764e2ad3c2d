/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement for futexes by system call: see waits.h.
 */
#include "waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t word_a, word_b;

static void wait_waitv(void)
{
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } words[2] = {{0, (uintptr_t)&word_a, 2 | 128, 0}, {0, (uintptr_t)&word_b, 2 | 128, 0}};
    struct timespec until = after(CLOCK_MONOTONIC, WAIT_MS);
    if (syscall(449, words, 2, 0, &until, CLOCK_MONOTONIC) < 0 && errno == ENOSYS)
        exit(77);
}

static void wait_futex2(void)
{
    struct timespec until = after(CLOCK_MONOTONIC, WAIT_MS);
    if (syscall(455, &word_a, 0L, 0xffffffffL, 2 | 128, &until, CLOCK_MONOTONIC) < 0 && errno == ENOSYS)
        exit(77);
}

static void *wait_for_word(void *unused)
{
    syscall(SYS_futex, &word_a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    return NULL;
}

/* The waiter sleeps on one word, is moved to another in the middle, and is woken there. */
static void wait_requeue(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, wait_for_word, NULL), "pthread_create");
    await_asleep(1, 0);
    pass_time(WAIT_MS / 2);
    check(syscall(SYS_futex, &word_a, FUTEX_CMP_REQUEUE_PRIVATE, 0, 1L, &word_b, 0) != 1, "FUTEX_CMP_REQUEUE");
    pass_time(WAIT_MS / 2);
    check(syscall(SYS_futex, &word_b, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) != 1, "FUTEX_WAKE");
    pthread_join(thread, NULL);
}

const struct waits_kind waits_futex[] = {
    {"waitv", wait_waitv},
    {"futex2", wait_futex2},
    {"requeue", wait_requeue},
    {0},
};
