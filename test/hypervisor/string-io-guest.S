/* string-io-guest.S: long REP INS and REP OUTS, forwards and backwards, while a timer interrupts them, in 32-bit and 16-bit address size. The
 * handler notes how far the instruction is. A checksum of what was read and noted stands on the screen at the end. */

        .section .mb, "a"
        .balign 4
        .long   0x1badb002, 0, -0x1badb002

        .equ    VECTOR, 0x20
        .text
        .globl  _start
_start: cli
        mov     $stack_top, %esp
        lgdt    gdtr
        ljmp    $0x08, $1f
1:      mov     $0x10, %eax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $on_timer, %eax
        mov     %ax, idt + VECTOR * 8
        movw    $0x08, idt + VECTOR * 8 + 2
        movw    $0x8e00, idt + VECTOR * 8 + 4
        shr     $16, %eax
        mov     %ax, idt + VECTOR * 8 + 6
        lidt    idtr
        mov     $0x11, %al                      /* 8259A; 8254 channel 0 in mode 2, every 3 ticks */
        out     %al, $0x20
        mov     $VECTOR, %al
        out     %al, $0x21
        mov     $4, %al
        out     %al, $0x21
        mov     $1, %al
        out     %al, $0x21
        mov     $0xfe, %al
        out     %al, $0x21
        mov     $0x34, %al
        out     %al, $0x43
        mov     $3, %al
        out     %al, $0x40
        xor     %al, %al
        out     %al, $0x40

        mov     $0x40, %edx                     /* IF clear: the counter is read again and again */
        mov     $buffer, %edi
        mov     $9001, %ecx
        cld
        rep insb
        call    sum

        sti                                     /* interrupts between the elements */
        mov     $buffer, %edi
        mov     $9001, %ecx
        rep insb
        call    sum
        mov     $0x80, %edx
        mov     $buffer + 16000, %esi
        mov     $4001, %ecx
        std
        rep outsl
        cld
        call    sum
        mov     $small, %edi                    /* 16-bit address size */
        mov     $0xfff00bb9, %ecx
        addr16 rep insb
        call    sum
        mov     $buffer, %esi                   /* the device itself sets the timer */
        movl    $0x01010101, (%esi)
        mov     $7, %ecx
        mov     $0x40, %edx
        rep outsb
        call    sum
        mov     $3000, %ecx
        mov     $0x80, %edx
        rep outsw
        cli
        call    sum

        mov     $8, %ecx
        mov     total, %ebx
        mov     $0xb8000, %edi
1:      rol     $4, %ebx
        mov     %bl, %al
        and     $15, %al
        add     $'A', %al
        mov     $7, %ah
        stosw
        loop    1b
        mov     $0x10, %al
        out     %al, $0xf4
        hlt

sum:    pushf
        cli
        mov     $noted, %esi
        add     %ecx, %edi
        mov     %edi, (%esi)
        xor     %ebx, %ebx
        mov     $(buffer_end - noted) / 4, %ecx
1:      lodsl
        rol     $5, %ebx
        add     %eax, %ebx
        loop    1b
        rol     $1, total
        add     %ebx, total
        popf
        ret
on_timer:
        push    %eax
        incl    ticks
        mov     ticks, %eax
        and     $63, %eax
        mov     %ecx, noted + 4(, %eax, 4)
        mov     $0x20, %al
        out     %al, $0x20
        pop     %eax
        iret

        .data
        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff
        .quad   0x00cf92000000ffff
gdtr:   .word   . - gdt - 1
        .long   gdt
idtr:   .word   VECTOR * 8 + 7
        .long   idt
total:  .long   0
ticks:  .long   0
        .equ    small, 0x6000                   /* below 64 KiB */
        .bss
        .balign 16
idt:    .skip   VECTOR * 8 + 8
noted:  .skip   4 + 64 * 4
buffer: .skip   16384
buffer_end:
        .skip   4096
stack_top:
        .section .note.GNU-stack, "", @progbits
