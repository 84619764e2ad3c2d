/* SPDX-License-Identifier: MIT
 *
 * A command of mtrace: one constant a command, defined in its cmd-NOUN.c and listed in main.c. main.c answers --help
 * from it, so that what is printed, what completes and what runs cannot drift apart.
 */
#ifndef MTRACE_CMD_H
#define MTRACE_CMD_H

#include <stdarg.h>
#include <stdbool.h>

/* mtrace's own failures, whatever they are: not the status of a command that it runs. As of timeout(1) and env(1). */
#define CMD_FAILED      125
#define CMD_CANNOT_EXEC 126
#define CMD_NOT_FOUND   127

struct cmd {
    const char *name;    /* "locks"; NULL for the command that runs when none is named */
    const char *args;    /* what follows the name in the synopsis; several lines are several forms */
    const char *summary; /* one line, no full stop */
    const char *usage;   /* the options, a line each, as --help prints them */

    /* argv[0] is the command's name. Returns the exit status. */
    int (*exec)(const struct cmd *cmd, int argc, char **argv);
};

extern const struct cmd cmd_record;
extern const struct cmd cmd_locks;
extern const struct cmd cmd_sched;
extern const struct cmd cmd_queues;
extern const struct cmd cmd_pool;
extern const struct cmd cmd_coros;
extern const struct cmd cmd_deadlock;
extern const struct cmd cmd_doctor;
extern const struct cmd cmd_patch;

/* The name that mtrace was installed under, for messages. */
extern const char *program_name;

/* --help and --version of a command. They return the exit status. */
int cmd_help(const struct cmd *cmd);
int cmd_version(void);

/* "mtrace: MESSAGE" on standard error, with a line end. Says what is wrong and what to do. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for wrong options: adds where help is found. Returns CMD_FAILED. */
int cmd_misused(const struct cmd *cmd, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
