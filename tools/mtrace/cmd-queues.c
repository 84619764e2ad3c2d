/* SPDX-License-Identifier: MIT
 *
 * The queues of a program: who puts, who gets, who waits for whom.
 */
#include "cmd.h"
#include "options.h"
#include "record.h"
#include "report.h"

static int run(const struct cmd *cmd, int argc, char **argv)
{
    return record_main(cmd, argc, argv, REPORT_QUEUES);
}

const struct cmd cmd_queues = {
    .name = "queues",
    .args = OPTIONS_SYNOPSIS,
    .summary = "Show the queues of liblinuxmt: how full, who puts and gets, who waits how long",
    .usage = OPTIONS_USAGE,
    .exec = run,
};
