/* SPDX-License-Identifier: MIT
 *
 * The default command: everything about the tasks of a program in one report.
 */
#include "cmd.h"
#include "options.h"
#include "record.h"
#include "report.h"

static int run(const struct cmd *cmd, int argc, char **argv)
{
    return record_main(cmd, argc, argv, REPORT_TASKS | REPORT_WAITS | REPORT_PRIMITIVES | REPORT_RUNQ | REPORT_WAKERS);
}

const struct cmd cmd_record = {
    .name = NULL,
    .args = OPTIONS_SYNOPSIS,
    .summary = "Show what the tasks of a program wait for, on whom and for how long",
    .usage = OPTIONS_USAGE,
    .exec = run,
};
