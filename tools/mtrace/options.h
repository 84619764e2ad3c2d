/* SPDX-License-Identifier: MIT
 *
 * The options that all recording commands share.
 */
#ifndef MTRACE_OPTIONS_H
#define MTRACE_OPTIONS_H

#include "cmd.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OPTIONS_MAX_PIDS 64

struct options {
    char **command; /* NULL: attach to pids */
    pid_t pids[OPTIONS_MAX_PIDS];
    size_t pid_count;
    double seconds;     /* 0: until the end */
    bool at_once;       /* -d 0: nothing is recorded */
    double threshold;   /* seconds: calls that keep a hub for longer are told */
    const char *output; /* NULL: standard error with a command, else standard output */
    bool json;
    unsigned top; /* rows a table */
    unsigned max_tasks, max_waits, max_stacks;
};

#define OPTIONS_SYNOPSIS                                         \
    "[-o FILE] [--json] [-d SECONDS] -- COMMAND [ARGUMENT...]\n" \
    "[-o FILE] [--json] [-d SECONDS] -p PID[,PID...]"

#define OPTIONS_USAGE                                                                                             \
    "Options:\n"                                                                                                  \
    "  -p, --pid=PID[,PID...]   trace processes that run already; Ctrl-C ends the recording\n"                    \
    "  -d, --duration=SECONDS   end the recording after this time\n"                                              \
    "  -o, --output=FILE        write the report to FILE (- is standard output); by default it\n"                 \
    "                           goes to standard error with a COMMAND, else to standard output\n"                 \
    "      --json               write it as JSON: see mtrace-json(5)\n"                                           \
    "      --top=N              show N rows in each table (default 10)\n"                                         \
    "      --max-tasks=N        room for N tasks (default 4096)\n"                                                \
    "      --max-waits=N        room for N places where a task waits (default 16384)\n"                           \
    "      --max-stacks=N       room for N stacks (default 1024)\n"                                               \
    "  -h, --help               print this and exit\n"                                                            \
    "  -V, --version            print the version and exit\n"                                                     \
    "\n"                                                                                                          \
    "Child processes and new threads are followed. With a COMMAND the exit status is the command's, 128 + N if\n" \
    "signal N killed it, 126 if it cannot be run, 127 if it is not there; 125 if mtrace itself failed.\n"

/* Returns -1 to go on, else the exit status. */
int options_parse(const struct cmd *cmd, int argc, char **argv, struct options *options);

#endif
