/* SPDX-License-Identifier: MIT
 *
 * The stack of a thread that is not the calling one, from a copy of its top and of its registers: nothing of that
 * thread is touched, so it may go on meanwhile. By the call frame information (.eh_frame) that every function has, as
 * libc keeps no frame pointers. See the DWARF 4 standard, 6.4, and the Linux Standard Base, "Exception Frames".
 *
 * Every read of the stack is checked against the copy.
 */
#include "coro/unwind.h"
#include "coro/unwind-table.h"

#include <string.h>

#define REMEMBERED 8

/* -- What the table says of a place in it ------------------------------------------------------------------------- */

enum rule { SAME, LOST, UNDEFINED, AT_OFFSET, IS_OFFSET, IN_REGISTER };

struct row {
    bool known; /* where the frame begins is a register and an offset */
    unsigned base;
    int64_t offset;
    struct {
        enum rule rule;
        int64_t value;
    } of[MT__UNWIND_REGS];
};

struct machine {
    const struct mt__unwind_function *function;
    struct row row, first, stack[REMEMBERED];
    unsigned depth;
    uint64_t location;
};

static void set_rule(struct machine *machine, uint64_t number, enum rule rule, int64_t value)
{
    if (number >= MT__UNWIND_REGS)
        return;
    machine->row.of[number].rule = rule;
    machine->row.of[number].value = value;
}

static void restore(struct machine *machine, uint64_t number)
{
    if (number < MT__UNWIND_REGS)
        machine->row.of[number] = machine->first.of[number];
}

static void skip_block(mt__bytes *at)
{
    uint64_t length = mt__unwind_uleb(at);

    *at += length;
}

/* Those of the instructions that set where the frame begins. */
static bool run_frame(struct machine *machine, unsigned code, mt__bytes *at)
{
    struct row *row = &machine->row;
    int64_t unit = machine->function->data_unit;

    switch (code) {
    case 0x0c: /* def_cfa */
    case 0x12: /* def_cfa_sf */
        row->base = (unsigned)mt__unwind_uleb(at);
        row->offset = code == 0x0c ? (int64_t)mt__unwind_uleb(at) : mt__unwind_sleb(at) * unit;
        row->known = true;
        return true;
    case 0x0d: /* def_cfa_register */
        row->base = (unsigned)mt__unwind_uleb(at);
        return true;
    case 0x0e: /* def_cfa_offset */
        row->offset = (int64_t)mt__unwind_uleb(at);
        return true;
    case 0x13: /* def_cfa_offset_sf */
        row->offset = mt__unwind_sleb(at) * unit;
        return true;
    case 0x0f: /* def_cfa_expression */
        skip_block(at);
        row->known = false;
        return true;
    default:
        return false;
    }
}

/* Those that say where a register of the caller is. */
static bool run_register(struct machine *machine, unsigned code, mt__bytes *at)
{
    int64_t unit = machine->function->data_unit;
    uint64_t number = mt__unwind_uleb(at);

    switch (code) {
    case 0x05: /* offset_extended */
        set_rule(machine, number, AT_OFFSET, (int64_t)mt__unwind_uleb(at) * unit);
        return true;
    case 0x06: /* restore_extended */
        restore(machine, number);
        return true;
    case 0x07: /* undefined */
        set_rule(machine, number, UNDEFINED, 0);
        return true;
    case 0x08: /* same_value */
        set_rule(machine, number, SAME, 0);
        return true;
    case 0x09: /* register */
        set_rule(machine, number, IN_REGISTER, (int64_t)mt__unwind_uleb(at));
        return true;
    case 0x11: /* offset_extended_sf */
        set_rule(machine, number, AT_OFFSET, mt__unwind_sleb(at) * unit);
        return true;
    case 0x14: /* val_offset */
        set_rule(machine, number, IS_OFFSET, (int64_t)mt__unwind_uleb(at) * unit);
        return true;
    case 0x15: /* val_offset_sf */
        set_rule(machine, number, IS_OFFSET, mt__unwind_sleb(at) * unit);
        return true;
    case 0x10: /* expression */
    case 0x16: /* val_expression */
        skip_block(at);
        set_rule(machine, number, LOST, 0);
        return true;
    default:
        return false;
    }
}

