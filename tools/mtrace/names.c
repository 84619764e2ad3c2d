/* SPDX-License-Identifier: MIT
 *
 * One symbol context a process, in a list that is searched from its end: the newest are asked for most. Number and time
 * are bounded: of ten thousand short processes the functions of some hundred are named, and reading mappings never
 * takes more than a small share of the recording.
 */
#include "names.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCESSES 512
#define MAX_LIBRARIES 8
#define PAUSE_NS      5000000  /* between two readings of the same process's mappings */
#define ALLOWANCE_NS  30000000 /* CPU time that reading may take at once, */
#define SHARE         32       /* and one part in so many of the recording */
#define LIBRARY       "/liblinuxmt.so"
#define RECORDS       "/memfd:linuxmt-tasks"

struct process {
    pid_t tgid;
    struct symbols *symbols; /* NULL: not opened yet */
    uint64_t read_at;
    bool dirty;
    bool library;  /* maps liblinuxmt */
    bool reported; /* and names_library_user has said so */
    bool denied;   /* its mappings may not be read */
};

struct library {
    char *path;
    dev_t device;
    ino_t inode; /* 0: it could not be looked at */
};

struct names {
    struct process processes[MAX_PROCESSES];
    size_t count;
    struct library libraries[MAX_LIBRARIES];
    size_t library_count, libraries_given;
    uint64_t opened_at, spent; /* when, and CPU time */
};

static uint64_t time_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t clock_now(void)
{
    return time_of(CLOCK_MONOTONIC);
}

/* What reading costs others: on a busy machine most of the time that passes is theirs. */
static uint64_t cpu_time(void)
{
    return time_of(CLOCK_THREAD_CPUTIME_ID);
}

struct names *names_open(void)
{
    struct names *names = calloc(1, sizeof *names);
    if (names)
        names->opened_at = clock_now();
    return names;
}

void names_close(struct names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < names->count; i++)
        symbols_close(names->processes[i].symbols);
    for (size_t i = 0; i < names->library_count; i++)
        free(names->libraries[i].path);
    free(names);
}

static struct process *find_process(struct names *names, pid_t tgid)
{
    for (size_t i = names->count; i-- > 0;)
        if (names->processes[i].tgid == tgid)
            return &names->processes[i];
    return NULL;
}

static bool is_known(const struct names *names, const char *path, const struct stat *file)
{
    for (size_t i = 0; i < names->library_count; i++) {
        const struct library *known = &names->libraries[i];
        if (!strcmp(known->path, path) ||
            (file->st_ino && known->inode == file->st_ino && known->device == file->st_dev))
            return true;
    }
    return false;
}

void names_expect_library(struct names *names, const char *path)
{
    struct stat file;
    if (stat(path, &file))
        file.st_ino = 0;
    char *copy = names->library_count < MAX_LIBRARIES && !is_known(names, path, &file) ? strdup(path) : NULL;
    if (copy)
        names->libraries[names->library_count++] = (struct library){copy, file.st_dev, file.st_ino};
}

/* The first name under which mtrace finds the file that the process has mapped: it may see another file system, and the
 * name may be gone, or another file's by now. mapped: a link of /proc, which not everybody may follow. */
static void expect_file(struct names *names, const struct process *process, const char *path, const char *mapped)
{
    char seen[4096 + 64];
    const char *const ways[] = {path, seen, mapped};
    struct stat file, found;
    bool known = !stat(mapped, &file);
    snprintf(seen, sizeof seen, "/proc/%d/root%s", process->tgid, path);
    for (size_t i = known ? 0 : 1; i < sizeof ways / sizeof *ways; i++)
        if (!stat(ways[i], &found) && (!known || (found.st_ino == file.st_ino && found.st_dev == file.st_dev))) {
            names_expect_library(names, ways[i]);
            return;
        }
    names_expect_library(names, path);
}

