/* SPDX-License-Identifier: MIT
 *
 * Which kind of wait it is to be, and what all of them use: see waits.h.
 */
#include "waits.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pass_time(int ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) && errno == EINTR)
        continue;
}

/* By the letter behind the name in /proc/PID/task/TID/stat. */
static int is_asleep(const char *tasks, const char *tid)
{
    char path[512], text[512] = "";
    snprintf(path, sizeof path, "%s/%s/stat", tasks, tid);
    FILE *file = fopen(path, "r");
    char *end = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    if (file)
        fclose(file);
    return end && !strncmp(end, ") S", 3);
}

void await_asleep(int threads, pid_t process)
{
    char tasks[64] = "/proc/self/task";
    if (process)
        snprintf(tasks, sizeof tasks, "/proc/%d/task", (int)process);
    for (int asleep = 0; asleep < threads;) {
        DIR *folder = opendir(tasks);
        asleep = 0;
        for (struct dirent *entry; folder && (entry = readdir(folder));)
            asleep += is_asleep(tasks, entry->d_name);
        if (folder)
            closedir(folder);
        if (asleep < threads)
            pass_time(1);
    }
}

struct timespec after(clockid_t clock, int ms)
{
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += ms * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

void check(int failed, const char *what)
{
    if (!failed)
        return;
    fprintf(stderr, "waits: %s failed\n", what);
    exit(1);
}

static const struct waits_kind *const tables[] = {waits_mutex, waits_rwlock, waits_sem, waits_futex,
                                                  waits_file,  waits_end,    waits_time};

int main(int argc, char **argv)
{
    alarm(60);
    for (size_t i = 0; argc > 1 && i < sizeof tables / sizeof *tables; i++)
        for (const struct waits_kind *kind = tables[i]; kind->name; kind++)
            if (!strcmp(kind->name, argv[1])) {
                kind->make();
                return 0;
            }
    fprintf(stderr, "Usage: waits KIND\n");
    return 2;
}
