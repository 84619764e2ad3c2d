/* SPDX-License-Identifier: MIT
 *
 * What a wait of the model is for, in words, and in which memory that lies.
 */
#include "model.h"
#include <stdio.h>
#include <string.h>

/* A futex by the library's name, else its variable, else its address. */
static void name_futex(struct model *model, struct session *session, struct model_wait *wait, int task)
{
    const char *word = model_kind(wait->kind, wait->reason);
    struct symbols *symbols = model_symbols(model, session, task);
    struct symbols_object object = {.address = wait->object};
    char text[256] = "";

    if (wait->kind == WAIT_KIND_JOIN) {
        wait->what = "end of a thread";
        return;
    }
    if (wait->name[0]) {
        wait->what = model_text(model, "%s \"%s\"", word, wait->name);
        return;
    }
    if (symbols) {
        symbols_data(symbols, wait->object, &object);
        symbols_object_text(&object, text, sizeof text);
    } else {
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)wait->object);
    }
    wait->what = model_text(model, "%s %s", word, text);
}

/* CPython's threads hand the interpreter to each other by a condition inside this variable. It is a lock to its users.
 */
void model_find_interpreter_lock(struct model *model, struct session *session, struct model_wait *wait, int task)
{
    struct symbols *symbols = model_symbols(model, session, task);
    struct symbols_object object = {.address = wait->object};
    if (wait->reason != WAIT_FUTEX || (wait->kind != WAIT_KIND_BITSET && wait->kind != WAIT_KIND_COND) || !symbols)
        return;
    symbols_data(symbols, wait->object, &object);
    if (!object.name || strcmp(object.name, "_PyRuntime"))
        return;
    wait->object -= object.offset;
    wait->what = "the lock of the Python interpreter (GIL)";
    wait->class = MODEL_BLOCKED;
}

bool model_is_futex(const struct model_wait *wait)
{
    return wait->reason == WAIT_LOCK || wait->reason == WAIT_FUTEX;
}

void model_name_wait(struct model *model, struct session *session, struct model_wait *wait, int task)
{
    const char *call = model_call(wait->call);
    if (*wait->what)
        return;
    if (model_is_futex(wait))
        name_futex(model, session, wait, task);
    else if (wait->kind == WAIT_KIND_SLEEP)
        wait->what = "sleep";
    else if (wait->reason == WAIT_STOPPED)
        wait->what = wait->object ? "stopped by a debugger" : "stopped by a signal";
    else if (wait->several)
        wait->what = model_text(model, *call ? "%s, several files (%s)" : "%s, several files%s",
                                model_reason(wait->reason), call);
    else if (wait->fd >= 0)
        wait->what =
            model_text(model, *call ? "%s fd %d (%s)" : "%s fd %d%s", model_reason(wait->reason), wait->fd, call);
    else if (*call && strcmp(call, model_reason(wait->reason)))
        wait->what = model_text(model, "%s (%s)", model_reason(wait->reason), call);
    else if (!*call && (wait->reason == WAIT_FAULT || wait->reason == WAIT_DISK))
        wait->what = model_text(model, "%s (page fault)", model_reason(wait->reason));
    else if (wait->reason == WAIT_OTHER && wait->call != 0xffff)
        wait->what = model_text(model, "other (system call %u)", wait->call);
    else
        wait->what = model_reason(wait->reason);
}

/* Processes may map the same memory at different addresses, and private memory at the same. */
void model_find_shared(struct model *model, struct session *session, struct model_wait *wait, int task)
{
    struct symbols *symbols = model_symbols(model, session, task);
    struct symbols_object object = {.address = wait->object};
    if (!wait->shared || !model_is_futex(wait) || !symbols)
        return;
    symbols_data(symbols, wait->object, &object);
    if (object.place != SYMBOLS_SHARED || !object.module)
        return;
    /* Memory shared by fork alone has no file of its own, but the same address. */
    bool nameless = !strncmp(object.module, "/dev/zero", 9);
    wait->shared_at =
        model_text(model, "%s+0x%llx", object.module, (unsigned long long)(nameless ? object.address : object.offset));
}
