/* SPDX-License-Identifier: MIT
 *
 * How a model is printed. Each part stands alone; a command's report is a choice of parts.
 */
#ifndef MTRACE_REPORT_H
#define MTRACE_REPORT_H

#include "model.h"
#include "output.h"

enum report_parts {
    REPORT_TASKS = 1,
    REPORT_WAITS = 2,
    REPORT_LOCKS = 4,
    REPORT_SCHED = 8,
    REPORT_RUNQ = 16,
    REPORT_WAKERS = 32,
    REPORT_PRIMITIVES = 64,
    REPORT_QUEUES = 128,
    REPORT_POOLS = 256,
    REPORT_COROS = 512,
};

struct report {
    struct model *model;
    struct output *output;
    unsigned parts; /* enum report_parts */
    unsigned top;   /* rows a table */
};

/* The verdict, the parts, and at the end what was lost and what it cost. */
void report_print(const struct report *report);

/* The same as one JSON object; see mtrace-json(5). False without memory. */
bool report_print_json(const struct report *report);

/* The parts, for report_print. */
void report_tasks(const struct report *report);
void report_waits(const struct report *report);
void report_locks(const struct report *report);
void report_sched(const struct report *report);
void report_runq(const struct report *report);
void report_wakers(const struct report *report);
void report_primitives(const struct report *report);
void report_inversions(const struct report *report);
void report_queues(const struct report *report);
void report_pools(const struct report *report);
void report_coros(const struct report *report);
void report_coro_waits(const struct report *report);

/* Begins a task's row: with its thread's id, or a coroutine's own, as mtrace coros has it, behind a #. */
void report_number(const struct report *report, const struct model_task *task);

/* Writes text in at most width columns, cut in the middle of a long one, and fills up to width. */
void report_cell(const struct report *report, const char *text, int width);
void report_heading(const struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that a table goes on. */
void report_more(const struct report *report, size_t shown, size_t all, const char *what);

#endif
