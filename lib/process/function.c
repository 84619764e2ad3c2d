/* SPDX-License-Identifier: MIT
 *
 * A function by the file that holds it and its offset there: addresses differ from process to process, these do not, as
 * long as the file is the same, which its build id tells.
 */
#include "process/process.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

struct search {
    const char *name;
    uintptr_t base;
    int by_base; /* look for what is loaded at `base`, else for `name` */
    int found;
    uint64_t offset; /* to be within its code */
    int in_code;
    uint32_t build_id_size;
    uint8_t build_id[MT__BUILD_ID_MAX];
};

static void read_notes(const char *at, size_t size, struct search *search)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        size_t name = (note->n_namesz + 3u) & ~3u, content = (note->n_descsz + 3u) & ~3u;
        if (sizeof *note + name + content > size)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(at + sizeof *note, "GNU", 4) &&
            note->n_descsz <= MT__BUILD_ID_MAX) {
            search->build_id_size = note->n_descsz;
            memcpy(search->build_id, at + sizeof *note + name, note->n_descsz);
        }
        at += sizeof *note + name + content;
        size -= sizeof *note + name + content;
    }
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;

    if (search->by_base ? info->dlpi_addr != search->base : strcmp(info->dlpi_name, search->name) != 0)
        return 0;
    search->found = 1;
    search->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE)
            read_notes((const char *)info->dlpi_addr + part->p_vaddr, part->p_memsz, search);
        if (part->p_type == PT_LOAD && part->p_flags & PF_X && search->offset >= part->p_vaddr &&
            search->offset < part->p_vaddr + part->p_memsz)
            search->in_code = 1;
    }
    return 1;
}

int mt__function_name(mt_fn *fn, struct mt__function *function)
{
    struct search search = {.by_base = 1};
    struct link_map *map = NULL;
    Dl_info info;

    if (!dladdr1((void *)fn, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
        return -ENOEXEC;
    if (strlen(map->l_name) >= sizeof function->module)
        return -ENAMETOOLONG;
    search.base = map->l_addr;
    search.offset = function->offset = (uintptr_t)fn - map->l_addr;
    dl_iterate_phdr(look_at, &search);
    if (!search.in_code)
        return -ENOEXEC;
    strcpy(function->module, map->l_name);
    function->build_id_size = search.build_id_size;
    memcpy(function->build_id, search.build_id, sizeof function->build_id);
    return 0;
}

mt_fn *mt__function_find(const struct mt__function *function, char *why, size_t why_size)
{
    struct search search = {.name = function->module, .offset = function->offset};
    const char *shown = function->module[0] ? function->module : "the program";

    dl_iterate_phdr(look_at, &search);
    if (!search.found && dlopen(function->module, RTLD_NOW | RTLD_GLOBAL)) /* stays: the function is in it */
        dl_iterate_phdr(look_at, &search);
    if (!search.found)
        snprintf(why, why_size, "%s, which holds the function, cannot be loaded", shown);
    else if (search.build_id_size != function->build_id_size ||
             memcmp(search.build_id, function->build_id, search.build_id_size) != 0)
        snprintf(why, why_size, "%s is not the file that it was: its build id differs", shown);
    else if (!search.in_code)
        snprintf(why, why_size, "%s has no code where the function should be", shown);
    else
        return (mt_fn *)(search.base + function->offset);
    return NULL;
}
