/* SPDX-License-Identifier: MIT
 *
 * Which modules have variables of threads, and where their blocks are in this thread: see patch/layout.h.
 *
 * Modules come and go, which cannot be asked at each switch. But before a thread uses its block of a new module the
 * dynamic linker brings the thread's vector of blocks up to date, whose first word says how far it is:
 *
 *   the word is as it was   no block has come but for modules that the layout has without one:
 *                           their entries are looked at
 *   it is another           the layout is made anew
 *
 * Code may know the place of a block beforehand (is_static) and use it past the vector, which only the thread that
 * loads the module has up to date. It asks for the block, and tells the other threads by `known`; and new coroutines
 * look how often there have been changes. Such modules are not asked about before that, as another thread may be about
 * to load them: nor others at all, as it may be about to unload them.
 */
#include "patch/layout.h"
#include "base/mini.h"

#include <malloc.h>
#include <stdlib.h>

#define MOST 64

static struct {
    struct mt__mini guard;
    uint32_t version, count;
    struct mt__module modules[MOST];
} known;

/* -- The dynamic linker's vector of blocks: "ELF handling for thread-local storage", 3 ----------------------------- */

#define NOT_USED ((const void *)-1) /* the module is in the vector, and its block not yet */

struct block {
    const void *address, *to_free;
};

void *__tls_get_addr(void *variable);

static const struct block *vector(void)
{
    return *(const struct block *const *)(mt__arch_thread_pointer() + MT__ARCH_DTV_OFFSET);
}

const void *mt__layout_entry(size_t id)
{
    const struct block *blocks = vector();

    return id <= (size_t)blocks[-1].address ? blocks[id].address : NULL;
}

/* While another thread loads a module, the entry may still be that of a module which had its number before. Until it is
 * brought up to date nobody uses that block: it may be copied from and to as long as it is large enough. */
static int is_large_enough(const struct mt__module *module, const void *block)
{
    const void *allocated = vector()[module->id].to_free;

    return !allocated || (size_t)((const char *)block - (const char *)allocated) + module->size <=
                             malloc_usable_size((void *)allocated);
}

static int is_known(const struct mt__module *module)
{
    for (unsigned i = 0; i < known.count; i++)
        if (known.modules[i].id == module->id && known.modules[i].base == module->base)
            return 1;
    return 0;
}

static void make_known(const struct mt__module *module)
{
    if (is_known(module))
        return;
    known.modules[known.count++ % MOST] = *module;
    if (known.count > MOST)
        known.count = MOST;
    __atomic_store_n(&known.version, known.version + 1, __ATOMIC_RELEASE);
}

/* A block whose place code may know. */
static void find_block(struct mt__module *module)
{
    struct {
        size_t id, offset;
    } variable = {module->id, 0};
    int is_there;

    if (!module->is_static || module->block)
        return;
    mt__mini_acquire(&known.guard);
    is_there = mt__layout_entry(module->id) == NOT_USED;
    if (is_there)
        make_known(module);
    else
        is_there = is_known(module);
    mt__mini_release(&known.guard);
    if (is_there)
        module->block = __tls_get_addr(&variable);
}

/* -- Layouts ------------------------------------------------------------------------------------------------------- */

void mt__layout_free(struct mt__layout *old)
{
    if (old)
        free(old->image);
    free(old);
}

int mt__layout_is_changed(const struct mt__layout *layout)
{
    return !layout || vector()->address != layout->generation ||
           __atomic_load_n(&known.version, __ATOMIC_ACQUIRE) != layout->heard;
}

/* One that comes or goes meanwhile makes another attempt of it. */
struct mt__layout *mt__layout_read(void)
{
    struct mt__module modules[MOST];
    struct mt__layout *now;
    uint64_t changes;
    uint32_t heard = __atomic_load_n(&known.version, __ATOMIC_ACQUIRE);
    unsigned count;
    size_t size;

    for (;;) {
        size_t wanted = 0;
        changes = mt__modules_changes();
        count = mt__modules_list(modules, MOST, NULL, &wanted);
        now = mt__alloc(sizeof *now + count * sizeof *now->places);
        if (!now)
            return NULL;
        size = wanted;
        now->image = mt__alloc(size + 1);
        if (!now->image) {
            free(now);
            return NULL;
        }
        if (mt__modules_list(modules, MOST, now->image, &size) == count && size == wanted &&
            changes == mt__modules_changes())
            break;
        mt__layout_free(now);
    }
    now->changes = changes;
    now->heard = heard;
    for (unsigned i = 0; i < count && i < MOST; i++) {
        if (modules[i].block && !is_large_enough(&modules[i], modules[i].block))
            modules[i].block = NULL;
        find_block(&modules[i]);
        now->places[i] = (struct mt__laid){modules[i], now->size, mt__layout_entry(modules[i].id)};
        now->size += modules[i].size;
        now->count++;
    }
    now->generation = vector()->address;
    return now;
}

const struct mt__laid *mt__layout_find(const struct mt__layout *in, const struct mt__module *module)
{
    for (unsigned i = 0; in && i < in->count; i++) {
        const struct mt__module *before = &in->places[i].module;
        if (before->id == module->id && before->base == module->base && before->size == module->size)
            return !before->block || before->block == module->block ? &in->places[i] : NULL;
    }
    return NULL;
}

int mt__layout_is_same(const struct mt__layout *one, const struct mt__layout *other)
{
    if (!one || one->count != other->count)
        return 0;
    for (unsigned i = 0; i < one->count; i++)
        if (mt__layout_find(one, &other->places[i].module) != &one->places[i])
            return 0;
    return 1;
}

char *mt__laid_look(struct mt__laid *place)
{
    const void *entry = mt__layout_entry(place->module.id);

    if (entry == place->absent || !entry || entry == NOT_USED || !is_large_enough(&place->module, entry))
        return NULL;
    return place->module.block = (char *)entry;
}

void mt__layouts_forked(void)
{
    known.guard = (struct mt__mini){0};
}
