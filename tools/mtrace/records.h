/* SPDX-License-Identifier: MIT
 *
 * Names out of liblinuxmt's task records, for a recording that cannot have its probes: the records are looked at every
 * few milliseconds, and what they say of threads and of the words that these wait on is kept. A wait that is shorter
 * than the time between two looks may be missed; one that is met once is known from then on.
 */
#ifndef MTRACE_RECORDS_H
#define MTRACE_RECORDS_H

#include "base/record.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct records;

struct records *records_open(void);
void records_close(struct records *records);

/* Looks at a process from now on. */
void records_add(struct records *records, pid_t pid);

/* Looks at all of them, if it is time to. */
void records_look(struct records *records);

/* Whether there are any to look at. */
bool records_wanted(const struct records *records);

/* A sentence on records that are there but cannot be read, NULL: none. */
const char *records_error(const struct records *records);

struct records_word {
    pid_t pid;
    uint64_t word;   /* the futex word */
    uint64_t object; /* what it belongs to */
    uint32_t reason; /* enum mt_reason */
    char name[MT_NAME_MAX];
};

/* What a futex word is, by its address or that of the aligned pair of words around it; NULL: not met. */
const struct records_word *records_word_at(const struct records *records, pid_t pid, uint64_t address);

/* The name of a thread, by its number in its own process's pid namespace; "" if it has none. */
const char *records_thread(const struct records *records, pid_t pid, uint32_t tid);

#endif
