/* SPDX-License-Identifier: MIT
 *
 * A whole recording from the command line to the report: what the recording commands share.
 */
#ifndef MTRACE_RECORD_H
#define MTRACE_RECORD_H

#include "cmd.h"

/* parts: enum report_parts. Returns the exit status. */
int record_main(const struct cmd *cmd, int argc, char **argv, unsigned parts);

#endif
