/* SPDX-License-Identifier: MIT
 *
 * The scheduler's side: a table of tasks in the manner of timehist, and the run queue's histogram.
 */
#include "format.h"
#include "report.h"
#include <stdlib.h>

static int compare_tasks(const void *a, const void *b)
{
    const struct model_task *x = *(const struct model_task *const *)a, *y = *(const struct model_task *const *)b;
    if (x->raw.ready != y->raw.ready)
        return x->raw.ready < y->raw.ready ? 1 : -1;
    return x->raw.running < y->raw.running ? 1 : x->raw.running > y->raw.running ? -1 : 0;
}

/* Of delays that there were none of there is no percentile. */
static const char *delay(const struct histogram *runq, double percent)
{
    return runq->count ? format_time(histogram_percentile(runq, percent)) : "-";
}

static void print_task(const struct report *report, const struct model_task *task)
{
    FILE *file = report->output->file;
    report_number(report, task);
    report_cell(report, task->name, 16);
    fprintf(file, " %10s %10s %10s %8s %8s %10s %10s %10s\n", format_time(task->raw.waiting),
            format_time(task->raw.ready), format_time(task->raw.running), format_count(task->raw.ready_count),
            format_count(task->raw.preempted), delay(&task->runq, 50), delay(&task->runq, 99),
            task->runq.count ? format_time(task->raw.max_ready) : "-");
}

void report_sched(const struct report *report)
{
    const struct model *model = report->model;
    const struct model_task **order = calloc(model->task_count + 1, sizeof *order);
    size_t shown = model->task_count < 2 * report->top ? model->task_count : 2 * report->top;
    if (!order)
        return;
    for (size_t i = 0; i < model->task_count; i++)
        order[i] = &model->tasks[i];
    qsort(order, model->task_count, sizeof *order, compare_tasks);

    report_heading(report, "%zu task%s in %s, longest ready first", model->task_count,
                   model->task_count == 1 ? "" : "s", format_time(model->duration));
    fprintf(report->output->file, "  %7s %-16s %10s %10s %10s %8s %8s %10s %10s %10s\n", "tid", "task", "wait time",
            "sch delay", "run time", "runs", "preempt", "delay p50", "p99", "longest");
    for (size_t i = 0; i < shown; i++)
        print_task(report, order[i]);
    report_more(report, shown, model->task_count, "tasks");
    free(order);
}

static void print_buckets(const struct report *report)
{
    const struct histogram *runq = &report->model->runq;
    unsigned first = WAIT_BUCKETS, last = 0;
    uint64_t most = 0;
    for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
        if (!runq->buckets[i])
            continue;
        first = first < i ? first : i;
        last = i;
        most = most > runq->buckets[i] ? most : runq->buckets[i];
    }
    for (unsigned i = first; i <= last && most; i++) {
        fprintf(report->output->file, "  %9s - %-9s %8s ", format_time(1ull << i), format_time(2ull << i),
                format_count(runq->buckets[i]));
        for (uint64_t cell = 0; cell < runq->buckets[i] * 40 / most; cell++)
            fputs(report->output->utf8 ? "█" : "#", report->output->file);
        fputc('\n', report->output->file);
    }
}

void report_runq(const struct report *report)
{
    const struct histogram *runq = &report->model->runq;
    report_heading(report, "run queue: ready to run until running");
    if (!runq->count) {
        fputs("  none: no task became ready while it was recorded\n", report->output->file);
        return;
    }
    if (report->parts & REPORT_SCHED)
        print_buckets(report);
    fprintf(report->output->file, "  p50 %s   p90 %s   p99 %s   longest %s   in %s times\n",
            format_time(histogram_percentile(runq, 50)), format_time(histogram_percentile(runq, 90)),
            format_time(histogram_percentile(runq, 99)), format_time(runq->max), format_count(runq->count));
}
