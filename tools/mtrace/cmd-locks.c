/* SPDX-License-Identifier: MIT
 *
 * The locks of a program, in the manner of mutrace: one row a lock that tasks slept on.
 */
#include "cmd.h"
#include "options.h"
#include "record.h"
#include "report.h"

static int run(const struct cmd *cmd, int argc, char **argv)
{
    return record_main(cmd, argc, argv, REPORT_LOCKS | REPORT_PRIMITIVES);
}

const struct cmd cmd_locks = {
    .name = "locks",
    .args = OPTIONS_SYNOPSIS,
    .summary = "Show the locks that tasks slept on: how often, how long, and who held them",
    .usage = OPTIONS_USAGE,
    .exec = run,
};
