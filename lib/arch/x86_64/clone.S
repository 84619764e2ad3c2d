/* SPDX-License-Identifier: MIT
 *
 * long mt__arch_clone(flags, stack, parent_tid, child_tid, tls, entry, arg)
 *                     rdi    rsi    rdx         rcx        r8   r9     [rsp+8]
 *
 * The child has a fresh stack and returns nowhere: its frame says so to unwinders (undefined rip, rbp 0).
 */
        .text
        .globl  mt__arch_clone
        .hidden mt__arch_clone
        .type   mt__arch_clone, @function
        .p2align 4
mt__arch_clone:
        .cfi_startproc
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        movq    16(%rsp), %rbx          /* arg: kept where the child can find it */
        movq    %rcx, %r10
        andq    $-16, %rsi
        movl    $56, %eax               /* clone */
        syscall
        testq   %rax, %rax
        jz      1f
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        ret
        .cfi_endproc

        .cfi_startproc
        .cfi_undefined rip
1:      xorl    %ebp, %ebp
        movq    %rbx, %rdi
        call    *%r9
        hlt
        .cfi_endproc
        .size   mt__arch_clone, .-mt__arch_clone
        .section .note.GNU-stack, "", @progbits
