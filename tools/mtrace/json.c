/* SPDX-License-Identifier: MIT
 *
 * See json.h.
 */
#include "json.h"

json_t *json_text(const char *value)
{
    json_t *string = json_string(value);
    if (string)
        return string;
    char clean[512];
    size_t n = 0;
    for (; value[n] && n + 1 < sizeof clean; n++)
        clean[n] = (unsigned char)value[n] < 128 ? value[n] : '?';
    clean[n] = 0;
    return json_string(clean);
}

json_t *json_text_or_null(const char *value)
{
    return *value ? json_text(value) : json_null();
}

json_t *json_number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *json_address_or_null(uint64_t value)
{
    char hex[32];
    if (!value)
        return json_null();
    snprintf(hex, sizeof hex, "0x%llx", (unsigned long long)value);
    return json_string(hex);
}

static json_t *percentile(const struct histogram *histogram, double percent)
{
    return histogram->count ? json_number(histogram_percentile(histogram, percent)) : json_null();
}

json_t *json_histogram(const struct histogram *histogram)
{
    json_t *buckets = json_array();
    for (unsigned i = 0; i < WAIT_BUCKETS; i++)
        if (histogram->buckets[i])
            json_array_append_new(buckets,
                                  json_pack("{s:o, s:o, s:o}", "from", json_number(1ull << i), "to",
                                            json_number(2ull << i), "count", json_number(histogram->buckets[i])));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "count", json_number(histogram->count), "p50",
                     percentile(histogram, 50), "p90", percentile(histogram, 90), "p99", percentile(histogram, 99),
                     "max", json_number(histogram->max), "buckets", buckets);
}
