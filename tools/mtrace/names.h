/* SPDX-License-Identifier: MIT
 *
 * The symbol contexts of the processes of a recording, opened while the processes live so that they answer when these
 * are gone.
 */
#ifndef MTRACE_NAMES_H
#define MTRACE_NAMES_H

#include "symbols.h"
#include <stdbool.h>

struct names;

struct names *names_open(void);
void names_close(struct names *names);

/* Something new has been seen in a process: its mappings are read, now or by names_tick if that was done a moment ago.
 */
void names_touch(struct names *names, pid_t tgid);

/* A process that is known, if it is, maps something else now. */
void names_changed(struct names *names, pid_t tgid);

/* Reads what was put off. Returns whether something still is: then it is to be called again within some milliseconds.
 */
bool names_tick(struct names *names);

/* The context of a process, or that of its parent if it was gone too soon; NULL if there is none. */
struct symbols *names_of(struct names *names, pid_t tgid, pid_t parent);

/* A sentence on a process whose mappings may not be read; NULL: there is none. */
const char *names_error(const struct names *names);

/* A liblinuxmt that will be mapped, to be given out by the next call before any process is seen to map it. */
void names_expect_library(struct names *names, const char *path);

/* The path of a liblinuxmt that some process of the recording has mapped, each once; NULL: no more. */
char *names_new_library(struct names *names);

/* A process that has mapped one, each once; 0: no more. */
pid_t names_library_user(struct names *names);

#endif
