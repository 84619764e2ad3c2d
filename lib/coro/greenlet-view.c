/* SPDX-License-Identifier: MIT
 *
 * What can be asked of a greenlet, and its parent, which can be changed.
 */
#include "coro/greenlet.h"

#include <errno.h>
#include <linuxmt/greenlet.h>

int mt_greenlet_is_dead(const struct mt_greenlet *greenlet)
{
    return mt__greenlet_is_dead(greenlet);
}

int mt_greenlet_is_started(const struct mt_greenlet *greenlet)
{
    return greenlet->started;
}

const char *mt_greenlet_name(const struct mt_greenlet *greenlet)
{
    return greenlet->name;
}

void *mt_greenlet_context(const struct mt_greenlet *greenlet)
{
    return greenlet->user;
}

void mt_greenlet_set_context(struct mt_greenlet *greenlet, void *context)
{
    greenlet->user = context;
}

size_t mt_greenlet_stack_size(const struct mt_greenlet *greenlet)
{
    return greenlet->stack ? greenlet->stack->size : 0;
}

size_t mt_greenlet_stack_used(const struct mt_greenlet *greenlet)
{
    return greenlet->stack ? mt__stack_used(greenlet->stack) : 0;
}

struct mt_greenlet *mt_greenlet_parent(const struct mt_greenlet *greenlet)
{
    struct mt_greenlet *parent = greenlet->parent;

    while (parent && mt__greenlet_is_dead(parent))
        parent = parent->parent;
    return parent;
}

int mt_greenlet_set_parent(struct mt_greenlet *greenlet, struct mt_greenlet *parent)
{
    struct mt_greenlet *old = greenlet->parent;

    if (mt__greenlet_is_dead(greenlet) || mt__greenlet_is_dead(parent))
        return -ESRCH;
    if (greenlet->family != mt__greenlets_here || parent->family != greenlet->family)
        return -EXDEV;
    if (!old)
        return -EINVAL;
    for (const struct mt_greenlet *ancestor = parent; ancestor; ancestor = ancestor->parent)
        if (ancestor == greenlet)
            return -EINVAL;
    greenlet->parent = mt__greenlet_retain(parent);
    mt__greenlet_drop(old);
    return 0;
}
