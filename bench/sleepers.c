/* SPDX-License-Identifier: MIT
 *
 * A hundred thousand coroutines, and a million, that each sleep for a second: the time until the last has ended, and
 * the memory that each touches: what the process has grown by at its largest.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mt_latch all;

static int sleeper(void *arg)
{
    int error = mt_sleep(MT_SEC(1));

    mt_latch_count_down(&all, 1);
    return error;
}

static long status(const char *field)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[200];
    long value = -1;

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, field, strlen(field)))
            value = atol(line + strlen(field));
    if (file)
        fclose(file);
    return value;
}

static int measure(unsigned count, const char *name)
{
    long before = status("VmRSS:");
    mt_deadline start = mt_now();

    if (mt_latch_init(&all, count, NULL, 0))
        return 1;
    for (unsigned i = 0; i < count; i++) {
        struct mt_task *task = mt_coro_spawn(sleeper, NULL, NULL);
        if (!task) {
            perror("sleepers: mt_coro_spawn");
            return 1;
        }
        mt_task_detach(task);
    }
    if (mt_latch_wait(&all, MT_FOREVER))
        return 1;
    printf("time-%s s %.3f\n", name, (double)(mt_now() - start) / 1e9);
    printf("memory-%s bytes %.0f\n", name, (double)(status("VmHWM:") - before) * 1024 / count);
    return 0;
}

/* Each in a process of its own: the second is not to find what the first has left. */
int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "100k"))
        return measure(100000, "100k");
    if (argc == 2 && !strcmp(argv[1], "1m"))
        return measure(1000000, "1m");
    fprintf(stderr, "usage: sleepers 100k|1m\n");
    return 2;
}
