/* SPDX-License-Identifier: MIT
 *
 * Whose code an interrupted thread is in: its own all the way out, or somebody's who must not be left in the middle.
 *
 * The frames are followed by the unwind tables of the modules (coro/unwind.h), from the registers that the handler has
 * been given; a frame that cannot be followed to the end means no. It stands in a signal handler, so it takes no lock:
 * modules are found by _dl_find_object, which is safe there (glibc 2.35), and what they are is in a list that only
 * grows. A range in it stays, also when its module has gone: what is loaded there later is left alone needlessly.
 *
 * Outermost is, of a coroutine, run() in thread.c, and none of this library's other functions, which call back in the
 * middle of what they do. Of a thread's root it is libc, and nothing of the program's further out but where the
 * process starts: in main, and in what it calls, but also in an exit handler once main has returned, which may wait
 * as well.
 */
#include "patch/slice.h"
#include "coro/unwind.h"
#include "patch/modules.h"

#include <dlfcn.h>
#include <link.h>

#define MOST_MODULES 64
#define MOST_FRAMES  4096

/* Sanitizers put off handlers, and know nothing of a stack that is left in one. */
#if defined(DLFO_STRUCT_HAS_EH_DBASE) && !MT__ASAN && !MT__TSAN

static __typeof__(&_dl_find_object) find_object;
static const void *libc;

/* -- Modules that must not be left -------------------------------------------------------------------------------- */

static struct {
    uintptr_t low, high;
} kept[MOST_MODULES];
static uint32_t count;

static int is_kept(uintptr_t address)
{
    for (uint32_t i = 0, n = __atomic_load_n(&count, __ATOMIC_ACQUIRE); i < n; i++)
        if (address >= kept[i].low && address < kept[i].high)
            return 1;
    return 0;
}

/* Not 0: there is no room for more. */
static int keep(uintptr_t low, uintptr_t high)
{
    uint32_t n = count;

    if (is_kept(low) && is_kept(high - 1))
        return 0;
    if (n == MOST_MODULES)
        return -1;
    kept[n].low = low;
    kept[n].high = high;
    __atomic_store_n(&count, n + 1, __ATOMIC_RELEASE);
    return 0;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t low = UINTPTR_MAX, high = 0;

    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = start + info->dlpi_phdr[i].p_memsz;
            low = start < low ? start : low;
            high = end > high ? end : high;
        }
    if (low >= high)
        return 0;
    if (mt__module_keeps(info) || ((uintptr_t)mt__hub_here >= low && (uintptr_t)mt__hub_here < high) ||
        ((uintptr_t)look >= low && (uintptr_t)look < high))
        return keep(low, high);
    return 0;
}

int mt__slice_know_modules(void)
{
    static uint64_t changes;
    uint64_t now = mt__modules_changes();
    struct dl_find_object module;

    if (now == changes)
        return 0;
    if (!find_object)
        find_object = (__typeof__(find_object))dlsym(RTLD_DEFAULT, "_dl_find_object");
    if (!find_object || find_object(mt__original(MT__N_pthread_create), &module) || dl_iterate_phdr(look, NULL))
        return -1;
    libc = module.dlfo_map_start;
    changes = now;
    return 0;
}

/* -- The frames --------------------------------------------------------------------------------------------------- */

/* An excluded module's frame, which `next` is the stack pointer behind: whether it is a coroutine's outermost. */
static int is_base(const struct mt__slice_bounds *bounds, uintptr_t stack, uintptr_t next)
{
    return bounds->base >= stack && bounds->base < next;
}

int mt__slice_may(const ucontext_t *context, const struct mt__slice_bounds *bounds, const void **where)
{
    struct mt__registers registers;
    struct mt__unwind_stack stack;
    int in_libc = 0;

    mt__unwind_begin(&registers, context);
    stack.base = registers.value[MT__REG_STACK];
    if (stack.base >= (uintptr_t)bounds->top)
        return 0;
    stack.bytes = (const unsigned char *)stack.base;
    stack.size = (uintptr_t)bounds->top - stack.base;
    for (unsigned i = 0; i < MOST_FRAMES; i++) {
        uintptr_t address = registers.ip - (i > 0), at = registers.value[MT__REG_STACK];
        struct dl_find_object module;
        enum mt__unwound end;
        if (!in_libc)
            *where = (const void *)address;
        if (find_object((void *)address, &module) || !module.dlfo_eh_frame || (!i && is_kept(address)))
            return 0;
        end = mt__unwind_step(&registers, address, module.dlfo_eh_frame, &stack);
        if (is_kept(address)) {
            if (bounds->base)
                return end == MT__UNWOUND && is_base(bounds, at, registers.value[MT__REG_STACK]);
            if (module.dlfo_map_start != libc)
                return 0;
            in_libc = 1;
        } else if (in_libc) {
            return end == MT__UNWOUND_ALL;
        }
        if (end != MT__UNWOUND)
            return end == MT__UNWOUND_ALL && in_libc;
    }
    return 0;
}

#else

int mt__slice_know_modules(void)
{
    return -1;
}

int mt__slice_may(const ucontext_t *context, const struct mt__slice_bounds *bounds, const void **where)
{
    *where = NULL;
    return 0;
}

#endif
