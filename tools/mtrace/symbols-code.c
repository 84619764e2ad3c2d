/* SPDX-License-Identifier: MIT
 *
 * What stands at a code address: the functions, inlined ones first, with their source lines by DWARF; else the symbol
 * table's name; else the module's own offset.
 *
 * Answers are kept in a hash table until the modules change: the same few call sites are asked for again and again.
 */
#include "symbols-internal.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INLINED 64

static const char *die_name(struct symbols *symbols, Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *name = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
        name = dwarf_formstring(&attribute);
    if ((!name || !strncmp(name, "_R", 2)) &&
        dwarf_attr_integrate(die, DW_AT_name, &attribute)) /* Rust's new mangling */
        name = dwarf_formstring(&attribute);
    return symbols_demangle(symbols, name);
}

/* Where an inlined function was called: the line of the frame around it. */
static void call_site(struct symbols *symbols, Dwarf_Die *cu, Dwarf_Die *inlined, struct symbols_frame *outer)
{
    Dwarf_Attribute attribute;
    Dwarf_Word line, file;
    Dwarf_Files *files;
    size_t count;
    if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line))
        outer->line = line;
    if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) &&
        !dwarf_getsrcfiles(cu, &files, &count) && file < count)
        outer->file = symbols_string(symbols, dwarf_filesrc(files, file, NULL, NULL));
}

static void source_line(struct symbols *symbols, Dwarf_Die *cu, Dwarf_Addr pc, struct symbols_frame *frame)
{
    int line;
    Dwarf_Line *source = dwarf_getsrc_die(cu, pc);
    const char *file = source ? dwarf_linesrc(source, NULL, NULL) : NULL;
    if (file && !dwarf_lineno(source, &line)) {
        frame->file = symbols_string(symbols, file);
        frame->line = line;
    }
}

struct chain {
    Dwarf_Die functions[MAX_INLINED]; /* the outermost first */
    size_t count;
};

/* Follows pc inward through functions, inlined ones and blocks. Functions may stand in namespaces and classes, which
 * have no addresses of their own (Rust): these are searched as long as no function has been found. */
static bool descend(Dwarf_Die *parent, Dwarf_Addr pc, struct chain *chain, int depth)
{
    Dwarf_Die die;
    if (depth > 200 || dwarf_child(parent, &die))
        return false;
    do {
        int tag = dwarf_tag(&die);
        bool function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
        if (function || tag == DW_TAG_lexical_block) {
            if (dwarf_haspc(&die, pc) <= 0)
                continue;
            if (function && chain->count < MAX_INLINED)
                chain->functions[chain->count++] = die;
            descend(&die, pc, chain, depth + 1);
            return true;
        }
        bool holder = tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type;
        if (holder && !chain->count && descend(&die, pc, chain, depth + 1))
            return true;
    } while (!dwarf_siblingof(&die, &die));
    return false;
}

/* Fills a frame for each inlined function around pc and one for the function that contains them all; 0 without DWARF
 * there. */
static size_t frames_by_dwarf(struct symbols *symbols, Dwarf_Die *cu, Dwarf_Addr pc, struct symbols_frame *frames,
                              size_t max)
{
    struct chain chain = {.count = 0};
    size_t count = 0;
    descend(cu, pc, &chain, 0);
    if (!chain.count)
        return 0;
    source_line(symbols, cu, pc, &frames[0]);
    for (size_t i = chain.count; i-- > 0 && count < max;) {
        Dwarf_Die *function = &chain.functions[i];
        struct symbols_frame *frame = &frames[count++];
        Dwarf_Addr entry;
        frame->function = die_name(symbols, function);
        if (!dwarf_entrypc(function, &entry) && entry <= pc)
            frame->offset = pc - entry;
        frame->inlined = i > 0 && count < max;
        if (frame->inlined)
            call_site(symbols, cu, function, &frames[count]);
    }
    return count;
}

static void name_by_symbol(struct symbols *symbols, Dwfl_Module *mod, uint64_t pc, struct symbols_frame *frame)
{
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(mod, pc, &offset, &symbol, NULL, NULL, NULL);
    /* hand-written assembly has symbols without a size; they count only for code close by */
    if (!name || (symbol.st_size ? offset >= symbol.st_size : offset >= 4096))
        return;
    frame->function = symbols_demangle(symbols, name);
    frame->offset = offset;
}

static int compare_ranges(const void *left, const void *right)
{
    const struct cu_range *a = left, *b = right;
    return (a->low > b->low) - (a->low < b->low);
}

/* clang writes no .debug_aranges: then the units are asked for their ranges, once. */
static void read_ranges(Dwarf *dwarf, struct module *module)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die cu;
    size_t room = 0;
    uint8_t type;
    module->ranges_read = true;
    while (!dwarf_get_units(dwarf, unit, &unit, NULL, &type, &cu, NULL)) {
        Dwarf_Addr base, low, high;
        ptrdiff_t at = 0;
        while ((type == DW_UT_compile || type == DW_UT_skeleton) &&
               (at = dwarf_ranges(&cu, at, &base, &low, &high)) > 0) {
            if (module->range_count == room) {
                struct cu_range *larger = reallocarray(module->ranges, room = room ? room * 2 : 64, sizeof(*larger));
                if (!larger)
                    return;
                module->ranges = larger;
            }
            if (low < high)
                module->ranges[module->range_count++] = (struct cu_range){low, high, dwarf_dieoffset(&cu)};
        }
    }
    if (module->range_count)
        qsort(module->ranges, module->range_count, sizeof(*module->ranges), compare_ranges);
}

