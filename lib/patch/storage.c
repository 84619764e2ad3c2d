/* SPDX-License-Identifier: MIT
 *
 * Storage of coroutines that stand for threads: the copies, and where they lie. See patch/storage.h.
 *
 * A thread has a layout: the modules with their blocks in this thread, and where each one's copy is in a `contents`. It
 * is the same for all coroutines of the thread, and is made anew when modules have come or gone. That cannot be asked
 * at each switch. But before a thread uses its block of a new module the dynamic linker brings the thread's vector of
 * blocks up to date, whose first word says how far it is:
 *
 *   the word is as it was   no block has come but for modules that the layout has without one: their entries are looked
 * at it is another           the layout is made anew, all contents with it
 *
 * What is new and in place is of who runs: the others start with its initial image.
 *
 * Code may know the place of a block beforehand (is_static) and use it past the vector, which only the thread that
 * loads the module has up to date. It asks for the block, and tells the other threads by `known`; and new coroutines
 * look how often there have been changes. Such modules are not asked about before that, as another thread may be about
 * to load them: nor others at all, as it may be about to unload them.
 */
#include "patch/storage.h"
#include "patch/pthreads.h"
#include "patch/signals.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    struct mt__module module;
    size_t offset;
    const void *absent; /* what the vector has while there is no block */
};

struct layout {
    uint64_t changes;
    unsigned count;
    size_t size;
    char *image; /* of all: what a new thread starts with. The modules' own may have been unmapped */
    struct place places[];
};

static __thread struct layout *layout __attribute__((tls_model("initial-exec")));
static __thread const void *generation __attribute__((tls_model("initial-exec"))); /* the word, as it was, */
static __thread uint32_t heard __attribute__((tls_model("initial-exec")));         /* and known.version */
static __thread struct mt__storage own __attribute__((tls_model("initial-exec")));

#define MOST 64

static struct {
    struct mt__mini guard;
    uint32_t version, count;
    struct mt__module modules[MOST];
} known;

/* hub->storage while its masks differ: nobody's, so that each switch comes here. */
static char watched;
static __thread void *in_place __attribute__((tls_model("initial-exec")));

static int is_expected; /* each coroutine is to have one, whatever there is by now */

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

const void *mt__storage_entry(size_t id)
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

/* What has come since the layout was made. */
static int is_changed(void)
{
    return vector()->address != generation || __atomic_load_n(&known.version, __ATOMIC_ACQUIRE) != heard;
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
    is_there = mt__storage_entry(module->id) == NOT_USED;
    if (is_there)
        make_known(module);
    else
        is_there = is_known(module);
    mt__mini_release(&known.guard);
    if (is_there)
        module->block = __tls_get_addr(&variable);
}

/* -- Layouts ------------------------------------------------------------------------------------------------------- */

static void out_of_memory(void) __attribute__((noreturn));
static void out_of_memory(void)
{
    static const char text[] = "linuxmt: no memory for the thread-local variables of a coroutine\n";

    mt__sys(SYS_write, STDERR_FILENO, text, sizeof text - 1); /* nor has the dynamic linker any other way */
    abort();
}

static void free_layout(struct layout *old)
{
    if (old)
        free(old->image);
    free(old);
}

/* One that comes or goes meanwhile makes another attempt of it. */
static struct layout *read_layout(void)
{
    struct mt__module modules[MOST];
    struct layout *now;
    uint64_t changes;
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
        free_layout(now);
    }
    now->changes = changes;
    for (unsigned i = 0; i < count && i < MOST; i++) {
        if (modules[i].block && !is_large_enough(&modules[i], modules[i].block))
            modules[i].block = NULL;
        find_block(&modules[i]);
        now->places[i] = (struct place){modules[i], now->size, mt__storage_entry(modules[i].id)};
        now->size += modules[i].size;
        now->count++;
    }
    return now;
}

/* One whose block has gone, or is another, has been loaded anew: nothing of it is left. */
static const struct place *find_place(const struct layout *in, const struct mt__module *module)
{
    for (unsigned i = 0; in && i < in->count; i++) {
        const struct mt__module *before = &in->places[i].module;
        if (before->id == module->id && before->base == module->base && before->size == module->size)
            return !before->block || before->block == module->block ? &in->places[i] : NULL;
    }
    return NULL;
}

