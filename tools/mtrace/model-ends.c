/* SPDX-License-Identifier: MIT
 *
 * Who has the other end of a pipe that tasks still wait for when the recording stops. Nobody has woken them, so the
 * kernel has not told; /proc does, of processes that are there yet.
 */
#include "model.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPES_MAX 8 /* the longest of these waits: reading all descriptors of all processes takes its time */

/* O_RDONLY, O_WRONLY or O_RDWR; -1: it is not open any more. */
static int access_of(pid_t pid, const char *fd)
{
    char path[64], line[128];
    int flags = -1;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", pid, fd);
    FILE *file = fopen(path, "re");
    while (file && flags < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, "flags:", 6))
            flags = (int)(strtoul(line + 6, NULL, 8) & O_ACCMODE);
    if (file)
        fclose(file);
    return flags;
}

static bool has_end(pid_t pid, uint64_t inode, int access)
{
    char path[64], wanted[48], link[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    snprintf(wanted, sizeof wanted, "pipe:[%llu]", (unsigned long long)inode);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = 0;
        if (strcmp(link, wanted))
            continue;
        int has = access_of(pid, entry->d_name);
        found = has == access || has == O_RDWR;
    }
    if (folder)
        closedir(folder);
    return found;
}

static bool waits_too(const struct model_wait *wait, const struct model *model, pid_t tgid)
{
    for (size_t i = 0; i < wait->part_count; i++)
        if ((pid_t)model->tasks[wait->parts[i].task].raw.tgid == tgid)
            return true;
    return false;
}

/* A process that waits at the one end often has the other too, from before it forked: it is not who the wait is for. */
static int find_end(const struct model *model, const struct model_wait *wait, int access)
{
    for (size_t i = 0; i < model->task_count; i++) {
        const struct wait_task *raw = &model->tasks[i].raw;
        if (raw->tid == raw->tgid && raw->state != WAIT_STATE_DEAD && !waits_too(wait, model, (pid_t)raw->tgid) &&
            has_end((pid_t)raw->tgid, wait->object, access))
            return (int)i;
    }
    return -1;
}

void model_find_ends(struct model *model)
{
    unsigned left = PIPES_MAX;
    for (size_t i = 0; left && i < model->wait_count; i++) {
        struct model_wait *wait = &model->waits[i];
        char fd[16];
        if (wait->reason != WAIT_PIPE || !wait->open || wait->fd < 0)
            continue;
        left--;
        snprintf(fd, sizeof fd, "%d", wait->fd);
        int access = access_of((pid_t)model->tasks[wait->parts[0].task].raw.tgid, fd);
        if (access == O_RDONLY || access == O_WRONLY)
            wait->other_end = find_end(model, wait, access == O_RDONLY ? O_WRONLY : O_RDONLY);
    }
}