static bool unit_by_ranges(Dwfl_Module *mod, struct module *module, uint64_t pc, Dwarf_Die *cu, Dwarf_Addr *bias)
{
    Dwarf *dwarf = dwfl_module_getdwarf(mod, bias);
    if (!dwarf)
        return false;
    if (!module->ranges_read)
        read_ranges(dwarf, module);
    size_t low = 0, high = module->range_count;
    Dwarf_Addr address = pc - *bias;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (module->ranges[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && address < module->ranges[low - 1].high && dwarf_offdie(dwarf, module->ranges[low - 1].cu, cu);
}

static bool unit_at(Dwfl_Module *mod, struct module *module, uint64_t pc, Dwarf_Die *cu, Dwarf_Addr *bias)
{
    Dwarf_Die *found = dwfl_module_addrdie(mod, pc, bias);
    if (found)
        *cu = *found;
    return found || unit_by_ranges(mod, module, pc, cu, bias);
}

/* libc's own lines help nobody, and distributions keep them compressed: unpacking takes longer than all the rest. Its
 * functions are named by the symbol table. */
static bool has_lines_worth_it(const struct module *module)
{
    return !module->runtime || strstr(module->path, "linuxmt");
}

/* Rust links its standard library into every program, and much of C++'s comes with the headers: known by the paths of
 * their sources. */
static bool is_language_library(const struct symbols_frame *frame)
{
    static const char *const roots[] = {"library/std/src/", "library/core/src/", "library/alloc/src/", "/include/c++/",
                                        "/c++/v1/"};
    for (size_t i = 0; frame->file && i < sizeof(roots) / sizeof(*roots); i++)
        if (strstr(frame->file, roots[i]))
            return true;
    return false;
}

static size_t look_up(struct symbols *symbols, uint64_t address, uint64_t pc, struct symbols_frame *frames, size_t max)
{
    struct module *module;
    Dwfl_Module *mod = symbols_module_at(symbols, pc, &module);
    size_t count = 0;
    Dwarf_Addr bias;
    Dwarf_Die cu;
    frames[0] = (struct symbols_frame){.address = address};
    if (!mod)
        return 1;
    memset(frames, 0, max * sizeof(*frames));
    if (has_lines_worth_it(module) && unit_at(mod, module, pc, &cu, &bias)) {
        count = frames_by_dwarf(symbols, &cu, pc - bias, frames, max);
        if (!count)
            source_line(symbols, &cu, pc - bias, &frames[0]);
    }
    if (!count)
        count = 1;
    if (!frames[count - 1].function)
        name_by_symbol(symbols, mod, pc, &frames[count - 1]);
    bias = module->start;
    dwfl_module_getelf(mod, &bias);
    for (size_t i = 0; i < count; i++) {
        frames[i].address = address;
        frames[i].offset += frames[i].function ? address - pc : 0;
        frames[i].module = module->path;
        frames[i].module_offset = address - bias;
        frames[i].runtime = module->runtime || is_language_library(&frames[i]) ||
                            (frames[i].function && symbols_is_runtime_function(frames[i].function));
    }
    return count;
}

void symbols_forget_code(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->code_size; i++)
        free(symbols->code[i].frames);
    free(symbols->code);
    symbols->code = NULL;
    symbols->code_size = symbols->code_used = 0;
}

static struct code_entry *entry_for(struct code_entry *table, size_t size, uint64_t key)
{
    size_t at = (key * 0x9e3779b97f4a7c15ull) >> 20 & (size - 1);
    while (table[at].key && table[at].key != key)
        at = (at + 1) & (size - 1);
    return &table[at];
}

static bool make_room(struct symbols *symbols)
{
    size_t size = symbols->code_size ? symbols->code_size * 2 : 256;
    if (symbols->code_used * 2 < symbols->code_size)
        return true;
    struct code_entry *table = calloc(size, sizeof(*table));
    if (!table)
        return false;
    for (size_t i = 0; i < symbols->code_size; i++)
        if (symbols->code[i].key)
            *entry_for(table, size, symbols->code[i].key) = symbols->code[i];
    free(symbols->code);
    symbols->code = table;
    symbols->code_size = size;
    return true;
}

size_t symbols_code(struct symbols *symbols, uint64_t address, bool after_call, struct symbols_frame *frames,
                    size_t max)
{
    struct symbols_frame found[MAX_INLINED];
    uint64_t key = address << 1 | after_call;
    if (!max)
        return 0;
    struct code_entry *entry = make_room(symbols) && key ? entry_for(symbols->code, symbols->code_size, key) : NULL;
    if (entry && entry->key) {
        size_t count = entry->count < max ? entry->count : max;
        memcpy(frames, entry->frames, count * sizeof(*frames));
        return count;
    }
    size_t count = look_up(symbols, address, address - after_call, found, MAX_INLINED);
    struct symbols_frame *kept = entry ? malloc(count * sizeof(*kept)) : NULL;
    if (kept) {
        memcpy(kept, found, count * sizeof(*kept));
        *entry = (struct code_entry){key, kept, count};
        symbols->code_used++;
    }
    if (count > max)
        count = max;
    memcpy(frames, found, count * sizeof(*frames));
    return count;
}
