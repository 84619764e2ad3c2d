/* SPDX-License-Identifier: MIT
 *
 * What the parts of the symbolizer share. Nothing outside symbols*.c includes this.
 */
#ifndef MTRACE_SYMBOLS_INTERNAL_H
#define MTRACE_SYMBOLS_INTERNAL_H

#include "symbols.h"

#include <elfutils/libdwfl.h>

#define SYMBOLS_NARROW (1ull << 32) /* all of a 32-bit program lies below, and of no other its stack or vDSO */

/* A line of /proc/PID/maps. */
struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    uint64_t inode;
    bool executable;
    bool shared;
    const char *path; /* interned; "" for anonymous memory; without " (deleted)" */
    bool deleted;
};

/* A mapped ELF file: all its mappings and the anonymous memory behind them, where the end of its .bss lies. */
struct module {
    uint64_t start;
    uint64_t end;
    uint64_t inode;
    const char *path; /* interned */
    int fd;           /* of the file, -1 if it cannot be opened; owned */
    bool seen;        /* in the snapshot being taken */
    bool runtime;
    struct cu_range *ranges; /* where the compilation units lie: read once, when .debug_aranges does not say */
    size_t range_count;
    bool ranges_read;
    struct variable *variables; /* by address: read once, when a part of one is asked for */
    size_t variable_count;
    bool variables_read;
};

struct cu_range {
    uint64_t low;
    uint64_t high; /* exclusive */
    Dwarf_Off cu;
};

struct variable {
    uint64_t address; /* as DWARF has it */
    Dwarf_Off die;
};

struct code_entry {
    uint64_t key; /* address * 2 + after_call; 0 = free */
    struct symbols_frame *frames;
    size_t count;
};

struct symbols {
    pid_t pid;
    pid_t living; /* the thread whose /proc is read */
    Dwfl *dwfl;
    Elf *cpu;     /* the ELF file that tells libdwfl the CPU */
    bool unwinds; /* libdwfl has accepted our memory and registers */
    bool narrow;  /* a 32-bit program on x86-64 */
    char *error;
    void *strings; /* tsearch tree */
    struct mapping *mappings;
    size_t mapping_count;
    struct module **modules;
    size_t module_count;
    struct code_entry *code; /* open addressing, a power of 2 */
    size_t code_size;
    size_t code_used;
    /* the stack being unwound */
    const struct symbols_regs *regs;
    const unsigned char *stack;
    uint64_t stack_start;
    size_t stack_size;
};

/* The one copy of a string, NULL for NULL or without memory. */
const char *symbols_string(struct symbols *symbols, const char *text);

/* Fills symbols->mappings from a maps text. 0 or -ENOMEM. */
int symbols_read_mappings(struct symbols *symbols, const char *maps);

/* Brings symbols->modules in line with symbols->mappings and opens what is new. Sets *changed. 0 or -ENOMEM. */
int symbols_update_modules(struct symbols *symbols, bool *changed);
void symbols_free_module(struct module *module);

const struct mapping *symbols_mapping_at(const struct symbols *symbols, uint64_t address);

/* The module that libdwfl knows at an address, with ours; NULL if there is none. */
Dwfl_Module *symbols_module_at(struct symbols *symbols, uint64_t address, struct module **module);

/* Whether a mapped file, or a function linked into the program itself, is runtime. */
bool symbols_is_runtime_module(const char *path);
bool symbols_is_runtime_function(const char *function);

/* The name as its author wrote it: C++ and Rust names demangled. Interned. */
const char *symbols_demangle(struct symbols *symbols, const char *name);

/* Turns an object's offset into its member, as far as that goes. */
void symbols_member(struct symbols *symbols, Dwfl_Module *mod, struct module *module, struct symbols_object *object);

void symbols_forget_code(struct symbols *symbols);

/* Whether it is a 32-bit program on x86-64, by its mappings. */
bool symbols_is_narrow(const struct symbols *symbols);

/* Gives libdwfl our registers and memory. */
bool symbols_attach(struct symbols *symbols);

#endif
