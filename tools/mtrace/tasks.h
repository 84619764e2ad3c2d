/* SPDX-License-Identifier: MIT
 *
 * The tasks of another process as its liblinuxmt records them (lib/base/record.h): names, and what each waits for.
 *
 * The other process may be hostile or of another version: sizes are checked against the file, records are copied by
 * read calls that cannot fault, and text is ended and stripped of control characters.
 */
#ifndef MTRACE_TASKS_H
#define MTRACE_TASKS_H

#include "base/record.h"

#include <stddef.h>
#include <sys/types.h>

struct tasks {
    int fd; /* of the memfd, -1: the mapping is read instead */
    pid_t pid;
    uint64_t address; /* of the mapping */
    struct mt__records head;
    struct mt__record *records; /* the last reading, kind 0 left out */
    size_t count;
    char error[160]; /* why there are none, a sentence; "" if the process does not use liblinuxmt */
};

/* Finds the records of a process. 0; -ENOENT if it has none; -EACCES if mtrace may not look; -EPROTO with an error text
 * if they are not to be understood. The structure is to be closed in every case. */
int tasks_open(struct tasks *tasks, pid_t pid);
void tasks_close(struct tasks *tasks);

/* Reads all records again. 0; -ESRCH if the process has ended; -ENOMEM; -EPROTO. */
int tasks_read(struct tasks *tasks);

/* By the thread id that the process itself uses, and by the task's own id. NULL if there is none. */
const struct mt__record *tasks_by_tid(const struct tasks *tasks, int tid);
const struct mt__record *tasks_by_id(const struct tasks *tasks, uint64_t id);

/* The thread of a process by the number that the process itself knows it by; 0: there is none. */
int tasks_thread(pid_t pid, int own);

#endif
