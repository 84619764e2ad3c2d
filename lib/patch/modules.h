/* SPDX-License-Identifier: MIT
 *
 * Inside the room: the modules of this process that have variables of threads (modules.c).
 */
#ifndef PATCH_MODULES_H
#define PATCH_MODULES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that a switch may have to copy, twice: who has more has the kernel's threads. With so much a switch took 0.35
 * us, with 4 KiB 0.13 us and with none 0.03 us, where the kernel's takes 1.2 us. */
#define MT__STORAGE_MOST (16 * 1024)

struct mt__module {
    size_t id;      /* the dynamic linker's number */
    uintptr_t base; /* two that are loaded one after the other may have the same number */
    size_t size;
    char *block;   /* this thread's; NULL: it has not used any of them */
    int is_static; /* or it may have: code may know the block's place beforehand */
};

/* Those whose variables are to be each coroutine's own, no more than `room`: how many there are. And what they begin
 * with, one after the other, if all of them have a place in both; *size: how much that is. */
unsigned mt__modules_list(struct mt__module *modules, unsigned room, char *image, size_t *size);

/* Whether a thread must not be left in the middle of its code: libc, the dynamic linker, allocators, and what unwinds.
 */
struct dl_phdr_info;
int mt__module_keeps(const struct dl_phdr_info *info);

/* How often a module has been loaded or unloaded. */
uint64_t mt__modules_changes(void);

/* Whether threads of this process must not be coroutines, for good: one of its modules has a runtime that deals with
 * the kernel's threads past libc, or there is more to copy than MT__STORAGE_MOST. */
int mt__modules_refuse(void);
void mt__modules_forked(void); /* in the child of a fork */

#endif
