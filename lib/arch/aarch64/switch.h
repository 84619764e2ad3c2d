/* SPDX-License-Identifier: MIT */
#ifndef ARCH_AARCH64_SWITCH_H
#define ARCH_AARCH64_SWITCH_H

#include <stdint.h>

/* Where a stack was left: what is kept lies on it, at sp, as switch.S has it. */
struct mt__place {
    void *sp, *ip, *bp; /* the latter two for debuggers alone */
};

void *mt__arch_switch(struct mt__place *from, const struct mt__place *to, void *value);

void mt__arch_begin(void);

/* What the switch takes off a stack, lowest first: x19 to x30, d8 to d15 and fpcr, padded to 16 bytes. */
static inline void mt__arch_place_make(struct mt__place *place, void *top, void *entry, void *arg)
{
    uint64_t *frame = (uint64_t *)top - 22;
    uint64_t control;

    __asm__("mrs %0, fpcr" : "=r"(control));
    for (int i = 0; i < 22; i++)
        frame[i] = 0;
    frame[0] = (uint64_t)arg;
    frame[1] = (uint64_t)entry;
    frame[11] = (uint64_t)mt__arch_begin;
    frame[20] = control;
    place->sp = frame;
    place->ip = (void *)mt__arch_begin;
    place->bp = 0;
}

#endif
