/* SPDX-License-Identifier: MIT
 *
 * Slots are used again and never unmapped: libc keeps malloc's per-thread cache and other things in the TLS block, with
 * no public way to free them when the block goes; a slot that is used again keeps them in use instead. So the number of
 * slots is the largest number of threads that ever ran at once, for stacks of one size. The stacks of slots that lie
 * idle beyond KEEP_WARM give their memory back.
 *
 * Invariant: a slot on the list belongs to nobody; the registry's lock guards the list. One whose tid is not 0 is still
 * being left by its thread, which gave it back itself as its last act, and is passed over.
 */
#include "thread/slot.h"
#include "base/task.h"
#include "thread/glibc.h"

#include <errno.h>
#include <linux/mman.h>
#include <sys/mman.h>

#define KEEP_WARM 32
#define LOOK_AT   64 /* slots that are tried before a new one is mapped */
#define WARM_TOP  (16 * 1024)

static struct mt__slot *idle;
static unsigned idle_count;

static int fits(const struct mt__slot *slot, size_t stack_size, size_t guard_size)
{
    return slot->stack_size >= stack_size && slot->stack_size <= 2 * stack_size && slot->guard_size == guard_size &&
           !__atomic_load_n(slot->tid, __ATOMIC_ACQUIRE);
}

static struct mt__slot *take_idle(size_t stack_size, size_t guard_size)
{
    struct mt__slot **link, *slot;
    int looked = 0;

    mt__tasks_acquire();
    for (link = &idle; (slot = *link) && looked < LOOK_AT; link = &slot->next, looked++) {
        if (fits(slot, stack_size, guard_size)) {
            *link = slot->next;
            idle_count--;
            mt__tasks_release();
            return slot;
        }
    }
    mt__tasks_release();
    return NULL;
}

static struct mt__slot *map_slot(size_t stack_size, size_t guard_size, int *error)
{
    size_t above = (mt__glibc_size() + sizeof(struct mt__slot) + 64 + 4095) & ~(size_t)4095;
    size_t size = guard_size + stack_size + above;
    struct mt__slot *slot;
    char *thread_pointer, *top;
    long map = mt__sys(SYS_mmap, NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    if (map < 0 && map > -4096) {
        *error = (int)map;
        return NULL;
    }
    *error = (int)mt__sys(SYS_mprotect, map + guard_size, size - guard_size, PROT_READ | PROT_WRITE);
    if (*error) {
        mt__sys(SYS_munmap, map, size);
        return NULL;
    }
    slot = (struct mt__slot *)((uintptr_t)(map + size - sizeof *slot) & ~(uintptr_t)63);
    top = mt__glibc_place((char *)slot, &thread_pointer);
    *error = mt__glibc_first(thread_pointer);
    if (*error) {
        mt__sys(SYS_munmap, map, size);
        return NULL;
    }
    slot->map = (char *)map;
    slot->map_size = size;
    slot->stack = (char *)map + guard_size;
    slot->stack_size = (size_t)(top - slot->stack);
    slot->guard_size = guard_size;
    slot->thread_pointer = thread_pointer;
    slot->tid = mt__glibc_tid(thread_pointer);
    slot->fresh = 1;
    return slot;
}

struct mt__slot *mt__slot_take(size_t stack_size, size_t guard_size, int *error)
{
    struct mt__slot *slot = take_idle(stack_size, guard_size);

    if (slot)
        mt__glibc_again(slot->thread_pointer);
    else
        slot = map_slot(stack_size, guard_size, error);
    if (slot)
        mt__glibc_prepare(slot->thread_pointer, slot->stack, slot->stack_size);
    return slot;
}

void mt__slot_give(struct mt__slot *slot)
{
    int left = !__atomic_load_n(slot->tid, __ATOMIC_ACQUIRE);

    if (left && slot->stack_size > WARM_TOP && __atomic_load_n(&idle_count, __ATOMIC_RELAXED) >= KEEP_WARM)
        mt__sys(SYS_madvise, slot->stack, slot->stack_size - WARM_TOP, MADV_DONTNEED);
    mt__tasks_acquire();
    slot->next = idle;
    idle = slot;
    __atomic_store_n(&idle_count, idle_count + 1, __ATOMIC_RELAXED);
    mt__tasks_release();
}
