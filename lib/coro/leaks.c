/* SPDX-License-Identifier: MIT
 *
 * What LeakSanitizer is told before it looks for leaks, at the end of the process. By itself it looks at the stacks
 * that threads stand on, and at nothing else that is mapped: what only a coroutine refers to that was left, or the
 * thread's own stack while a coroutine exits, would be called lost, and so would tasks that are found by a coroutine's.
 *
 * These are the stacks of the hub whose thread ends the process. What others leave behind is not known: they go on.
 */
#include "coro/coro.h"

#if MT__ASAN
#include <sanitizer/lsan_interface.h>

static void keep(const void *from, const void *end)
{
    __lsan_register_root_region(from, (size_t)((const char *)end - (const char *)from));
}

/* What lies above its frames is the coroutine itself. */
static void keep_coro(const struct mt__coro *coro, const void *from)
{
    keep(from, coro->stack + 1);
}

void mt__leaks_tell(const struct mt__hub *hub)
{
    const struct mt__context *root = &hub->root.context;

    if (hub->current != &hub->root)
        keep(root->place.sp, (const char *)root->bottom + root->size);
    for (const struct mt__coro *coro = hub->living; coro; coro = coro->next_living)
        keep_coro(coro, coro == hub->current ? coro : coro->context.place.sp);
    for (const struct mt__coro *coro = hub->spare; coro; coro = coro->next)
        keep_coro(coro, coro);
}
#endif
