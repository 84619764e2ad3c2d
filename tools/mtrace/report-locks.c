/* SPDX-License-Identifier: MIT
 *
 * The table of locks: those with a recorded owner first, then all other futexes that tasks slept on.
 */
#include "code-text.h"
#include "format.h"
#include "report.h"

#define INDENT 76

/* The first three, and the rest in one line. */
static void print_holders(const struct report *report, const struct model_lock *lock)
{
    FILE *file = report->output->file;
    if (lock->gone)
        fprintf(file, "%*sits owner, thread %u%s%s%s, has ended without giving it back\n", INDENT, "", lock->gone,
                *lock->gone_name ? " (" : "", lock->gone_name, *lock->gone_name ? ")" : "");
    else if (!lock->holder_count)
        fprintf(file, "%*sno owner recorded\n", INDENT, "");
    for (size_t i = 0; i < lock->holder_count && i < 3; i++) {
        const struct model_holder *holder = &lock->holders[i];
        fprintf(file, "%*sheld by %s%s%s%s for %s of waiting, %s at a stretch; as %s waits began; ended %s\n", INDENT,
                "", model_holder_name(report->model, holder), *holder->place ? " (" : "", holder->place,
                *holder->place ? ")" : "", format_time(holder->ns), format_time(holder->max),
                format_count(holder->began), format_count(holder->released));
    }
    if (lock->holder_count > 3)
        fprintf(file, "%*sand by %zu more\n", INDENT, "", lock->holder_count - 3);
}

static void print_lock(const struct report *report, const struct model_lock *lock)
{
    const struct model *model = report->model;
    const struct model_wait *first = &model->waits[lock->first];
    FILE *file = report->output->file;
    fprintf(file, "  %10s %8s %10s %10s %10s %10s %6zu  %s\n", format_time(lock->ns), format_count(lock->count),
            format_time(lock->ns / lock->count), format_time(histogram_percentile(&lock->times, 50)),
            format_time(histogram_percentile(&lock->times, 99)), format_time(lock->max), lock->part_count, first->what);
    print_holders(report, lock);
    size_t places = 0;
    for (size_t i = 0; i < model->wait_count && places < 3; i++) {
        const struct model_wait *wait = &model->waits[i];
        if (wait->lock != (int)(lock - model->locks) || !*wait->place)
            continue;
        places++;
        fprintf(file, "%*swaited for %s in %s\n", INDENT, "", format_time(wait->ns), code_text(wait->place));
    }
    if (lock->open)
        fprintf(file, "%*s%u still waiting at the end\n", INDENT, "", lock->open);
}

void report_locks(const struct report *report)
{
    const struct model *model = report->model;
    FILE *file = report->output->file;
    size_t shown = model->lock_count < report->top ? model->lock_count : report->top;
    report_heading(report, "locks and other futexes that tasks slept on");
    if (!shown) {
        fputs("  none: no task slept on a lock\n", file);
        return;
    }
    fprintf(file, "  %10s %8s %10s %10s %10s %10s %6s  %s\n", "time", "waits", "mean", "p50", "p99", "longest", "tasks",
            "lock");
    for (size_t i = 0; i < shown; i++)
        print_lock(report, &model->locks[i]);
    report_more(report, shown, model->lock_count, "locks");
}
