/* SPDX-License-Identifier: MIT
 *
 * Reads processes that may be stuck, without stopping them: where their threads wait, and their memory.
 *
 * Two means give the same records: a task iterator in eBPF (any process, needs CAP_BPF and CAP_PERFMON), and /proc with
 * process_vm_readv (no eBPF, processes that mtrace could ptrace). Nothing above this header knows which one is at work.
 */
#ifndef MTRACE_READER_H
#define MTRACE_READER_H

#include "../../bpf/stuck.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct reader;

struct reader_means {
    const char *name; /* "eBPF", "/proc" */
    int (*list)(struct reader *reader, pid_t pid, struct stuck_task **tasks, size_t *count);
    /* At most to the end of a page. Returns the bytes read, 0 if there are none to read. */
    size_t (*memory)(struct reader *reader, const struct stuck_task *task, uint64_t address, void *bytes, size_t size);
    void (*close)(struct reader *reader);
};

struct reader {
    const struct reader_means *means;
    void *state;
};

/* Each returns 0 or -errno. */
int reader_open_bpf(struct reader *reader);
int reader_open_proc(struct reader *reader);
void reader_close(struct reader *reader);

/* The threads of a process, in a table that the caller frees. 0; -ESRCH if it has ended; -EACCES; another -errno. */
int reader_list(struct reader *reader, pid_t pid, struct stuck_task **tasks, size_t *count);

/* Copies memory of the process in which task lives. Returns how many bytes from the start could be read. */
size_t reader_memory(struct reader *reader, const struct stuck_task *task, uint64_t address, void *bytes, size_t size);

/* Copies a string, cut at size and always ended. False if it cannot be read or is empty or is not plain text. */
bool reader_string(struct reader *reader, const struct stuck_task *task, uint64_t address, char *text, size_t size);

/* Adds a record to a table. 0 or -ENOMEM. */
int reader_add(struct stuck_task **tasks, size_t *count, const struct stuck_task *task);

#endif
