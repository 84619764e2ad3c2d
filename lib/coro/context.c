/* SPDX-License-Identifier: MIT
 *
 * Making contexts, and what AddressSanitizer and ThreadSanitizer must be told at each switch.
 */
#include "coro/context.h"

#if MT__ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if MT__TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if MT__ASAN || MT__TSAN
static __thread struct mt__context *left; /* the one that the running one was entered from */
#endif

void mt__context_make(struct mt__context *context, struct mt__stack *stack, char *top,
                      void (*entry)(void *arg, void *value), void *arg)
{
    mt__arch_place_make(&context->place, top, (void *)entry, arg);
    context->error = 0;
    stack->place = &context->place;
#if MT__ASAN
    context->fake = NULL;
    context->bottom = stack->low;
    context->size = (size_t)(top - stack->low);
#endif
#if MT__TSAN
    context->fiber = __tsan_create_fiber(0);
    context->own_fiber = 1;
#endif
}

void mt__context_begin(void)
{
#if MT__ASAN
    __sanitizer_finish_switch_fiber(NULL, &left->bottom, &left->size);
#endif
}

void mt__context_end(struct mt__context *context)
{
#if MT__TSAN
    if (context->own_fiber && context->fiber)
        __tsan_destroy_fiber(context->fiber);
    context->fiber = NULL;
#endif
    (void)context;
}

#if MT__ASAN || MT__TSAN
void *mt__context_switch(struct mt__context *from, struct mt__context *to, void *value, int last)
{
    void *result;

    from->error = errno;
    errno = to->error;
    left = from;
#if MT__TSAN
    from->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
#if MT__ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->bottom, to->size);
#endif
    (void)last;
    result = mt__arch_switch(&from->place, &to->place, value);
#if MT__ASAN
    __sanitizer_finish_switch_fiber(from->fake, &left->bottom, &left->size);
#endif
    return result;
}
#endif
