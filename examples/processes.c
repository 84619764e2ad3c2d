/* SPDX-License-Identifier: MIT
 *
 * Processes do not share globals. A forked one begins with the same pages, and the kernel copies a page when one of the
 * two writes to it: so a child of a large parent costs little until it writes. A spawned one begins with nothing.
 */
#include <fcntl.h>
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES 16384 /* 64 MiB with pages of 4 KiB */

static int counter = 1;
static char *memory;

/* KiB of this process's memory that nobody else has: what it has really copied or made. */
static long own_kib(void)
{
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "Private_Dirty:", 14))
            kib = atol(line + 14);
    if (file)
        fclose(file);
    return kib;
}

static int look_and_write(void *arg)
{
    long page = sysconf(_SC_PAGESIZE), before = own_kib();
    int pages = *(int *)arg;

    counter++;
    for (int i = 0; memory && i < pages; i++)
        memory[i * page] = 1;
    printf("  child %d: counter %d, wrote to %5d pages: has copied %6ld KiB more\n", (int)getpid(), counter,
           memory ? pages : 0, own_kib() - before);
    return 0;
}

static int run(int pages, enum mt_start_method method)
{
    struct mt_process_options options = {.name = "child", .start = method};
    struct mt_task *task = mt_process_spawn(look_and_write, &pages, sizeof pages, &options);
    int outcome;

    if (!task) {
        perror("mt_process_spawn");
        return -1;
    }
    if (mt_task_join(task, MT_FOREVER) < 0)
        return -1;
    outcome = mt_task_outcome(task);
    mt_task_release(task);
    return outcome;
}

int main(void)
{
    mt_process_init(); /* in a spawned child this does not come back */

    memory = malloc((size_t)PAGES * (size_t)sysconf(_SC_PAGESIZE));
    if (!memory)
        return 1;
    memset(memory, 7, (size_t)PAGES * (size_t)sysconf(_SC_PAGESIZE));
    counter = 41;
    printf("parent %d: counter %d, %d pages of memory: %ld KiB of its own\n", (int)getpid(), counter, PAGES, own_kib());

    puts("forked: the parent's values, and a page is copied when it is written to");
    if (run(0, MT_FORK) || run(100, MT_FORK) || run(PAGES, MT_FORK))
        return 1;
    puts("spawned: the program anew, with its first values and none of that memory");
    if (run(100, MT_SPAWN))
        return 1;
    printf("parent: counter is still %d\n", counter);
    free(memory);
    return 0;
}
