/* SPDX-License-Identifier: MIT
 *
 * Stacks of coroutines: cut out of large reservations, each with a guard page at its lower end, and used again.
 *
 * Reserved is not used: a page is there when it is first touched, and stays when the stack goes back to the pool, so
 * that the next one starts warm. A pool that holds KEEP such stacks and BATCH more gives the pages of BATCH back at
 * once: those are on a list of their own, `cold`, and are taken last.
 *
 * New ones are made some ahead, so that the kernel is asked for the guards and the first pages of several at once: one
 * for each AHEAD that there are, up to BATCH. So those pages that nobody uses yet are at most an AHEADth of all.
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
#include "coro/advise.h"

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
#define BATCH          64
#define AHEAD          16
#define COLOUR         128
#define COLOURS        12

struct class
{
    struct mt__stack *free; /* `kept` of them, warm */
    struct mt__stack *cold; /* but for the page of the descriptor */
    size_t kept;
    char *fresh, *ready, *fresh_end; /* of the newest reservation: not cut yet, and up to where guarded */
    size_t made;                     /* how many have been guarded */
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
    class->fresh = class->ready = start;
    class->fresh_end = start + length;
    class->next_slab = length < SLAB_MOST ? length * 2 : length;
    mt__slabs[slab_count] = (struct slab){start, start + length, size};
    __atomic_store_n(&slab_count, slab_count + 1, __ATOMIC_RELEASE);
    return 0;
}

/* Guards at the lower ends of `count` stacks from `start` on. How many there are now; none: *error. */
static unsigned protect(char *start, size_t size, unsigned count, size_t page, int *error)
{
    struct iovec guards[BATCH];
    unsigned done;

    for (unsigned i = 0; i < count; i++)
        guards[i] = (struct iovec){start + i * size, page};
    if (!__atomic_load_n(&guards_by_mprotect, __ATOMIC_RELAXED)) {
        done = mt__advise(guards, count, MADV_GUARD_INSTALL, error);
        if (done || *error != -EINVAL)
            return done;
        __atomic_store_n(&guards_by_mprotect, 1, __ATOMIC_RELAXED);
    }
    *error = (int)mt__sys(SYS_mprotect, start, page, PROT_NONE); /* not ahead: mappings are scarce */
    return *error == 0;
}

/* The pages at their upper ends are touched next, and to ask for them costs less than the faults (Linux 5.14). Without
 * that, or memory, the faults come. */
static void ask_for_tops(char *start, size_t size, unsigned count, size_t page)
{
    struct iovec tops[BATCH] = {0};
    int error = 0;

    if (__atomic_load_n(&pages_by_fault, __ATOMIC_RELAXED))
        return;
    for (unsigned i = 0; i < count; i++)
        tops[i] = (struct iovec){start + (i + 1) * size - page, page};
    if (mt__advise(tops, count, MADV_POPULATE_WRITE, &error) < count && error == -EINVAL)
        __atomic_store_n(&pages_by_fault, 1, __ATOMIC_RELAXED);
}

static unsigned how_many_ahead(const struct class *class, size_t size)
{
    size_t count = class->made / AHEAD, left = (size_t)(class->fresh_end - class->fresh) / size;

    if (count > BATCH)
        count = BATCH;
    if (count > left)
        count = left;
    return count ? (unsigned)count : 1;
}

static int make_ready(struct class *class, size_t size, size_t page)
{
    unsigned count;
    int error = 0;

    if (class->fresh == class->fresh_end && (error = grow(class, size)) != 0)
        return error;
    count = protect(class->fresh, size, how_many_ahead(class, size), page, &error);
    if (!count)
        return error;
    ask_for_tops(class->fresh, size, count, page);
    class->made += count;
    class->ready = class->fresh + count * size;
    return 0;
}

static struct mt__stack *cut(struct class *class, size_t size, int *error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct mt__stack *stack;
    char *start;

    if (class->fresh == class->ready && (*error = make_ready(class, size, page)) != 0)
        return NULL;
    start = class->fresh;
    class->fresh += size;
    stack = (struct mt__stack *)(start + size - sizeof *stack - class->colour++ % COLOURS * COLOUR);
    stack->low = start + page;
    stack->size = size;
    stack->valgrind = VALGRIND_STACK_REGISTER(stack->low, start + size);
    return stack;
}

/* -- Taking and giving -------------------------------------------------------------------------------------------- */

/* In the child of a fork its holder may be a thread of the parent. What that has half done is one stack less, or all
 * that were not cut yet. */
static void forked(void)
{
    if (!guard.word)
        return;
    guard.word = 0;
    for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++)
        classes[i].fresh = classes[i].ready = classes[i].fresh_end = NULL;
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
        class->kept--;
    } else if (class->cold) {
        stack = class->cold;
        class->cold = stack->next;
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

/* The descriptors' pages stay. */
static void give_pages_back(struct mt__stack *first)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct iovec ranges[BATCH];
    unsigned count = 0;
    int error;

    for (struct mt__stack *stack = first; stack; stack = stack->next) {
        char *top = (char *)((uintptr_t)stack & ~(uintptr_t)(page - 1));
        if (top > stack->low)
            ranges[count++] = (struct iovec){stack->low, (size_t)(top - stack->low)};
    }
    mt__advise(ranges, count, MADV_DONTNEED, &error);
}

/* BATCH of the warm ones, off their list. */
static struct mt__stack *take_batch(struct class *class, struct mt__stack **last)
{
    struct mt__stack *first = class->free;

    *last = first;
    for (unsigned i = 1; i < BATCH; i++)
        *last = (*last)->next;
    class->free = (*last)->next;
    class->kept -= BATCH;
    (*last)->next = NULL;
    return first;
}

void mt__stack_give(struct mt__stack *stack)
{
    struct class *class = &classes[class_of(stack->size)];
    struct mt__stack *first = NULL, *last = NULL;

    stack->owner = NULL;
    stack->place = NULL;
    mt__mini_acquire(&guard);
    stack->next = class->free;
    class->free = stack;
    if (++class->kept == KEEP + BATCH)
        first = take_batch(class, &last);
    mt__mini_release(&guard);
    if (!first)
        return;
    give_pages_back(first);
    mt__mini_acquire(&guard);
    last->next = class->cold;
    class->cold = first;
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
