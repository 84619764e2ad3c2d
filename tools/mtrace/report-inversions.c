/* SPDX-License-Identifier: MIT
 *
 * Locks that are taken in both orders, if the program watches that.
 */
#include "report.h"

void report_inversions(const struct report *report)
{
    const struct model *model = report->model;
    FILE *file = report->output->file;
    size_t shown = model->inversion_count < report->top ? model->inversion_count : report->top;
    if (!shown)
        return; /* most programs do not watch it: nothing is said that could be taken for an all-clear */
    report_heading(report, "locks that are taken in both orders, and can deadlock");
    for (size_t i = 0; i < shown; i++) {
        const struct model_inversion *inversion = &model->inversions[i];
        fprintf(file, "  %s wanted %s%s%s, and held %s%s%s\n",
                inversion->task >= 0 ? model->tasks[inversion->task].label : "a task", inversion->wanted,
                *inversion->wanted_place ? " at " : "", inversion->wanted_place, inversion->held,
                *inversion->held_place ? " since " : "", inversion->held_place);
    }
    report_more(report, shown, model->inversion_count, "pairs");
}
