/* SPDX-License-Identifier: MIT
 *
 * What lies at a data address: a variable by the symbol tables, else the kind of mapping.
 */
#include "symbols-internal.h"

#include <string.h>

/* A symbol names an address only if it says how long it is and the address lies within. */
static bool fill_variable(struct symbols *symbols, Dwfl_Module *mod, uint64_t address, struct symbols_object *object)
{
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(mod, address, &offset, &symbol, NULL, NULL, NULL);
    unsigned type = GELF_ST_TYPE(symbol.st_info);
    if (!name || (type != STT_OBJECT && type != STT_COMMON) || offset >= symbol.st_size)
        return false;
    object->name = symbols_demangle(symbols, name);
    object->offset = offset;
    object->place = SYMBOLS_VARIABLE;
    return object->name;
}

static void fill_module(struct symbols *symbols, Dwfl_Module *mod, struct module *module, uint64_t address,
                        struct symbols_object *object)
{
    GElf_Addr bias = module->start;
    object->module = module->path;
    if (fill_variable(symbols, mod, address, object)) {
        symbols_member(symbols, mod, module, object);
        return;
    }
    dwfl_module_getelf(mod, &bias);
    object->place = SYMBOLS_MODULE;
    object->offset = address - bias;
}

static enum symbols_place mapping_place(const struct mapping *mapping)
{
    if (mapping->shared)
        return SYMBOLS_SHARED;
    if (!strcmp(mapping->path, "[heap]"))
        return SYMBOLS_HEAP;
    if (!strcmp(mapping->path, "[stack]"))
        return SYMBOLS_STACK;
    return mapping->path[0] == '/' ? SYMBOLS_FILE : SYMBOLS_ANONYMOUS;
}

void symbols_data(struct symbols *symbols, uint64_t address, struct symbols_object *object)
{
    struct module *module;
    const struct mapping *mapping = symbols_mapping_at(symbols, address);
    Dwfl_Module *mod = symbols_module_at(symbols, address, &module);
    *object = (struct symbols_object){.address = address};
    if (mod) {
        fill_module(symbols, mod, module, address, object);
        /* the mapping behind a module's data is its .bss only as far as a symbol says so */
        if (object->place == SYMBOLS_VARIABLE || !mapping || mapping->path[0])
            return;
    }
    if (!mapping)
        return;
    object->place = mapping_place(mapping);
    object->offset = address - mapping->start;
    object->name = object->member = NULL;
    object->module = mapping->path[0] ? mapping->path : NULL;
}
