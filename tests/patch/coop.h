/* SPDX-License-Identifier: MIT
 *
 * Blocking calls in many coroutines of one thread: what one waits for is another one's to do, so that a call which
 * blocked the thread would hang. Each part is a file.
 */
#ifndef TESTS_PATCH_COOP_H
#define TESTS_PATCH_COOP_H

#include <errno.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 100

extern int failures;

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                       \
        }                                                                     \
    } while (0)

/* How many are in the middle of it at a time. */
extern int inside, most;
void enter(void);
void leave(void);

/* Runs fn in count coroutines, with 0 to count - 1. */
void run_many(mt_fn *fn, int count);

/* Patches all but threads and locks. */
void all_classes(void);

struct coop_test {
    const char *name;
    void (*run)(void);
};

/* What each part has, up to one without a name. */
extern const struct coop_test switch_tests[], talk_tests[], end_tests[], off_tests[], signal_tests[], stderr_tests[];

/* In a coroutine: a call that cannot wait in the hub. */
int coop_passes(void *arg);

#endif
