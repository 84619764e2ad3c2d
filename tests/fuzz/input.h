/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share: the input, byte by byte, and the end of a run that must not be.
 */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

/* 0 behind its end. */
static inline unsigned take(struct input *input)
{
    if (!input->size)
        return 0;
    input->size--;
    return *input->data++;
}

static inline void must(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "it was fooled: %s\n", what);
        abort();
    }
}

#endif
