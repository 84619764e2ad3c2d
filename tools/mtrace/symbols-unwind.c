/* SPDX-License-Identifier: MIT
 *
 * Stacks, unwound from a sample (registers and a slice of stack) by the code's unwind tables through libdwfl.
 *
 * Invariant: libdwfl reads nothing but the slice. A sample is a moment of the past: the process's memory of now does
 * not belong to it.
 */
#include "symbols-internal.h"

#include <stddef.h>
#include <string.h>

/* DWARF's numbers of the registers, and where the kernel's structure keeps them. */
#if defined(__x86_64__)
enum { MACHINE = EM_X86_64, REG_SP = 7, REG_FRAME = 6, REG_IP = 16, CALLEE_IP_WORD = 16 };
enum { CODE_SEGMENT_WORD = 17, NARROW_CODE = 0x23, NARROW_SP = 4, NARROW_REGS = 8 };
/* struct pt_regs: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss */
static const struct {
    unsigned char reg, word;
} register_words[] = {{0, 10}, {1, 12}, {2, 11}, {3, 5},  {4, 13}, {5, 14}, {6, 4},  {7, 19},
                      {8, 9},  {9, 8},  {10, 7}, {11, 6}, {12, 3}, {13, 2}, {14, 1}, {15, 0}};
static const unsigned char narrow_words[NARROW_REGS] = {10, 11, 12, 5, 19, 4, 13, 14};
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64, REG_SP = 31, REG_FRAME = 29, REG_IP = 32, CALLEE_IP_WORD = 32 };
#else
#error "no register numbers for this CPU yet"
#endif

void symbols_regs_set(struct symbols_regs *regs, uint64_t ip, uint64_t sp, uint64_t bp)
{
    memset(regs, 0, sizeof(*regs));
    regs->ip = regs->value[REG_IP] = ip;
    regs->value[REG_SP] = regs->sp = sp;
    regs->value[REG_FRAME] = bp;
    regs->known = 1ull << REG_SP | (bp ? 1ull << REG_FRAME : 0);
}

void symbols_regs_set_all(struct symbols_regs *regs, const void *pt_regs)
{
    uint64_t words[SYMBOLS_PT_REGS_WORDS];
    memcpy(words, pt_regs, sizeof(words));
    memset(regs, 0, sizeof(*regs));
    regs->ip = regs->value[REG_IP] = words[CALLEE_IP_WORD];
#if defined(__x86_64__)
    regs->sp = words[narrow_words[NARROW_SP]];
    regs->narrow = (words[CODE_SEGMENT_WORD] & 0xffff) == NARROW_CODE;
    for (size_t i = 0; regs->narrow && i < NARROW_REGS; i++)
        regs->value[i] = words[narrow_words[i]];
    regs->known = regs->narrow ? (1ull << NARROW_REGS) - 1 : 0;
    for (size_t i = 0; !regs->narrow && i < sizeof(register_words) / sizeof(*register_words); i++) {
        regs->value[register_words[i].reg] = words[register_words[i].word];
        regs->known |= 1ull << register_words[i].reg;
    }
#else
    for (unsigned reg = 0; reg <= REG_SP; reg++) {
        regs->value[reg] = words[reg];
        regs->known |= 1ull << reg;
    }
    regs->sp = regs->value[REG_SP];
#endif
}

static pid_t next_thread(Dwfl *dwfl, void *argument, void **thread_argument)
{
    struct symbols *symbols = argument;
    (void)dwfl;
    if (*thread_argument)
        return 0;
    *thread_argument = symbols;
    return symbols->pid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *argument, void **thread_argument)
{
    (void)dwfl, (void)tid;
    *thread_argument = argument;
    return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *argument)
{
    const struct symbols *symbols = argument;
    uint64_t at = address - symbols->stack_start, word = 0;
    size_t size = symbols->narrow ? sizeof(uint32_t) : sizeof(word);
    (void)dwfl;
    if (address < symbols->stack_start || at > symbols->stack_size || symbols->stack_size - at < size)
        return false;
    memcpy(&word, symbols->stack + at, size);
    *result = word;
    return true;
}

