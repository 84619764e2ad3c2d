/* SPDX-License-Identifier: MIT
 *
 * Histograms of times by powers of two, as the kernel side fills them: bucket n counts times from 2^n to 2^(n+1) ns.
 */
#ifndef MTRACE_HISTOGRAM_H
#define MTRACE_HISTOGRAM_H

#include "wait.h"
#include <stddef.h>
#include <stdint.h>

struct histogram {
    uint64_t count;
    uint64_t min, max; /* the shortest and the longest time, exactly; min 0: not known */
    uint64_t buckets[WAIT_BUCKETS];
};

/* Adds what the kernel counted; min 0: it did not keep the shortest. */
void histogram_add(struct histogram *sum, const __u32 buckets[WAIT_BUCKETS], uint64_t min, uint64_t max);
void histogram_join(struct histogram *sum, const struct histogram *more);

/* The bucket that a time falls into. */
unsigned histogram_bucket(uint64_t ns);

/* The time that `percent` of all times do not pass, interpolated inside its bucket; 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
