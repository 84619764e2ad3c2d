/* SPDX-License-Identifier: MIT
 *
 * See tasks.h. The memfd is read, not mapped: its owner could cut it short under a mapping, and mtrace would die by
 * SIGBUS.
 */
#include "tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LARGEST_RECORD 4096 /* of a version to come */
#define MOST_RECORDS   (1 << 20)
#define TRIES          64 /* a record that changes all the time is left out */

static int copy(const struct tasks *tasks, uint64_t offset, void *bytes, size_t size)
{
    ssize_t got;
    if (tasks->fd >= 0) {
        got = pread(tasks->fd, bytes, size, offset);
    } else {
        struct iovec here = {bytes, size}, there = {(void *)(uintptr_t)(tasks->address + offset), size};
        got = process_vm_readv(tasks->pid, &here, 1, &there, 1, 0);
    }
    if (got < 0)
        return errno == EPERM ? -EACCES : -errno;
    return (size_t)got == size ? 0 : -EPROTO;
}

/* A number as its own pid namespace has it, by a line of a status file. */
static int own_number_in(const char *path, const char *key, int otherwise)
{
    char line[256];
    FILE *status = fopen(path, "re");
    if (!status)
        return otherwise;
    while (fgets(line, sizeof(line), status))
        if (!strncmp(line, key, strlen(key)) && strrchr(line, '\t'))
            otherwise = atoi(strrchr(line, '\t') + 1);
    fclose(status);
    return otherwise;
}

/* The process's, as it writes it into its records. */
static uint32_t own_number(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    return own_number_in(path, "NStgid:", pid);
}

int tasks_thread(pid_t pid, int own)
{
    char path[64], status[sizeof(path) + 280];
    struct dirent *entry;
    int found = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    while (folder && !found && (entry = readdir(folder))) {
        snprintf(status, sizeof(status), "%s/%.255s/status", path, entry->d_name);
        if (own_number_in(status, "NSpid:", 0) == own)
            found = atoi(entry->d_name);
    }
    if (folder)
        closedir(folder);
    return found;
}

/* A child keeps its parent's memfd beside its own: the head says whose it is. */
static bool is_own(int fd, uint32_t own)
{
    struct mt__records head;
    ssize_t got = pread(fd, &head, sizeof(head), 0);
    return got != sizeof(head) || head.magic != MT__RECORDS_MAGIC || head.pid == own;
}

/* Opens the memfd among the file descriptors of the process. A descriptor or -errno. */
static int open_memfd(pid_t pid)
{
    char path[64], link[sizeof(path) + 256], target[64];
    struct dirent *entry;
    int fd = -1;
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    if (!folder)
        return -errno;
    while (fd < 0 && (entry = readdir(folder))) {
        snprintf(link, sizeof(link), "%.63s/%.255s", path, entry->d_name);
        ssize_t length = readlink(link, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = 0;
        if (strcmp(target, "/memfd:" MT__RECORDS_NAME " (deleted)"))
            continue;
        fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0 && !is_own(fd, own_number(pid))) {
            close(fd);
            fd = -1;
        }
    }
    closedir(folder);
    return fd >= 0 ? fd : -ENOENT;
}

