/* string-io-guest.S: long REP INS and REP OUTS, forwards and backwards, while a timer interrupts them, in 32-bit and 16-bit address size. The
 * handler notes how far the instruction is. A checksum of what was read and noted stands on the screen at the end. */

#include "guest-macros.h"

        .equ    VECTOR, 0x20
        multiboot
_start: cli
        mov     $stack_top, %esp
        lgdt    gdtr
        ljmp    $0x08, $1f
1:      load_segments 0x10, ds, es, ss
        set_gate VECTOR, on_timer
        lidt    idtr
        start_timer VECTOR, 3

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
        report

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
        descriptors
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
