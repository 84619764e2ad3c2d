/* SPDX-License-Identifier: MIT
 *
 * usage: static-tls PLUGIN. Threads that were there before the plug-in was loaded, and threads that come after, find
 * its thread-local variables as they are initialised, and their own.
 */
#include <dlfcn.h>
#include <linuxmt.h>
#include <stdio.h>

enum { EACH = 4 };

static struct mt_event loaded = MT_EVENT_INIT;
static struct mt_barrier together;
static int (*number)(int change);

static int use(void *arg)
{
    int change = (int)(intptr_t)arg + 1, err = mt_event_wait(&loaded, MT_FOREVER);

    if (err || number(0) != 42 || number(change) != 42 + change)
        return mt_fail(-EPROTO, "thread %d sees another's, or none", change - 1);
    err = mt_barrier_wait(&together, MT_FOREVER);
    return err < 0 ? err : number(0) == 42 + change ? 0 : mt_fail(-EPROTO, "thread %d lost its value", change - 1);
}

int main(int argc, char **argv)
{
    struct mt_task *tasks[2 * EACH];
    void *plugin;
    int err = mt_barrier_init(&together, 2 * EACH, NULL, NULL, NULL, 0);

    for (intptr_t i = 0; i < EACH; i++)
        tasks[i] = mt_thread_spawn(use, (void *)i, NULL);
    mt_sleep(MT_MS(20));
    plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    number = plugin ? (int (*)(int))dlsym(plugin, "plugin_number") : NULL;
    if (!number) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    mt_event_set(&loaded);
    for (intptr_t i = EACH; i < 2 * EACH; i++)
        tasks[i] = mt_thread_spawn(use, (void *)i, NULL);
    for (int i = 0; i < 2 * EACH; i++) {
        if (!tasks[i] || mt_task_join(tasks[i], MT_FOREVER))
            return 1;
        if (mt_task_outcome(tasks[i]))
            printf("# %s\n", mt_task_message(tasks[i]));
        err |= mt_task_outcome(tasks[i]);
        mt_task_release(tasks[i]);
    }
    return err != 0;
}
