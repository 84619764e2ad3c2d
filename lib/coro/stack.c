/* SPDX-License-Identifier: MIT
 *
 * Stacks of coroutines: cut out of large reservations, each with a guard page at its lower end, and used again.
 *
 * Reserved is not used: a page is there when it is first touched, and stays when the stack goes back to the pool, so
 * that the next one starts warm. A pool that holds more than KEEP stacks gives the pages of the rest back.
 *
 * A stack is a power of two and aligned to it, so that its descriptor is found from any address in it. Reservations
 * double in size, up to SLAB_MOST: a million stacks are a few dozen mappings. Where the kernel has MADV_GUARD_INSTALL
 * (Linux 6.13) a guard costs none; before, each takes two of vm.max_map_count's mappings.
 *
 * Colour: were all stacks to begin at the same offset, their hottest lines would fight for the same sets of the first
 * cache. So each begins a little lower than its neighbour, by COLOUR bytes, COLOURS different ones.
 *
 * Huge pages are off here: one touched page would become two megabytes of thirty stacks, guards and all.
 */
#include "coro/stack.h"
#include "base/mini.h"

#include <errno.h>
#include <linuxmt/greenlet.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if MT__ASAN
#include <sanitizer/asan_interface.h>
#endif
#if defined(__has_include) && __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0u
#define VALGRIND_STACK_DEREGISTER(id)
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define SMALLEST_SHIFT 14 /* 16 KiB */
#define CLASSES        15 /* up to 256 MiB: MT_CORO_STACK_MAX */
#define SLAB_LEAST     ((size_t)1 << 20)
#define SLAB_MOST      ((size_t)4 << 30)
#define SLABS          4096
#define KEEP           1024
#define COLOUR         128
#define COLOURS        12

struct class
{
    struct mt__stack *free;
    size_t kept;
    char *fresh, *fresh_end; /* of the newest reservation: not cut yet */
    size_t next_slab;
    unsigned colour;
};

struct slab {
    char *start, *end;
    size_t size; /* of each stack in it */
};

_Static_assert(sizeof(struct mt__stack) == 48 && offsetof(struct mt__stack, place) == 40, "as linuxmt-gdb.py has it");

static struct mt__mini guard;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static struct class classes[CLASSES];
struct slab mt__slabs[SLABS] __attribute__((visibility("hidden"))); /* only ever grows: mt__stack_find reads it without
                                                             the guard, and linuxmt-gdb.py, which knows its layout */
static unsigned slab_count;
static int guards_by_mprotect, pages_by_fault;

static unsigned class_of(size_t size)
{
    unsigned class = 0;

    while (((size_t)1 << (class + SMALLEST_SHIFT)) < size)
        class ++;
    return class;
}

/* -- New ones ----------------------------------------------------------------------------------------------------- */

