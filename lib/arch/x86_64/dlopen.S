/* SPDX-License-Identifier: MIT
 *
 * void *dlopen(const char *, int), lib/patch's: a jump to what mt__dlopen_way says, with the arguments, and the caller's
 * return address, as they were.
 */
        .text
        .globl  dlopen
        .type   dlopen, @function
        .hidden mt__dlopen_way
        .p2align 4
dlopen:
        .cfi_startproc
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        call    mt__dlopen_way
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        jmp     *%rax
        .cfi_endproc
        .size   dlopen, .-dlopen
        .section .note.GNU-stack, "", @progbits
