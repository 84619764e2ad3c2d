/* SPDX-License-Identifier: MIT
 *
 * The report for programs; mtrace-deadlock(1) documents it. Members are only added: "version" counts changes that break
 * readers. Times are integers of nanoseconds.
 */
#include "config.h"
#include "deadlock.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

/* Names from other processes may be anything; jansson takes UTF-8 only. */
static json_t *string_of(const char *text)
{
    char clean[512];
    size_t length = 0;
    json_t *string = json_string(text);
    for (; !string && text[length] && length + 1 < sizeof(clean); length++)
        clean[length] = (unsigned char)text[length] < 128 ? text[length] : '?';
    clean[length] = 0;
    return string ? string : json_string(clean);
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(object, key, string_of(text));
}

static json_t *hex(uint64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "0x%" PRIx64, number);
    return json_string(text);
}

static json_t *frame_object(const struct symbols_frame *frame)
{
    json_t *object = json_pack("{s:o}", "address", hex(frame->address));
    set_text(object, "function", frame->function);
    set_text(object, "file", frame->file);
    if (frame->line)
        json_object_set_new(object, "line", json_integer(frame->line));
    set_text(object, "module", frame->module);
    if (frame->module)
        json_object_set_new(object, "module_offset", hex(frame->module_offset));
    if (frame->inlined)
        json_object_set_new(object, "inlined", json_true());
    return object;
}

static const char *kind_word(const struct waiter *waiter)
{
    static const char *const words[] = {
        [WAIT_NONE] = "none",   [WAIT_CALL] = "call",           [WAIT_SLEEP] = "sleep", [WAIT_FUTEX] = "futex",
        [WAIT_MUTEX] = "mutex", [WAIT_ROBUST] = "robust_mutex", [WAIT_PI] = "pi",       [WAIT_RWLOCK] = "rwlock",
        [WAIT_LOCK] = "lock",   [WAIT_JOIN] = "join",           [WAIT_TASK] = "task",
    };
    return words[waiter->kind];
}

static json_t *wait_object(const struct report *report, const struct waiter *waiter, const struct wait_words *words)
{
    const struct waiter *owner = waiter->owner >= 0 ? &report->picture->waiters[waiter->owner] : NULL;
    json_t *object = json_pack("{s:s, s:b}", "kind", kind_word(waiter), "timed", waiter->timed);
    if (waiter->kind == WAIT_CALL)
        set_text(object, "call", waiter_call_name(waiter));
    if (waiter->kind == WAIT_TASK)
        set_text(object, "what", words->kind);
    if (waiter->kind > WAIT_SLEEP && waiter->kind != WAIT_JOIN)
        json_object_set_new(object, "address", hex(waiter->object));
    set_text(object, "name", words->lock);
    set_text(object, "acquired_at", words->acquired);
    if (waiter->owner_tid)
        json_object_set_new(object, "owner", json_integer(owner ? waiter_number(owner) : waiter->owner_tid));
    if (waiter->owner_pid)
        json_object_set_new(object, "owner_pid", json_integer(waiter->owner_pid));
    if (waiter->abandoned)
        json_object_set_new(object, "abandoned", json_true());
    return object;
}

static json_t *thread_object(const struct report *report, const struct waiter *waiter)
{
    struct wait_words words;
    waiter_words(waiter, report->reader, &words);
    json_t *stack = json_array();
    for (size_t i = 0; i < words.frame_count; i++)
        json_array_append_new(stack, frame_object(&words.frames[i]));
    json_t *object = json_pack("{s:i, s:i, s:I}", "pid", waiter->process->pid, "tid", (int)waiter_number(waiter),
                               "behind", (json_int_t)waiter->behind);
    set_text(object, "name", words.task);
    if (waiter->coroutine && waiter->record)
        json_object_set_new(object, "coroutine", json_integer((json_int_t)waiter->record->id));
    if (waiter->circle >= 0)
        json_object_set_new(object, "circle", json_integer(waiter->circle));
    json_object_set_new(object, "wait", wait_object(report, waiter, &words));
    if (words.at)
        json_object_set_new(object, "at", frame_object(words.at));
    set_text(object, "place", words.place);
    json_object_set_new(object, "stack", stack);
    return object;
}

/* The threads of each circle in the order of the arrows. */
static json_t *circles_array(const struct picture *picture)
{
    json_t *circles = json_array();
    for (int circle = 0; circle < (int)picture->circles; circle++) {
        json_t *members = json_array();
        int first = 0;
        while (picture->waiters[first].circle != circle)
            first++;
        int at = first;
        do {
            json_array_append_new(members, json_integer(waiter_number(&picture->waiters[at])));
            at = picture->waiters[at].owner;
        } while (at >= 0 && at != first);
        json_array_append_new(circles, members);
    }
    return circles;
}

static json_t *processes_array(const struct picture *picture, json_t *notes)
{
    json_t *processes = json_array();
    for (size_t i = 0; i < picture->process_count; i++) {
        const struct process *process = &picture->processes[i];
        json_t *object = json_pack("{s:i, s:I}", "pid", process->pid, "threads", (json_int_t)process->threads);
        set_text(object, "name", process->name);
        json_array_append_new(processes, object);
        if (process->symbols && symbols_error(process->symbols))
            json_array_append_new(notes, string_of(symbols_error(process->symbols)));
        if (process->tasks.error[0])
            json_array_append_new(notes, string_of(process->tasks.error));
    }
    return processes;
}

int report_json(const struct report *report, FILE *out)
{
    const struct picture *picture = report->picture;
    json_t *threads = json_array(), *notes = json_array();
    for (size_t i = 0; i < picture->count; i++)
        json_array_append_new(threads, thread_object(report, &picture->waiters[i]));
    json_t *root =
        json_pack("{s:s, s:i, s:s, s:b, s:I, s:o, s:o, s:o, s:s, s:i, s:I}", "report", "deadlock", "version", 1,
                  "mtrace", PACKAGE_VERSION, "deadlock", picture->circles || picture->abandoned, "unknown",
                  (json_int_t)picture_unknown(picture), "circles", circles_array(picture), "threads", threads,
                  "processes", processes_array(picture, notes), "means", report->reader->means->name, "pictures",
                  (int)report->passes, "duration", (json_int_t)(report->milliseconds * 1e6));
    if (!root)
        return -ENOMEM;
    json_object_set_new(root, "notes", notes);
    int failed = json_dumpf(root, out, JSON_INDENT(2)) || fputc('\n', out) == EOF || fflush(out) || ferror(out);
    int error = failed ? errno ? -errno : -EIO : 0;
    json_decref(root);
    return error;
}
