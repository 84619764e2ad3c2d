/* SPDX-License-Identifier: MIT
 *
 * The report for people: the verdict first, then each circle, then who waits behind it; without a circle the longest
 * chain.
 */
#include "code-text.h"
#include "deadlock.h"

#include <errno.h>
#include <string.h>

static const struct waiter *owner_of(const struct report *report, const struct waiter *waiter)
{
    return waiter->owner >= 0 ? &report->picture->waiters[waiter->owner] : NULL;
}

/* What all of them are. */
static const char *task_word(const struct picture *picture)
{
    for (size_t i = 0; i < picture->process_count; i++)
        if (picture->processes[i].coroutines)
            return "task";
    return "thread";
}

static void print_name(const struct report *report, FILE *out, const struct waiter *waiter)
{
    struct wait_words words;
    (void)report;
    /* the name alone: no stack is read for it */
    struct waiter still = *waiter;
    still.kind = WAIT_NONE;
    waiter_words(&still, NULL, &words);
    if (waiter->coroutine)
        fprintf(out, "coroutine \"%s\"", words.task);
    else
        fprintf(out, "%u \"%s\"", waiter->task.tid, words.task);
    if (report->picture->process_count > 1)
        fprintf(out, " of process %d", waiter->process->pid);
}

/* "waits for mutex lock_b, held by 4713 "right"" */
static void print_wait(const struct report *report, FILE *out, const struct waiter *waiter,
                       const struct wait_words *words)
{
    const struct waiter *owner = owner_of(report, waiter);
    switch (waiter->kind) {
    case WAIT_NONE:
        fprintf(out, "runs");
        return;
    case WAIT_CALL:
        fprintf(out, "is in %s", waiter_call_name(waiter));
        return;
    case WAIT_SLEEP:
        fprintf(out, "sleeps");
        return;
    case WAIT_JOIN:
        fprintf(out, "waits for the end of ");
        if (owner)
            print_name(report, out, owner);
        else
            fprintf(out, "a thread");
        return;
    default:
        fprintf(out, "waits for %s %s, ", words->kind, words->lock);
    }
    if (!waiter->owner_tid) {
        fprintf(out, "no owner recorded");
    } else if (owner == waiter) {
        fprintf(out, "which it holds itself");
    } else if (owner) {
        fprintf(out, waiter->kind == WAIT_TASK ? "which is up to " : "held by ");
        print_name(report, out, owner);
    } else if (waiter->owner_pid) {
        fprintf(out, "held by thread %u of process %d, which was not given: -p %d,%d looks at both", waiter->owner_tid,
                waiter->owner_pid, waiter->process->pid, waiter->owner_pid);
    } else {
        fprintf(out, "held by thread %u, which %s", waiter->owner_tid,
                waiter->abandoned ? "has ended" : "is not among these");
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void print_place(const struct report *report, FILE *out, const struct wait_words *words)
{
    char text[SYMBOLS_TEXT_MAX];
    if (report->stacks) {
        for (size_t i = 0; i < words->frame_count; i++) {
            symbols_frame_text(&words->frames[i], text, sizeof(text));
            fprintf(out, "        #%-2zu %s%s\n", i, code_text(text), words->frames[i].inlined ? " (inlined)" : "");
        }
    } else if (words->at) {
        symbols_frame_text(words->at, text, sizeof(text));
        fprintf(out, "        in %s\n", code_text(text));
    } else if (words->place[0]) {
        fprintf(out, "        at %s\n", words->place);
    }
    if (words->acquired[0])
        fprintf(out, "        %s was acquired at %s\n", words->lock, base_name(words->acquired));
}

static void print_waiter(const struct report *report, FILE *out, const struct waiter *waiter)
{
    struct wait_words words;
    waiter_words(waiter, report->reader, &words);
    fprintf(out, "    ");
    print_name(report, out, waiter);
    fprintf(out, " ");
    print_wait(report, out, waiter, &words);
    fprintf(out, "%s\n", waiter->timed && waiter->kind != WAIT_SLEEP ? " (with a timeout)" : "");
    print_place(report, out, &words);
}

static const struct waiter *first_of_circle(const struct picture *picture, int circle, size_t *members)
{
    const struct waiter *first = NULL;
    *members = 0;
    for (size_t i = 0; i < picture->count; i++)
        if (picture->waiters[i].circle == circle) {
            if (!first)
                first = &picture->waiters[i];
            ++*members;
        }
    return first;
}

static void print_circle(const struct report *report, FILE *out, int circle)
{
    size_t members;
    const struct waiter *first = first_of_circle(report->picture, circle, &members), *at = first;
    bool timed = false;
    if (members == 1)
        fprintf(out, "Deadlock: a %s waits for itself.\n\n", task_word(report->picture));
    else
        fprintf(out, "Deadlock: %zu %ss wait for each other in a circle.\n\n", members, task_word(report->picture));
    do {
        print_waiter(report, out, at);
        timed |= at->timed;
        at = owner_of(report, at);
    } while (at && at != first);
    if (timed)
        fprintf(out, "\n    A timeout will break this circle.\n");
    fputc('\n', out);
}

/* Whether the arrows from a waiter outside lead into a circle. */
static bool leads_into_circle(const struct picture *picture, const struct waiter *waiter)
{
    size_t steps = 0;
    int at = waiter->owner;
    while (at >= 0 && picture->waiters[at].circle < 0 && steps++ < picture->count)
        at = picture->waiters[at].owner;
    return waiter->circle < 0 && at >= 0 && picture->waiters[at].circle >= 0;
}

static void print_behind(const struct report *report, FILE *out)
{
    const struct picture *picture = report->picture;
    size_t count = 0, shown = 0;
    for (size_t i = 0; i < picture->count; i++)
        count += leads_into_circle(picture, &picture->waiters[i]);
    if (!count)
        return;
    fprintf(out, "%zu more wait%s behind:\n\n", count, count == 1 ? "s" : "");
    for (size_t i = 0; i < picture->count && shown < 10; i++)
        if (leads_into_circle(picture, &picture->waiters[i])) {
            print_waiter(report, out, &picture->waiters[i]);
            shown++;
        }
    if (shown < count)
        fprintf(out, "    ... and %zu more (--json lists all)\n", count - shown);
    fputc('\n', out);
}

static void print_abandoned(const struct report *report, FILE *out)
{
    const struct picture *picture = report->picture;
    fprintf(out, "Abandoned: %zu thread%s for a lock whose owner ended without giving it back.\n\n", picture->abandoned,
            picture->abandoned == 1 ? " waits" : "s wait");
    for (size_t i = 0; i < picture->count; i++)
        if (picture->waiters[i].abandoned)
            print_waiter(report, out, &picture->waiters[i]);
    fputc('\n', out);
}

static size_t count_waiting(const struct picture *picture)
{
    size_t waiting = 0;
    for (size_t i = 0; i < picture->count; i++)
        waiting += picture->waiters[i].kind > WAIT_SLEEP;
    return waiting;
}

static void print_busiest(const struct report *report, FILE *out)
{
    const struct waiter *busiest = NULL;
    for (size_t i = 0; i < report->picture->count; i++)
        if (report->picture->waiters[i].behind > (busiest ? busiest->behind : 1))
            busiest = &report->picture->waiters[i];
    if (!busiest)
        return;
    fprintf(out, "Most threads wait for ");
    print_name(report, out, busiest);
    fprintf(out, ": %zu, directly or behind others.\n\n", busiest->behind);
}

/* With nobody held by anybody, the waits without an owner may still be why a program does not go on: show them. */
static void print_unowned(const struct report *report, FILE *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < report->picture->count && shown < 10; i++) {
        const struct waiter *waiter = &report->picture->waiters[i];
        if (waiter->kind > WAIT_SLEEP && waiter->owner < 0) {
            print_waiter(report, out, waiter);
            shown++;
        }
    }
    if (shown)
        fputc('\n', out);
}

static void print_no_deadlock(const struct report *report, FILE *out)
{
    const struct picture *picture = report->picture;
    size_t unknown = picture_unknown(picture), waiting = count_waiting(picture);
    int at = picture_longest_chain(picture);
    fprintf(out, "%s: %zu of %zu %s%s wait%s for others", unknown ? "No circle found" : "No deadlock", waiting,
            picture->count, task_word(picture), picture->count == 1 ? "" : "s", waiting == 1 ? "s" : "");
    if (unknown)
        fprintf(out, ", %zu of them without a known owner, through which a deadlock would not be seen", unknown);
    fprintf(out, ".\n\n");
    if (at >= 0) {
        fprintf(out, "Longest chain:\n\n");
        for (size_t steps = 0; at >= 0 && steps <= picture->count; steps++) {
            print_waiter(report, out, &picture->waiters[at]);
            at = picture->waiters[at].owner;
        }
        fputc('\n', out);
        print_busiest(report, out);
    } else {
        print_unowned(report, out);
    }
}

static void print_stopped(const struct report *report, FILE *out, const struct process *process)
{
    size_t stopped = 0;
    for (size_t i = 0; i < report->picture->count; i++)
        stopped +=
            report->picture->waiters[i].process == process && report->picture->waiters[i].task.state & STUCK_STOPPED;
    if (stopped)
        fprintf(out, "Process %d is stopped by a signal: 'kill -CONT %d' lets it go on.\n", process->pid, process->pid);
}

static void print_process(FILE *out, const struct process *process)
{
    fprintf(out, "Process %d (%s), %zu thread%s", process->pid, process->name, process->threads,
            process->threads == 1 ? "" : "s");
    if (process->coroutines)
        fprintf(out, ", %zu coroutine%s", process->coroutines, process->coroutines == 1 ? "" : "s");
    fputc('\n', out);
}

int report_text(const struct report *report, FILE *out)
{
    const struct picture *picture = report->picture;
    for (size_t i = 0; i < picture->process_count; i++)
        print_process(out, &picture->processes[i]);
    for (size_t i = 0; i < picture->process_count; i++)
        print_stopped(report, out, &picture->processes[i]);
    for (size_t circle = 0; circle < picture->circles; circle++)
        print_circle(report, out, circle);
    if (picture->circles)
        print_behind(report, out);
    if (picture->abandoned)
        print_abandoned(report, out);
    if (!picture->circles && !picture->abandoned)
        print_no_deadlock(report, out);
    for (size_t i = 0; i < picture->process_count; i++) {
        const struct process *process = &picture->processes[i];
        if (process->symbols && symbols_error(process->symbols))
            fprintf(out, "Note: %s.\n", symbols_error(process->symbols));
        if (process->tasks.error[0])
            fprintf(out, "Note: %s.\n", process->tasks.error);
    }
    fprintf(out, "(%u picture%s by %s in %.1f ms; nothing was stopped)\n", report->passes,
            report->passes == 1 ? "" : "s", report->reader->means->name, report->milliseconds);
    return fflush(out) || ferror(out) ? -errno : 0;
}
