/* SPDX-License-Identifier: MIT
 *
 * Inside the room: where the variables of a kernel thread are, and where those of a coroutine are kept meanwhile.
 *
 * A layout is a thread's: the modules with their blocks in this thread, and where each one's copy is in the contents of
 * a storage (patch/storage.h). It is the same for all coroutines of the thread, and is made anew when modules have come
 * or gone. All of this is called by the thread itself.
 */
#ifndef PATCH_LAYOUT_H
#define PATCH_LAYOUT_H

#include "patch/modules.h"

#include <stddef.h>
#include <stdint.h>

struct mt__laid {
    struct mt__module module;
    size_t offset;
    const void *absent; /* what the vector has while there is no block */
};

struct mt__layout {
    uint64_t changes;       /* as mt__modules_changes said, */
    const void *generation; /* as the vector's first word was, */
    uint32_t heard;         /* and what had been heard of other threads */
    unsigned count;
    size_t size;
    char *image; /* of all: what a new thread starts with. The modules' own may have been unmapped */
    struct mt__laid places[];
};

/* As it is now; NULL: there is no memory. */
struct mt__layout *mt__layout_read(void);
void mt__layout_free(struct mt__layout *layout);

/* What has come since it was made; if it is NULL all has. */
int mt__layout_is_changed(const struct mt__layout *layout);

/* Where it has the module. One whose block has gone, or is another, has been loaded anew: nothing of it is left, and it
 * is NULL. */
const struct mt__laid *mt__layout_find(const struct mt__layout *in, const struct mt__module *module);
int mt__layout_is_same(const struct mt__layout *one, const struct mt__layout *other);

/* The block, which may have come meanwhile; NULL: there is none. */
char *mt__laid_look(struct mt__laid *place);
static inline char *mt__laid_block(struct mt__laid *place)
{
    return __builtin_expect(place->module.block != NULL, 1) ? place->module.block : mt__laid_look(place);
}

/* The dynamic linker's entry for a module in the vector of this thread. */
const void *mt__layout_entry(size_t id);

void mt__layouts_forked(void); /* in the child of a fork: other threads may have been in the middle of it */

#endif
