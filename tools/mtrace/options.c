/* SPDX-License-Identifier: MIT
 *
 * The command line of a recording. Everything wrong with it is said before anything is started.
 */
#include "options.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_JSON = 256, OPT_TOP, OPT_MAX_TASKS, OPT_MAX_WAITS, OPT_MAX_STACKS, OPT_THRESHOLD };

static const struct option long_options[] = {
    {"pid", required_argument, NULL, 'p'},
    {"duration", required_argument, NULL, 'd'},
    {"output", required_argument, NULL, 'o'},
    {"json", no_argument, NULL, OPT_JSON},
    {"top", required_argument, NULL, OPT_TOP},
    {"max-tasks", required_argument, NULL, OPT_MAX_TASKS},
    {"max-waits", required_argument, NULL, OPT_MAX_WAITS},
    {"max-stacks", required_argument, NULL, OPT_MAX_STACKS},
    {"threshold", required_argument, NULL, OPT_THRESHOLD},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static bool parse_number(const char *text, long low, long high, long *number, char **end)
{
    errno = 0;
    *number = strtol(text, end, 10);
    return *end != text && !errno && *number >= low && *number <= high;
}

static bool parse_unsigned(const char *text, long low, long high, unsigned *value)
{
    long number;
    char *end;
    if (!parse_number(text, low, high, &number, &end) || *end)
        return false;
    *value = (unsigned)number;
    return true;
}

static bool parse_pids(const char *text, struct options *options)
{
    for (;;) {
        long number;
        char *end;
        if (options->pid_count == OPTIONS_MAX_PIDS || !parse_number(text, 1, INT_MAX, &number, &end))
            return false;
        options->pids[options->pid_count++] = (pid_t)number;
        if (!*end)
            return true;
        if (*end != ',')
            return false;
        text = end + 1;
    }
}

static bool parse_seconds(const char *text, double *seconds)
{
    char *end;
    *seconds = strtod(text, &end);
    return end != text && !*end && isfinite(*seconds) && *seconds >= 0 && *seconds <= 1e8;
}

static const char *option_name(int option)
{
    const struct option *known = long_options;
    while (known->name && known->val != option)
        known++;
    return known->name ? known->name : "";
}

/* Returns NULL, or what is expected instead. */
static const char *take_option(const struct cmd *cmd, int option, struct options *options)
{
    switch (option) {
    case 'p':
        return parse_pids(optarg, options) ? NULL : "process ids, such as 42 or 42,43 (64 at most)";
    case 'd':
        options->at_once = parse_seconds(optarg, &options->seconds) && options->seconds <= 0 && cmd == &cmd_coros;
        return options->seconds > 0 || options->at_once ? NULL : "seconds, such as 10 or 0.5";
    case 'o':
        options->output = optarg;
        return *optarg ? NULL : "a file name";
    case OPT_JSON:
        options->json = true;
        return NULL;
    case OPT_THRESHOLD:
        return cmd == &cmd_coros && parse_seconds(optarg, &options->threshold) && options->threshold > 0
                   ? NULL
                   : "seconds, such as 0.1, and only for mtrace coros";
    case OPT_TOP:
        return parse_unsigned(optarg, 1, 100000, &options->top) ? NULL : "a number from 1 to 100000";
    case OPT_MAX_TASKS:
        return parse_unsigned(optarg, 1, 1 << 20, &options->max_tasks) ? NULL : "a number from 1 to 1048576";
    case OPT_MAX_WAITS:
        return parse_unsigned(optarg, 1, 1 << 22, &options->max_waits) ? NULL : "a number from 1 to 4194304";
    default:
        return parse_unsigned(optarg, 1, 1 << 18, &options->max_stacks) ? NULL : "a number from 1 to 262144";
    }
}

static int check_target(const struct cmd *cmd, const struct options *options)
{
    if (options->command && options->pid_count)
        return cmd_misused(cmd, "give either a command or -p, not both");
    if (!options->command && !options->pid_count)
        return cmd_misused(cmd, "nothing to trace: give a command after '--', or a process with -p PID");
    if (options->command && options->at_once)
        return cmd_misused(cmd, "-d 0 shows what is there: it needs a process, with -p PID");
    if (options->command && !options->command[0][0])
        return cmd_misused(cmd, "the command's name is empty");
    return -1;
}

int options_parse(const struct cmd *cmd, int argc, char **argv, struct options *options)
{
    *options = (struct options){.top = 10, .max_tasks = 4096, .max_waits = 16384, .max_stacks = 1024, .threshold = 0.1};
    opterr = 0;
    for (;;) {
        int option = getopt_long(argc, argv, "+:p:d:o:hV", long_options, NULL);
        if (option < 0)
            break;
        if (option == 'h')
            return cmd_help(cmd);
        if (option == 'V')
            return cmd_version();
        if (option == ':')
            return cmd_misused(cmd, "%s needs a value", argv[optind - 1]);
        if (option == '?')
            return cmd_misused(cmd, "there is no option %s", argv[optind - 1]);
        const char *expected = take_option(cmd, option, options);
        if (expected)
            return cmd_misused(cmd, "--%s cannot be '%s': expected %s", option_name(option), optarg, expected);
    }
    if (optind < argc)
        options->command = argv + optind;
    return check_target(cmd, options);
}
