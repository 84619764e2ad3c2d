/* SPDX-License-Identifier: MIT
 *
 * Reading without eBPF: /proc/PID/task/TID/syscall says where a sleeping thread stands, process_vm_readv copies its
 * memory. Both are allowed where ptrace would be, and neither stops the thread.
 */
#include "reader.h"
#if defined(__x86_64__)
#include "../../bpf/call-i386.h"
#endif

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define NR_FUTEX_WAIT 455

/* The whole of a small file of /proc/PID/task/TID. 0 or -errno. */
static int read_small(pid_t pid, pid_t tid, const char *name, char *text, size_t size)
{
    char path[96];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    ssize_t got = read(fd, text, size - 1);
    int error = got < 0 ? -errno : 0;
    close(fd);
    text[got > 0 ? got : 0] = 0;
    return error == -EPERM ? -EACCES : error;
}

/* The last number of a line such as "NSpid:\t4711\t12". */
static uint64_t last_number(const char *status, const char *key)
{
    const char *line = strstr(status, key);
    uint64_t number = 0;
    if (!line)
        return 0;
    for (const char *at = line + strlen(key); *at && *at != '\n';) {
        char *end;
        unsigned long long value = strtoull(at, &end, 10);
        if (end == at)
            break;
        number = value;
        at = end;
    }
    return number;
}

static int read_status(struct stuck_task *task)
{
    char text[4096];
    int error = read_small(task->pid, task->tid, "status", text, sizeof(text));
    if (error)
        return error;
    task->own_tid = last_number(text, "\nNSpid:");
    task->own_pid = last_number(text, "\nNStgid:");
    task->switches =
        last_number(text, "\nvoluntary_ctxt_switches:") + last_number(text, "\nnonvoluntary_ctxt_switches:");
    return 0;
}

/* "4711 (a name with ) in it) S ...": the state is the first field after the last ')', the start time the 20th. */
static int read_stat(struct stuck_task *task)
{
    char text[1024];
    int error = read_small(task->pid, task->tid, "stat", text, sizeof(text));
    char *name = error ? NULL : strchr(text, '('), *end = error ? NULL : strrchr(text, ')');
    if (!name || !end || end[1] != ' ')
        return error ? error : -ESRCH;
    *end = 0;
    strncpy(task->name, name + 1, sizeof(task->name) - 1);
    char *at = end + 2;
    task->state = *at == 'T' ? STUCK_STOPPED : *at != 'R';
    for (int field = 1; field < 20 && at; field++)
        at = strchr(at + 1, ' ');
    task->started = at ? strtoull(at, NULL, 10) : 0;
    return 0;
}

#if defined(__x86_64__)
/* The file gives a 32-bit program's own numbers, and does not say that it does. */
static void translate_call(struct stuck_task *task)
{
    char path[64];
    unsigned char head[EI_NIDENT] = {0};
    snprintf(path, sizeof(path), "/proc/%u/exe", task->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    task->narrow = fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) && head[EI_CLASS] == ELFCLASS32;
    if (fd >= 0)
        close(fd);
    if (task->narrow && task->syscall >= 0)
        task->syscall = call_of_i386((__u32)task->syscall, (__u32)task->args[0]);
}
#endif

static int read_call(struct stuck_task *task)
{
    char text[256];
    unsigned long long value[6], sp, ip;
    int number, error = read_small(task->pid, task->tid, "syscall", text, sizeof(text));
    task->syscall = -1;
    if (error)
        return error;
    int got = sscanf(text, "%d %llx %llx %llx %llx %llx %llx %llx %llx", &number, &value[0], &value[1], &value[2],
                     &value[3], &value[4], &value[5], &sp, &ip);
    if (got != 9) {
        task->state &= STUCK_STOPPED; /* "running", or stopped outside a system call */
        return 0;
    }
    task->syscall = number;
    for (int i = 0; i < 6; i++)
        task->args[i] = value[i];
#if defined(__x86_64__)
    task->regs[16] = ip;
    task->regs[19] = sp;
    translate_call(task);
#else
    task->regs[32] = ip;
    task->regs[31] = sp;
#endif
    return 0;
}

static size_t copy(pid_t pid, uint64_t address, void *bytes, size_t size)
{
    struct iovec here = {bytes, size}, there = {(void *)(uintptr_t)address, size};
    ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    return got > 0 ? got : 0;
}

static bool is_wait(uint64_t operation)
{
    int command = operation & FUTEX_CMD_MASK;
    return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI || command == 13 ||
           command == FUTEX_WAIT_REQUEUE_PI;
}

static void read_object(struct stuck_task *task)
{
    static const size_t sizes[] = {STUCK_OBJECT, 24, 4};
    uint64_t first[3];
    if (task->syscall == SYS_futex_waitv && copy(task->pid, task->args[0], first, sizeof(first)) == sizeof(first)) {
        task->word = first[1];
        task->words = task->args[1];
    } else if (task->syscall == NR_FUTEX_WAIT || (task->syscall == SYS_futex && is_wait(task->args[1]))) {
        task->word = task->args[0];
        task->words = 1;
    }
    for (size_t i = 0; i < 3 && task->word && !task->object_size; i++)
        if (copy(task->pid, task->word, task->object, sizes[i]) == sizes[i])
            task->object_size = sizes[i];
}

/* A thread that ends meanwhile is left out. One that cannot be read is an error: a picture with holes looks like
 * health. */
static int read_task(pid_t pid, pid_t tid, struct stuck_task *task)
{
    *task = (struct stuck_task){.pid = pid, .tid = tid};
    int error = read_stat(task);
    if (!error)
        error = read_status(task);
    if (!error)
        error = read_call(task);
    if (!error)
        read_object(task);
    return error;
}

static int list(struct reader *reader, pid_t pid, struct stuck_task **tasks, size_t *count)
{
    char path[64];
    struct dirent *entry;
    struct stuck_task task;
    int error = 0;
    (void)reader;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT ? -ESRCH : -errno;
    while (!error && (entry = readdir(folder))) {
        pid_t tid = atoi(entry->d_name);
        if (tid <= 0)
            continue;
        error = read_task(pid, tid, &task);
        if (!error)
            error = reader_add(tasks, count, &task);
        else if (error == -ESRCH)
            error = 0;
    }
    closedir(folder);
    return error;
}

static size_t memory(struct reader *reader, const struct stuck_task *task, uint64_t address, void *bytes, size_t size)
{
    (void)reader;
    return copy(task->pid, address, bytes, size);
}

static void close_proc(struct reader *reader)
{
    (void)reader;
}

static const struct reader_means by_proc = {.name = "/proc", .list = list, .memory = memory, .close = close_proc};

int reader_open_proc(struct reader *reader)
{
    *reader = (struct reader){.means = &by_proc};
    return access("/proc/self/syscall", F_OK) ? -ENOENT : 0; /* CONFIG_HAVE_ARCH_TRACEHOOK */
}
