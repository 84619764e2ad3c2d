/* SPDX-License-Identifier: MIT
 *
 * How long a switch from one stack to another takes: the switch itself beside Boost.Context's, and what stands on it:
 * greenlets, generators, whose items need two, and the hub:
 *
 *   yield        two coroutines let each other go first
 *   spawn-join   one is spawned and joined
 *   spawn-100    a hundred are spawned, then joined
 *   channel      two hand an item over, unbuffered
 *   lock         two take a lock in turns, and yield with it
 *   turn-N       the thread sleeps for a nanosecond, which takes a turn of its hub, while N coroutines wait
 *
 * The best of many short runs: what a busy machine adds is no part of it.
 */
#include "coro/context.h"

#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 1000, PAIRS = 5000 };

static struct mt__context here, there;

static void back(void *arg, void *value)
{
    mt__context_begin();
    for (;;)
        value = mt__context_switch(&there, &here, value, 0);
}

static void switches(void)
{
    void *value = NULL;

    for (int i = 0; i < PAIRS; i++)
        value = mt__context_switch(&here, &there, value, 0);
}

static struct mt_greenlet *root, *greenlet;

static int greenlet_back(void *arg, void **value)
{
    int err = 0;

    while (!err)
        err = mt_greenlet_switch(root, *value, value);
    return err;
}

static void greenlets(void)
{
    void *value = NULL;

    for (int i = 0; i < PAIRS; i++)
        if (mt_greenlet_switch(greenlet, value, &value))
            abort();
}

static struct mt_generator *numbers;

static int count(struct mt_generator *self, void *arg)
{
    int64_t number = 0;

    while (!mt_yield(self, &number, NULL))
        number++;
    return 0;
}

static void generators(void)
{
    int64_t number;

    for (int i = 0; i < PAIRS; i++)
        if (mt_generator_next(numbers, &number))
            abort();
}

static void births(void)
{
    for (int i = 0; i < PAIRS / 10; i++) {
        struct mt_greenlet *one = mt_greenlet_new(greenlet_back, NULL, NULL);
        if (!one || mt_greenlet_switch(one, NULL, NULL) || mt_greenlet_free(one))
            abort();
    }
}

/* -- In the hub --------------------------------------------------------------------------------------------------- */

static struct mt_task *spawn(mt_fn *fn, void *arg)
{
    struct mt_task *task = mt_coro_spawn(fn, arg, NULL);

    if (!task)
        abort();
    return task;
}

static void join(struct mt_task *task)
{
    if (mt_task_join(task, MT_FOREVER) || mt_task_outcome(task))
        abort();
    mt_task_release(task);
}

static void both(mt_fn *one, mt_fn *other)
{
    struct mt_task *first = spawn(one, NULL), *second = spawn(other, NULL);

    join(first);
    join(second);
}

static int yield_often(void *arg)
{
    for (int i = 0; i < PAIRS; i++)
        if (mt_coro_yield())
            return -1;
    return 0;
}

static void yields(void)
{
    both(yield_often, yield_often);
}

static int nothing(void *arg)
{
    return 0;
}

static void spawns(void)
{
    for (int i = 0; i < PAIRS / 10; i++)
        join(spawn(nothing, NULL));
}

static void crowds(void)
{
    struct mt_task *tasks[100];

    for (int i = 0; i < PAIRS / 10; i += 100) {
        for (int j = 0; j < 100; j++)
            tasks[j] = spawn(nothing, NULL);
        for (int j = 0; j < 100; j++)
            join(tasks[j]);
    }
}

static struct mt_channel channel = MT_CHANNEL_INIT(sizeof(int));

static int put_often(void *arg)
{
    for (int i = 0; i < PAIRS; i++)
        if (mt_channel_put(&channel, &i, MT_FOREVER))
            return -1;
    return 0;
}

static int get_often(void *arg)
{
    for (int i = 0, item; i < PAIRS; i++)
        if (mt_channel_get(&channel, &item, MT_FOREVER) || item != i)
            return -1;
    return 0;
}

static void hand_overs(void)
{
    both(put_often, get_often);
}

static struct mt_lock lock = MT_LOCK_INIT;

static int lock_often(void *arg)
{
    for (int i = 0; i < PAIRS / 10; i++)
        if (mt_lock_acquire(&lock, MT_FOREVER) || mt_coro_yield() || mt_lock_release(&lock) || mt_coro_yield())
            return -1;
    return 0;
}

static void locks(void)
{
    both(lock_often, lock_often);
}

static void turns(void)
{
    for (int i = 0; i < 100; i++)
        if (mt_sleep(1))
            abort();
}

static struct mt_event over = MT_EVENT_INIT;

static int stay(void *arg)
{
    return mt_event_wait(&over, MT_FOREVER);
}

static void measure(const char *metric, void (*run)(void), int divisor, int rounds);

static void with_crowd(const char *metric, int count)
{
    struct mt_task **tasks = calloc((size_t)count, sizeof *tasks);

    for (int i = 0; tasks && i < count; i++)
        tasks[i] = spawn(stay, NULL);
    if (!tasks || mt_sleep(1) || mt_sleep(1))
        abort();
    measure(metric, turns, 100, 50);
    mt_event_set(&over);
    for (int i = 0; i < count; i++)
        join(tasks[i]);
    mt_event_clear(&over);
    free(tasks);
}

static void measure(const char *metric, void (*run)(void), int divisor, int rounds)
{
    double best = 1e18;

    for (int i = 0; i < rounds; i++) {
        mt_deadline start = mt_now();
        run();
        double each = (double)(mt_now() - start) / divisor;
        if (each < best)
            best = each;
    }
    printf("%s ns %.3f\n", metric, best);
}

int main(int argc, char **argv)
{
    int error = 0;
    struct mt__stack *stack = mt__stack_take(0, &error);

    if (argc > 1 && strcmp(argv[1], "mt") != 0)
        return 2;
    root = mt_greenlet_current();
    greenlet = mt_greenlet_new(greenlet_back, NULL, NULL);
    numbers = mt_generator_new(count, NULL, sizeof(int64_t), NULL);
    if (!stack || !greenlet || !numbers)
        return 1;
    mt__context_make(&there, stack, mt__stack_top(stack), back, NULL);
    measure("switch", switches, 2 * PAIRS, ROUNDS);
    measure("greenlet-switch", greenlets, 2 * PAIRS, ROUNDS);
    measure("generator-item", generators, PAIRS, ROUNDS);
    measure("greenlet-life", births, PAIRS / 10, ROUNDS);
    measure("yield", yields, 2 * PAIRS, ROUNDS);
    measure("spawn-join", spawns, PAIRS / 10, ROUNDS);
    measure("spawn-100", crowds, PAIRS / 10, ROUNDS);
    measure("channel", hand_overs, PAIRS, ROUNDS);
    measure("lock", locks, PAIRS / 5, ROUNDS);
    with_crowd("turn-1000", 1000);
    with_crowd("turn-10000", 10000);
    with_crowd("turn-100000", 100000);
    with_crowd("turn-1000000", 1000000);
    return mt_generator_free(numbers) || mt_greenlet_free(greenlet);
}
