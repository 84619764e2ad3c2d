/* SPDX-License-Identifier: MIT
 *
 * USDT probes: a one-byte nop where the probe stands and an ELF note that names it, in the format of SystemTap's
 * sys/sdt.h (note type 3, owner "stapsdt"), which bpftrace, perf, gdb and libbpf read. Each probe has a semaphore, a
 * counter that tracers raise while they look: MT__PROBED(name) is the test that keeps the work for arguments off the
 * path when nobody does.
 */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H

#include <stdint.h>

#define MT_PROBE(name, count) extern uint16_t linuxmt_##name##_semaphore __attribute__((visibility("hidden")));
#include "base/probes.def"
#undef MT_PROBE

#define MT__PROBED(name) __builtin_expect(*(const volatile uint16_t *)&linuxmt_##name##_semaphore != 0, 0)

#define MT__NOTE(name, arguments)                                           \
    "990: nop\n"                                                            \
    ".pushsection .note.stapsdt,\"\",\"note\"\n"                            \
    ".balign 4\n"                                                           \
    ".4byte 992f-991f, 994f-993f, 3\n"                                      \
    "991: .asciz \"stapsdt\"\n"                                             \
    "992: .balign 4\n"                                                      \
    "993: .8byte 990b\n"                                                    \
    ".8byte _.stapsdt.base\n"                                               \
    ".8byte linuxmt_" #name "_semaphore\n"                                  \
    ".asciz \"linuxmt\"\n"                                                  \
    ".asciz \"" #name "\"\n"                                                \
    ".asciz \"" arguments "\"\n"                                            \
    "994: .balign 4\n"                                                      \
    ".popsection\n"                                                         \
    ".ifndef _.stapsdt.base\n"                                              \
    ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
    ".weak _.stapsdt.base\n"                                                \
    ".hidden _.stapsdt.base\n"                                              \
    "_.stapsdt.base: .space 1\n"                                            \
    ".size _.stapsdt.base, 1\n"                                             \
    ".popsection\n"                                                         \
    ".endif\n"

#define MT__ARG(n, value)        [a##n] "r"((uint64_t)(value))
#define MT__PROBE2(name, v1, v2) __asm__ volatile(MT__NOTE(name, "8@%[a1] 8@%[a2]") : : MT__ARG(1, v1), MT__ARG(2, v2))
#define MT__PROBE3(name, v1, v2, v3) \
    __asm__ volatile(MT__NOTE(name, "8@%[a1] 8@%[a2] 8@%[a3]") : : MT__ARG(1, v1), MT__ARG(2, v2), MT__ARG(3, v3))
#define MT__PROBE4(name, v1, v2, v3, v4)                               \
    __asm__ volatile(MT__NOTE(name, "8@%[a1] 8@%[a2] 8@%[a3] 8@%[a4]") \
                     :                                                 \
                     : MT__ARG(1, v1), MT__ARG(2, v2), MT__ARG(3, v3), MT__ARG(4, v4))
#define MT__PROBE5(name, v1, v2, v3, v4, v5)                                   \
    __asm__ volatile(MT__NOTE(name, "8@%[a1] 8@%[a2] 8@%[a3] 8@%[a4] 8@%[a5]") \
                     :                                                         \
                     : MT__ARG(1, v1), MT__ARG(2, v2), MT__ARG(3, v3), MT__ARG(4, v4), MT__ARG(5, v5))

#define MT__PROBE6(name, v1, v2, v3, v4, v5, v6)                                       \
    __asm__ volatile(MT__NOTE(name, "8@%[a1] 8@%[a2] 8@%[a3] 8@%[a4] 8@%[a5] 8@%[a6]") \
                     :                                                                 \
                     : MT__ARG(1, v1), MT__ARG(2, v2), MT__ARG(3, v3), MT__ARG(4, v4), MT__ARG(5, v5), MT__ARG(6, v6))

#endif
