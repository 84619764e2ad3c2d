/* SPDX-License-Identifier: MIT
 *
 * As sleepers.c, by State Threads. Each of its stacks is a mapping of its own: where vm.max_map_count allows no million
 * of them, it says so.
 */
#include <st.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned left;
static st_cond_t none_left;

static void *sleeper(void *arg)
{
    st_usleep(1000000);
    if (!--left)
        st_cond_signal(none_left);
    return NULL;
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

int main(int argc, char **argv)
{
    unsigned count = argc > 1 && !strcmp(argv[1], "1m") ? 1000000 : 100000;
    const char *name = count == 1000000 ? "1m" : "100k";
    long before = status("VmRSS:");
    st_utime_t start;

    if (st_set_eventsys(ST_EVENTSYS_ALT) || st_init())
        return 1;
    none_left = st_cond_new();
    left = count;
    start = st_utime();
    for (unsigned i = 0; i < count; i++)
        if (!st_thread_create(sleeper, NULL, 0, 0)) {
            fprintf(stderr, "sleepers-st: no more than %u stacks are to be had\n", i);
            return 3;
        }
    st_cond_wait(none_left);
    printf("time-%s s %.3f\n", name, (double)(st_utime() - start) / 1e6);
    printf("memory-%s bytes %.0f\n", name, (double)(status("VmHWM:") - before) * 1024 / count);
    return 0;
}
