/* SPDX-License-Identifier: MIT
 *
 * void *mt__arch_switch(struct mt__place *from, const struct mt__place *to, void *value)
 *                       x0                      x1                         x2
 * and mt__arch_switch_last, which is the same here.
 *
 * Saves what a called function must keep, x19 to x30, d8 to d15 and the control word of the floating point unit, on the
 * stack that is left, and takes the same from the stack that is entered, where the call that once left it returns value.
 * The control word is only loaded where it differs.
 */
        .text
        .globl  mt__arch_switch_last
        .globl  mt__arch_switch
        .hidden mt__arch_switch_last
        .hidden mt__arch_switch
        .type   mt__arch_switch_last, %function
        .type   mt__arch_switch, %function
        .p2align 6
mt__arch_switch_last:
mt__arch_switch:
        .cfi_startproc
        sub     sp, sp, #176
        .cfi_def_cfa_offset 176
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        .cfi_offset x19, -176
        .cfi_offset x20, -168
        .cfi_offset x21, -160
        .cfi_offset x22, -152
        .cfi_offset x23, -144
        .cfi_offset x24, -136
        .cfi_offset x25, -128
        .cfi_offset x26, -120
        .cfi_offset x27, -112
        .cfi_offset x28, -104
        .cfi_offset x29, -96
        .cfi_offset x30, -88
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        str     x9, [sp, #160]
        mov     x10, sp
        adr     x11, 2f
        stp     x10, x11, [x0]
        str     x29, [x0, #16]
        ldr     x10, [x1]
        mov     sp, x10
2:
        ldr     x10, [sp, #160]
        cmp     x9, x10
        b.eq    1f
        msr     fpcr, x10
1:      ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        add     sp, sp, #176
        .cfi_def_cfa_offset 0
        mov     x0, x2
        ret
        .cfi_endproc
        .size   mt__arch_switch_last, .-mt__arch_switch_last

/* Where a new stack begins: entry in x20, its argument in x19, the first value in x0. Nothing called it, which its
 * frame says to unwinders. It jumps to entry, by the register that may, so that the processor's stack of return
 * addresses stays as high as it was. */
        .globl  mt__arch_begin
        .hidden mt__arch_begin
        .type   mt__arch_begin, %function
        .p2align 4
mt__arch_begin:
        .cfi_startproc
        .cfi_undefined x30
        mov     x29, xzr
        mov     x1, x0
        mov     x0, x19
        adr     x30, 1f
        mov     x16, x20
        br      x16
1:      brk     #1
        .cfi_endproc
        .size   mt__arch_begin, .-mt__arch_begin
        .section .note.GNU-stack, "", %progbits
