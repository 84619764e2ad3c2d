/* SPDX-License-Identifier: MIT
 *
 * The bar of each task: how its life was split among running, ready, blocked, waiting for a peer, and idle.
 */
#include "format.h"
#include "report.h"
#include <stdlib.h>
#include <string.h>

#define BAR 24

static const struct {
    const char *word, *utf8, *ascii, *color;
} parts[] = {
    {"running", "█", "#", "\033[32m"}, {"ready", "▒", "+", "\033[33m"}, {"blocked", "▓", "B", "\033[31m"},
    {"peer", "░", "p", "\033[36m"},    {"idle", "·", ".", "\033[2m"},
};
#define PARTS (sizeof parts / sizeof *parts)

static void split(const struct model_task *task, uint64_t ns[PARTS])
{
    ns[0] = task->raw.running;
    ns[1] = task->raw.ready;
    ns[2] = task->waiting[MODEL_BLOCKED];
    ns[3] = task->waiting[MODEL_PEER];
    ns[4] = task->waiting[MODEL_IDLE];
}

static void print_cells(const struct output *output, size_t part, int count)
{
    if (count <= 0)
        return;
    if (output->color)
        fputs(parts[part].color, output->file);
    for (int i = 0; i < count; i++)
        fputs(output->utf8 ? parts[part].utf8 : parts[part].ascii, output->file);
    if (output->color)
        fputs("\033[0m", output->file);
}

/* Cells by rounding of running sums: they always fill the bar. */
static void print_bar(const struct report *report, const struct model_task *task)
{
    uint64_t ns[PARTS], sum = 0;
    int drawn = 0;
    split(task, ns);
    for (size_t i = 0; i < PARTS; i++) {
        sum += ns[i];
        int until = task->life ? (int)((double)sum / (double)task->life * BAR + 0.5) : 0;
        print_cells(report->output, i, until - drawn);
        drawn = until;
    }
    fprintf(report->output->file, "%*s", BAR - drawn, "");
}

static uint64_t busy(const struct model_task *task)
{
    return task->life - task->waiting[MODEL_IDLE];
}

static int compare_tasks(const void *a, const void *b)
{
    const struct model_task *x = *(const struct model_task *const *)a, *y = *(const struct model_task *const *)b;
    if (busy(x) != busy(y))
        return busy(x) < busy(y) ? 1 : -1;
    return x->life < y->life ? 1 : x->life > y->life ? -1 : 0;
}

static void print_legend(const struct report *report)
{
    const struct output *output = report->output;
    fputs("  ", output->file);
    for (size_t i = 0; i < PARTS; i++) {
        print_cells(output, i, 1);
        fprintf(output->file, " %s  ", parts[i].word);
    }
    fputc('\n', output->file);
}

void report_tasks(const struct report *report)
{
    const struct model *model = report->model;
    FILE *file = report->output->file;
    const struct model_task **order = calloc(model->task_count + 1, sizeof *order);
    if (!order)
        return;
    for (size_t i = 0; i < model->task_count; i++)
        order[i] = &model->tasks[i];
    qsort(order, model->task_count, sizeof *order, compare_tasks);

    report_heading(report, "%zu task%s in %s", model->task_count, model->task_count == 1 ? "" : "s",
                   format_time(model->duration));
    print_legend(report);
    fprintf(file, "  %7s %-16s %-*s %9s %8s %8s %8s %8s %8s\n", "tid", "task", BAR, "", "time", "running", "ready",
            "blocked", "peer", "idle");
    size_t shown = model->task_count < 2 * report->top ? model->task_count : 2 * report->top;
    for (size_t i = 0; i < shown; i++) {
        uint64_t ns[PARTS];
        split(order[i], ns);
        report_number(report, order[i]);
        report_cell(report, order[i]->name, 16);
        fputc(' ', file);
        print_bar(report, order[i]);
        fprintf(file, " %9s", format_time(order[i]->life));
        for (size_t p = 0; p < PARTS; p++)
            fprintf(file, " %8s", format_share(order[i]->life ? (double)ns[p] / (double)order[i]->life : 0));
        fputc('\n', file);
    }
    report_more(report, shown, model->task_count, "tasks");
    free(order);
}
