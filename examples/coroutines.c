/* SPDX-License-Identifier: MIT
 *
 * Two coroutines side by side in one thread: each prints its name and a count and sleeps for a random time, in which
 * the other runs.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>

static int count(void *arg)
{
    const int *rounds = arg;

    for (int i = 0; i < *rounds; i++) {
        printf("%s %d\n", mt_task_name(mt_task_current()), i);
        if (mt_sleep(MT_MS(1 + random() % 20)))
            return -1;
    }
    return 0;
}

int main(void)
{
    int rounds = 5, failed;
    struct mt_coro_options names[] = {{.name = "ping"}, {.name = "pong"}};
    struct mt_task *tasks[2];

    printf("coroutines wait by %s: %s\n", mt_loop_name(), mt_loop_reason());
    for (int i = 0; i < 2; i++) {
        tasks[i] = mt_coro_spawn(count, &rounds, &names[i]);
        if (!tasks[i]) {
            perror("mt_coro_spawn");
            return EXIT_FAILURE;
        }
    }
    failed = mt_joinall(tasks, 2, mt_after(MT_SEC(10)));
    for (int i = 0; i < 2; i++)
        mt_task_release(tasks[i]);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
