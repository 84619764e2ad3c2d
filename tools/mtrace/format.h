/* SPDX-License-Identifier: MIT
 *
 * Numbers as people read them. Each call gives a string from a small ring: good for a few calls in one printf.
 */
#ifndef MTRACE_FORMAT_H
#define MTRACE_FORMAT_H

#include <stdint.h>

/* "850 ns", "12.3 us", "4.56 ms", "1.20 s", "3 min 20 s" */
const char *format_time(uint64_t ns);

/* "71 %", "0.4 %", "<0.1 %", "0 %" */
const char *format_share(double share);

/* "999", "12.3 k", "4.5 M" */
const char *format_count(uint64_t count);

/* Puts '?' for each byte of text that is a control character or not UTF-8: names of other programs may hold anything,
 * and go to a terminal. */
void format_clean(char *text);

#endif
