/* SPDX-License-Identifier: MIT
 *
 * mtrace: the table of its commands and what they share on the command line. Without a command's name the first entry
 * runs.
 */
#include "config.h"
#include "cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cmd *const commands[] = {
    &cmd_record, &cmd_locks, &cmd_sched, &cmd_queues, &cmd_pool, &cmd_coros, &cmd_deadlock, &cmd_doctor, &cmd_patch,
};
#define COMMANDS (sizeof commands / sizeof *commands)

const char *program_name = "mtrace";

void complain(const char *format, ...)
{
    va_list ap;
    fflush(stdout);
    fprintf(stderr, "%s: ", program_name);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int cmd_misused(const struct cmd *cmd, const char *format, ...)
{
    va_list ap;
    fprintf(stderr, "%s: ", program_name);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\nTry '%s%s%s --help'.\n", program_name, cmd->name ? " " : "", cmd->name ? cmd->name : "");
    return CMD_FAILED;
}

/* One line of the synopsis for each line of args. */
static void print_synopsis(const struct cmd *cmd)
{
    const char *line = cmd->args, *lead = "Usage: ";
    while (*line) {
        int length = (int)strcspn(line, "\n");
        printf("%s%s%s%s %.*s\n", lead, program_name, cmd->name ? " " : "", cmd->name ? cmd->name : "", length, line);
        line += length + (line[length] == '\n');
        lead = "       ";
    }
}

/* Help that cannot be written is a failure too: "mtrace --help >/dev/full". */
static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    complain("cannot write to standard output: %s", strerror(errno));
    return CMD_FAILED;
}

int cmd_help(const struct cmd *cmd)
{
    print_synopsis(cmd);
    printf("\n%s.\n\n%s", cmd->summary, cmd->usage);
    if (!cmd->name) {
        printf("\nCommands ('%s NAME --help' says more):\n", program_name);
        for (size_t i = 1; i < COMMANDS; i++)
            printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    return finish_output();
}

int cmd_version(void)
{
    printf("mtrace (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
    return finish_output();
}

static const struct cmd *find_command(const char *name)
{
    for (size_t i = 1; i < COMMANDS; i++)
        if (!strcmp(name, commands[i]->name))
            return commands[i];
    return NULL;
}

/* A standard stream that is closed stays so for us and for what we execute, but its number is not given to a file of
 * ours, which messages would then be written to. */
static void hold_closed_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_PATH | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    hold_closed_streams();
    if (argc > 0 && argv[0][0])
        program_name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

    const struct cmd *cmd = argc > 1 ? find_command(argv[1]) : NULL;
    if (cmd)
        return cmd->exec(cmd, argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "help"))
        return cmd_help(argc > 2 && find_command(argv[2]) ? find_command(argv[2]) : &cmd_record);
    if (argc > 1 && argv[1][0] != '-')
        return cmd_misused(&cmd_record, "'%s' is not a command of mtrace; to trace a program write: %s -- %s", argv[1],
                           program_name, argv[1]);
    return cmd_record.exec(&cmd_record, argc, argv);
}
