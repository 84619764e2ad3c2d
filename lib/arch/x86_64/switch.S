/* SPDX-License-Identifier: MIT
 *
 * The parts of the switch that are not inline: see lib/arch/x86_64/switch.h for what a place is and what is kept.
 *
 * They leave by a jump, not a return: the processor's stack of return addresses belongs to the other side and would
 * predict wrongly each time, which costs twice what the rest does. For the same reason no shadow stack can be on: this
 * file goes without the ELF note that says it may be (GNU property SHSTK), so the linker leaves it out of the whole
 * library and the kernel keeps it off.
 */
        .text

/* int mt__arch_switch_last(struct mt__place *from, const struct mt__place *to, int value)
 *                          rdi                     rsi                         edx
 * For a call that is the last thing its caller does. Keeps what a called function must below the return address, and
 * goes on there by itself. */
        .globl  mt__arch_switch_last
        .hidden mt__arch_switch_last
        .type   mt__arch_switch_last, @function
        .p2align 6
mt__arch_switch_last:
        .cfi_startproc
        fnstcw  24(%rdi)
        movq    %rbx, -8(%rsp)
        leaq    -40(%rsp), %rax
        movq    %r12, -16(%rsp)
        leaq    1f(%rip), %rcx
        movq    %r13, -24(%rsp)
        movq    %r14, -32(%rsp)
        movq    %r15, -40(%rsp)
        movq    %rax, (%rdi)
        movq    %rcx, 8(%rdi)
        movq    %rbp, 16(%rdi)
        movzwl  24(%rdi), %eax
        cmpw    24(%rsi), %ax
        jne     mt__arch_switch_control
        movq    8(%rsi), %rcx
        movq    16(%rsi), %rbp
        movq    (%rsi), %rsp
        jmp     *%rcx
        .p2align 4
1:      .cfi_def_cfa_offset 48
        .cfi_offset rbx, -16
        .cfi_offset r12, -24
        .cfi_offset r13, -32
        .cfi_offset r14, -40
        .cfi_offset r15, -48
        movq    40(%rsp), %rcx
        movq    32(%rsp), %rbx
        movq    24(%rsp), %r12
        movq    16(%rsp), %r13
        movq    8(%rsp), %r14
        movq    (%rsp), %r15
        movq    %rdx, %rax
        addq    $48, %rsp
        .cfi_def_cfa_offset 0
        .cfi_register rip, rcx
        .cfi_restore rbx
        .cfi_restore r12
        .cfi_restore r13
        .cfi_restore r14
        .cfi_restore r15
        jmp     *%rcx
        .cfi_endproc
        .size   mt__arch_switch_last, .-mt__arch_switch_last

/* The rest of a switch whose sides differ in the control word of the x87: loads it, and what of it mxcsr mirrors, the
 * rounding (0x6000 there, 0x0c00 here) and the masks (0x1f80 and 0x003f). Registers as above. */
        .globl  mt__arch_switch_control
        .hidden mt__arch_switch_control
        .type   mt__arch_switch_control, @function
        .p2align 4
mt__arch_switch_control:
        .cfi_startproc
        .cfi_undefined rip
        stmxcsr 28(%rdi)
        movzwl  24(%rsi), %ecx
        movl    %ecx, %eax
        andl    $0x0c00, %ecx
        andl    $0x003f, %eax
        shll    $3, %ecx
        shll    $7, %eax
        orl     %ecx, %eax
        movl    28(%rdi), %ecx
        andl    $~0x7f80, %ecx
        orl     %ecx, %eax
        movl    %eax, 28(%rdi)
        ldmxcsr 28(%rdi)
        fldcw   24(%rsi)
        movq    8(%rsi), %rcx
        movq    16(%rsi), %rbp
        movq    (%rsi), %rsp
        jmp     *%rcx
        .cfi_endproc
        .size   mt__arch_switch_control, .-mt__arch_switch_control

/* Where a new stack begins: entry and its argument lie on it, the first value is in rdx. Nothing called it, which its
 * frame says to unwinders. It jumps to entry, with a return address that is only for them: a call would leave the
 * processor's stack of those one too high, and all returns of the next stack to go on would be mispredicted. */
        .globl  mt__arch_begin
        .hidden mt__arch_begin
        .type   mt__arch_begin, @function
        .p2align 4
mt__arch_begin:
        .cfi_startproc
        .cfi_undefined rip
        xorl    %ebp, %ebp
        movq    8(%rsp), %rdi
        movq    %rdx, %rsi
        movq    (%rsp), %rax
        leaq    1f(%rip), %rcx
        pushq   %rcx
        jmp     *%rax
1:      ud2
        .cfi_endproc
        .size   mt__arch_begin, .-mt__arch_begin
        .section .note.GNU-stack, "", @progbits
