/* SPDX-License-Identifier: MIT
 *
 * Locks that are made of futex(2) itself. See pthreads.h.
 */
#include "pthreads.h"

#include <linux/futex.h>
#include <sys/syscall.h>

static uint32_t turn;

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout, uint32_t bits)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, bits);
}

static void *take_turns(void *mine)
{
    uint32_t me = (uint32_t)(uintptr_t)mine, now;

    while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) < 50 * COUNT) {
        if (now % COUNT == me) {
            __atomic_store_n(&turn, now + 1, __ATOMIC_RELEASE);
            futex(&turn, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, 0);
        } else if (me % 2) {
            futex(&turn, FUTEX_WAIT_PRIVATE, now, NULL, 0);
        } else {
            futex(&turn, FUTEX_WAIT_BITSET_PRIVATE, now, NULL, FUTEX_BITSET_MATCH_ANY);
        }
    }
    return NULL;
}

void futexes(void)
{
    const struct timespec little = {0, 5000000}, wrong = {0, 1000000000}, before = {-1, 0};
    struct timespec until = soon(CLOCK_MONOTONIC, 5);
    uint32_t word = 1;
    pthread_t threads[COUNT];

    SAY(said((int)futex(&word, FUTEX_WAIT, 2, NULL, 0)));
    SAY(said((int)futex(&word, FUTEX_WAIT_PRIVATE, 2, &little, 0)));
    SAY(said((int)futex(&word, FUTEX_WAIT, 1, &little, 0)));
    SAY(said((int)futex(&word, FUTEX_WAIT_PRIVATE, 1, &wrong, 0)));
    SAY(said((int)futex(&word, FUTEX_WAIT_PRIVATE, 1, &before, 0)));
    SAY(said((int)futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &until, FUTEX_BITSET_MATCH_ANY)));
    SAY(said((int)futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &until, 2)));
    SAY(said((int)futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &until, 0)));
    until = soon(CLOCK_REALTIME, 5);
    SAY(said((int)futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &until, FUTEX_BITSET_MATCH_ANY)));
    SAY(said((int)futex(NULL, FUTEX_WAIT, 1, &little, 0)));
    SAY(said((int)futex((uint32_t *)((uintptr_t)&word + 1), FUTEX_WAIT, 1, &little, 0)));
    SAY(said((int)futex(&word, 127, 1, &little, 0)));
    printf("woken %ld\n", futex(&word, FUTEX_WAKE, 1, NULL, 0));
    for (uintptr_t i = 0; i < COUNT; i++)
        threads[i] = start(take_turns, (void *)i);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("turns %u, %s\n", turn, syscall(SYS_getppid) == getppid() ? "as ever" : "otherwise");
}