/* The descriptor may have been closed after mapping. 0 or -errno. */
static int find_mapping(struct tasks *tasks, uint64_t *size)
{
    char path[64], line[4352];
    snprintf(path, sizeof(path), "/proc/%d/maps", tasks->pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return -errno;
    tasks->address = 0;
    while (fgets(line, sizeof(line), maps)) {
        unsigned long long start, end, offset;
        if (strstr(line, "/memfd:" MT__RECORDS_NAME) &&
            sscanf(line, "%llx-%llx %*s %llx", &start, &end, &offset) == 3 && offset == 0) {
            tasks->address = start;
            *size = end - start;
        }
    }
    fclose(maps);
    return tasks->address ? 0 : -ENOENT;
}

static int check_head(struct tasks *tasks, uint64_t size)
{
    const struct mt__records *head = &tasks->head;
    int error = size < sizeof(*head) ? -EPROTO : copy(tasks, 0, &tasks->head, sizeof(*head));
    if (error == -EACCES) {
        snprintf(tasks->error, sizeof(tasks->error),
                 "the task records of process %d may not be read, CAP_SYS_PTRACE lets mtrace read them: names may be "
                 "missing",
                 tasks->pid);
        return error;
    }
    if (error || head->magic != MT__RECORDS_MAGIC) {
        snprintf(tasks->error, sizeof(tasks->error), "process %d has a memory file %s that is not liblinuxmt's",
                 tasks->pid, MT__RECORDS_NAME);
        return -EPROTO;
    }
    if (head->version != MT__RECORDS_VERSION) {
        snprintf(tasks->error, sizeof(tasks->error),
                 "process %d keeps its task records in form %u (liblinuxmt %.15s), this mtrace reads form %u: use the "
                 "mtrace of that release",
                 tasks->pid, head->version, head->release, MT__RECORDS_VERSION);
        return -EPROTO;
    }
    if (head->head_size < sizeof(*head) || head->head_size > size || head->record_size < sizeof(struct mt__record) ||
        head->record_size > LARGEST_RECORD || head->capacity > MOST_RECORDS || head->used > head->capacity ||
        (uint64_t)head->capacity * head->record_size > size - head->head_size) {
        snprintf(tasks->error, sizeof(tasks->error), "the task records of process %d contradict themselves; left aside",
                 tasks->pid);
        return -EPROTO;
    }
    return 0;
}

int tasks_open(struct tasks *tasks, pid_t pid)
{
    struct stat status;
    uint64_t size = 0;
    *tasks = (struct tasks){.pid = pid};
    tasks->fd = open_memfd(pid);
    if (tasks->fd >= 0) {
        if (fstat(tasks->fd, &status))
            return -errno;
        size = status.st_size;
    } else {
        int error = find_mapping(tasks, &size);
        if (error)
            return error;
    }
    return check_head(tasks, size);
}

void tasks_close(struct tasks *tasks)
{
    if (tasks->fd >= 0)
        close(tasks->fd);
    free(tasks->records);
    *tasks = (struct tasks){.fd = -1};
}

static void clean_text(char *text, size_t size)
{
    text[size - 1] = 0;
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = '?';
}

/* One record at one moment: the sequence is even and the same before and after the copy. */
static int read_record(const struct tasks *tasks, uint32_t index, struct mt__record *record)
{
    uint64_t offset = tasks->head.head_size + (uint64_t)index * tasks->head.record_size;
    uint32_t before, after;
    for (int i = 0; i < TRIES; i++) {
        int error = copy(tasks, offset, &before, sizeof(before));
        if (!error)
            error = copy(tasks, offset, record, sizeof(*record));
        if (!error)
            error = copy(tasks, offset, &after, sizeof(after));
        if (error)
            return error;
        if (!(before & 1) && before == record->sequence && before == after) {
            clean_text(record->name, sizeof(record->name));
            clean_text(record->wait_name, sizeof(record->wait_name));
            clean_text(record->wait_place, sizeof(record->wait_place));
            return 0;
        }
    }
    record->kind = 0;
    return 0;
}

int tasks_read(struct tasks *tasks)
{
    uint32_t used = 0;
    tasks->count = 0;
    int error = copy(tasks, offsetof(struct mt__records, used), &used, sizeof(used));
    if (error)
        return error;
    if (used > tasks->head.capacity)
        return -EPROTO;
    struct mt__record *records = reallocarray(tasks->records, used ? used : 1, sizeof(*records));
    if (!records)
        return -ENOMEM;
    tasks->records = records;
    for (uint32_t i = 0; i < used; i++) {
        error = read_record(tasks, i, &records[tasks->count]);
        if (error)
            return error;
        tasks->count += records[tasks->count].kind != 0;
    }
    return 0;
}

const struct mt__record *tasks_by_tid(const struct tasks *tasks, int tid)
{
    for (size_t i = 0; i < tasks->count; i++)
        if (tasks->records[i].tid == tid && tasks->records[i].state != MT_DEAD)
            return &tasks->records[i];
    return NULL;
}

const struct mt__record *tasks_by_id(const struct tasks *tasks, uint64_t id)
{
    for (size_t i = 0; i < tasks->count; i++)
        if (tasks->records[i].id == id)
            return &tasks->records[i];
    return NULL;
}
