/* SPDX-License-Identifier: MIT
 *
 * The pictures of stacks that the kernel took, unwound and put into words.
 */
#include "model.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include "wait.skel.h"

struct symbols *model_symbols(const struct model *model, struct session *session, int task)
{
    const struct wait_task *raw = &model->tasks[task].raw;
    int parent = model_task_of_slot(model, raw->parent);
    return names_of(session->names, (pid_t)raw->tgid, parent < 0 ? 0 : (pid_t)model->tasks[parent].raw.tgid);
}

size_t model_unwind(const struct model *model, struct session *session, int task, int32_t picture,
                    struct symbols_frame frames[MODEL_FRAMES])
{
    struct symbols *symbols = model_symbols(model, session, task);
    struct wait_stack stack;
    struct symbols_regs regs;
    __u32 index = (__u32)picture;
    if (!symbols || picture < 0 || bpf_map_lookup_elem(bpf_map__fd(session->bpf->maps.stacks), &index, &stack))
        return 0;
    symbols_regs_set_all(&regs, (const uint64_t *)stack.regs);
    return symbols_unwind(symbols, &regs, stack.bytes, stack.size, frames, MODEL_FRAMES);
}

void model_set_frames(struct model *model, const struct symbols_frame *frames, size_t count, const char **place,
                      const char ***stack, size_t *length)
{
    char text[SYMBOLS_TEXT_MAX];
    const struct symbols_frame *caller = symbols_caller(frames, count);
    *length = 0;
    if (caller) {
        symbols_frame_text(caller, text, sizeof text);
        *place = model_text(model, "%s", text);
    }
    *stack = calloc(count + 1, sizeof **stack);
    for (size_t i = 0; *stack && i < count; i++) {
        symbols_frame_text(&frames[i], text, sizeof text);
        (*stack)[(*length)++] = model_text(model, "%s", text);
    }
}