/* Contents for the layout: what the former ones have of it, else what a new thread has. 0 or -ENOMEM. */
static int lay_out(struct mt__storage *storage, const struct layout *old, const struct layout *now)
{
    char *contents = mt__alloc(now->size + 1);

    if (!contents)
        return -ENOMEM;
    memcpy(contents, now->image, now->size);
    for (unsigned i = 0; storage->contents && i < now->count; i++) {
        const struct place *before = find_place(old, &now->places[i].module);
        if (before)
            memcpy(contents + now->places[i].offset, storage->contents + before->offset, before->module.size);
    }
    storage->next = contents;
    return 0;
}

static void take_next(struct mt__storage *storage, const struct layout *now)
{
    free(storage->contents);
    storage->contents = storage->next;
    storage->size = now->size;
    storage->next = NULL;
}

static void drop_next(struct mt__storage *storage)
{
    free(storage->next);
    storage->next = NULL;
}

/* All of the thread: 0, or -ENOMEM with nothing changed. */
static int lay_out_all(const struct layout *old, const struct layout *now)
{
    struct mt__hub *hub = mt__hub;
    struct mt__coro *first = hub ? hub->living : NULL;
    int error = lay_out(&own, old, now);

    for (struct mt__coro *coro = first; coro && !error; coro = coro->next_living)
        error = coro->storage ? lay_out(coro->storage, old, now) : 0;
    if (error)
        drop_next(&own);
    else
        take_next(&own, now);
    for (struct mt__coro *coro = first; coro; coro = coro->next_living)
        if (!coro->storage)
            continue;
        else if (error)
            drop_next(coro->storage);
        else
            take_next(coro->storage, now);
    return error;
}

static int is_same(const struct layout *one, const struct layout *other)
{
    if (!one || one->count != other->count)
        return 0;
    for (unsigned i = 0; i < one->count; i++)
        if (find_place(one, &other->places[i].module) != &one->places[i])
            return 0;
    return 1;
}

/* 0, or -ENOMEM with nothing changed. */
static int refresh(void)
{
    uint32_t version = __atomic_load_n(&known.version, __ATOMIC_ACQUIRE);
    struct layout *now = read_layout(), *old = layout;

    if (!now)
        return -ENOMEM;
    if (!is_same(old, now) && lay_out_all(old, now)) {
        free_layout(now);
        return -ENOMEM;
    }
    generation = vector()->address;
    heard = version;
    layout = now;
    free_layout(old);
    return 0;
}

/* -- The copies ---------------------------------------------------------------------------------------------------- */

static int has_block(struct place *place)
{
    const void *entry;

    if (__builtin_expect(place->module.block != NULL, 1))
        return 1;
    entry = mt__storage_entry(place->module.id);
    if (entry == place->absent || !entry || entry == NOT_USED || !is_large_enough(&place->module, entry))
        return 0;
    place->module.block = (char *)entry;
    return 1;
}

static void copy_out(struct mt__storage *from)
{
    struct layout *here = layout;

    for (unsigned i = 0; i < here->count; i++)
        if (has_block(&here->places[i]))
            memcpy(from->contents + here->places[i].offset, here->places[i].module.block, here->places[i].module.size);
}

static void copy_in(const struct mt__storage *to)
{
    struct layout *here = layout;

    for (unsigned i = 0; i < here->count; i++)
        if (has_block(&here->places[i]))
            memcpy(here->places[i].module.block, to->contents + here->places[i].offset, here->places[i].module.size);
}

/* The stack for signals is the kernel's to know. Who runs on one, in a handler, keeps it in place. */
static void change_signal_stack(const struct mt__storage *from, const struct mt__storage *to)
{
    if (!from->has_signal_stack && !to->has_signal_stack)
        return;
    if (!from->has_signal_stack) {
        mt__sys(SYS_sigaltstack, NULL, &own.signal_stack);
        own.signal_stack.ss_flags &= ~SS_ONSTACK;
    }
    mt__sys(SYS_sigaltstack, to->has_signal_stack ? &to->signal_stack : &own.signal_stack, NULL);
}

void *mt__storage_in_place(const struct mt__hub *hub)
{
    return hub->storage == &watched ? in_place : hub->storage;
}

static void put_in_place(struct mt__hub *hub, void *storage)
{
    *(hub->storage == &watched ? &in_place : &hub->storage) = storage;
}

void mt__storage_watch(struct mt__hub *hub, int on)
{
    void *now = mt__storage_in_place(hub);

    in_place = now;
    hub->storage = on ? &watched : now;
}

