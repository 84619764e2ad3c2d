/* SPDX-License-Identifier: MIT
 *
 * Where a program that was run anew turns into the process that was asked for. It has to be called by the program, in
 * main: at no earlier moment is everything that the body may use set up, the program's own constructors among it.
 */
#include "process/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int ready;

int mt__process_is_ready(void)
{
    return ready;
}

void mt_process_init(void)
{
    const char *variable = secure_getenv(MT__START_ENV);
    struct mt__start *start;
    char *end;
    long fd;

    ready = 1;
    if (!variable)
        return;
    fd = strtol(variable, &end, 10);
    start = *variable && !*end && fd >= 0 ? mt__start_open((int)fd) : NULL;
    if (!start) {
        fprintf(stderr,
                "linuxmt: the environment variable " MT__START_ENV
                "=%s says that this is a process of liblinuxmt, but leads to no block "
                "of one: unset it\n",
                variable);
        _exit(EXIT_FAILURE);
    }
    unsetenv(MT__START_ENV);
    close((int)fd);
    mt__child_run_block(start);
}
