/* segment-end-guest.S: the last instruction of a 64 KiB code segment of 16 bits, in protected mode and in real mode. EIP goes on to 10000h and
 * does not wrap, so the next fetch is beyond the limit: #GP, with EIP 10000h in the frame. Of the instructions tried, CPUID, RDTSC
 * and IN leave the guest. What it found goes to port F4h: 10h if all is well, else the number of the check. */

#include "guest-macros.h"

        .equ    BASE, 0x20000                   /* of the narrow segment; in real mode 2000:0 */

        multiboot
_start: cli
        mov     $stack_top, %esp
        lgdt    gdtr
        set_gate 13, on_gp
        lidt    idtr
        copy_real_part
        mov     $instructions, %ebp
        movl    $1, check

        movl    $0xf4e620b0, BASE               /* whoever wraps: MOV AL, 20h; OUT F4h, AL */

        /* an entry is the offset of an instruction and its two bytes, at the very end of the segment */
1:      movzwl  (%ebp), %eax
        test    %eax, %eax
        jz      2f
        mov     2(%ebp), %dx
        mov     %dx, BASE(%eax)
        mov     $0x21, %edx
        mov     %ax, target
        mov     %esp, saved_esp
        xor     %eax, %eax
        ljmp    *target
on_gp:  pop     %eax
        test    %eax, %eax
        jnz     failed
        cmpl    $0x10000, (%esp)
        jne     failed
        mov     saved_esp, %esp
        add     $4, %ebp
        incl    check
        jmp     1b

2:      ljmp    $0x18, $LOW + (narrow - real)
back:   load_segments 0x10, ds, ss
        mov     $0x10, %eax
        cmpw    $0, LOW + (result - real)
        je      3f
failed: mov     check, %eax
3:      report

        .data
        /* 18, 20, and 28: code, 16-bit, base BASE */
        descriptors NARROW_CODE, NARROW_DATA, 0x00009a020000ffff
idtr:   .word   255
        .long   idt
target: .long   0
        .word   0x28
check:  .long   0
saved_esp:
        .long   0
instructions:
        .word   0xffff, 0x0090                  /* NOP */
        .word   0xfffe, 0xa20f                  /* CPUID */
        .word   0xfffe, 0x310f                  /* RDTSC */
        .word   0xffff, 0x00ec                  /* IN AL, DX */
        .word   0
        .bss
        .balign 16
idt:    .skip   256
        .skip   4096
stack_top:

        real_part
narrow: mov     $0x20, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        to_real_mode
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %ss
        mov     $0x7000, %sp
        lidtl   AT(idtr_real)
        movw    $AT(on_gp_real), 13 * 4
        movw    $0, 13 * 4 + 2
        mov     $BASE >> 4, %ax
        mov     %ax, %es
        movw    $0xa20f, %es:0xfffe             /* CPUID; the frame holds 16 bits of EIP */
        xor     %eax, %eax
        ljmp    $(BASE >> 4), $0xfffe
on_gp_real:
        pop     %ax
        mov     %ax, AT(result)
        to_protected_mode back

        .balign 2
result: .word   0xffff
idtr_real:
        .word   0x3ff
        .long   0
real_end:
        .section .note.GNU-stack, "", @progbits