static bool set_initial_registers(Dwfl_Thread *thread, void *argument)
{
    const struct symbols *symbols = argument;
    if (symbols->narrow != symbols->regs->narrow)
        return false;
    for (int reg = 0; reg < SYMBOLS_REGS; reg++) {
        Dwarf_Word value = symbols->regs->value[reg];
        if (symbols->regs->known >> reg & 1 && !dwfl_thread_state_registers(thread, reg, 1, &value))
            return false;
    }
    dwfl_thread_state_register_pc(thread, symbols->regs->ip);
    return true;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = memory_read,
    .set_initial_registers = set_initial_registers,
};

bool symbols_is_narrow(const struct symbols *symbols)
{
#if defined(__x86_64__)
    return symbols->mapping_count && symbols->mappings[symbols->mapping_count - 1].end <= SYMBOLS_NARROW;
#else
    (void)symbols;
    return false;
#endif
}

/* libdwfl learns the CPU from an ELF file, of which the head is enough. There is one for each process: a file, mtrace's
 * own say, would be read for each of them, all of it. */
bool symbols_attach(struct symbols *symbols)
{
    static Elf32_Ehdr narrow = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_386,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof narrow,
    };
    static Elf64_Ehdr wide = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = MACHINE,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof wide,
    };
    symbols->narrow = symbols_is_narrow(symbols);
    symbols->cpu =
        symbols->narrow ? elf_memory((char *)&narrow, sizeof narrow) : elf_memory((char *)&wide, sizeof wide);
    return symbols->cpu && dwfl_attach_state(symbols->dwfl, symbols->cpu, symbols->pid, &thread_callbacks, symbols);
}

struct trace {
    struct symbols *symbols;
    struct symbols_frame *frames;
    size_t max;
    size_t count;
};

/* A sample whose thread ran on between its registers and its stack unwinds into anything: stop where no code is. */
static bool is_code(const struct symbols *symbols, uint64_t address)
{
    const struct mapping *mapping = symbols_mapping_at(symbols, address);
    return !mapping || mapping->executable;
}

static int add_frame(Dwfl_Frame *state, void *argument)
{
    struct trace *trace = argument;
    Dwarf_Addr pc;
    bool interrupted; /* a frame stopped at pc, not one that made a call just before it */
    if (!dwfl_frame_pc(state, &pc, &interrupted) || !pc || (trace->count && !is_code(trace->symbols, pc)))
        return DWARF_CB_ABORT;
    trace->count +=
        symbols_code(trace->symbols, pc, !interrupted, trace->frames + trace->count, trace->max - trace->count);
    return trace->count < trace->max ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* A 32-bit program calls the kernel by way of its vDSO, of which there is no file to unwind by: ebp, edx and ecx lie on
 * the stack, and then the way back. */
static void leave_narrow_vdso(const struct symbols *symbols, struct symbols_regs *regs, const void **stack,
                              size_t *size)
{
    const struct mapping *mapping = symbols_mapping_at(symbols, regs->ip);
    uint32_t words[4];
    if (!symbols->narrow || !regs->narrow || !mapping || strcmp(mapping->path, "[vdso]") || *size < sizeof words)
        return;
    memcpy(words, *stack, sizeof words);
    regs->ip = words[3];
    regs->sp += sizeof words;
#if defined(__x86_64__)
    regs->value[NARROW_SP] = regs->sp;
#endif
    *stack = (const char *)*stack + sizeof words;
    *size -= sizeof words;
}

size_t symbols_unwind(struct symbols *symbols, const struct symbols_regs *regs, const void *stack, size_t size,
                      struct symbols_frame *frames, size_t max)
{
    struct trace trace = {.symbols = symbols, .frames = frames, .max = max};
    struct symbols_regs start = *regs;
    if (!max)
        return 0;
#if defined(__x86_64__)
    if (symbols->narrow && !regs->narrow) /* only ip and sp are known */
        start = (struct symbols_regs){
            .ip = regs->ip, .sp = regs->sp, .narrow = true, .value[NARROW_SP] = regs->sp, .known = 1ull << NARROW_SP};
#endif
    leave_narrow_vdso(symbols, &start, &stack, &size);
    symbols->regs = &start;
    symbols->stack = stack;
    symbols->stack_start = start.sp;
    symbols->stack_size = size;
    if (symbols->unwinds)
        dwfl_getthread_frames(symbols->dwfl, symbols->pid, add_frame, &trace); /* where it fails, the trace just ends */
    symbols->regs = NULL;
    symbols->stack = NULL;
    symbols->stack_size = 0;
    return trace.count ? trace.count : symbols_code(symbols, start.ip, false, frames, max);
}
