/* SPDX-License-Identifier: MIT
 *
 * For a debugger: three threads with names and thread-local values, all asleep when stop_here is reached.
 */
#include <linuxmt.h>

__thread int number = 1;
static struct mt_event never = MT_EVENT_INIT_NAMED("never");

void stop_here(void);
void __attribute__((noinline)) stop_here(void)
{
    __asm__ volatile("");
}

static int sleep_well(void *arg)
{
    number = (int)(intptr_t)arg;
    return mt_event_wait(&never, MT_FOREVER);
}

int main(void)
{
    static const char *names[] = {"anna", "bert", "carl"};
    struct mt_task *tasks[3];
    int err = 0;

    for (int i = 0; i < 3; i++) {
        struct mt_thread_options options = {.name = names[i]};
        tasks[i] = mt_thread_spawn(sleep_well, (void *)(intptr_t)(100 * (i + 1)), &options);
        if (!tasks[i])
            return 1;
        while (mt_task_state(tasks[i]) != MT_WAITING)
            mt_sleep(MT_MS(1));
    }
    mt_sleep(MT_MS(5));
    stop_here();
    mt_event_set(&never);
    err = mt_joinall(tasks, 3, MT_FOREVER);
    return err != 0;
}
