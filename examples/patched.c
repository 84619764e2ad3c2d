/* SPDX-License-Identifier: MIT
 *
 * Ordinary blocking code in two coroutines: its sleep() is libc's, and lets the other one run. It takes three seconds,
 * not six. Built with $(pkg-config --cflags --libs linuxmt-patch).
 */
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int count(void *name)
{
    for (int i = 1; i <= 3; i++) {
        printf("%s %d\n", (const char *)name, i);
        sleep(1);
    }
    return 0;
}

int main(void)
{
    int error = mt_patch(MT_PATCH_ALL);
    struct mt_task *tasks[2];

    if (error) {
        fprintf(stderr, "patched: mt_patch: %s\n", strerror(-error));
        return 1;
    }
    tasks[0] = mt_coro_spawn(count, "ping", NULL);
    tasks[1] = mt_coro_spawn(count, "pong", NULL);
    if (!tasks[0] || !tasks[1])
        return 1;
    error = mt_joinall(tasks, 2, MT_FOREVER);
    mt_task_release(tasks[0]);
    mt_task_release(tasks[1]);
    return error != 0;
}
