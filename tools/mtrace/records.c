/* SPDX-License-Identifier: MIT
 *
 * See records.h. Looking costs three reads a record, so the time between two looks grows with what a look takes.
 */
#include "records.h"
#include "tasks.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_PROCESSES 64
#define MOST_NAMES     8192
#define PAUSE_NS       5000000 /* between two looks, at least; */
#define SHARE          32      /* at most one part in so many of the time is spent looking */

struct thread_name {
    pid_t pid;
    uint32_t tid;
    char name[MT_NAME_MAX];
};

/* The records come with a process's first call of the library, which may be a while after it was mapped. */
struct process {
    struct tasks tasks;
    bool open, failed;
};

struct records {
    struct process processes[MOST_PROCESSES];
    size_t count;
    struct records_word *words;
    size_t word_count;
    struct thread_name *threads;
    size_t thread_count;
    uint64_t next;
    char error[160];
};

static uint64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct records *records_open(void)
{
    return calloc(1, sizeof(struct records));
}

void records_close(struct records *records)
{
    if (!records)
        return;
    for (size_t i = 0; i < records->count; i++)
        if (records->processes[i].open)
            tasks_close(&records->processes[i].tasks);
    free(records->words);
    free(records->threads);
    free(records);
}

static bool open_process(struct records *records, struct process *process)
{
    struct tasks *tasks = &process->tasks;
    if (process->open || process->failed)
        return process->open;
    int error = tasks_open(tasks, tasks->pid);
    if (!error) {
        process->open = true;
        return true;
    }
    if (tasks->error[0])
        memcpy(records->error, tasks->error, sizeof records->error);
    if (tasks->fd >= 0)
        close(tasks->fd);
    process->failed = error != -ENOENT;
    return false;
}

void records_add(struct records *records, pid_t pid)
{
    if (!records || records->count == MOST_PROCESSES)
        return;
    struct process *process = &records->processes[records->count++];
    process->tasks.pid = pid;
    open_process(records, process);
}

bool records_wanted(const struct records *records)
{
    return records && records->count;
}

const char *records_error(const struct records *records)
{
    return records && records->error[0] ? records->error : NULL;
}

/* Room for one more in an array that grows at each power of 2; NULL if there is none. */
static void *one_more(void **array, size_t *count, size_t size)
{
    if (*count >= MOST_NAMES)
        return NULL;
    if (!(*count & (*count - 1))) {
        void *larger = reallocarray(*array, *count ? *count * 2 : 1, size);
        if (!larger)
            return NULL;
        *array = larger;
    }
    return (char *)*array + (*count)++ * size;
}

static void keep_thread(struct records *records, pid_t pid, const struct mt__record *record)
{
    if (!record->name[0] || record->tid <= 0)
        return;
    struct thread_name *thread = NULL;
    for (size_t i = 0; i < records->thread_count && !thread; i++)
        if (records->threads[i].pid == pid && records->threads[i].tid == (uint32_t)record->tid)
            thread = &records->threads[i];
    if (!thread)
        thread = one_more((void **)&records->threads, &records->thread_count, sizeof *thread);
    if (!thread)
        return;
    thread->pid = pid;
    thread->tid = (uint32_t)record->tid;
    memcpy(thread->name, record->name, sizeof thread->name);
}

static void keep_word(struct records *records, pid_t pid, const struct mt__record *record)
{
    if (record->state != MT_WAITING || !record->wait_word || record->wait_reason == MT_WAIT_NONE)
        return;
    struct records_word *word = (struct records_word *)records_word_at(records, pid, record->wait_word);
    if (!word || word->word != record->wait_word)
        word = one_more((void **)&records->words, &records->word_count, sizeof *word);
    if (!word)
        return;
    *word = (struct records_word){pid, record->wait_word, record->wait_object, record->wait_reason, ""};
    memcpy(word->name, record->wait_name, sizeof word->name);
}

void records_look(struct records *records)
{
    uint64_t start = clock_now();
    if (!records_wanted(records) || start < records->next)
        return;
    for (size_t i = 0; i < records->count; i++) {
        struct tasks *tasks = &records->processes[i].tasks;
        if (!open_process(records, &records->processes[i]) || tasks_read(tasks))
            continue;
        for (size_t r = 0; r < tasks->count; r++) {
            keep_thread(records, tasks->pid, &tasks->records[r]);
            keep_word(records, tasks->pid, &tasks->records[r]);
        }
    }
    uint64_t end = clock_now(), pause = (end - start) * SHARE;
    records->next = end + (pause > PAUSE_NS ? pause : PAUSE_NS);
}

const struct records_word *records_word_at(const struct records *records, pid_t pid, uint64_t address)
{
    const struct records_word *pair = NULL;
    for (size_t i = 0; records && i < records->word_count; i++) {
        const struct records_word *word = &records->words[i];
        if (word->pid != pid)
            continue;
        if (word->word == address)
            return word;
        if ((word->word & ~7ull) == address)
            pair = word;
    }
    return pair;
}

const char *records_thread(const struct records *records, pid_t pid, uint32_t tid)
{
    for (size_t i = 0; records && i < records->thread_count; i++)
        if (records->threads[i].pid == pid && records->threads[i].tid == tid)
            return records->threads[i].name;
    return "";
}
