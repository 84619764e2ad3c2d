/* SPDX-License-Identifier: MIT
 *
 * Where a report goes. A file is written beside its name and takes the name only when every byte of it is on its way to
 * the disk: what stands under the name is whole, or the old one.
 */
#ifndef MTRACE_OUTPUT_H
#define MTRACE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
    FILE *file;
    char *path; /* NULL: a stream that was there before */
    char *temporary;
    bool color; /* a terminal that wants it */
    bool utf8;
};

/* path: NULL for the stream given, "-" for standard output. Complains and returns false if it cannot be opened. */
bool output_open(struct output *output, const char *path, FILE *stream);

/* Finishes it. Complains and returns false if not all could be written; then the name is as it was before. */
bool output_close(struct output *output);

/* Gives it up. */
void output_discard(struct output *output);

#endif