static void exchange(struct mt__storage *from, struct mt__storage *to)
{
    if (is_changed() && refresh())
        out_of_memory();
    if (layout->count) {
        copy_out(from);
        copy_in(to);
    }
    change_signal_stack(from, to);
}

/* As in a turn, a handler would find nobody's variables and mask: those of one, while another is said to run. */
static void swap(struct mt__hub *hub, const struct mt__coro *next)
{
    struct mt__storage *now = mt__storage_in_place(hub), *then = next->storage;

    hub->in_turn = 1;
    if (now != then) {
        exchange(now ? now : &own, then ? then : &own);
        put_in_place(hub, then);
    }
    if (hub->storage == &watched)
        mt__mask_switch(hub, next);
    __atomic_store_n(&hub->current, (struct mt__coro *)next, __ATOMIC_RELAXED); /* the monitor looks */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    hub->in_turn = 0;
}

/* -- Life ---------------------------------------------------------------------------------------------------------- */

/* The layout as it is now: 0 or -ENOMEM. */
static int look(void)
{
    if (layout && !is_changed() && layout->changes == mt__modules_changes())
        return 0;
    return refresh();
}

int mt__storage_make(struct mt__storage *storage)
{
    int error = look();

    if (error || (!layout->count && !is_expected))
        return error;
    error = lay_out(storage, NULL, layout);
    if (!error)
        take_next(storage, layout);
    return error;
}

void mt__storage_free(struct mt__storage *storage)
{
    free(storage->contents);
    *storage = (struct mt__storage){0};
}

/* Room for it may be there; or not, as nothing was, when it was made. */
static void attach(struct mt__storage *storage)
{
    if (storage->contents && storage->size == layout->size)
        memcpy(storage->contents, layout->image, layout->size);
    else if (lay_out(storage, NULL, layout))
        out_of_memory();
    else
        take_next(storage, layout);
    mt__hub->current->storage = storage;
    put_in_place(mt__hub, storage);
}

void mt__storage_begin(struct mt__storage *storage)
{
    if (look())
        out_of_memory();
    if (!layout->count && !is_expected)
        return;
    attach(storage);
    copy_out(&own);
    copy_in(storage);
}

int mt__storage_signal_stack(struct mt__storage *storage, const stack_t *stack)
{
    int has = !(stack->ss_flags & SS_DISABLE), result;
    stack_t kernels;

    if (!has && !storage->has_signal_stack)
        return 0;
    mt__sys(SYS_sigaltstack, NULL, &kernels);
    result = (int)mt__sys(SYS_sigaltstack, has ? stack : &own.signal_stack, NULL);
    if (result)
        return result;
    if (mt__storage_in_place(mt__hub) != storage)
        attach(storage); /* there were no variables */
    if (has && !storage->has_signal_stack) {
        own.signal_stack = kernels;
        own.signal_stack.ss_flags &= ~SS_ONSTACK;
    }
    storage->signal_stack = *stack;
    storage->has_signal_stack = has;
    return 0;
}

void mt__storage_end(struct mt__storage *storage)
{
    if (mt__storage_in_place(mt__hub) == storage) {
        if (is_changed() && refresh())
            out_of_memory();
        copy_in(&own);
        change_signal_stack(storage, &own);
        mt__hub->current->storage = NULL;
        put_in_place(mt__hub, NULL);
    }
    mt__storage_free(storage);
}

/* Those that are there and have none, as there was nothing, are given theirs. */
static void attach_living(struct mt__hub *hub)
{
    for (struct mt__coro *coro = hub->living; coro; coro = coro->next_living) {
        struct mt__pthread *thread = coro->pthread;
        if (!thread || !thread->unwinds || coro->storage)
            continue;
        if (lay_out(&thread->storage, NULL, layout))
            out_of_memory();
        take_next(&thread->storage, layout);
        coro->storage = &thread->storage;
        if (coro == hub->current)
            put_in_place(hub, coro->storage);
    }
}

void mt__storage_expect(void)
{
    __atomic_store_n(&is_expected, 1, __ATOMIC_RELEASE);
    if (mt__hub && layout && !layout->count)
        attach_living(mt__hub);
}

void mt__storage_forget(void)
{
    mt__storage_free(&own);
    free_layout(layout);
    layout = NULL;
}

void mt__storage_forked(void)
{
    known.guard = (struct mt__mini){0};
}

__attribute__((constructor)) static void begin(void)
{
    mt__storage_swap = swap;
}
