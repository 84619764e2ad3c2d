/* SPDX-License-Identifier: MIT
 *
 * The pools of a program: what their tasks and workers did.
 */
#include "cmd.h"
#include "options.h"
#include "record.h"
#include "report.h"

static int run(const struct cmd *cmd, int argc, char **argv)
{
    return record_main(cmd, argc, argv, REPORT_POOLS);
}

const struct cmd cmd_pool = {
    .name = "pool",
    .args = OPTIONS_SYNOPSIS,
    .summary = "Show the pools of liblinuxmt: tasks queued, running and failed, and the workers",
    .usage = OPTIONS_USAGE,
    .exec = run,
};
