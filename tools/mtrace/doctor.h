/* SPDX-License-Identifier: MIT
 *
 * What "mtrace doctor" looks at: each check says whether it works, what was seen, and the command that would mend it.
 */
#ifndef MTRACE_DOCTOR_H
#define MTRACE_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum verdict {
    VERDICT_OK,
    VERDICT_LESS, /* works with less: what is lost is said */
    VERDICT_NO,   /* mtrace needs it */
};

struct check {
    const char *key; /* for --json */
    const char *title;
    enum verdict verdict;
    char detail[320]; /* what was seen */
    char mend[256];   /* the command; "" if there is nothing to do or no command does it */
};

#define MOST_CHECKS 32

struct checks {
    struct check list[MOST_CHECKS];
    size_t count;
};

/* Adds a check; the detail follows the format. */
struct check *checks_add(struct checks *checks, const char *key, const char *title, enum verdict verdict,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Says how to mend the check last added. */
void checks_mend(struct checks *checks, const char *format, ...) __attribute__((format(printf, 2, 3)));

void check_system(struct checks *checks); /* what files and calls tell */
void check_hooks(struct checks *checks);  /* what can only be tried */

#endif
