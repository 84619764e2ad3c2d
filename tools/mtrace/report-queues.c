/* SPDX-License-Identifier: MIT
 *
 * Queues: how full each was, and below it who put and who got.
 */
#include "format.h"
#include "report.h"

static const char *order_word(enum mt_queue_order order)
{
    static const char *const words[] = {"first in, first out", "last in, first out", "by priority"};
    return (unsigned)order < sizeof words / sizeof *words ? words[order] : "?";
}

static void print_part(const struct report *report, const struct model_queue_part *part)
{
    const struct model_task *task = &report->model->tasks[part->task];
    FILE *file = report->output->file;
    fprintf(file, "        ");
    report_cell(report, task->label, 24);
    fprintf(file, " pid %-8u %10s messages", task->raw.tgid, format_count(part->messages));
    if (part->waits)
        fprintf(file, ", waited %s time%s for %s, at most %s", format_count(part->waits), part->waits == 1 ? "" : "s",
                format_time(part->ns), format_time(part->max));
    fputs(part->waits_now ? ", waits now\n" : "\n", file);
}

static void print_side(const struct report *report, const struct model_queue_side *side, const char *verb,
                       const char *what)
{
    FILE *file = report->output->file;
    if (!side->part_count && side->moved) {
        fprintf(file, "    %s messages %s, by tasks that are not traced or have no probes\n", format_count(side->moved),
                verb);
        return;
    }
    if (!side->part_count) {
        fprintf(file, "    nobody %s\n", verb);
        return;
    }
    fprintf(file, "    %s %s messages in %s calls", verb, format_count(side->messages), format_count(side->calls));
    if (side->messages < side->moved)
        fprintf(file, " that were seen, %s in all", format_count(side->moved));
    if (side->waits == 1)
        fprintf(file, "; one wait for %s took %s", what, format_time(side->ns));
    else if (side->waits)
        fprintf(file, "; %s waits for %s took %s, half of them longer than %s, the longest %s",
                format_count(side->waits), what, format_time(side->ns),
                format_time(histogram_percentile(&side->times, 50)), format_time(side->max));
    if (side->unmet)
        fprintf(file, "; %s of them in vain", format_count(side->unmet));
    if (side->open)
        fprintf(file, "; %u wait%s now", side->open, side->open == 1 ? "s" : "");
    fputc('\n', file);
    size_t shown = side->part_count < report->top ? side->part_count : report->top;
    for (size_t i = 0; i < shown; i++)
        print_part(report, &side->parts[i]);
    report_more(report, shown, side->part_count, "tasks");
}

static void print_queue(const struct report *report, const struct model_queue *queue)
{
    FILE *file = report->output->file;
    fprintf(file, "  %s: %s, for %u messages", queue->label, order_word(queue->order), queue->capacity);
    if (queue->looks)
        fprintf(file, " of at most %u bytes%s\n", queue->message_max, queue->closed ? "; closed" : "");
    else
        fputc('\n', file);
    if (queue->looks)
        fprintf(file,
                "    now %u, %.1f on average, at most %llu; full %s of the time, empty %s; since it was made %u put, "
                "%u got\n",
                queue->depth, queue->mean, (unsigned long long)queue->deepest, format_share(queue->full),
                format_share(queue->empty), queue->put_total, queue->got_total);
    if (queue->looks)
        fprintf(file, "    lost with killed users: %u being put, %u being got; %u got again\n", queue->lost_put,
                queue->lost_got, queue->again);
    else
        fprintf(file, "    at most %llu; it was gone before mtrace could look at its memory\n",
                (unsigned long long)queue->deepest);
    print_side(report, &queue->sides[QUEUE_PUT], "put", "room");
    print_side(report, &queue->sides[QUEUE_GET], "got", "a message");
}

void report_queues(const struct report *report)
{
    const struct model *model = report->model;
    size_t shown = model->queue_count < report->top ? model->queue_count : report->top;
    report_heading(report, "queues");
    if (!shown)
        fputs("  none\n", report->output->file);
    for (size_t i = 0; i < shown; i++)
        print_queue(report, &model->queues[i]);
    report_more(report, shown, model->queue_count, "queues");
}
