/* SPDX-License-Identifier: MIT
 *
 * A hub that has coroutines of mt_coro_spawn is left alone: their code may rely on turns, and so may who lives with
 * them.
 */
#include "slices.h"

#include <linuxmt/coro.h>

static int has_run;

static int run(void *unused)
{
    STORE(has_run, 1);
    return 0;
}

static void *keep_hub(void *arg)
{
    struct mt_task *task = mt_coro_spawn(run, NULL, NULL);

    compute(100);
    printf("in a turn: %d\n", LOAD(has_run));
    mt_task_join(task, MT_FOREVER);
    mt_task_release(task);
    return NULL;
}

int main(void)
{
    finish(start(keep_hub, NULL));
    printf("after it: %d\n", has_run);
    return 0;
}
