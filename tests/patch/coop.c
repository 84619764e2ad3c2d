/* SPDX-License-Identifier: MIT
 *
 * Runs the parts of coop.h. Speaks TAP.
 *
 *     coop [switch|passes]      for who looks from outside: what is on; a call that blocks its hub
 */
#include "coop.h"

int failures, inside, most;

void enter(void)
{
    if (++inside > most)
        most = inside;
}

void leave(void)
{
    inside--;
}

void run_many(mt_fn *fn, int count)
{
    struct mt_task *tasks[MANY * 2] = {NULL};

    inside = most = 0;
    for (int i = 0; i < count; i++)
        if (!(tasks[i] = mt_coro_spawn(fn, (void *)(intptr_t)i, NULL)))
            abort();
    CHECK(mt_joinall(tasks, (size_t)count, MT_FOREVER) == 0);
    for (int i = 0; i < count; i++) {
        CHECK(mt_task_outcome(tasks[i]) == 0);
        mt_task_release(tasks[i]);
    }
}

void all_classes(void)
{
    CHECK(mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK)) == 0);
}

static const struct coop_test *const parts[] = {switch_tests, talk_tests, end_tests, off_tests, signal_tests, stderr_tests};
#define PARTS (sizeof parts / sizeof *parts)

static void run_test(const struct coop_test *test, int number)
{
    failures = 0;
    test->run();
    printf("%sok %d - %s\n", failures ? "not " : "", number, test->name);
    fflush(stdout);
}

static int print_switch(void)
{
    static const char *const names[] = {"sleep", "socket",  "dns",    "select", "file",
                                        "stdio", "process", "signal", "thread", "lock"};

    printf("on:");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (mt_is_patched(1u << i))
            printf(" %s", names[i]);
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    int number = 0, failed = 0;

    if (argc > 1 && !strcmp(argv[1], "switch"))
        return print_switch();
    if (argc > 1) {
        run_many(coop_passes, 1);
        return failures != 0;
    }
    for (unsigned i = 0; i < PARTS; i++)
        for (const struct coop_test *test = parts[i]; test->name; test++) {
            run_test(test, ++number);
            failed += failures;
        }
    printf("1..%d\n", number);
    return failed != 0;
}
