/* SPDX-License-Identifier: MIT
 *
 * How long a switch from one stack to another takes: the switch itself beside Boost.Context's, and what stands on it:
 * greenlets, and generators, whose items need two. The best of many short runs: what a busy machine adds is no part of
 * it.
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

static void measure(const char *metric, void (*run)(void), int divisor)
{
    double best = 1e18;

    for (int i = 0; i < ROUNDS; i++) {
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
    measure("switch", switches, 2 * PAIRS);
    measure("greenlet-switch", greenlets, 2 * PAIRS);
    measure("generator-item", generators, PAIRS);
    measure("greenlet-life", births, PAIRS / 10);
    return mt_generator_free(numbers) || mt_greenlet_free(greenlet);
}
