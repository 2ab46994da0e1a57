/* Assembly with sized, unsized, local and nested labels, in two sections. */
        .text
        .globl _start
_start:
        cli
        call    kernel_main
halt:
        hlt
        jmp     halt
        .globl sized
        .type sized, @function
sized:
        nop
inner_label:
        nop
        .fill 20, 1, 0x90
        ret
        .size sized, . - sized
        .globl __alias
        .set __alias, sized

        .section .init.text, "ax", @progbits
setup:
        xor %eax, %eax
1:      inc %eax
        cmp $300, %eax
        jne 1b
        ret
        .bss
        .globl stack
stack:  .skip 64
