/* SPDX-License-Identifier: MIT
 *
 * What unwind.c knows of a function: the entry of the linker's table of call frame information, and how such entries
 * are read.
 */
#ifndef CORO_UNWIND_TABLE_H
#define CORO_UNWIND_TABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef const unsigned char *mt__bytes;

/* Numbers as the tables have them. Each moves on behind what it has read. */
uint64_t mt__unwind_uleb(mt__bytes *at);
int64_t mt__unwind_sleb(mt__bytes *at);
uint64_t mt__unwind_number(mt__bytes *at, unsigned size);
uint64_t mt__unwind_pointer(mt__bytes *at, unsigned form);

/* What the table says of one function. */
struct mt__unwind_function {
    uint64_t start, end;
    uint64_t code_unit;
    int64_t data_unit;
    unsigned return_register;
    unsigned pointer_form;
    mt__bytes common, common_end, own, own_end;
};

/* The function that an address is in. False: it is in none that is known. */
bool mt__unwind_function(uint64_t ip, struct mt__unwind_function *function);

/* The same, by the table (PT_GNU_EH_FRAME) of the module that it is in. Async-signal-safe. */
bool mt__unwind_function_by(mt__bytes table, uint64_t ip, struct mt__unwind_function *function);

#endif
