/* SPDX-License-Identifier: MIT
 *
 * How often a pool of threads wakes somebody: a wake is a system call, and makes a tiny task many times as dear. So who
 * is not asleep is not woken, and a task that nobody waits for wakes nobody.
 */
#include "pool-unit.h"
#include "wait/wait.h"

enum { TASKS = 1000 };

void __real_mt__wake(uint32_t *word, unsigned n, unsigned flags);
void __wrap_mt__wake(uint32_t *word, unsigned n, unsigned flags);

static uint32_t wakes;

void __wrap_mt__wake(uint32_t *word, unsigned n, unsigned flags)
{
    __atomic_fetch_add(&wakes, 1, __ATOMIC_RELAXED);
    __real_mt__wake(word, n, flags);
}

static struct mt_event go = MT_EVENT_INIT;
static uint32_t is_held;

static int hold(void *arg)
{
    __atomic_store_n(&is_held, 1, __ATOMIC_RELEASE);
    return mt_event_wait(&go, MT_FOREVER);
}

/* The one worker is held while they are put, and does them all when it is let go. */
static void only_who_waits_is_woken(void **state)
{
    struct mt_pool *pool = open_pool(1);
    struct mt_future *held = submit(pool, hold, NULL, 0), *futures[TASKS];
    uint32_t before;

    while (!__atomic_load_n(&is_held, __ATOMIC_ACQUIRE))
        usleep(100);
    before = __atomic_load_n(&wakes, __ATOMIC_RELAXED);
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(pool, nothing, NULL, 0);
    assert_int_equal(__atomic_load_n(&wakes, __ATOMIC_RELAXED), before);
    mt_event_set(&go);
    assert_int_equal(mt_future_wait(futures[TASKS - 1], mt_after(MT_SEC(60))), 0);
    assert_true(__atomic_load_n(&wakes, __ATOMIC_RELAXED) - before <= 5); /* the worker, and who waits here */
    for (int i = 0; i < TASKS; i++)
        mt_future_release(futures[i]);
    mt_future_release(held);
    close_and_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_waits_is_woken),
    };
    return RUN(tests);
}
