/* SPDX-License-Identifier: MIT */
#ifndef CORO_UNWIND_H
#define CORO_UNWIND_H

#include "base/seam.h"

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#define MT__UNWIND_REGS 33

/* The registers of another thread of this process, by DWARF's numbers; bit n of known: value[n] is. */
struct mt__registers {
    uint64_t ip;
    uint64_t value[MT__UNWIND_REGS];
    uint64_t known;
};

#if defined(__x86_64__)
enum { MT__REG_FRAME = 6, MT__REG_STACK = 7, MT__REG_RETURN = 16 };
#else
enum { MT__REG_FRAME = 29, MT__REG_STACK = 31, MT__REG_RETURN = 30 };
#endif

static inline void mt__register_set(struct mt__registers *registers, unsigned number, uint64_t value)
{
    registers->value[number] = value;
    registers->known |= 1ull << number;
}

/* Who called whom, innermost first, by the unwind tables of this process's code. bytes is a copy of the stack from the
 * stack pointer upward; where it ends, the trace ends. Without the frame pointer, where a function needs it, the first
 * frame record on the stack that looks like one is taken. Returns how many. */
size_t mt__unwind(struct mt__registers *registers, const unsigned char *bytes, size_t size, void **frames, size_t max);

/* What a signal handler was given: all of them are known. Async-signal-safe, as is the step. */
MT__SEAM void mt__unwind_begin(struct mt__registers *registers, const ucontext_t *context);

/* A stack, or the top of one, and the address that it has, or had. */
struct mt__unwind_stack {
    const unsigned char *bytes;
    uint64_t base;
    size_t size;
};

enum mt__unwound { MT__UNWOUND, MT__UNWOUND_ALL, MT__UNWOUND_LOST };

/* From a frame to its caller's, by the table (PT_GNU_EH_FRAME) of the module that the address is in, which is that of
 * an instruction: of a caller, the one before the return address. Nothing is guessed, and nothing read but the stack
 * and the table. ALL: by the table there is no caller. LOST: that is not known. */
MT__SEAM enum mt__unwound mt__unwind_step(struct mt__registers *registers, uint64_t address, const void *table,
                                          const struct mt__unwind_stack *stack);

#endif