/* The rest: places, and what is remembered. */
static bool run_other(struct machine *machine, unsigned code, mt__bytes *at)
{
    uint64_t unit = machine->function->code_unit;

    switch (code) {
    case 0x00: /* nop */
    case 0x2d: /* negate_ra_state: aarch64's signed return addresses; the signature is cut off below */
        return true;
    case 0x01: /* set_loc */
        machine->location = mt__unwind_pointer(at, machine->function->pointer_form);
        return true;
    case 0x02: /* advance_loc1, 2, 4 */
        machine->location += mt__unwind_number(at, 1) * unit;
        return true;
    case 0x03:
        machine->location += mt__unwind_number(at, 2) * unit;
        return true;
    case 0x04:
        machine->location += mt__unwind_number(at, 4) * unit;
        return true;
    case 0x0a: /* remember_state */
        if (machine->depth == REMEMBERED)
            return false;
        machine->stack[machine->depth++] = machine->row;
        return true;
    case 0x0b: /* restore_state */
        if (!machine->depth)
            return false;
        machine->row = machine->stack[--machine->depth];
        return true;
    case 0x2e: /* GNU_args_size */
        mt__unwind_uleb(at);
        return true;
    default:
        return run_frame(machine, code, at);
    }
}

static bool is_of_register(unsigned code)
{
    return (code >= 0x05 && code <= 0x09) || code == 0x10 || code == 0x11 || (code >= 0x14 && code <= 0x16);
}

/* Runs instructions until the place. False: there is one that is not known. */
static bool run(struct machine *machine, mt__bytes at, mt__bytes end, uint64_t ip)
{
    while (at < end && machine->location <= ip) {
        unsigned code = *at++, low = code & 0x3f;
        bool good = true;
        if (code >> 6 == 1) {
            machine->location += low * machine->function->code_unit;
        } else if (code >> 6 == 2) {
            set_rule(machine, low, AT_OFFSET, (int64_t)mt__unwind_uleb(&at) * machine->function->data_unit);
        } else if (code >> 6 == 3) {
            restore(machine, low);
        } else {
            good = is_of_register(code) ? run_register(machine, code, &at) : run_other(machine, code, &at);
        }
        if (!good)
            return false;
    }
    return true;
}

/* -- From a frame to its caller's --------------------------------------------------------------------------------- */

static bool read_stack(const struct mt__unwind_stack *copy, uint64_t address, uint64_t *value)
{
    if (copy->size < sizeof *value || address < copy->base || address - copy->base > copy->size - sizeof *value)
        return false;
    memcpy(value, copy->bytes + (address - copy->base), sizeof *value);
    return true;
}

/* A frame record is a pointer to the next one, further up, and a return address. */
static bool guess_frame(struct mt__registers *registers, const struct mt__unwind_stack *copy)
{
    uint64_t up, address;
    struct mt__unwind_function function;

    for (uint64_t at = registers->value[MT__REG_STACK]; read_stack(copy, at + 8, &address); at += 8)
        if (read_stack(copy, at, &up) && (!up || (up > at && up - at < 65536)) && address > 1 &&
            mt__unwind_function(address - 1, &function)) {
            mt__register_set(registers, MT__REG_FRAME, at);
            return true;
        }
    return false;
}

static void apply(const struct row *row, unsigned number, uint64_t frame, const struct mt__unwind_stack *copy,
                  const struct mt__registers *old, struct mt__registers *next)
{
    int64_t value = row->of[number].value;
    uint64_t word;

    next->known &= ~(1ull << number);
    switch (row->of[number].rule) {
    case AT_OFFSET:
        if (read_stack(copy, frame + (uint64_t)value, &word))
            mt__register_set(next, number, word);
        break;
    case IS_OFFSET:
        mt__register_set(next, number, frame + (uint64_t)value);
        break;
    case IN_REGISTER:
        if (value < MT__UNWIND_REGS && old->known >> value & 1)
            mt__register_set(next, number, old->value[value]);
        break;
    case SAME:
        next->known |= old->known & 1ull << number;
        break;
    case LOST:
    case UNDEFINED:
        break;
    }
}

