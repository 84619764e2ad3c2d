/* SPDX-License-Identifier: MIT
 *
 * A report as text: the verdict first, the small print last.
 */
#include "report.h"
#include "format.h"
#include <stdarg.h>
#include <string.h>

void report_heading(const struct report *report, const char *format, ...)
{
    FILE *file = report->output->file;
    va_list ap;
    fputs(report->output->color ? "\n\033[1m" : "\n", file);
    va_start(ap, format);
    vfprintf(file, format, ap);
    va_end(ap);
    fputs(report->output->color ? "\033[0m\n" : "\n", file);
}

void report_cell(const struct report *report, const char *text, int width)
{
    int length = (int)strlen(text);
    if (length <= width)
        fprintf(report->output->file, "%-*s", width, text);
    else
        fprintf(report->output->file, "%.*s..%s", width / 3, text, text + length - (width - width / 3 - 2));
}

void report_number(const struct report *report, const struct model_task *task)
{
    char number[24];
    snprintf(number, sizeof number, "%s%llu", task->coroutine ? "#" : "",
             task->coroutine ? (unsigned long long)task->id : (unsigned long long)task->raw.tid);
    fprintf(report->output->file, "  %7s ", number);
}

void report_more(const struct report *report, size_t shown, size_t all, const char *what)
{
    if (shown < all)
        fprintf(report->output->file, "  and %zu more %s (--top=%zu shows all)\n", all - shown, what, all);
}

static void print_lost(const struct report *report)
{
    const struct wait_lost *lost = &report->model->lost;
    FILE *file = report->output->file;
    fprintf(file, "lost events: %llu", (unsigned long long)report->model->lost_total);
    if (lost->tasks)
        fprintf(file, "; %llu tasks found no room (--max-tasks)", (unsigned long long)lost->tasks);
    if (lost->waits || lost->locks || lost->holders || lost->wakers)
        fprintf(file, "; %llu waits, %llu locks, %llu holders, %llu wakers found no room (--max-waits)",
                (unsigned long long)lost->waits, (unsigned long long)lost->locks, (unsigned long long)lost->holders,
                (unsigned long long)lost->wakers);
    if (lost->stacks)
        fprintf(file, "; %llu stacks found no room (--max-stacks)", (unsigned long long)lost->stacks);
    if (lost->queues || lost->pools || lost->inversions || lost->coros)
        fprintf(file, "; %llu of queues, %llu of pools, %llu inversions, %llu of coroutines found no room",
                (unsigned long long)lost->queues, (unsigned long long)lost->pools, (unsigned long long)lost->inversions,
                (unsigned long long)lost->coros);
    if (lost->news)
        fprintf(file, "; %llu changes of processes were missed", (unsigned long long)lost->news);
    if (report->model->missed)
        fprintf(file, "; %llu runs of a program were left out by the kernel",
                (unsigned long long)report->model->missed);
    fputc('\n', file);
}

static void print_cost(const struct report *report)
{
    const struct model *model = report->model;
    if (model->cost_known)
        fprintf(report->output->file, "cost of mtrace: %s of one CPU in the kernel, %s for itself\n",
                format_share(model->cost_bpf), format_share(model->cost_self));
    else
        fprintf(report->output->file,
                "cost of mtrace: %s of one CPU for itself; the kernel's part is only counted for root\n",
                format_share(model->cost_self));
}

void report_print(const struct report *report)
{
    FILE *file = report->output->file;
    bool color = report->output->color;
    fprintf(file, "%s%s%s\n", color ? "\033[1m" : "", report->model->verdict, color ? "\033[0m" : "");
    if (report->model->lost_total && report->model->lost_total == report->model->lost.stacks)
        fprintf(file,
                "CAUTION: %llu stacks found no room (--max-stacks): some waits have no place, and one lock may have "
                "several "
                "rows; the times are right\n",
                (unsigned long long)report->model->lost.stacks);
    else if (report->model->lost_total)
        fprintf(file, "CAUTION: %llu events were lost, the figures are too low; the end of this report says which\n",
                (unsigned long long)report->model->lost_total);
    if (report->parts & REPORT_TASKS)
        report_tasks(report);
    if (report->parts & REPORT_SCHED)
        report_sched(report);
    if (report->parts & REPORT_WAITS)
        report_waits(report);
    if (report->parts & REPORT_LOCKS)
        report_locks(report);
    if (report->parts & (REPORT_LOCKS | REPORT_WAITS))
        report_inversions(report);
    if (report->parts & REPORT_QUEUES)
        report_queues(report);
    if (report->parts & REPORT_POOLS)
        report_pools(report);
    if (report->parts & REPORT_COROS)
        report_coros(report);
    if (report->parts & REPORT_PRIMITIVES)
        report_primitives(report);
    if (report->parts & REPORT_RUNQ)
        report_runq(report);
    if (report->parts & REPORT_WAKERS)
        report_wakers(report);
    fputc('\n', file);
    if (report->model->note)
        fprintf(file, "note: %s\n", report->model->note);
    if (report->model->snapshot) {
        fputs("nothing was recorded: these are the processes' own task records\n", file);
        return;
    }
    print_lost(report);
    print_cost(report);
}
