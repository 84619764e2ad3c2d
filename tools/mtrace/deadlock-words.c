/* SPDX-License-Identifier: MIT
 *
 * Words for a wait: names of tasks and locks, and the line where the thread stands. Fetched only for the threads that
 * are reported.
 */
#include "deadlock.h"
#include "format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define STACK_BYTES (4 * STUCK_PAGE)

struct symbols *process_symbols(struct process *process)
{
    if (!process->symbols)
        process->symbols = symbols_open(process->pid);
    return process->symbols;
}

static const struct {
    int number;
    const char *name;
} calls[] = {
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_readv, "readv"},
    {SYS_writev, "writev"},
    {SYS_ppoll, "ppoll"},
    {SYS_pselect6, "pselect6"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_connect, "connect"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
    {SYS_rt_sigsuspend, "rt_sigsuspend"},
    {SYS_flock, "flock"},
    {SYS_fcntl, "fcntl"},
    {SYS_fsync, "fsync"},
    {SYS_io_uring_enter, "io_uring_enter"},
    {SYS_restart_syscall, "restart_syscall"},
    {SYS_futex, "futex"},
#ifdef SYS_poll
    {SYS_poll, "poll"},
    {SYS_select, "select"},
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_pause, "pause"},
#endif
};

const char *waiter_call_name(const struct waiter *waiter)
{
    static char other[32];
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (calls[i].number == waiter->task.syscall)
            return calls[i].name;
    snprintf(other, sizeof(other), "system call %d", waiter->task.syscall);
    return waiter->task.syscall < 0 ? "no system call" : other;
}

static const char *kind_name(const struct waiter *waiter)
{
    switch (waiter->kind) {
    case WAIT_NONE:
        return "running";
    case WAIT_CALL:
        return "system call";
    case WAIT_SLEEP:
        return "sleep";
    case WAIT_FUTEX:
        return "futex";
    case WAIT_MUTEX:
        return "mutex";
    case WAIT_ROBUST:
        return "robust mutex";
    case WAIT_PI:
        return "PI mutex";
    case WAIT_RWLOCK:
        return "rwlock";
    case WAIT_LOCK:
        return "lock";
    case WAIT_JOIN:
        return "end of a thread";
    case WAIT_TASK:
        break;
    }
    switch (waiter->record ? waiter->record->wait_reason : 0) {
    case MT_WAIT_COND:
        return "condition";
    case MT_WAIT_SEM:
        return "semaphore";
    case MT_WAIT_EVENT:
        return "event";
    case MT_WAIT_ONCE:
        return "once";
    case MT_WAIT_LATCH:
        return "latch";
    case MT_WAIT_BARRIER:
        return "barrier";
    case MT_WAIT_READ:
        return "read lock";
    case MT_WAIT_WRITE:
        return "write lock";
    case MT_WAIT_FUTURE:
        return "future";
    case MT_WAIT_POOL:
        return "pool";
    case MT_WAIT_TIMER:
        return "timer";
    case MT_WAIT_IO:
        return "I/O";
    case MT_WAIT_CHANNEL:
        return "channel";
    case MT_WAIT_PUT:
        return "room in a queue";
    case MT_WAIT_GET:
        return "message in a queue";
    case MT_WAIT_DONE:
        return "end of a queue's work";
    }
    return "wait";
}

static void unwind(const struct waiter *waiter, struct reader *reader, struct wait_words *words)
{
    const struct stuck_task *task = &waiter->task;
    struct symbols *symbols = process_symbols(waiter->process);
    struct symbols_regs regs;
    unsigned char *stack = malloc(STACK_BYTES);
#if defined(__x86_64__)
    uint64_t ip = task->regs[16], sp = task->regs[19];
#else
    uint64_t ip = task->regs[32], sp = task->regs[31];
#endif
    if (symbols && stack) {
        size_t size = reader_memory(reader, task, sp, stack, STACK_BYTES);
        symbols_regs_set(&regs, ip, sp, 0);
        if (task->regs_whole)
            symbols_regs_set_all(&regs, task->regs);
        words->frame_count = symbols_unwind(symbols, &regs, stack, size, words->frames, 64);
        words->at = symbols_caller(words->frames, words->frame_count);
    }
    free(stack);
}

/* "file.c:123" */
static bool is_place(const char *text)
{
    const char *colon = strrchr(text, ':');
    return colon && colon > text && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")];
}

/* What the lock itself says, {word, flags, name, place}: also of a liblinuxmt whose records cannot be read. Another
 * library's lock with its owner in the word has something else there: without a proper place nothing of it is believed.
 */
static void read_lock(const struct waiter *waiter, struct reader *reader, struct wait_words *words)
{
    uint64_t pointers[2];
    if (waiter->task.object_size < 24)
        return;
    memcpy(pointers, waiter->task.object + 8, sizeof(pointers));
    reader_string(reader, &waiter->task, pointers[1], words->acquired, sizeof(words->acquired));
    if (is_place(words->acquired))
        reader_string(reader, &waiter->task, pointers[0], words->lock, sizeof(words->lock));
    else
        words->acquired[0] = 0;
}

static void name_lock(const struct waiter *waiter, struct reader *reader, struct wait_words *words)
{
    struct symbols_object object;
    if (waiter->kind == WAIT_LOCK)
        read_lock(waiter, reader, words);
    if (!words->lock[0] && waiter->record && waiter->record->wait_name[0])
        snprintf(words->lock, sizeof(words->lock), "%s", waiter->record->wait_name);
    if (words->lock[0])
        return;
    struct symbols *symbols = process_symbols(waiter->process);
    if (symbols) {
        symbols_data(symbols, waiter->object, &object);
        symbols_object_text(&object, words->lock, sizeof(words->lock));
    } else {
        snprintf(words->lock, sizeof(words->lock), "0x%" PRIx64, waiter->object);
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* liblinuxmt knows the line of the call, also where the compiler left no frame of it (a tail call). */
static void place_by_record(const struct waiter *waiter, struct wait_words *words)
{
    char text[320];
    const char *place = waiter->record ? base_name(waiter->record->wait_place) : "";
    if (!*place)
        return;
    words->at = NULL;
    for (size_t i = 0; i < words->frame_count && !words->at; i++) {
        const struct symbols_frame *frame = &words->frames[i];
        snprintf(text, sizeof(text), "%s:%d", frame->file ? base_name(frame->file) : "", frame->line);
        if (frame->file && !frame->runtime && !strcmp(text, place))
            words->at = frame;
    }
    if (!words->at)
        snprintf(words->place, sizeof(words->place), "%s", place);
}

void waiter_words(const struct waiter *waiter, struct reader *reader, struct wait_words *words)
{
    const struct mt__record *record =
        waiter->process->has_tasks ? tasks_by_tid(&waiter->process->tasks, waiter->task.own_tid) : NULL;
    memset(words, 0, sizeof(*words));
    snprintf(words->task, sizeof(words->task), "%s", record && record->name[0] ? record->name : waiter->task.name);
    format_clean(words->task);
    snprintf(words->kind, sizeof(words->kind), "%s", kind_name(waiter));
    if (waiter->kind == WAIT_NONE)
        return;
    if (!waiter->in_hub) /* its stack is not the thread's, or not all of it */
        unwind(waiter, reader, words);
    place_by_record(waiter, words);
    if (waiter->kind > WAIT_SLEEP && waiter->kind != WAIT_JOIN)
        name_lock(waiter, reader, words);
}
