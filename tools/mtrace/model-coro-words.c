/* SPDX-License-Identifier: MIT
 *
 * The words for what coroutines do: in their library's own terms, as the kernel only sees a hub in its loop.
 */
#include "format.h"
#include "left.h"
#include "model.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

bool model_is_place(const char *place)
{
    return strpbrk(place, ":+ ") != NULL;
}

const char *model_place(struct model *model, const char *place, size_t size)
{
    char clean[WAIT_PLACE_MAX];
    const char *slash;
    snprintf(clean, sizeof clean, "%.*s", (int)size - 1, place);
    format_clean(clean);
    slash = strrchr(clean, '/');
    return model_text(model, "%s", slash ? slash + 1 : clean);
}

static const char *kind_word(uint32_t reason)
{
    enum wait_kind kind = model_kind_of_library(reason);
    return kind == WAIT_KIND_PLAIN ? "wait" : model_kind(kind, WAIT_FUTEX);
}

bool model_is_fd(uint64_t object)
{
    return object <= INT_MAX;
}

static const char *end_of(struct model *model, pid_t tgid, uint64_t id, const char *name)
{
    for (size_t i = 0; !*name && i < model->coro_count; i++)
        if (model->coros[i].id == id && model->hubs[model->coros[i].hub].tgid == tgid)
            name = model->coros[i].name;
    return *name ? model_text(model, "end of \"%s\"", name) : "end of a task";
}

const char *model_library_wait(struct model *model, struct symbols *symbols, pid_t tgid, uint32_t reason,
                               uint64_t object, const char *name)
{
    struct symbols_object found = {.address = object};
    char text[256];
    if (reason == MT_WAIT_SLEEP)
        return "sleep";
    if (reason == MT_WAIT_IO && !object)
        return "descriptors";
    if (reason == MT_WAIT_IO)
        return model_is_fd(object) ? model_text(model, "fd %d", (int)object) : "a call off the hub";
    if (reason == MT_WAIT_JOIN)
        return end_of(model, tgid, object, name);
    if (*name)
        return model_text(model, "%s \"%s\"", kind_word(reason), name);
    if (!object || !symbols)
        return kind_word(reason);
    symbols_data(symbols, object, &found);
    symbols_object_text(&found, text, sizeof text);
    return model_text(model, "%s %s", kind_word(reason), text);
}

const char *model_clean(struct model *model, const char *name, size_t size)
{
    char clean[WAIT_PLACE_MAX];
    snprintf(clean, sizeof clean, "%.*s", (int)size - 1, name);
    format_clean(clean);
    return model_text(model, "%s", clean);
}

void model_say_wait(struct model *model, struct model_coro *coro, struct symbols *symbols, uint32_t reason,
                    uint64_t object, const char *name, const char *place)
{
    coro->reason = reason;
    coro->object = object;
    coro->object_name = model_clean(model, name, WAIT_NAME_MAX);
    coro->what = model_library_wait(model, symbols, model->hubs[coro->hub].tgid, reason, object, coro->object_name);
    coro->place = model_place(model, place, WAIT_PLACE_MAX);
    coro->call = "";
    if (!model_is_place(coro->place)) {
        coro->call = coro->place;
        coro->place = "";
    }
}

static const char *call_name(struct model *model, int number)
{
    const char *name = number <= UINT16_MAX ? model_call((uint16_t)number) : "";
    return *name ? name : model_text(model, "system call %d", number);
}

void model_say_place(struct model *model, struct model_coro *coro, struct symbols *symbols, const struct tasks *tasks,
                     const struct mt__record *record)
{
    const struct symbols_frame *caller;
    const char *place = "";
    struct left left;
    left_find(&left, tasks, record, symbols);
    if (!left.count)
        return;
    if (coro->state == MT_RUNNING && left.call >= 0)
        coro->call = call_name(model, left.call);
    model_set_frames(model, left.frames, left.count, &place, &coro->stack, &coro->frames);
    caller = symbols_caller(left.frames, left.count);
    if (!*coro->place && !caller->runtime)
        coro->place = place;
}

const char *model_body(struct model *model, struct symbols *symbols, uint64_t body)
{
    struct symbols_frame frame;
    char text[160];
    if (!symbols || !body || !symbols_code(symbols, body, false, &frame, 1))
        return "";
    if (frame.function)
        return model_text(model, "%s", frame.function);
    symbols_frame_text(&frame, text, sizeof text);
    return model_text(model, "%s", text);
}
