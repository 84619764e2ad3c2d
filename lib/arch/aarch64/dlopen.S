/* SPDX-License-Identifier: MIT
 *
 * void *dlopen(const char *, int), lib/patch's: a jump to what mt__dlopen_way says, with the arguments, and the caller's
 * return address, as they were.
 */
        .text
        .globl  dlopen
        .type   dlopen, %function
        .hidden mt__dlopen_way
        .p2align 4
dlopen:
        .cfi_startproc
        stp     x29, x30, [sp, #-32]!
        .cfi_adjust_cfa_offset 32
        stp     x0, x1, [sp, #16]
        bl      mt__dlopen_way
        mov     x16, x0
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #32
        .cfi_adjust_cfa_offset -32
        br      x16
        .cfi_endproc
        .size   dlopen, .-dlopen
        .section .note.GNU-stack, "", %progbits
