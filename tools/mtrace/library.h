/* SPDX-License-Identifier: MIT
 *
 * liblinuxmt in the processes of a recording: its probes are attached, and names and places in its locks are trusted.
 */
#ifndef MTRACE_LIBRARY_H
#define MTRACE_LIBRARY_H

#include "session.h"

/* The liblinuxmt that a command will load, as far as its file and the environment say; NULL: none. To be freed. */
char *library_of_command(const char *command);

/* Attaches to what processes have newly been seen to map. */
void library_attach(struct session *session);

#endif
