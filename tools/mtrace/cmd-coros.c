/* SPDX-License-Identifier: MIT
 *
 * The coroutines of a program: recorded, or with -d 0 as they are.
 */
#include "cmd.h"
#include "coros.h"
#include "options.h"
#include "record.h"
#include "report.h"
#include <getopt.h>

static int run(const struct cmd *cmd, int argc, char **argv)
{
    struct options options;
    int status = options_parse(cmd, argc, argv, &options);
    if (status >= 0)
        return status;
    if (options.at_once)
        return coros_show(&options);
    optind = 0; /* from the beginning */
    return record_main(cmd, argc, argv, REPORT_COROS);
}

const struct cmd cmd_coros = {
    .name = "coros",
    .args = OPTIONS_SYNOPSIS,
    .summary = "Show the coroutines of liblinuxmt: state, what each waits for, and what keeps their hub",
    .usage =
        OPTIONS_USAGE "\n"
                      "      --threshold=SECONDS  tell of calls and runs that keep a hub for longer (default 0.1)\n"
                      "With -d 0 nothing is recorded: it shows what the processes' task records say.\n",
    .exec = run,
};
