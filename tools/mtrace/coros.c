/* SPDX-License-Identifier: MIT
 *
 * See coros.h. It needs no eBPF: only the right to read the processes' records.
 */
#include "coros.h"
#include "caps.h"
#include "format.h"
#include "model.h"
#include "report.h"
#include "tasks.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool is_hub(const struct tasks *tasks, const struct mt__record *record)
{
    for (size_t i = 0; record->kind == MT_THREAD && i < tasks->count; i++)
        if (tasks->records[i].kind == MT_COROUTINE && tasks->records[i].thread == record->tid)
            return true;
    return false;
}

static struct model_hub *hub_of(struct model *model, const struct tasks *tasks, const struct mt__record *record)
{
    int tid = record->kind == MT_COROUTINE ? record->thread : record->tid;
    const struct mt__record *thread = tasks_by_tid(tasks, tid);
    struct model_hub *hub = model_hub_of(model, tasks->pid, tid, -1, thread && thread->name[0] ? thread->name : "?");
    if (hub && thread && thread->blocked) {
        hub->monitor_count = thread->blocked;
        hub->monitor_most = thread->blocked_most;
        hub->monitor_name = model_text(model, "%.*s", (int)sizeof thread->blocked_by - 1, thread->blocked_by);
    }
    return hub;
}

static bool add_coro(struct model *model, struct symbols *symbols, const struct tasks *tasks,
                     const struct mt__record *record)
{
    struct model_hub *hub = hub_of(model, tasks, record);
    struct model_coro *more = hub ? realloc(model->coros, (model->coro_count + 1) * sizeof *more) : NULL;
    uint64_t now = model->started;
    if (!more)
        return false;
    model->coros = more;
    struct model_coro *coro = &more[model->coro_count++];
    *coro = (struct model_coro){.id = record->id,
                                .hub = (int)(hub - model->hubs),
                                .task = -1,
                                .root = record->kind != MT_COROUTINE,
                                .state = record->state,
                                .what = "",
                                .call = "",
                                .place = "",
                                .body = model_body(model, symbols, record->kind == MT_COROUTINE ? record->body : 0),
                                .object_name = "",
                                .waits = record->waits,
                                .waited = record->waited};
    coro->name = record->name[0] ? model_text(model, "%s", record->name)
                                 : model_text(model, "coroutine-%llu", (unsigned long long)record->id);
    if (record->state == MT_RUNNING)
        model_say_place(model, coro, symbols, tasks, record);
    if (record->state != MT_WAITING)
        return true;
    coro->since = now > (uint64_t)record->wait_since ? now - (uint64_t)record->wait_since : 0;
    model_say_wait(model, coro, symbols, record->wait_reason, record->wait_object, record->wait_name,
                   record->wait_place);
    model_say_place(model, coro, symbols, tasks, record);
    return true;
}

static bool add_process(struct model *model, struct symbols *symbols, const struct tasks *tasks)
{
    for (size_t i = 0; i < tasks->count; i++) {
        const struct mt__record *record = &tasks->records[i];
        if (record->state == MT_DEAD || (record->kind != MT_COROUTINE && !is_hub(tasks, record)))
            continue;
        if (!add_coro(model, symbols, tasks, record))
            return false;
    }
    return true;
}

/* 0, or the exit status after a complaint. */
static int read_process(struct model *model, struct symbols **symbols, pid_t pid)
{
    struct tasks tasks;
    int error = tasks_open(&tasks, pid), status = 0;
    if (!error)
        error = tasks_read(&tasks);
    *symbols = symbols_open(pid);
    if (error == -EACCES || error == -EPERM)
        complain("the task records of process %d may not be read: run as its user, or as root", pid);
    else if (error && error != -ENOENT)
        complain("%s", tasks.error[0] ? tasks.error : strerror(-error));
    else if (!*symbols || (!error && !add_process(model, *symbols, &tasks)))
        complain("out of memory");
    else
        goto done;
    status = CMD_FAILED;
done:
    tasks_close(&tasks);
    return status;
}

static int write_report(struct model *model, const struct options *options)
{
    struct output output;
    signal(SIGXFSZ, SIG_IGN); /* as in record.c */
    if (!output_open(&output, options->output, stdout))
        return CMD_FAILED;
    struct report report = {model, &output, REPORT_COROS, options->top};
    if (!options->json) {
        report_print(&report);
    } else if (!report_print_json(&report)) {
        complain("out of memory");
        output_discard(&output);
        return CMD_FAILED;
    }
    return output_close(&output) ? 0 : CMD_FAILED;
}

int coros_show(const struct options *options)
{
    struct symbols *symbols[OPTIONS_MAX_PIDS] = {NULL};
    struct model *model;
    int status = 0;
    for (size_t i = 0; i < options->pid_count; i++)
        if (!caps_require_process(options->pids[i]))
            return CMD_FAILED;
    model = calloc(1, sizeof *model);
    if (!model) {
        complain("out of memory");
        return CMD_FAILED;
    }
    model->snapshot = true;
    model->started = session_clock();
    model->threshold = (uint64_t)(options->threshold * 1e9);
    for (size_t i = 0; !status && i < options->pid_count; i++)
        status = read_process(model, &symbols[i], options->pids[i]);
    if (!status) {
        model_sort_coros(model);
        model_judge_coros(model);
        status = write_report(model, options);
    }
    model_free(model);
    for (size_t i = 0; i < options->pid_count; i++)
        if (symbols[i])
            symbols_close(symbols[i]);
    return status;
}
