/* SPDX-License-Identifier: MIT
 *
 * long mt__arch_clone(flags, stack, parent_tid, child_tid, tls, entry, arg)
 *                     x0     x1     x2          x3         x4   x5     x6
 *
 * The child returns nowhere: its frame says so to unwinders (undefined x30, x29 0).
 */
        .text
        .globl  mt__arch_clone
        .hidden mt__arch_clone
        .type   mt__arch_clone, %function
        .p2align 4
mt__arch_clone:
        .cfi_startproc
        and     x1, x1, #-16
        mov     x7, x3                  /* the kernel takes tls before child_tid here */
        mov     x3, x4
        mov     x4, x7
        mov     x8, #220                /* clone */
        svc     0
        cbz     x0, 1f
        ret
        .cfi_endproc

        .cfi_startproc
        .cfi_undefined x30
1:      mov     x29, #0
        mov     x30, #0
        mov     x0, x6
        blr     x5
        brk     #0
        .cfi_endproc
        .size   mt__arch_clone, .-mt__arch_clone
        .section .note.GNU-stack, "", %progbits