/* A program that has the library's task records and no library has it within itself. */
static void expect_program(struct names *names, const struct process *process)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/%d/exe", process->tgid);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = 0;
    expect_file(names, process, path, name);
}

static void look_for_library(struct names *names, struct process *process)
{
    char name[64], mapped[128], line[4096 + 128];
    bool records = false;
    snprintf(name, sizeof name, "/proc/%d/maps", process->tgid);
    FILE *maps = process->library ? NULL : fopen(name, "re");
    if (!maps)
        return;
    while (!process->library && fgets(line, sizeof line, maps)) {
        char *path = strchr(line, '/');
        records |= path && strstr(path, RECORDS);
        if (!path || !strstr(path, LIBRARY))
            continue;
        path[strcspn(path, "\n")] = 0;
        snprintf(mapped, sizeof mapped, "/proc/%d/map_files/%.*s", process->tgid, (int)strcspn(line, " "), line);
        expect_file(names, process, path, mapped);
        process->library = true;
    }
    fclose(maps);
    if (records && !process->library) {
        expect_program(names, process);
        process->library = true;
    }
}

const char *names_error(const struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->processes[i].symbols && symbols_error(names->processes[i].symbols) && names->processes[i].denied)
            return symbols_error(names->processes[i].symbols);
    return NULL;
}

static struct process *add_process(struct names *names, pid_t tgid)
{
    if (names->count == MAX_PROCESSES)
        return NULL;
    struct process *process = &names->processes[names->count++];
    *process = (struct process){.tgid = tgid};
    return process;
}

/* Returns false if the process has gone before it was ever read. */
static bool read_process(struct names *names, struct process *process)
{
    uint64_t start = cpu_time();
    if (!process->symbols)
        process->symbols = symbols_open(process->tgid);
    if (process->symbols)
        process->denied = symbols_refresh(process->symbols) == -EACCES;
    look_for_library(names, process);
    process->dirty = false;
    process->read_at = clock_now();
    names->spent += cpu_time() - start;
    return process->symbols && (!symbols_error(process->symbols) || kill(process->tgid, 0) == 0 || errno != ESRCH);
}

static void forget_process(struct names *names, struct process *process)
{
    symbols_close(process->symbols);
    *process = names->processes[--names->count];
}

/* Reads it if enough time has passed, else leaves it for later. */
static void consider(struct names *names, struct process *process)
{
    uint64_t now = clock_now();
    process->dirty = true;
    if (now - process->read_at > PAUSE_NS && names->spent < ALLOWANCE_NS + (now - names->opened_at) / SHARE &&
        !read_process(names, process))
        forget_process(names, process);
}

void names_touch(struct names *names, pid_t tgid)
{
    struct process *process = find_process(names, tgid);
    if (!process)
        process = add_process(names, tgid);
    if (process)
        consider(names, process);
}

void names_changed(struct names *names, pid_t tgid)
{
    struct process *process = find_process(names, tgid);
    if (process)
        process->dirty = true;
}

bool names_tick(struct names *names)
{
    bool more = false;
    for (size_t i = names->count; i-- > 0;)
        if (names->processes[i].dirty)
            consider(names, &names->processes[i]);
    for (size_t i = 0; i < names->count; i++)
        more |= names->processes[i].dirty;
    return more;
}

struct symbols *names_of(struct names *names, pid_t tgid, pid_t parent)
{
    struct process *process = find_process(names, tgid);
    if (!process || !process->symbols || symbols_error(process->symbols)) {
        struct process *older = find_process(names, parent);
        process = older && older->symbols ? older : process;
    }
    return process ? process->symbols : NULL;
}

char *names_new_library(struct names *names)
{
    return names->libraries_given < names->library_count ? names->libraries[names->libraries_given++].path : NULL;
}

pid_t names_library_user(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        struct process *process = &names->processes[i];
        if (process->library && !process->reported) {
            process->reported = true;
            return process->tgid;
        }
    }
    return 0;
}
