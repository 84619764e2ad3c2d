/* SPDX-License-Identifier: MIT
 *
 * Histograms by powers of two, and the percentiles read off them: true to within the width of a bucket, never below the
 * shortest time or above the longest.
 */
#include "histogram.h"

static void widen(struct histogram *sum, uint64_t count, uint64_t min, uint64_t max)
{
    if (!count)
        return;
    sum->min = !sum->count || min < sum->min ? min : sum->min;
    sum->max = max > sum->max ? max : sum->max;
    sum->count += count;
}

void histogram_add(struct histogram *sum, const __u32 buckets[WAIT_BUCKETS], uint64_t min, uint64_t max)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
        sum->buckets[i] += buckets[i];
        count += buckets[i];
    }
    widen(sum, count, min, max);
}

void histogram_join(struct histogram *sum, const struct histogram *more)
{
    for (unsigned i = 0; i < WAIT_BUCKETS; i++)
        sum->buckets[i] += more->buckets[i];
    widen(sum, more->count, more->min, more->max);
}

unsigned histogram_bucket(uint64_t ns)
{
    unsigned bucket = ns ? 63 - (unsigned)__builtin_clzll(ns) : 0;
    return bucket < WAIT_BUCKETS ? bucket : WAIT_BUCKETS - 1;
}

/* Between the ends of the bucket, as far as times can lie there. */
static uint64_t within(const struct histogram *histogram, unsigned bucket, double part)
{
    uint64_t low = bucket ? 1ull << bucket : 0, high = 2ull << bucket;
    if (low < histogram->min)
        low = histogram->min;
    if (high > histogram->max || bucket == WAIT_BUCKETS - 1)
        high = histogram->max;
    return low < high ? low + (uint64_t)((double)(high - low) * part) : high;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    double wanted = (double)histogram->count * percent / 100, seen = 0;
    for (unsigned i = 0; i < WAIT_BUCKETS && histogram->count > 1; i++) {
        double here = (double)histogram->buckets[i];
        if (here > 0 && seen + here >= wanted)
            return within(histogram, i, (wanted - seen) / here);
        seen += here;
    }
    return histogram->max;
}
