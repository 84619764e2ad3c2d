/* SPDX-License-Identifier: MIT
 *
 * What coroutines wait for when there are more than a table shows: those that do alike are one line.
 */
#include "code-text.h"
#include "format.h"
#include "report.h"
#include <stdlib.h>
#include <string.h>

struct alike {
    const struct model_coro *first;
    size_t count;
    uint64_t longest;
};

/* Each descriptor is another one, and so is each thread that a join waits for. */
static bool has_own(const struct model_coro *coro)
{
    return coro->reason == MT_WAIT_IO || coro->reason == MT_WAIT_JOIN;
}

static int compare_waits(const void *a, const void *b)
{
    const struct model_coro *x = *(const struct model_coro *const *)a, *y = *(const struct model_coro *const *)b;
    int order = (int)x->state - (int)y->state;
    if (!order)
        order = (int)x->reason - (int)y->reason;
    if (!order)
        order = strcmp(x->call, y->call);
    if (!order)
        order = strcmp(x->place, y->place);
    if (!order && !has_own(x))
        order = strcmp(x->what, y->what);
    return order ? order : strcmp(x->body, y->body);
}

static int compare_counts(const void *a, const void *b)
{
    const struct alike *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : compare_waits(&x->first, &y->first);
}

static size_t unite(const struct model_coro **coros, size_t count, struct alike *alike)
{
    size_t used = 0;
    qsort(coros, count, sizeof *coros, compare_waits);
    for (size_t i = 0; i < count; i++) {
        if (!i || compare_waits(&coros[i - 1], &coros[i]))
            alike[used++] = (struct alike){coros[i], 0, 0};
        alike[used - 1].count++;
        if (coros[i]->since > alike[used - 1].longest)
            alike[used - 1].longest = coros[i]->since;
    }
    qsort(alike, used, sizeof *alike, compare_counts);
    return used;
}

static const char *what_of(const struct alike *alike)
{
    const struct model_coro *coro = alike->first;
    if (coro->state != MT_WAITING)
        return coro->state == MT_RUNNING ? "runs" : "ready";
    if (alike->count > 1 && has_own(coro))
        return coro->reason == MT_WAIT_IO ? "descriptors" : "ends of tasks";
    return *coro->what ? coro->what : "?";
}

static void print_alike(const struct report *report, const struct alike *alike)
{
    FILE *file = report->output->file;
    const struct model_coro *coro = alike->first;
    fprintf(file, "  %8s %10s  %s%s%s%s", format_count(alike->count), format_time(alike->longest), what_of(alike),
            *coro->call ? " (" : "", coro->call, *coro->call ? ")" : "");
    if (*coro->place)
        fprintf(file, "%s%s", code_at(coro->place), code_text(coro->place));
    else if (*coro->body)
        fprintf(file, ", of %s", code_text(coro->body));
    fputc('\n', file);
}

void report_coro_waits(const struct report *report)
{
    const struct model *model = report->model;
    const struct model_coro **coros = calloc(model->coro_count + 1, sizeof *coros);
    struct alike *alike = calloc(model->coro_count + 1, sizeof *alike);
    size_t count = 0, used;
    for (size_t i = 0; coros && i < model->coro_count; i++)
        if (!model->coros[i].root && model->coros[i].state != MT_DEAD)
            coros[count++] = &model->coros[i];
    used = coros && alike ? unite(coros, count, alike) : 0;
    if (used) {
        size_t shown = used < report->top ? used : report->top;
        report_heading(report, "what they wait for, those that do alike in one line");
        fprintf(report->output->file, "  %8s %10s  %s\n", "how many", "longest", "waits for");
        for (size_t i = 0; i < shown; i++)
            print_alike(report, &alike[i]);
        report_more(report, shown, used, "kinds");
    }
    free(coros);
    free(alike);
}
