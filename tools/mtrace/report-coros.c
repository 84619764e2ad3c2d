/* SPDX-License-Identifier: MIT
 *
 * Hubs and coroutines: what each hub did, what kept it, and where every coroutine is.
 */
#include "code-text.h"
#include "format.h"
#include "report.h"

static void print_op(const struct report *report, const struct model_op *op)
{
    FILE *file = report->output->file;
    const struct histogram *times = &op->times;
    fprintf(file, "      %-14s %8s %8s %8s %8u", model_op_name(report->model, op->opcode), format_count(op->begun),
            format_count(op->count), format_count(op->failed), op->open);
    if (times->count)
        fprintf(file, " %10s %10s %10s %10s\n", format_time(histogram_percentile(times, 50)),
                format_time(histogram_percentile(times, 90)), format_time(histogram_percentile(times, 99)),
                format_time(times->max));
    else
        fprintf(file, " %10s %10s %10s %10s\n", "-", "-", "-", "-");
}

static void print_ops(const struct report *report, const struct model_hub *hub)
{
    size_t shown = hub->op_count < report->top ? hub->op_count : report->top;
    if (!shown)
        return;
    fprintf(report->output->file, "      %-14s %8s %8s %8s %8s %10s %10s %10s %10s\n", "operation", "begun", "done",
            "failed", "now", "p50", "p90", "p99", "longest");
    for (size_t i = 0; i < shown; i++)
        print_op(report, &hub->ops[i]);
    report_more(report, shown, hub->op_count, "kinds");
}

static void print_kept(const struct report *report, const struct model_hub *hub)
{
    FILE *file = report->output->file;
    size_t shown = hub->kept_count < report->top ? hub->kept_count : report->top;
    if (shown)
        fprintf(file, "    calls that kept it for longer than %s\n", format_time(report->model->threshold));
    for (size_t i = 0; i < shown; i++) {
        const struct model_kept *kept = &hub->kept[i];
        fprintf(file, "      %10s %6s times, longest %s: \"%s\" in %s%s%s%s\n", format_time(kept->ns),
                format_count(kept->count), format_time(kept->max), kept->coro, kept->what, *kept->place ? ", " : "",
                code_text(kept->place), kept->open ? "; and still is" : "");
    }
    report_more(report, shown, hub->kept_count, "calls");
}

static size_t living(const struct model *model, size_t hub, size_t *all)
{
    size_t count = 0;
    *all = 0;
    for (size_t i = 0; i < model->coro_count; i++)
        if ((size_t)model->coros[i].hub == hub && !model->coros[i].root) {
            (*all)++;
            count += model->coros[i].state != MT_DEAD;
        }
    return count;
}

static void print_hub(const struct report *report, size_t index)
{
    const struct model *model = report->model;
    const struct model_hub *hub = &model->hubs[index];
    FILE *file = report->output->file;
    size_t all, now = living(model, index, &all);
    fprintf(file, "  \"%s\" (thread %d of process %d): %zu coroutine%s now", hub->name, hub->tid, hub->tgid, now,
            now == 1 ? "" : "s");
    if (!model->snapshot)
        fprintf(file, ", %zu in all; %s turns, %s switches, at most %s ready, %s wakes passed on\n", all,
                format_count(hub->turns), format_count(hub->switches), format_count(hub->ready_most),
                format_count(hub->passed));
    else
        fputc('\n', file);
    if (!model->snapshot)
        fprintf(file, "    asleep in its loop %s of the time, in %s sleeps; %s operations submitted, %s completed\n",
                format_share(model->duration ? (double)hub->slept / (double)model->duration : 0),
                format_count(hub->sleeps), format_count(hub->submitted), format_count(hub->completed));
    print_ops(report, hub);
    print_kept(report, hub);
    if (hub->monitor_count)
        fprintf(file, "    its own monitor has seen it kept %s times, for %s at the most, last by \"%s\"\n",
                format_count(hub->monitor_count), format_time(hub->monitor_most), hub->monitor_name);
}

static const char *state_word(enum mt_state state)
{
    static const char *const words[] = {
        [MT_READY] = "ready", [MT_RUNNING] = "running", [MT_WAITING] = "waiting", [MT_DEAD] = "ended"};
    return state >= MT_READY && state <= MT_DEAD ? words[state] : "?";
}

static void print_wait(const struct report *report, const struct model_coro *coro)
{
    FILE *file = report->output->file;
    if (*coro->what) {
        fprintf(file, "  %s%s%s%s", coro->what, *coro->call ? " (" : "", coro->call, *coro->call ? ")" : "");
        fprintf(file, "%s%s", code_at(coro->place), code_text(coro->place));
        if (coro->since)
            fprintf(file, " for %s", format_time(coro->since));
    }
    if (coro->state == MT_RUNNING && *coro->call)
        fprintf(file, "  in %s%s%s", coro->call, *coro->place ? ", " : "", code_text(coro->place));
    if (coro->overdue)
        fputs("  LOST WAKE-UP: this has happened", file);
    if (coro->state == MT_DEAD && coro->outcome)
        fprintf(file, "  with %lld", (long long)coro->outcome);
    fputc('\n', file);
}

static void print_coro(const struct report *report, const struct model_coro *coro)
{
    FILE *file = report->output->file;
    fprintf(file, "  %7llu ", (unsigned long long)coro->id);
    report_cell(report, coro->name, 20);
    fprintf(file, " %-8s", state_word(coro->state));
    if (report->model->snapshot)
        fprintf(file, " %9s %10s", format_count(coro->waits), format_time(coro->waited));
    else
        fprintf(file, " %9s %10s %10s %10s %9s %10s", format_time(coro->running), format_time(coro->ready),
                format_time(coro->waiting), format_time(coro->life), format_count(coro->switches),
                format_time(coro->longest_run));
    print_wait(report, coro);
}

static void print_ended(const struct report *report)
{
    const struct model *model = report->model;
    FILE *file = report->output->file;
    size_t shown = model->ended_count < report->top ? model->ended_count : report->top;
    if (!shown)
        return;
    report_heading(report, "ended ones that are not kept one by one, by body");
    for (size_t i = 0; i < shown; i++) {
        const struct model_ended *ended = &model->ended[i];
        fprintf(file, "  %s: %s ended, %s of them failed; running %s, ready %s, waiting %s in all; longest run %s\n",
                code_text(ended->body), format_count(ended->count), format_count(ended->failed),
                format_time(ended->running), format_time(ended->ready), format_time(ended->waiting),
                format_time(ended->longest_run));
    }
    report_more(report, shown, model->ended_count, "bodies");
}

void report_coros(const struct report *report)
{
    const struct model *model = report->model;
    FILE *file = report->output->file;
    size_t shown = model->coro_count < 4 * report->top ? model->coro_count : 4 * report->top;
    if (!model->hub_count)
        return;
    report_heading(report, "hubs");
    for (size_t i = 0; i < model->hub_count; i++)
        print_hub(report, i);
    if (shown < model->coro_count)
        report_coro_waits(report);
    report_heading(report, "coroutines");
    if (model->snapshot)
        fprintf(file, "  %7s %-20s %-8s %9s %10s  %s\n", "id", "name", "state", "waits", "waited", "waits for");
    else
        fprintf(file, "  %7s %-20s %-8s %9s %10s %10s %10s %9s %10s  %s\n", "id", "name", "state", "running", "ready",
                "waiting", "in all", "switches", "longest", "waits for");
    for (size_t i = 0; i < shown; i++)
        print_coro(report, &model->coros[i]);
    report_more(report, shown, model->coro_count, "coroutines");
    print_ended(report);
}
