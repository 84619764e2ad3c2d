/* SPDX-License-Identifier: MIT
 *
 * pid_t vfork(void), lib/patch's: a jump to what mt__vfork_way says, since nobody may be in between: the child returns
 * from it first, on the stack that the parent is going to return on.
 */
        .text
        .globl  vfork
        .type   vfork, @function
        .hidden mt__vfork_way
        .p2align 4
vfork:
        .cfi_startproc
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        call    mt__vfork_way
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        jmp     *%rax
        .cfi_endproc
        .size   vfork, .-vfork
        .section .note.GNU-stack, "", @progbits
