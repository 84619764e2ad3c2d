/* SPDX-License-Identifier: MIT
 *
 * The tables of call frame information (.eh_frame and .eh_frame_hdr) of this process's code. They are the linker's, and
 * are believed.
 */
#include "coro/unwind-table.h"

#include <link.h>
#include <string.h>

/* -- Reading tables ----------------------------------------------------------------------------------------------- */

uint64_t mt__unwind_uleb(mt__bytes *at)
{
    uint64_t value = 0;
    unsigned shift = 0;

    do
        value |= shift < 64 ? (uint64_t)(**at & 0x7f) << shift : 0, shift += 7;
    while (*(*at)++ & 0x80);
    return value;
}

int64_t mt__unwind_sleb(mt__bytes *at)
{
    uint64_t value = 0;
    unsigned shift = 0;
    unsigned char byte;

    do {
        byte = *(*at)++;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        shift += 7;
    } while (byte & 0x80);
    if (byte & 0x40 && shift < 64)
        value |= ~0ull << shift;
    return (int64_t)value;
}

uint64_t mt__unwind_number(mt__bytes *at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, *at, size); /* little-endian, as all the CPUs of lib/arch are */
    *at += size;
    return value;
}

/* A pointer in one of DW_EH_PE_*'s forms; the relative ones are to its own place. */
uint64_t mt__unwind_pointer(mt__bytes *at, unsigned form)
{
    uint64_t place = (uintptr_t)*at, value;

    switch (form & 0x0f) {
    case 0x01:
        value = mt__unwind_uleb(at);
        break;
    case 0x02:
        value = mt__unwind_number(at, 2);
        break;
    case 0x03:
        value = mt__unwind_number(at, 4);
        break;
    case 0x0a:
        value = (uint64_t)(int64_t)(int16_t)mt__unwind_number(at, 2);
        break;
    case 0x0b:
        value = (uint64_t)(int64_t)(int32_t)mt__unwind_number(at, 4);
        break;
    default:
        value = mt__unwind_number(at, 8);
    }
    return (form & 0x70) == 0x10 ? value + place : value;
}

/* -- Finding the entry of a function ------------------------------------------------------------------------------ */

struct search {
    uint64_t ip;
    mt__bytes entry;
};

/* The last row of the sorted table that begins at or before the address. */
static mt__bytes look_up(mt__bytes header, uint64_t ip)
{
    mt__bytes at = header + 4;
    uint64_t count;
    size_t low = 0, high;

    if (header[0] != 1 || header[3] != 0x3b) /* rows of two numbers of 4 bytes, relative to the header */
        return NULL;
    mt__unwind_pointer(&at, header[1]);
    count = mt__unwind_pointer(&at, header[2]);
    for (high = count; low < high;) {
        size_t middle = (low + high) / 2;
        mt__bytes row = at + middle * 8;
        if ((uint64_t)(uintptr_t)header + (uint64_t)(int64_t)(int32_t)mt__unwind_number(&row, 4) <= ip)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    at += (low - 1) * 8 + 4;
    return header + (int32_t)mt__unwind_number(&at, 4);
}

static int look_in_module(struct dl_phdr_info *module, size_t size, void *arg)
{
    struct search *search = arg;
    const ElfW(Phdr) *header = NULL;
    bool inside = false;

    (void)size;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        uint64_t start = module->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_GNU_EH_FRAME)
            header = segment;
        inside |= segment->p_type == PT_LOAD && search->ip >= start && search->ip < start + segment->p_memsz;
    }
    if (inside && header)
        search->entry = look_up((mt__bytes)(uintptr_t)(module->dlpi_addr + header->p_vaddr), search->ip);
    return inside;
}

static bool read_common(mt__bytes at, struct mt__unwind_function *function)
{
    uint64_t length = mt__unwind_number(&at, 4);
    const char *augmentation;
    unsigned version;

    function->common_end = at + length;
    if (length == 0xffffffff || mt__unwind_number(&at, 4) != 0)
        return false;
    version = *at++;
    augmentation = (const char *)at;
    at += strlen(augmentation) + 1;
    function->code_unit = mt__unwind_uleb(&at);
    function->data_unit = mt__unwind_sleb(&at);
    function->return_register = version == 1 ? *at++ : (unsigned)mt__unwind_uleb(&at);
    function->pointer_form = 0;
    function->common = at;
    if (*augmentation != 'z')
        return !*augmentation;
    length = mt__unwind_uleb(&at);
    function->common = at + length;
    while (*++augmentation)
        if (*augmentation == 'R')
            function->pointer_form = *at++;
        else if (*augmentation == 'L')
            at++;
        else if (*augmentation == 'P')
            mt__unwind_pointer(&at, (unsigned)*at++ & 0x7f);
    return true;
}

static bool read_entry(mt__bytes at, uint64_t ip, struct mt__unwind_function *function)
{
    mt__bytes place;
    uint64_t length, back;

    if (!at)
        return false;
    length = mt__unwind_number(&at, 4);
    function->own_end = at + length;
    place = at;
    back = mt__unwind_number(&at, 4);
    if (length == 0xffffffff || !back || !read_common(place - back, function))
        return false;
    function->start = mt__unwind_pointer(&at, function->pointer_form);
    function->end = function->start + mt__unwind_pointer(&at, function->pointer_form & 0x0f);
    length = mt__unwind_uleb(&at); /* of the augmentation */
    function->own = at + length;
    return ip >= function->start && ip < function->end;
}

bool mt__unwind_function_by(mt__bytes table, uint64_t ip, struct mt__unwind_function *function)
{
    return read_entry(look_up(table, ip), ip, function);
}

bool mt__unwind_function(uint64_t ip, struct mt__unwind_function *function)
{
    struct search search = {ip, NULL};

    dl_iterate_phdr(look_in_module, &search);
    return read_entry(search.entry, ip, function);
}