/* The row of the instruction. False: it is not known, or not such a one. */
static bool find_row(struct machine *machine, uint64_t ip)
{
    const struct mt__unwind_function *function = machine->function;

    if (!run(machine, function->common, function->common_end, ip))
        return false;
    machine->first = machine->row;
    machine->location = function->start;
    return run(machine, function->own, function->own_end, ip) && machine->row.known &&
           machine->row.base < MT__UNWIND_REGS && function->return_register < MT__UNWIND_REGS;
}

/* ip: of the instruction, which of a caller is the one before the return address. exact: nothing is guessed. */
static enum mt__unwound step(struct mt__registers *registers, uint64_t ip, const struct mt__unwind_function *function,
                             const struct mt__unwind_stack *copy, bool exact)
{
    struct mt__registers next;
    struct machine machine; /* what it remembers is large, and rarely used */
    uint64_t frame;

    machine.function = function;
    machine.row = machine.first = (struct row){0};
    machine.depth = 0;
    machine.location = 0;
    if (!find_row(&machine, ip))
        return MT__UNWOUND_LOST;
    if (machine.row.of[function->return_register].rule == UNDEFINED)
        return MT__UNWOUND_ALL;
    if (!(registers->known >> machine.row.base & 1) &&
        (exact || machine.row.base != MT__REG_FRAME || !guess_frame(registers, copy)))
        return MT__UNWOUND_LOST;
    next = *registers;
    frame = registers->value[machine.row.base] + (uint64_t)machine.row.offset;
    for (unsigned i = 0; i < MT__UNWIND_REGS; i++)
        apply(&machine.row, i, frame, copy, registers, &next);
    if (!(next.known >> function->return_register & 1) || frame < registers->value[MT__REG_STACK])
        return MT__UNWOUND_LOST;
    mt__register_set(&next, MT__REG_STACK, frame);
    next.ip = next.value[function->return_register];
#if defined(__aarch64__)
    next.ip &= 0xffffffffffffull;
#endif
    *registers = next;
    return next.ip > 1 ? MT__UNWOUND : MT__UNWOUND_LOST;
}

enum mt__unwound mt__unwind_step(struct mt__registers *registers, uint64_t address, const void *table,
                                 const struct mt__unwind_stack *stack)
{
    struct mt__unwind_function function;

    if (!mt__unwind_function_by(table, address, &function))
        return MT__UNWOUND_LOST;
    return step(registers, address, &function, stack, true);
}

void mt__unwind_begin(struct mt__registers *registers, const ucontext_t *context)
{
    memset(registers, 0, sizeof *registers);
#if defined(__x86_64__)
    static const unsigned char numbers[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
                                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    for (unsigned i = 0; i < sizeof numbers; i++)
        mt__register_set(registers, i, (uint64_t)context->uc_mcontext.gregs[numbers[i]]);
    registers->ip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#else
    for (unsigned i = 0; i < 31; i++)
        mt__register_set(registers, i, context->uc_mcontext.regs[i]);
    mt__register_set(registers, MT__REG_STACK, context->uc_mcontext.sp);
    registers->ip = context->uc_mcontext.pc;
#endif
}

size_t mt__unwind(struct mt__registers *registers, const unsigned char *bytes, size_t size, void **frames, size_t max)
{
    struct mt__unwind_stack copy = {bytes, registers->value[MT__REG_STACK], size};
    struct mt__unwind_function function;
    uint64_t last = 0;
    size_t count = 0;

    while (count < max) {
        uint64_t stack = registers->value[MT__REG_STACK];
        frames[count++] = (void *)(uintptr_t)registers->ip;
        if (count > 1 && stack <= last)
            break;
        last = stack;
        if (!mt__unwind_function(registers->ip - (count > 1), &function) ||
            step(registers, registers->ip - (count > 1), &function, &copy, false) != MT__UNWOUND)
            break;
    }
    return count;
}
