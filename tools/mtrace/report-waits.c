/* SPDX-License-Identifier: MIT
 *
 * The worst waits, and who woke whom.
 */
#include "code-text.h"
#include "format.h"
#include "report.h"

static void print_holder(const struct report *report, const struct model_wait *wait)
{
    FILE *file = report->output->file;
    const struct model_lock *lock = wait->lock >= 0 ? &report->model->locks[wait->lock] : NULL;
    if (!lock || wait->class != MODEL_BLOCKED)
        return;
    if (lock->gone)
        fprintf(file, "; its owner, thread %u%s%s%s, has ended", lock->gone, *lock->gone_name ? " (" : "",
                lock->gone_name, *lock->gone_name ? ")" : "");
    else if (!lock->holder_count)
        fputs("; no owner recorded", file);
    else if (lock->places == 1)
        fprintf(file, "; held by %s of that time", model_holders(report->model, lock));
    else /* the kernel adds up by lock, not by place: what this row's share is, it does not know */
        fprintf(file, "; in all waits for it held by %s", model_holders(report->model, lock));
}

static void print_who(const struct report *report, const struct model_wait *wait)
{
    FILE *file = report->output->file;
    const struct model_task *first = &report->model->tasks[wait->parts[0].task];
    fprintf(file, "%*s%s", 45, "", first->label);
    if (wait->part_count > 1)
        fprintf(file, " and %zu more", wait->part_count - 1);
    print_holder(report, wait);
    if (*wait->waker_name)
        fprintf(file, "; woken by %s", wait->waker_name);
    if (wait->open)
        fprintf(file, "; %u still waiting at the end", wait->open);
    fputc('\n', file);
}

static void print_wait(const struct report *report, const struct model_wait *wait)
{
    fprintf(report->output->file, "  %10s %8s %10s %10s  %s%s%s\n", format_time(wait->ns), format_count(wait->count),
            format_time(wait->ns / wait->count), format_time(wait->max), wait->what, *wait->place ? " in " : "",
            code_text(wait->place));
    print_who(report, wait);
}

static void print_head(const struct report *report)
{
    fprintf(report->output->file, "  %10s %8s %10s %10s  %s\n", "time", "waits", "mean", "longest", "for what");
}

void report_waits(const struct report *report)
{
    const struct model *model = report->model;
    size_t busy = 0;
    while (busy < model->wait_count && model->waits[busy].class != MODEL_IDLE)
        busy++;
    size_t idle = model->wait_count - busy, shown = busy < report->top ? busy : report->top;

    report_heading(report, "worst waits");
    if (!busy)
        fputs("  none\n", report->output->file);
    else
        print_head(report);
    for (size_t i = 0; i < shown; i++)
        print_wait(report, &model->waits[i]);
    report_more(report, shown, busy, "waits");
    if (!idle)
        return;

    report_heading(report, "idle (waiting for something to do)");
    print_head(report);
    shown = idle < (report->top + 1) / 2 ? idle : (report->top + 1) / 2;
    for (size_t i = 0; i < shown; i++)
        print_wait(report, &model->waits[busy + i]);
    report_more(report, shown, idle, "idle waits");
}

void report_primitives(const struct report *report)
{
    struct model_primitive primitives[MODEL_PRIMITIVES];
    size_t count = model_primitives(report->model, primitives);
    if (!count)
        return;
    report_heading(report, "time waited by kind of primitive");
    fprintf(report->output->file, "  %10s %8s %10s %10s  %s\n", "time", "waits", "mean", "longest", "kind");
    for (size_t i = 0; i < count; i++) {
        const struct model_primitive *primitive = &primitives[i];
        fprintf(report->output->file, "  %10s %8s %10s %10s  %s", format_time(primitive->ns),
                format_count(primitive->count), format_time(primitive->ns / primitive->count),
                format_time(primitive->max), primitive->kind);
        if (primitive->open)
            fprintf(report->output->file, " (%u still waiting at the end)", primitive->open);
        fputc('\n', report->output->file);
    }
}

void report_wakers(const struct report *report)
{
    const struct model *model = report->model;
    FILE *file = report->output->file;
    size_t shown = model->waker_count < report->top ? model->waker_count : report->top;
    if (!shown)
        return;
    report_heading(report, "who woke whom");
    fprintf(file, "  %10s %8s  %-20s    %-20s from\n", "time ended", "times", "waker", "woken");
    for (size_t i = 0; i < shown; i++) {
        const struct model_waker *waker = &model->wakers[i];
        fprintf(file, "  %10s %8s  ", format_time(waker->ns), format_count(waker->count));
        report_cell(report, waker->name, 20);
        fputs(" -> ", file);
        report_cell(report, model->tasks[waker->wakee].label, 20);
        fprintf(file, " %s%s%s\n", model_reason(waker->reason), *waker->place ? ", in " : "", code_text(waker->place));
    }
    report_more(report, shown, model->waker_count, "pairs");
}
