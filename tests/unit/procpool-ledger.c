/* SPDX-License-Identifier: MIT
 *
 * The ledger of bad days: somebody kills the processes of a pool at random moments, while tasks run in them and put
 * messages into a queue. Each task ends, and says how: it is done, or was hit by a kill. What is done was run once, and
 * its message is in the queue once; what was hit was run at most as often as the pool tries, and may have left a
 * message or not. As many are hit as there are kills, at most.
 */
#include "procpool-unit.h"

#include <signal.h>

enum { TASKS = SANITIZER ? 200 : 10000 };

struct ledger {
    uint32_t begun[TASKS], over[TASKS];
    uint32_t pids[64]; /* of processes that have begun a task lately */
    uint32_t next;
    uint32_t stop, kills;
};

static struct ledger *ledger;
static struct mt_queue *queue;

static int work(void *arg)
{
    long number = *(long *)arg, result = number + 1;

    __atomic_fetch_add(&ledger->begun[number], 1, __ATOMIC_RELAXED);
    __atomic_store_n(&ledger->pids[__atomic_fetch_add(&ledger->next, 1, __ATOMIC_RELAXED) % 64], (uint32_t)getpid(),
                     __ATOMIC_RELEASE);
    for (volatile int i = 0; i < (number % 5 ? 2000 : 100000); i++)
        continue;
    if (mt_queue_put(queue, &number, sizeof number, SOON))
        return -EIO;
    __atomic_fetch_add(&ledger->over[number], 1, __ATOMIC_RELAXED);
    return mt_pool_reply(&result, sizeof result);
}

/* Whoever has begun a task last. A number that is another's by now would have had to come round within moments. */
static int kill_at_random(void *arg)
{
    unsigned seed = *(unsigned *)arg;

    while (!__atomic_load_n(&ledger->stop, __ATOMIC_ACQUIRE)) {
        uint32_t next, pid;
        usleep((useconds_t)(rand_r(&seed) % 4000));
        next = __atomic_load_n(&ledger->next, __ATOMIC_ACQUIRE);
        pid = next ? __atomic_load_n(&ledger->pids[(next - 1) % 64], __ATOMIC_ACQUIRE) : 0;
        if (pid && kill((pid_t)pid, SIGKILL) == 0)
            __atomic_fetch_add(&ledger->kills, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static int drain(void *arg)
{
    uint32_t *seen = arg;
    long number;
    ssize_t got;

    while ((got = mt_queue_get(queue, &number, sizeof number, SOON)) == sizeof number)
        seen[number]++;
    return got == -EPIPE ? 0 : (int)got;
}

static int is_as_told(long number, const struct mt_future *future, uint32_t seen, unsigned tries, int *done, int *hit)
{
    int code = mt_future_outcome(future);

    if (code == 0) {
        (*done)++;
        return *(const long *)mt_future_value(future, NULL) == number + 1 && ledger->begun[number] >= 1 &&
               ledger->begun[number] <= tries && seen >= 1 && seen <= ledger->begun[number];
    }
    (*hit)++;
    return code == -ECHILD && strstr(mt_future_message(future), "signal 9") && ledger->begun[number] <= tries &&
           seen <= ledger->begun[number];
}

static void killed_at_random(unsigned retries, unsigned seed)
{
    struct mt_queue_options options = {.capacity = 1024, .message_max = sizeof(long)};
    struct mt_pool *pool;
    static struct mt_future *futures[TASKS];
    static uint32_t seen[TASKS];
    struct mt_task *killer, *reader;
    int done = 0, hit = 0, wrong = 0;

    ledger = shared_memory(sizeof *ledger);
    memset(seen, 0, sizeof seen);
    queue = mt_queue_new(&options);
    assert_non_null(queue);
    pool = open_pool((struct mt_pool_options){.workers = 3, .retries = retries, .tries = 1000000});
    reader = spawn(drain, seen);
    killer = spawn(kill_at_random, &seed);
    for (long i = 0; i < TASKS; i++) {
        futures[i] = mt_pool_apply_async(pool, work, &i, sizeof i, SOON);
        assert_non_null(futures[i]);
        if (i % 500 == 0)
            usleep(1000);
    }
    for (long i = 0; i < TASKS; i++)
        assert_int_equal(mt_future_wait(futures[i], SOON), 0);
    __atomic_store_n(&ledger->stop, 1, __ATOMIC_RELEASE);
    assert_int_equal(finish(killer), 0);
    end(pool);
    assert_int_equal(mt_queue_close(queue), 0);
    assert_int_equal(finish(reader), 0);
    for (long i = 0; i < TASKS; i++) {
        wrong += !is_as_told(i, futures[i], seen[i], retries + 1, &done, &hit);
        mt_future_release(futures[i]);
    }
    print_message("# ledger: %d tasks = %d done + %d hit by %u kills, with %u retries\n", TASKS, done, hit,
                  ledger->kills, retries);
    assert_int_equal(done + hit, TASKS);
    assert_int_equal(wrong, 0);
    assert_true(hit <= (int)ledger->kills);
    assert_true(ledger->kills > 0);
    mt_queue_free(queue);
    munmap(ledger, sizeof *ledger);
}

static void without_retries(void **state)
{
    killed_at_random(0, (unsigned)mt_now());
}

static void with_retries(void **state)
{
    killed_at_random(3, (unsigned)mt_now());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_retries),
        cmocka_unit_test(with_retries),
    };

    return RUN_FORKS(tests);
}