/* Reserves a slab, aligned to the stacks' size. */
static char *reserve(size_t size, size_t align)
{
    long address = mt__sys(SYS_mmap, NULL, size + align, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    char *start, *aligned;

    if (address < 0 && address > -4096)
        return NULL;
    start = (char *)address;
    aligned = (char *)(((uintptr_t)start + align - 1) & ~(uintptr_t)(align - 1));
    if (aligned > start)
        mt__sys(SYS_munmap, start, aligned - start);
    mt__sys(SYS_munmap, aligned + size, start + align - aligned);
    mt__sys(SYS_madvise, aligned, size, MADV_NOHUGEPAGE);
    return aligned;
}

static int grow(struct class *class, size_t size)
{
    size_t length = class->next_slab ? class->next_slab : SLAB_LEAST;
    char *start;

    if (length < size)
        length = size;
    if (slab_count == SLABS)
        return -ENOMEM;
    start = reserve(length, size);
    if (!start && length > size)
        start = reserve(length = size, size);
    if (!start)
        return -ENOMEM;
    class->fresh = start;
    class->fresh_end = start + length;
    class->next_slab = length < SLAB_MOST ? length * 2 : length;
    mt__slabs[slab_count] = (struct slab){start, start + length, size};
    __atomic_store_n(&slab_count, slab_count + 1, __ATOMIC_RELEASE);
    return 0;
}

static int protect(char *page, size_t size)
{
    if (!__atomic_load_n(&guards_by_mprotect, __ATOMIC_RELAXED)) {
        long result = mt__sys(SYS_madvise, page, size, MADV_GUARD_INSTALL);
        if (result != -EINVAL)
            return (int)result;
        __atomic_store_n(&guards_by_mprotect, 1, __ATOMIC_RELAXED);
    }
    return (int)mt__sys(SYS_mprotect, page, size, PROT_NONE);
}

/* The page at its upper end is touched next, and to ask for it costs less than the fault (Linux 5.14). Without it, or
 * memory, the fault comes. */
static void ask_for(char *page, size_t size)
{
    if (!__atomic_load_n(&pages_by_fault, __ATOMIC_RELAXED) &&
        mt__sys(SYS_madvise, page, size, MADV_POPULATE_WRITE) == -EINVAL)
        __atomic_store_n(&pages_by_fault, 1, __ATOMIC_RELAXED);
}

static struct mt__stack *cut(struct class *class, size_t size, int *error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct mt__stack *stack;
    char *start;

    if (class->fresh == class->fresh_end && (*error = grow(class, size)) != 0)
        return NULL;
    start = class->fresh;
    *error = protect(start, page);
    if (*error)
        return NULL;
    class->fresh += size;
    ask_for(start + size - page, page);
    stack = (struct mt__stack *)(start + size - sizeof *stack - class->colour++ % COLOURS * COLOUR);
    stack->low = start + page;
    stack->size = size;
    stack->valgrind = VALGRIND_STACK_REGISTER(stack->low, start + size);
    return stack;
}

/* -- Taking and giving -------------------------------------------------------------------------------------------- */

/* Changed under the guard; the one look at it without the guard is only a guess at whether there are enough. */
static void count(struct class *class, long more)
{
    __atomic_store_n(&class->kept, class->kept + (size_t)more, __ATOMIC_RELAXED);
}

/* In the child of a fork its holder may be a thread of the parent. What that has half done is one stack less. */
static void forked(void)
{
    guard.word = 0;
}

static void prepare(void)
{
    pthread_atfork(NULL, NULL, forked);
}

struct mt__stack *mt__stack_take(size_t size, int *error)
{
    struct class *class;
    struct mt__stack *stack;

    if (size > MT_CORO_STACK_MAX) {
        *error = -EINVAL;
        return NULL;
    }
    size = (size_t)1 << (class_of(size ? size : MT_CORO_STACK) + SMALLEST_SHIFT);
    class = &classes[class_of(size)];
    pthread_once(&prepared, prepare);
    mt__mini_acquire(&guard);
    stack = class->free;
    if (stack) {
        class->free = stack->next;
        count(class, -1);
    } else {
        stack = cut(class, size, error);
    }
    mt__mini_release(&guard);
#if MT__ASAN
    if (stack)
        __asan_unpoison_memory_region(stack->low, (size_t)((char *)stack - stack->low)); /* of the last one */
#endif
    return stack;
}

/* The descriptor's page stays. */
static void give_pages_back(struct mt__stack *stack)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *top = (char *)((uintptr_t)stack & ~(uintptr_t)(page - 1));

    mt__sys(SYS_madvise, stack->low, top - stack->low, MADV_DONTNEED);
}

void mt__stack_give(struct mt__stack *stack)
{
    struct class *class = &classes[class_of(stack->size)];

    stack->owner = NULL;
    stack->place = NULL;
    if (__atomic_load_n(&class->kept, __ATOMIC_RELAXED) >= KEEP)
        give_pages_back(stack);
    mt__mini_acquire(&guard);
    stack->next = class->free;
    class->free = stack;
    count(class, 1);
    mt__mini_release(&guard);
}

/* -- Asking ------------------------------------------------------------------------------------------------------- */

static size_t first_there(char *low, size_t pages, size_t page)
{
    unsigned char there[64];

    for (size_t i = 0; i < pages; i += sizeof there) {
        size_t count = pages - i < sizeof there ? pages - i : sizeof there;
        if (mt__sys(SYS_mincore, low + i * page, count * page, there) < 0)
            return pages;
        for (size_t j = 0; j < count; j++)
            if (there[j] & 1)
                return i + j;
    }
    return pages;
}

size_t mt__stack_used(const struct mt__stack *stack)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = stack->size / page - 1;

    return (pages - first_there(stack->low, pages, page)) * page;
}

struct mt__stack *mt__stack_find(const void *address)
{
    unsigned count = __atomic_load_n(&slab_count, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < count; i++) {
        const struct slab *slab = &mt__slabs[i];
        char *start, *low;
        if ((const char *)address < slab->start || (const char *)address >= slab->end)
            continue;
        start = slab->start + (size_t)((const char *)address - slab->start) / slab->size * slab->size;
        low = start + (size_t)sysconf(_SC_PAGESIZE);
        for (unsigned colour = 0; colour < COLOURS; colour++) {
            struct mt__stack *stack =
                (struct mt__stack *)(start + slab->size - sizeof *stack - (size_t)colour * COLOUR);
            if (stack->low == low && stack->size == slab->size)
                return stack;
        }
    }
    return NULL;
}
