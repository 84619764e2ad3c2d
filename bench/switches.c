/* SPDX-License-Identifier: MIT
 *
 * A hundred million switches between greenlets, and as many between coroutines of a hub: says how long one takes, and
 * by how much memory has grown between the first thousandth and the end: an end other than 0 means that it has not
 * stayed flat.
 *
 *     switches [COUNT]
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>

enum { GROWTH_MOST = 256 /* KiB */ };

static unsigned long count = 100000000;
static struct mt_greenlet *root;

static long resident(void)
{
    char line[256];
    long kilobytes = -1;
    FILE *rollup = fopen("/proc/self/smaps_rollup", "r");

    while (rollup && kilobytes < 0 && fgets(line, sizeof line, rollup))
        sscanf(line, "Anonymous: %ld kB", &kilobytes);
    if (rollup)
        fclose(rollup);
    return kilobytes;
}

static int go_back(void *arg, void **value)
{
    int error = 0;

    while (!error)
        error = mt_greenlet_switch(root, *value, value);
    return error;
}

static int greenlets(unsigned long switches)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(go_back, NULL, NULL);
    int error = greenlet ? 0 : -1;

    for (unsigned long i = 0; !error && i < switches; i += 2) {
        void *got = NULL;
        error = mt_greenlet_switch(greenlet, &got, &got);
        if (got != &got)
            error = -1;
    }
    return greenlet && mt_greenlet_free(greenlet) ? -1 : error;
}

static int yield_often(void *arg)
{
    unsigned long *yields = arg;
    int error = 0;

    while (!error && (*yields)-- > 0)
        error = mt_coro_yield();
    return error;
}

static int coroutines(unsigned long switches)
{
    unsigned long yields[2] = {switches / 2, switches / 2};
    struct mt_task *tasks[2] = {mt_coro_spawn(yield_often, &yields[0], NULL),
                                mt_coro_spawn(yield_often, &yields[1], NULL)};
    int error = 0;

    for (int i = 0; i < 2; i++) {
        error |= tasks[i] ? mt_task_join(tasks[i], MT_FOREVER) : -1;
        mt_task_release(tasks[i]);
    }
    return error;
}

/* Returns whether memory stayed flat. */
static int measure(const char *name, int (*run)(unsigned long))
{
    mt_deadline start;
    long before, growth;

    if (resident() < 0 || run(count / 1000)) /* stdio's buffers, and the hub */
        return 0;
    before = resident();
    start = mt_now();
    if (run(count))
        return 0;
    printf("%s ns %.3f\n", name, (double)(mt_now() - start) / (double)count);
    growth = resident() - before;
    printf("%s-growth KiB %ld\n", name, growth);
    return growth <= GROWTH_MOST;
}

int main(int argc, char **argv)
{
    int flat;

    if (argc > 1)
        count = strtoul(argv[1], NULL, 10);
    root = mt_greenlet_current();
    if (!root || !count) {
        fprintf(stderr, "usage: switches [COUNT]\n");
        return 2;
    }
    flat = measure("greenlets", greenlets);
    return measure("coroutines", coroutines) && flat ? 0 : 1;
}
