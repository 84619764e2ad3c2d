/* SPDX-License-Identifier: MIT
 *
 * How values of the model become JSON, for all files that write a part of a report: see mtrace-json(5).
 */
#ifndef MTRACE_JSON_H
#define MTRACE_JSON_H

#include "model.h"
#include <jansson.h>

/* jansson refuses text that is not UTF-8, which names from other processes may hold. */
json_t *json_text(const char *value);

/* null for what is not known: "" or 0. */
json_t *json_text_or_null(const char *value);
json_t *json_address_or_null(uint64_t value);

json_t *json_number(uint64_t value);
json_t *json_histogram(const struct histogram *histogram);

/* The parts of a report that have a file of their own. */
json_t *json_queues(const struct model *model);
json_t *json_pools(const struct model *model);
json_t *json_inversions(const struct model *model);
json_t *json_hubs(struct model *model);
json_t *json_coros(const struct model *model);
json_t *json_ended(const struct model *model);

#endif
