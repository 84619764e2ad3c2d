/* SPDX-License-Identifier: MIT
 *
 * A command that waits, forked but not yet executed, until the probes are in place.
 */
#ifndef MTRACE_LAUNCH_H
#define MTRACE_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

struct launch {
    pid_t pid;
    int pidfd;  /* readable when it has ended; -1 on kernels without */
    int gate;   /* closed without a byte: the command never starts */
    int result; /* carries the errno of a failed exec */
    int status; /* of waitpid, once ended */
    bool ended;
};

/* Complains and returns false if there is no process to be had. */
bool launch_prepare(struct launch *launch, char **argv);

/* Lets it go. Returns 0, or the errno of the exec that failed. */
int launch_start(struct launch *launch);

/* Whether it has ended; wait: until it has. */
bool launch_ended(struct launch *launch, bool wait);

/* The exit status as a shell gives it. */
int launch_status(const struct launch *launch);

/* Ends one that was never started. */
void launch_abandon(struct launch *launch);

#endif
