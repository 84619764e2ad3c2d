/* SPDX-License-Identifier: MIT
 *
 * Pools: what became of the tasks, how long they waited and ran, what each worker did, and what failed.
 */
#include "code-text.h"
#include "format.h"
#include "report.h"

static const char *kind_word(enum mt_kind kind)
{
    return kind == MT_PROCESS     ? "processes"
           : kind == MT_THREAD    ? "threads"
           : kind == MT_COROUTINE ? "coroutines"
                                  : "workers";
}

static void print_times(const struct report *report, const char *what, const struct histogram *times)
{
    if (times->count)
        fprintf(report->output->file, "    %s p50 %s, p90 %s, p99 %s, longest %s\n", what,
                format_time(histogram_percentile(times, 50)), format_time(histogram_percentile(times, 90)),
                format_time(histogram_percentile(times, 99)), format_time(times->max));
}

static void print_worker(const struct report *report, const struct model_worker *worker)
{
    const struct model_task *task = &report->model->tasks[worker->task];
    FILE *file = report->output->file;
    fprintf(file, "        ");
    report_cell(report, task->label, 24);
    fprintf(file, " %10s done, %6s failed, busy %s", format_count(worker->done), format_count(worker->failed),
            format_share(task->life ? (double)worker->busy / (double)task->life : 0));
    if (worker->running)
        fprintf(file, ", in %s for %s", *worker->body ? code_text(worker->body) : "a task",
                format_time(worker->running));
    fputc('\n', file);
}

static void print_failure(const struct report *report, const struct model_failure *failure)
{
    FILE *file = report->output->file;
    fprintf(file, "        %s times %d%s%s%s", format_count(failure->count), failure->code,
            *failure->message ? " \"" : "", failure->message, *failure->message ? "\"" : "");
    if (*failure->body)
        fprintf(file, " in %s", code_text(failure->body));
    if (failure->task >= 0)
        fprintf(file, ", last on %s", report->model->tasks[failure->task].label);
    fputc('\n', file);
}

static void print_pool(const struct report *report, const struct model_pool *pool)
{
    FILE *file = report->output->file;
    size_t workers = pool->worker_count < report->top ? pool->worker_count : report->top;
    size_t failures = pool->failure_count < report->top ? pool->failure_count : report->top;
    fprintf(file, "  \"%s\" of process %d, %zu %s\n", pool->name, pool->tgid, pool->worker_count,
            kind_word(pool->kind));
    fprintf(
        file,
        "    %s queued, %s started, %s done, %s failed, %s cancelled; now %u in the queue (at most %u), %u running\n",
        format_count(pool->put), format_count(pool->started), format_count(pool->done), format_count(pool->failed),
        format_count(pool->cancelled), pool->queued, pool->most, pool->running);
    print_times(report, "waited in the queue:", &pool->waits);
    print_times(report, "ran:                ", &pool->runs);
    for (size_t i = 0; i < workers; i++)
        print_worker(report, &pool->workers[i]);
    report_more(report, workers, pool->worker_count, "workers");
    if (failures)
        fputs("    failures\n", file);
    for (size_t i = 0; i < failures; i++)
        print_failure(report, &pool->failures[i]);
    report_more(report, failures, pool->failure_count, "failures");
}

void report_pools(const struct report *report)
{
    const struct model *model = report->model;
    size_t shown = model->pool_count < report->top ? model->pool_count : report->top;
    report_heading(report, "pools");
    if (!shown)
        fputs("  none\n", report->output->file);
    for (size_t i = 0; i < shown; i++)
        print_pool(report, &model->pools[i]);
    report_more(report, shown, model->pool_count, "pools");
}
