/* SPDX-License-Identifier: MIT
 *
 * Locks that were taken in both orders, as liblinuxmt found while it watched the order.
 */
#include "format.h"
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "wait.skel.h"

static const char *place_of(struct model *model, const char *place)
{
    char clean[WAIT_PLACE_MAX];
    snprintf(clean, sizeof clean, "%.*s", WAIT_PLACE_MAX - 1, place);
    format_clean(clean);
    return model_text(model, "%s", clean);
}

/* By its name, else by the variable that it is in. */
static const char *name_of(struct model *model, struct session *session, int task, const struct wait_ordered *lock)
{
    char text[256];
    struct symbols *symbols = task >= 0 ? model_symbols(model, session, task) : NULL;
    struct symbols_object object = {.address = lock->address};
    snprintf(text, sizeof text, "%.*s", WAIT_NAME_MAX - 1, lock->name);
    format_clean(text);
    if (*text)
        return model_text(model, "\"%s\"", text);
    snprintf(text, sizeof text, "0x%llx", (unsigned long long)lock->address);
    if (symbols) {
        symbols_data(symbols, lock->address, &object);
        symbols_object_text(&object, text, sizeof text);
    }
    return model_text(model, "%s", text);
}

bool model_add_inversions(struct model *model, struct session *session)
{
    int fd = bpf_map__fd(session->bpf->maps.inversions);
    for (__u32 index = 0; index < session->bpf->bss->inversions_used && index < WAIT_INVERSIONS; index++) {
        struct wait_inversion raw;
        if (bpf_map_lookup_elem(fd, &index, &raw) || !raw.slot)
            continue;
        struct model_inversion *more = realloc(model->inversions, (model->inversion_count + 1) * sizeof *more);
        if (!more)
            return false;
        model->inversions = more;
        int task = model_task_of_slot(model, raw.slot);
        more[model->inversion_count++] = (struct model_inversion){
            .task = task,
            .tgid = (pid_t)raw.tgid,
            .wanted = name_of(model, session, task, &raw.wanted),
            .wanted_place = place_of(model, raw.wanted.place),
            .held = name_of(model, session, task, &raw.held),
            .held_place = place_of(model, raw.held.place),
        };
    }
    return true;
}
