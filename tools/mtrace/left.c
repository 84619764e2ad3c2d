/* SPDX-License-Identifier: MIT
 *
 * See left.h. All that is needed is in the records of the hub's coroutines (lib/base/record.h), which tell of its
 * thread too: three addresses, behind which nothing but plain words is read.
 */
#include "left.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLICE 16384 /* of a stack, as much as there is of it */
#define PAGE  4096

/* struct mt__place of every CPU begins with these. */
struct place {
    uint64_t sp, ip, bp;
};

/* Returns how much of it was read, from its beginning. */
static size_t read_memory(pid_t pid, uint64_t from, void *to, size_t size)
{
    struct iovec here = {to, size}, there[SLICE / PAGE + 1];
    size_t count = 0;
    for (size_t done = 0, part; done < size && count < sizeof there / sizeof *there; done += part) {
        part = PAGE - ((from + done) & (PAGE - 1));
        if (part > size - done)
            part = size - done;
        there[count++] = (struct iovec){(void *)(uintptr_t)(from + done), part};
    }
    ssize_t got = process_vm_readv(pid, &here, 1, there, count, 0);
    return got > 0 ? (size_t)got : 0;
}

static bool read_whole(pid_t pid, uint64_t from, void *to, size_t size)
{
    return from && read_memory(pid, from, to, size) == size;
}

/* A coroutine of the hub: itself, or of a thread's hub any. */
static const struct mt__record *of_hub(const struct tasks *tasks, const struct mt__record *record)
{
    if (record->kind == MT_COROUTINE)
        return record;
    for (size_t i = 0; i < tasks->count; i++)
        if (tasks->records[i].kind == MT_COROUTINE && tasks->records[i].thread == record->tid)
            return &tasks->records[i];
    return NULL;
}

/* The call, the stack pointer and where it is in code. False if it runs. */
static bool read_thread(pid_t pid, int tid, struct place *place, int *call)
{
    unsigned long long sp, ip;
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const char *text = fgets(line, sizeof line, file);
    fclose(file);
    if (!text || sscanf(text, "%d %*x %*x %*x %*x %*x %*x %llx %llx", call, &sp, &ip) != 3)
        return false;
    *place = (struct place){sp, ip, 0};
    return true;
}

struct stack {
    struct place place;
    unsigned char bytes[SLICE];
    size_t size;
};

static bool read_left(const struct tasks *tasks, uint64_t address, struct stack *stack)
{
    struct place after;
    if (!read_whole(tasks->pid, address, &stack->place, sizeof stack->place))
        return false;
    stack->size = read_memory(tasks->pid, stack->place.sp, stack->bytes, sizeof stack->bytes);
    return read_whole(tasks->pid, address, &after, sizeof after) && !memcmp(&after, &stack->place, sizeof after);
}

static bool read_current(const struct tasks *tasks, int tid, struct stack *stack, int *call)
{
    struct place after;
    int again;
    if (!read_thread(tasks->pid, tid, &stack->place, call))
        return false;
    stack->size = read_memory(tasks->pid, stack->place.sp, stack->bytes, sizeof stack->bytes);
    return read_thread(tasks->pid, tid, &after, &again) && again == *call &&
           !memcmp(&after, &stack->place, sizeof after);
}

/* The number that the process knows a thread by is another one in mtrace's PID namespace. */
static int tid_here(const struct tasks *tasks, int tid)
{
    return (pid_t)tasks->head.pid == tasks->pid ? tid : tasks_thread(tasks->pid, tid);
}

void left_find(struct left *left, const struct tasks *tasks, const struct mt__record *record, struct symbols *symbols)
{
    const struct mt__record *one = of_hub(tasks, record);
    uint64_t current, after;
    struct symbols_regs regs;
    struct stack stack;
    left->count = 0;
    left->call = -1;
    if (!one || !symbols || !read_whole(tasks->pid, one->current, &current, sizeof current))
        return;
    uint64_t address = record == one ? one->left : one->hub_left;
    bool held = address == current ? read_current(tasks, tid_here(tasks, one->thread), &stack, &left->call)
                                   : read_left(tasks, address, &stack);
    if (!held || !read_whole(tasks->pid, one->current, &after, sizeof after) || after != current)
        return;
    symbols_regs_set(&regs, stack.place.ip, stack.place.sp, stack.place.bp);
    left->count = symbols_unwind(symbols, &regs, stack.bytes, stack.size, left->frames, LEFT_FRAMES);
}
