/* SPDX-License-Identifier: MIT
 *
 * Which part of a variable lies at an offset, as its author would write it: "[1].lock" of accounts. By DWARF; nothing
 * without.
 *
 * The inside of a lock is not taken apart: an offset that is left in one stays a number.
 */
#include "symbols-internal.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#define MOST_VARIABLES (1 << 20)

/* Whether the variable has a fixed address. clang gives it by an index into a table of addresses. */
static bool fixed_address(Dwarf_Die *die, uint64_t *address)
{
    Dwarf_Attribute location, indexed;
    Dwarf_Op *operations;
    size_t count;
    if (!dwarf_attr(die, DW_AT_location, &location) || dwarf_getlocation(&location, &operations, &count) || count != 1)
        return false;
    *address = operations[0].number;
    if (operations[0].atom == DW_OP_addrx)
        return !dwarf_getlocation_attr(&location, &operations[0], &indexed) && !dwarf_formaddr(&indexed, address);
    return operations[0].atom == DW_OP_addr;
}

static void add_variable(struct module *module, Dwarf_Die *die)
{
    uint64_t address;
    size_t count = module->variable_count;
    if (!fixed_address(die, &address) || count == MOST_VARIABLES)
        return;
    if (!(count & (count - 1))) { /* full at each power of 2 */
        struct variable *larger = reallocarray(module->variables, count ? count * 2 : 1, sizeof(*larger));
        if (!larger)
            return;
        module->variables = larger;
    }
    module->variables[module->variable_count++] = (struct variable){address, dwarf_dieoffset(die)};
}

/* The variables of a unit or a namespace. Those inside functions keep their offsets as numbers. */
static void collect(struct module *module, Dwarf_Die *parent, int depth)
{
    Dwarf_Die die;
    if (depth > 8 || dwarf_child(parent, &die))
        return;
    do {
        if (dwarf_tag(&die) == DW_TAG_variable)
            add_variable(module, &die);
        else if (dwarf_tag(&die) == DW_TAG_namespace)
            collect(module, &die, depth + 1);
    } while (!dwarf_siblingof(&die, &die));
}

static int compare_variables(const void *left, const void *right)
{
    const struct variable *a = left, *b = right;
    return (a->address > b->address) - (a->address < b->address);
}

static void read_variables(Dwarf *dwarf, struct module *module)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die cu;
    uint8_t type;
    module->variables_read = true;
    while (!dwarf_get_units(dwarf, unit, &unit, NULL, &type, &cu, NULL))
        if (type == DW_UT_compile)
            collect(module, &cu, 0);
    if (module->variable_count)
        qsort(module->variables, module->variable_count, sizeof(*module->variables), compare_variables);
}

/* Through typedefs and qualifiers. False at a type that is a lock or the like, or is none. */
static bool open_type(Dwarf_Die *type)
{
    static const char *const whole[] = {"pthread_", "sem_t", "mt_", "mtx_t", "cnd_t"};
    Dwarf_Attribute attribute;
    for (int depth = 0; depth < 16; depth++) {
        const char *name = dwarf_diename(type);
        for (size_t i = 0; name && i < sizeof(whole) / sizeof(*whole); i++)
            if (!strncmp(name, whole[i], strlen(whole[i])))
                return false;
        int tag = dwarf_tag(type);
        if (tag != DW_TAG_typedef && tag != DW_TAG_const_type && tag != DW_TAG_volatile_type)
            return true;
        if (!dwarf_formref_die(dwarf_attr_integrate(type, DW_AT_type, &attribute), type))
            return false;
    }
    return false;
}

/* The member in which *offset lies; *offset becomes the rest. */
static bool enter_member(Dwarf_Die *type, uint64_t *offset, char *text, size_t size)
{
    Dwarf_Die member, of;
    Dwarf_Attribute attribute;
    Dwarf_Word start, length;
    if (dwarf_child(type, &member))
        return false;
    do {
        if (dwarf_tag(&member) != DW_TAG_member ||
            dwarf_formudata(dwarf_attr_integrate(&member, DW_AT_data_member_location, &attribute), &start) ||
            !dwarf_formref_die(dwarf_attr_integrate(&member, DW_AT_type, &attribute), &of) ||
            dwarf_aggregate_size(&of, &length) || *offset < start || *offset - start >= length)
            continue;
        const char *name = dwarf_diename(&member);
        snprintf(text, size, "%s%s", name ? "." : "", name ? name : "");
        *offset -= start;
        *type = of;
        return true;
    } while (!dwarf_siblingof(&member, &member));
    return false;
}

static bool enter_element(Dwarf_Die *type, uint64_t *offset, char *text, size_t size)
{
    Dwarf_Die element, range;
    Dwarf_Attribute attribute;
    Dwarf_Word length;
    if (!dwarf_formref_die(dwarf_attr_integrate(type, DW_AT_type, &attribute), &element) ||
        dwarf_aggregate_size(&element, &length) || !length || dwarf_child(type, &range) ||
        !dwarf_siblingof(&range, &range))
        return false; /* several dimensions: left as a number */
    snprintf(text, size, "[%llu]", (unsigned long long)(*offset / length));
    *offset %= length;
    *type = element;
    return true;
}

static void describe(Dwarf_Die *type, uint64_t *offset, char *text, size_t size)
{
    for (int depth = 0; depth < 16 && *offset && open_type(type); depth++) {
        size_t used = strlen(text);
        int tag = dwarf_tag(type);
        bool entered = tag == DW_TAG_array_type ? enter_element(type, offset, text + used, size - used)
                       : tag == DW_TAG_structure_type || tag == DW_TAG_class_type
                           ? enter_member(type, offset, text + used, size - used)
                           : false;
        if (!entered)
            return;
    }
}

void symbols_member(struct symbols *symbols, Dwfl_Module *mod, struct module *module, struct symbols_object *object)
{
    Dwarf_Addr bias;
    Dwarf_Die die, type;
    Dwarf_Attribute attribute;
    char text[256] = "";
    Dwarf *dwarf = module->runtime || !object->offset ? NULL : dwfl_module_getdwarf(mod, &bias);
    if (!dwarf)
        return;
    if (!module->variables_read)
        read_variables(dwarf, module);
    struct variable key = {.address = object->address - object->offset - bias};
    struct variable *found =
        module->variables ? bsearch(&key, module->variables, module->variable_count, sizeof(key), compare_variables)
                          : NULL;
    if (!found || !dwarf_offdie(dwarf, found->die, &die) ||
        !dwarf_formref_die(dwarf_attr_integrate(&die, DW_AT_type, &attribute), &type))
        return;
    describe(&type, &object->offset, text, sizeof(text));
    object->member = text[0] ? symbols_string(symbols, text) : NULL;
}
