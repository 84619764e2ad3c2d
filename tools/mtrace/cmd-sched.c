/* SPDX-License-Identifier: MIT
 *
 * The scheduler's view, in the manner of perf sched timehist.
 */
#include "cmd.h"
#include "options.h"
#include "record.h"
#include "report.h"

static int run(const struct cmd *cmd, int argc, char **argv)
{
    return record_main(cmd, argc, argv, REPORT_SCHED | REPORT_RUNQ | REPORT_WAKERS);
}

const struct cmd cmd_sched = {
    .name = "sched",
    .args = OPTIONS_SYNOPSIS,
    .summary = "Show how long tasks ran, waited, and were ready without a CPU",
    .usage = OPTIONS_USAGE,
    .exec = run,
};
