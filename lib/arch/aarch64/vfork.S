/* SPDX-License-Identifier: MIT
 *
 * pid_t vfork(void), lib/patch's: a jump to what mt__vfork_way says, since nobody may be in between: the child returns
 * from it first, on the stack that the parent is going to return on.
 */
        .text
        .globl  vfork
        .type   vfork, %function
        .hidden mt__vfork_way
        .p2align 4
vfork:
        .cfi_startproc
        stp     x29, x30, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        bl      mt__vfork_way
        ldp     x29, x30, [sp], #16
        .cfi_adjust_cfa_offset -16
        mov     x16, x0
        br      x16
        .cfi_endproc
        .size   vfork, .-vfork
        .section .note.GNU-stack, "", %progbits
